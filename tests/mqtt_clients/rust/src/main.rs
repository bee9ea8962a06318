//! rumqttc, MQTT 3.1.1, over TCP. The arguments and lines are those of README.md.

use std::collections::HashMap;
use std::collections::VecDeque;
use std::time::Duration;

use rumqttc::{AsyncClient, Event, MqttOptions, Outgoing, Packet, QoS};
use tokio::io::{AsyncBufReadExt, BufReader, stdin};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, password, client_id, topic_out, topic_in] = arguments.as_slice() else {
        panic!("five arguments are needed");
    };
    let (host, port) = address.rsplit_once(':').unwrap();
    let mut options = MqttOptions::new(client_id, host, port.parse().unwrap());
    options
        .set_credentials("program", password)
        .set_clean_session(false)
        .set_keep_alive(Duration::from_secs(60));
    let (client, mut connection) = AsyncClient::new(options, 10);
    let mut lines = BufReader::new(stdin()).lines();
    let (mut handed_over, mut under_way) = (VecDeque::new(), HashMap::new());
    loop {
        tokio::select! {
            event = connection.poll() => match event {
                Ok(Event::Incoming(Packet::ConnAck(_))) => {
                    client.try_subscribe(topic_in, QoS::AtLeastOnce).unwrap();
                }
                Ok(Event::Incoming(Packet::SubAck(_))) => println!("subscribed"),
                Ok(Event::Incoming(Packet::Publish(message))) => {
                    println!("received {}", String::from_utf8_lossy(&message.payload));
                }
                Ok(Event::Outgoing(Outgoing::Publish(id))) => {
                    if let Some(line) = handed_over.pop_front() {
                        under_way.insert(id, line);
                    }
                }
                Ok(Event::Incoming(Packet::PubAck(acknowledgement))) => {
                    if let Some(line) = under_way.remove(&acknowledgement.pkid) {
                        println!("published {line}");
                    }
                }
                Ok(_) => {}
                Err(error) => {
                    eprintln!("{error}");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            },
            line = lines.next_line() => match line.unwrap() {
                Some(line) => {
                    client.try_publish(topic_out, QoS::AtLeastOnce, false, line.clone()).unwrap();
                    handed_over.push_back(line);
                }
                None => {
                    let _ = client.try_disconnect();
                    while connection.poll().await.is_ok() {}
                    return;
                }
            },
        }
    }
}
