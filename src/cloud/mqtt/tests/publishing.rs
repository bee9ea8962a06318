//! Tests of QoS 1 messages to the server.

use super::super::{Event, Lost, NotSent, PacketSink as _};
use super::*;
use crate::mqtt::ReasonCode;

/// Waits for the next event, which must be an answer to a message; returns its packet identifier, code and reason string.
async fn answer(connection: &mut Connection) -> (u16, ReasonCode, Option<String>) {
    match connection.next().await {
        Ok(Event::Acknowledged { packet_id, reason }) => (packet_id, reason.code, reason.words),
        other => panic!("{other:?}"),
    }
}

/// Cases `pubacks_reordered`, `puback_refused`, `stray_pubacks` and `short_forms`: each answer is assigned to the message that it names.
#[tokio::test]
async fn each_answer_belongs_to_its_message() {
    const SUCCESS: ReasonCode = ReasonCode::SUCCESS;
    const REFUSED: ReasonCode = ReasonCode::NOT_AUTHORIZED;
    let refused = packet(0x40, b"\x00\x02\x87\x05\x1f\x00\x02no");
    type Answers = Vec<(u16, ReasonCode)>;
    let cases: [(&str, Vec<Vec<u8>>, Answers); 7] = [
        (
            "in order",
            vec![puback(1), puback(2), puback(3)],
            vec![(1, SUCCESS), (2, SUCCESS), (3, SUCCESS)],
        ),
        (
            "in another order",
            vec![puback(3), puback(1), puback(2)],
            vec![(3, SUCCESS), (1, SUCCESS), (2, SUCCESS)],
        ),
        (
            "one is refused",
            vec![refused.clone(), puback(1)],
            vec![(2, REFUSED), (1, SUCCESS)],
        ),
        (
            "one is answered twice",
            vec![puback(1), puback(1), puback(2)],
            vec![(1, SUCCESS), (2, SUCCESS)],
        ),
        (
            "a refusal that follows an acknowledgement",
            vec![puback(2), refused, puback(1)],
            vec![(2, SUCCESS), (1, SUCCESS)],
        ),
        (
            "one that was never sent is answered",
            vec![puback(4000), puback(2)],
            vec![(2, SUCCESS)],
        ),
        (
            "a code without the length of properties",
            vec![packet(0x40, &[0, 3, 0x87]), packet(0x40, &[0, 1, 0x10])],
            vec![(3, REFUSED), (1, ReasonCode::NO_MATCHING_SUBSCRIBERS)],
        ),
    ];
    let server = Server::start().await;
    for (what, answers, expected) in cases {
        let (mut connection, _, mut peer) = server.open(&connack(&[])).await;
        for id in 1..=3 {
            assert_eq!(connection.publish(&message(vec![b'x'; 8])), Ok(id), "{what}");
        }
        for id in 1..=3 {
            assert_eq!(sent(&mut connection, &mut peer).await.0, id, "{what}");
        }
        peer.send(&answers.concat()).await;
        for (id, code) in expected {
            let (answered, said, words) = answer(&mut connection).await;
            assert_eq!((answered, said), (id, code), "{what}");
            assert_eq!(words.is_some(), id == 2 && code == REFUSED, "{what}: {words:?}");
        }
        // The end of the stream is the next event, so no other answer was counted.
        peer.close().await;
        assert!(matches!(connection.next().await, Err(Lost::Broken(_))), "{what}");
    }
}

/// Cases `receive_maximum`, `receive_maximum_shrinks` and `bounded`: the number of messages in flight never exceeds what the server has
/// granted.
#[tokio::test]
async fn messages_in_flight_stay_within_the_receive_maximum() {
    let server = Server::start().await;
    for granted in [20_u8, 3, 1] {
        let (mut connection, _, mut peer) = server.open(&connack(&[0x21, 0, granted])).await;
        for _ in 0..granted {
            connection.publish(&message(b"x".to_vec())).unwrap();
        }
        for _ in 0..1000 {
            assert_eq!(connection.publish(&message(b"x".to_vec())), Err(NotSent::WindowFull));
        }
        let (id, _) = sent(&mut connection, &mut peer).await;
        peer.send(&puback(id)).await;
        assert_eq!(answer(&mut connection).await.0, id);
        connection.publish(&message(b"x".to_vec())).unwrap();
        assert_eq!(connection.publish(&message(b"x".to_vec())), Err(NotSent::WindowFull));
    }
}

/// Cases `payload_of_128_kib` and `cancelled_while_sending`: the largest messages are sent to a server that reads slowly, and the wait is
/// cancelled each time.
#[tokio::test]
async fn the_largest_messages_arrive_whole_though_the_wait_is_cancelled() {
    const MESSAGES: u8 = 30;
    let server = Server::start().await;
    let (mut connection, _, mut peer) = server.open(&connack(&[])).await;
    let mut next = 0;
    let sending = async {
        loop {
            while next < MESSAGES && connection.publish(&message(vec![next; 128 * 1024])).is_ok() {
                next += 1;
            }
            tokio::select! {
                biased;
                event = connection.next() => match event {
                    Ok(Event::Acknowledged { .. } | Event::Room) => {}
                    other => panic!("{other:?}"),
                },
                () = tokio::task::yield_now() => {}
            }
        }
    };
    let reading = async {
        for number in 0..MESSAGES {
            let (id, payload) = peer.read_publish().await;
            assert!(payload == [number; 128 * 1024], "message {number} is whole");
            peer.send(&puback(id)).await;
        }
    };
    tokio::select! {
        () = sending => {}
        () = reading => {}
    }
    assert_eq!(next, MESSAGES);
}

/// Case `too_large_for_the_broker`: one message is refused before it is sent, without other effects.
#[tokio::test]
async fn a_message_that_is_too_large_for_the_server_is_not_sent() {
    let server = Server::start().await;
    let (mut connection, _, mut peer) = server.open(&connack(&[0x27, 0, 0, 3, 0xe8])).await;
    let refused = connection.publish(&message(vec![b'x'; 5000]));
    assert!(matches!(refused, Err(NotSent::Never(_))), "{refused:?}");
    let id = connection.publish(&message(b"small".to_vec())).unwrap();
    assert_eq!(sent(&mut connection, &mut peer).await, (id, b"small".to_vec()));
}

/// Case `killed_with_database`: acknowledgements that the server sent before it closed are read, though it accepts nothing any more.
#[tokio::test]
async fn acknowledgements_before_the_end_are_read() {
    let server = Server::start().await;
    let (mut connection, _, mut peer) = server.open(&connack(&[])).await;
    for _ in 0..3 {
        connection.publish(&message(b"x".to_vec())).unwrap();
    }
    for _ in 0..3 {
        sent(&mut connection, &mut peer).await;
    }
    peer.send(&[puback(1), puback(2), puback(3)].concat()).await;
    peer.close().await;
    connection.publish(&message(vec![b'x'; 100_000])).unwrap();
    for id in 1..=3 {
        assert_eq!(answer(&mut connection).await.0, id);
    }
    assert!(matches!(connection.next().await, Err(Lost::Broken(_))));
}
