//! Tests of keep-alive, cancelled waits, and the end of a connection.

use tokio::time::{Instant, pause, timeout};

use super::super::{Event, Farewell, Lost, PacketSink as _};
use super::*;
use crate::mqtt::ReasonCode;

/// Cases `server_keep_alive` and `silent_broker`: CONNECT requests 60 s, CONNACK sets 10 s, and the server never sends anything again. The
/// clock advances only while everybody waits.
#[tokio::test]
async fn the_keep_alive_of_connack_decides_when_a_silent_server_is_given_up() {
    let server = Server::start().await;
    let (mut connection, _, mut peer) = server.open(&connack(&[0x13, 0, 10])).await;
    pause();
    let begun = Instant::now();
    let mut seen = Vec::new();
    let reading = async {
        while let Some(packet) = peer.read().await {
            seen.push(packet);
        }
    };
    let ending = async {
        let lost = connection.next().await.unwrap_err();
        drop(connection);
        (lost, begun.elapsed())
    };
    let ((lost, at), ()) = join!(ending, reading);
    assert!(
        matches!(&lost, Lost::GivenUp(why) if why.contains("not even PINGRESP")),
        "{lost:?}"
    );
    assert_eq!(at.as_secs(), 15, "by the clock of the test");
    assert_eq!(seen, [[0xc0, 0]], "PINGREQ, once");
}

/// A server that answers PINGREQ but not an earlier packet: that packet may be sent again only on a new connection.
#[tokio::test]
async fn a_server_that_answers_pingreq_alone_is_given_up_after_a_minute() {
    let server = Server::start().await;
    let (mut connection, _, mut peer) = server.open(&connack(&[])).await;
    connection.publish(&message(b"unanswered".to_vec())).unwrap();
    pause();
    let begun = Instant::now();
    let answering = async {
        while let Some(packet) = peer.read().await {
            if packet == [0xc0, 0] {
                peer.send(&[0xd0, 0]).await;
            }
        }
    };
    let ending = async {
        let lost = connection.next().await.unwrap_err();
        drop(connection);
        (lost, begun.elapsed())
    };
    let ((lost, at), ()) = join!(ending, answering);
    assert!(matches!(lost, Lost::Unanswered), "{lost:?}");
    assert!((60..90).contains(&at.as_secs()), "by the clock of the test: {at:?}");
}

/// Case `cancelled_while_receiving`: messages arrive byte by byte, and the wait is cancelled each time.
#[tokio::test]
async fn a_cancelled_wait_loses_no_byte_of_a_message() {
    const MESSAGES: u16 = 20;
    let server = Server::start().await;
    let (mut connection, _, mut peer) = server.open(&connack(&[])).await;
    let sending = async {
        for id in 1..=MESSAGES {
            for byte in publish(id, b"a few bytes") {
                peer.send(&[byte]).await;
                tokio::task::yield_now().await;
            }
        }
    };
    let receiving = async {
        let mut came = Vec::new();
        while came.len() < MESSAGES.into() {
            tokio::select! {
                biased;
                event = connection.next() => match event {
                    Ok(Event::Received { packet_id: Some(id), .. }) => {
                        connection.acknowledge(id, ReasonCode::SUCCESS);
                        came.push(id);
                    }
                    other => panic!("{other:?}"),
                },
                () = tokio::task::yield_now() => {}
            }
        }
        came
    };
    let (came, ()) = join!(receiving, sending);
    assert!(came.into_iter().eq(1..=MESSAGES));
}

/// Case `clean_disconnect`: accepted packets are sent before DISCONNECT.
#[tokio::test]
async fn queued_packets_are_sent_before_disconnect() {
    for (farewell, disconnect) in [
        (Farewell::DiscardWill, vec![0xe0, 0]),
        (Farewell::PublishWill, vec![0xe0, 1, 4]),
    ] {
        let server = Server::start().await;
        let (mut connection, _, mut peer) = server.open(&connack(&[])).await;
        for number in 0..10 {
            connection.publish(&message(vec![number; 64])).unwrap();
        }
        let reading = async {
            for number in 0..10 {
                let (id, payload) = peer.read_publish().await;
                assert_eq!(payload, [number; 64]);
                peer.send(&puback(id)).await;
            }
            assert_eq!(peer.read().await, Some(disconnect));
            assert_eq!(peer.read().await, None);
            let _ = peer.stream.shutdown().await;
        };
        join!(connection.close(farewell), reading);
    }
}

/// Case `disconnect_from_a_stuck_broker`: the server reads nothing any more. The caller sets a time limit, which is kept.
#[tokio::test]
async fn a_server_that_reads_nothing_does_not_keep_a_connection_from_its_end() {
    let server = Server::start().await;
    let (mut connection, _, peer) = server.open(&connack(&[])).await;
    // Until the kernel's buffers and ours are full. The clock advances only while nothing else happens.
    pause();
    let limit = Duration::from_secs(2);
    loop {
        while connection.publish(&message(vec![b'x'; 120_000])).is_ok() {}
        if timeout(limit, connection.next()).await.is_err() {
            break;
        }
    }
    let closed = timeout(limit, connection.close(Farewell::DiscardWill)).await;
    assert!(closed.is_err(), "the limit ended it");
    drop(peer);
}
