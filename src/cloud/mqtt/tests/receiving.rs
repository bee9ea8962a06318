//! Tests of packets from the server.

use super::super::{Event, Lost, PacketSink as _};
use super::*;
use crate::mqtt::ReasonCode;
use crate::qos::Qos;

/// Waits for the next event, which must be a message; returns its packet identifier and payload.
async fn received(connection: &mut Connection) -> (Option<u16>, Vec<u8>) {
    match connection.next().await {
        Ok(Event::Received { packet_id, message }) => (packet_id, message.payload.to_vec()),
        other => panic!("{other:?}"),
    }
}

/// Returns the next packet that reaches the server.
async fn read(connection: &mut Connection, peer: &mut Peer) -> Vec<u8> {
    tokio::select! {
        outcome = connection.next() => panic!("{outcome:?}"),
        packet = peer.read() => packet.unwrap(),
    }
}

/// Cases `manual_ack`, `redelivered_after_reconnect` and `payload_of_128_kib_in`.
#[tokio::test]
async fn a_message_is_delivered_again_until_it_is_acknowledged() {
    let server = Server::start().await;
    let large = vec![7; 128 * 1024];
    let (mut connection, _, mut peer) = server.open(&connack(&[])).await;
    peer.send(&publish(9, b"reboot")).await;
    assert_eq!(received(&mut connection).await, (Some(9), b"reboot".to_vec()));
    // Another packet reaches the server first, so PUBACK was not sent automatically.
    connection.publish(&message(b"first".to_vec())).unwrap();
    assert_eq!(sent(&mut connection, &mut peer).await.1, b"first");
    peer.close().await;
    assert!(matches!(connection.next().await, Err(Lost::Broken(_))));

    let (mut connection, _, mut peer) = server.open(&packet(0x20, &[1, 0, 0])).await;
    let packet = publish(9, &large);
    let ((), again) = join!(peer.send(&packet), received(&mut connection));
    assert_eq!(again, (Some(9), large));
    connection.acknowledge(9, ReasonCode::SUCCESS);
    assert_eq!(read(&mut connection, &mut peer).await, puback(9));
}

/// Cases `server_disconnect` and `short_forms`: DISCONNECT is reported with its code and reason string, in each permitted length.
#[tokio::test]
async fn a_disconnect_is_passed_on_with_code_and_words() {
    let cases: [(&[u8], ReasonCode, Option<&str>); 5] = [
        (b"", ReasonCode::SUCCESS, None),
        (b"\x8b", ReasonCode::SERVER_SHUTTING_DOWN, None),
        // Mosquitto 2.0.11 sends this after PUBLISH on "#".
        (b"\x82", ReasonCode::PROTOCOL_ERROR, None),
        (b"\x8e\x00", ReasonCode::SESSION_TAKEN_OVER, None),
        (
            b"\x8e\x0d\x1f\x00\x0ataken over",
            ReasonCode::SESSION_TAKEN_OVER,
            Some("taken over"),
        ),
    ];
    let server = Server::start().await;
    for (body, code, words) in cases {
        let (mut connection, _, mut peer) = server.open(&connack(&[])).await;
        peer.send(&packet(0xe0, body)).await;
        match connection.next().await {
            Err(Lost::Disconnected(reason)) => assert_eq!((reason.code, reason.words.as_deref()), (code, words)),
            other => panic!("{body:02x?}: {other:?}"),
        }
    }
}

/// Case `subscription_refused`.
#[tokio::test]
async fn each_filter_is_answered_by_itself() {
    let server = Server::start().await;
    let (mut connection, _, mut peer) = server.open(&connack(&[])).await;
    let filters = ["a", "b", "c"].map(|filter| (filter.to_owned(), Qos::AtLeastOnce));
    let id = connection.subscribe(&filters).unwrap();
    read(&mut connection, &mut peer).await;
    peer.send(&packet(0x90, &[&id.to_be_bytes()[..], &[0, 1, 0x87, 0]].concat()))
        .await;
    match connection.next().await {
        Ok(Event::Subscribed { packet_id, granted, .. }) => {
            assert_eq!(packet_id, id);
            let expected = [
                Ok(Qos::AtLeastOnce),
                Err(ReasonCode::NOT_AUTHORIZED),
                Ok(Qos::AtMostOnce),
            ];
            assert_eq!(granted, expected);
        }
        other => panic!("{other:?}"),
    }
}

/// Case `oversize`: a packet beyond every limit is refused by its length, before it has arrived.
#[tokio::test]
async fn a_packet_is_refused_by_its_length_alone() {
    let server = Server::start().await;
    let (mut connection, _, mut peer) = server.open(&connack(&[])).await;
    let of_64_mib = b"\x32\x80\x80\x80\x20";
    peer.send(of_64_mib).await;
    let outcome = join!(connection.next(), peer.read());
    assert!(matches!(outcome.0, Err(Lost::Protocol(_))), "{outcome:?}");
    assert_eq!(outcome.1.unwrap(), [0xe0, 1, 0x95], "the server gets the reason");
}

/// Case `malformed`: each packet of a server is truncated at each position, and each of its bytes is replaced. Nothing hangs or panics.
/// src/mqtt/tests/random.rs tests less similar input.
#[tokio::test]
async fn damaged_packets_end_in_an_event_or_the_end_of_the_connection() {
    let whole = [
        connack(b"\x21\x00\x07\x27\x00\x00\x10\x00"),
        publish(9, b"x"),
        packet(0x40, b"\x00\x01\x87\x05\x1f\x00\x02no"),
        packet(0x90, &[0, 1, 0, 1]),
        packet(0xe0, b"\x8e\x06\x1f\x00\x03bye"),
        packet(0xf0, &[0x18, 0]),
        vec![0x30, 0xff, 0xff, 0xff, 0xff],
    ];
    let server = Server::start().await;
    for damaged in whole.iter().flat_map(|packet| variants(packet)) {
        let (mut connection, _, mut peer) = server.open(&connack(&[])).await;
        connection.publish(&message(b"x".to_vec())).unwrap();
        let ending = async {
            while connection.next().await.is_ok() {}
            drop(connection);
        };
        let serving = async {
            peer.send(&damaged).await;
            let _ = peer.stream.shutdown().await;
            while peer.read().await.is_some() {}
        };
        join!(ending, serving);
    }
}

/// Returns each prefix of a packet, and the packet with each of its bytes replaced.
fn variants(packet: &[u8]) -> Vec<Vec<u8>> {
    let mut variants: Vec<_> = (1..packet.len()).map(|end| packet[..end].to_vec()).collect();
    for position in 0..packet.len() {
        for value in [0x00, 0x7f, 0xff, packet[position] ^ 0x10] {
            let mut variant = packet.to_vec();
            variant[position] = value;
            variants.push(variant);
        }
    }
    variants
}
