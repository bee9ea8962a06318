//! Tests of how presence, publisher and subscriber learn of each end of a connection, and of what they do on the next one.

use std::time::Duration;

use super::super::testing::{Bench, disconnected, session};
use super::*;
use crate::cloud::mqtt::test_sink::Sent;
use crate::mqtt::LATEST_ANSWER;

const PRESENCE: &str = "gw-1/presence";
const OFFLINE: &str = r#"{"state":"offline""#;
const ONLINE: &str = r#"{"state":"online""#;

fn one_at_a_time() -> ServerLimits {
    ServerLimits {
        receive_maximum: 1,
        ..session(true)
    }
}

fn everything(_: &str) -> bool {
    true
}

#[tokio::test(start_paused = true)]
async fn each_end_of_a_connection_makes_suspects_of_what_it_may_have_been_and_of_nothing_else() {
    let soon = Duration::ZERO;
    let protocol_error = || Lost::Protocol(ProtocolError::BEFORE_CONNACK);
    // How many of two filters, and of two messages, are sent at once from then on.
    let rows: Vec<(&str, Lost, Duration, usize, usize)> = vec![
        ("broken at once", Lost::Broken("reset".into()), soon, 1, 1),
        ("broken later", Lost::Broken("reset".into()), LATEST_ANSWER, 2, 2),
        ("given up", Lost::GivenUp("silent".into()), soon, 2, 2),
        ("stale", Lost::Stale, soon, 2, 2),
        ("unanswered for a minute", Lost::Unanswered, LATEST_ANSWER, 1, 0),
        ("another one was unanswered", Lost::Unanswered, soon, 2, 2),
        ("a protocol error at once", protocol_error(), soon, 1, 2),
        ("not authorized", disconnected(ReasonCode::NOT_AUTHORIZED), soon, 1, 1),
        (
            "not authorized, later",
            disconnected(ReasonCode::NOT_AUTHORIZED),
            LATEST_ANSWER,
            2,
            2,
        ),
        (
            "packet too large",
            disconnected(ReasonCode::PACKET_TOO_LARGE),
            soon,
            1,
            1,
        ),
        ("taken over", disconnected(ReasonCode::SESSION_TAKEN_OVER), soon, 2, 2),
        ("busy", disconnected(ReasonCode::SERVER_BUSY), soon, 2, 2),
        ("a quota", disconnected(ReasonCode::QUOTA_EXCEEDED), soon, 2, 2),
        (
            "shutting down",
            disconnected(ReasonCode::SERVER_SHUTTING_DOWN),
            soon,
            2,
            2,
        ),
    ];
    for (what, lost, after, filters_at_once, messages_at_once) in rows {
        let mut bench = Bench::new(None).await;
        bench.want(&["a", "b"]);
        bench.publish("one").await;
        bench.publish("two").await;
        bench.connect(session(false)).await;
        bench.settle().await;
        assert_eq!(
            bench.sent().len(),
            3,
            "{what}: both filters in one SUBSCRIBE, and two messages"
        );
        // A packet whose answer is not late yet counts as just sent.
        tokio::time::advance(after).await;
        bench.lose(&lost).await;
        bench.connect(session(false)).await;
        bench.settle().await;
        let sent = bench.sent();
        let messages = sent.iter().filter(|sent| matches!(sent, Sent::Publish(..))).count();
        let filters = sent.iter().find_map(|sent| match sent {
            Sent::Subscribe(_, filters) => Some(filters.len()),
            _ => None,
        });
        assert_eq!(filters, Some(filters_at_once), "{what}: {sent:?}");
        // Unanswered packets are sent after others, a few seconds later.
        assert_eq!(messages, messages_at_once, "{what}: {sent:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn promise_6_a_message_that_aws_never_acknowledges_is_parked_and_holds_up_nobody() {
    // Several at a time, and one at a time, with and without presence.
    for (limits, presence) in [
        (session(true), None),
        (session(true), Some(PRESENCE)),
        (one_at_a_time(), None),
        (one_at_a_time(), Some(PRESENCE)),
    ] {
        let mut bench = Bench::new(presence).await;
        bench.publish("poison").await;
        bench.publish("first").await;
        let mut acknowledged = Vec::new();
        let mut connections = 0;
        while bench.outbox.list(0, true).await.unwrap().is_empty() {
            connections += 1;
            assert!(connections <= 5, "{limits:?} {presence:?}");
            bench.publish(&format!("message {connections}")).await;
            bench.connect(limits).await;
            // The time for which AWS's answer is awaited.
            for _ in 0..70 {
                bench.run(Duration::from_secs(1)).await;
                let sent = bench.sent();
                acknowledged.extend(sent.iter().filter_map(|sent| match sent {
                    Sent::Publish(topic, ..) if topic.starts_with("message") || topic == "first" => Some(topic.clone()),
                    _ => None,
                }));
                bench.answer(&sent, |payload| payload != "poison").await;
            }
            bench.lose(&Lost::Unanswered).await;
        }
        // On the very first connection the message holds up the others, if packets are sent one at a time: nothing is known of it yet.
        for number in 2..connections {
            assert!(acknowledged.contains(&format!("message {number}")), "{acknowledged:?}");
        }
        let parked = bench.outbox.list(0, true).await.unwrap();
        assert_eq!(parked.len(), 1, "{limits:?}");
        let left = bench.outbox.list(0, false).await.unwrap();
        assert!(left.is_empty(), "{limits:?} {presence:?}: {left:?}");
        assert!(bench.traffic.take_progress(), "the next attempt is not put off");
    }
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_acknowledges_nothing_parks_nothing() {
    let mut bench = Bench::new(None).await;
    bench.publish("one").await;
    bench.publish("two").await;
    for _ in 0..10 {
        bench.connect(session(true)).await;
        bench.run(LATEST_ANSWER).await;
        bench.lose(&Lost::Unanswered).await;
    }
    assert!(bench.outbox.list(0, true).await.unwrap().is_empty());
    assert!(!bench.traffic.take_progress());
    bench.connect(session(true)).await;
    bench.run(Duration::from_secs(6)).await;
    assert_eq!(bench.published(), ["one", "two"], "in their order");
}

#[tokio::test(start_paused = true)]
async fn unanswered_presence_is_left_alone_and_reported() {
    let mut bench = Bench::new(Some(PRESENCE)).await;
    // Retained, then not retained, then not at all.
    for expected in [1, 1, 0] {
        bench.connect(session(true)).await;
        let announced = bench.published();
        assert_eq!(announced.len(), expected);
        tokio::time::advance(LATEST_ANSWER).await;
        bench.lose(&Lost::Unanswered).await;
    }
    let why = bench.traffic.problem("gw-1").unwrap();
    assert!(why.message.contains("does not acknowledge"), "{why}");
    assert!(bench.traffic.presence.will("gw-1").is_none());
    // An hour later it is tried again, and answered.
    tokio::time::advance(Duration::from_secs(3600)).await;
    bench.connect(session(true)).await;
    let sent = bench.sent();
    assert_eq!(sent.len(), 1);
    bench.answer(&sent, everything).await;
    assert_eq!(bench.traffic.problem("gw-1"), None);
    // Another packet was unanswered, and had been sent only just before.
    bench.traffic.announce_online(&mut bench.sink, "gw-1");
    bench.lose(&Lost::Unanswered).await;
    bench.connect(session(true)).await;
    assert_eq!(bench.published().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_will_says_offline_where_the_session_cannot() {
    /// Condition that keeps the last announcement from being sent.
    #[derive(Clone, Copy, Debug)]
    enum Obstacle {
        None,
        Window,
        Buffer,
        BufferAtMostOnce,
        SmallPackets,
    }
    use Obstacle::{Buffer, BufferAtMostOnce, SmallPackets, Window};
    let rows = [
        (Obstacle::None, Some(PRESENCE), Farewell::DiscardWill),
        (Window, Some(PRESENCE), Farewell::PublishWill),
        (Buffer, Some(PRESENCE), Farewell::PublishWill),
        (BufferAtMostOnce, Some(PRESENCE), Farewell::PublishWill),
        (SmallPackets, Some(PRESENCE), Farewell::PublishWill),
        (Obstacle::None, None, Farewell::DiscardWill),
        (Window, None, Farewell::DiscardWill),
        (Buffer, None, Farewell::DiscardWill),
    ];
    for (obstacle, presence, farewell) in rows {
        let mut bench = Bench::new(presence).await;
        let mut limits = one_at_a_time();
        match obstacle {
            SmallPackets => limits.maximum_packet_size = 16,
            BufferAtMostOnce => limits.maximum_qos = crate::qos::Qos::AtMostOnce,
            Obstacle::None | Window | Buffer => {}
        }
        bench.connect(limits).await;
        let sent = bench.sent();
        bench.answer(&sent, everything).await;
        if matches!(obstacle, Window) {
            bench.publish("unanswered").await;
            bench.settle().await;
            assert_eq!(bench.published(), ["unanswered"]);
        }
        bench.sink.buffer_is_full = matches!(obstacle, Buffer | BufferAtMostOnce);
        assert_eq!(bench.close(), farewell, "{obstacle:?} {presence:?}");
        let said = bench.published().iter().any(|payload| payload.starts_with(OFFLINE));
        assert_eq!(
            said,
            presence.is_some() && farewell == Farewell::DiscardWill,
            "{obstacle:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_at_quality_of_service_0_waits_for_bytes_and_for_no_acknowledgement() {
    let mut bench = Bench::new(None).await;
    bench.connect(one_at_a_time()).await;
    bench.publish("unanswered").await;
    bench.publish("waits").await;
    bench.settle().await;
    assert_eq!(bench.published(), ["unanswered"], "AWS takes one at a time");
    let first = bench.send_directly("direct");
    bench.settle().await;
    assert_eq!(bench.published(), ["direct"], "the window is no matter of its");
    let second = bench.send_directly("behind bytes");
    bench.sink.buffer_is_full = true;
    bench.settle().await;
    assert!(bench.published().is_empty());
    bench.sink.buffer_is_full = false;
    bench.settle().await;
    assert!(bench.published().is_empty(), "nobody has said that there is room");
    bench.traffic.handle(Event::Room, &mut bench.sink, "gw-1").await;
    bench.settle().await;
    assert_eq!(bench.published(), ["behind bytes"], "and it waits for no PUBACK");
    assert!(first.await.unwrap().is_ok() && second.await.unwrap().is_ok());
}

#[tokio::test(start_paused = true)]
async fn refused_presence_is_announced_in_another_manner_and_reported() {
    let mut bench = Bench::new(Some(PRESENCE)).await;
    bench.connect(session(true)).await;
    let refuse = async |bench: &mut Bench| {
        let sent = bench.sent();
        let [Sent::Publish(topic, payload, Some(packet_id))] = &sent[..] else {
            panic!("{sent:?}");
        };
        assert!(topic == PRESENCE && payload.starts_with(ONLINE), "{sent:?}");
        let mut reason = bench.sink.acknowledge(*packet_id);
        reason.code = ReasonCode::NOT_AUTHORIZED;
        let event = Event::Acknowledged {
            packet_id: *packet_id,
            reason,
        };
        assert!(bench.traffic.handle(event, &mut bench.sink, "gw-1").await, "it is news");
    };
    refuse(&mut bench).await;
    assert_eq!(bench.traffic.problem("gw-1"), None, "not retained, then");
    refuse(&mut bench).await;
    let why = bench.traffic.problem("gw-1").unwrap();
    assert!(why.message.contains("refuses the presence topic"), "{why}");
    assert!(bench.sent().is_empty());
    // Not again for an hour, unless an operator asks.
    assert!(bench.traffic.is_settled());
    assert!(bench.traffic.ask_again(&mut bench.sink, "gw-1"));
    assert!(!bench.traffic.is_settled());
    let sent = bench.sent();
    bench.answer(&sent, everything).await;
    assert_eq!(bench.traffic.problem("gw-1"), None);
    assert!(bench.traffic.is_settled() && !bench.traffic.ask_again(&mut bench.sink, "gw-1"));
    assert!(bench.sent().is_empty(), "nothing is refused any more");
}
