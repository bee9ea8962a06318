//! Tests of each message's outcome, by AWS's answer, by the end of the connection, and by the server's limits.

use std::time::Duration;

use super::super::testing::{Bench, disconnected, session};
use super::*;
use crate::cloud::mqtt::Lost;
use crate::cloud::mqtt::test_sink::Sent;
use crate::problem::Remedy;

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn each_answer_to_a_message_has_its_consequence() {
    /// The expected outcome of the message.
    #[derive(Debug, PartialEq)]
    enum Then {
        Done,
        Parked,
        Again,
    }
    use Then::{Again, Done, Parked};
    for (code, then) in [
        (0x00, Done),
        (0x10, Done),
        (0x80, Again),
        (0x83, Again),
        (0x87, Parked),
        (0x90, Parked),
        (0x91, Again),
        (0x95, Parked),
        (0x97, Again),
        (0x99, Parked),
        (0x9a, Parked),
        (0xf0, Parked),
    ] {
        let code = ReasonCode(code);
        let mut bench = Bench::new(None).await;
        bench.publish("one").await;
        bench.connect(session(true)).await;
        bench.settle().await;
        bench.answer_with("one", code).await;
        bench.sent();
        bench.settle().await;
        assert!(bench.published().is_empty(), "{code}: nothing is sent again at once");
        bench.run(2 * SECOND).await;
        let again = bench.published();
        let seen = match (again.len(), bench.counts().await) {
            (0, (0, 0)) => Done,
            (0, (0, 1)) => Parked,
            (1, (1, 0)) => Again,
            other => panic!("{code}: {other:?}"),
        };
        assert_eq!(seen, then, "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_that_aws_is_always_too_busy_for_is_parked_in_the_end() {
    let mut bench = Bench::new(None).await;
    bench.publish("one").await;
    bench.connect(session(true)).await;
    let mut sent = 0;
    while bench.counts().await == (1, 0) {
        bench.run(40 * SECOND).await;
        let now = bench.sink.sent.len();
        assert_eq!(now, sent + 1, "once in 32 seconds at the least");
        sent = now;
        bench.answer_with("one", ReasonCode::QUOTA_EXCEEDED).await;
    }
    assert_eq!((sent, bench.counts().await), (20, (0, 1)));
}

#[tokio::test(start_paused = true)]
async fn a_busy_aws_keeps_the_order_of_a_topic() {
    let mut bench = Bench::new(None).await;
    let topic = "one";
    for _ in 0..3 {
        bench.publish(topic).await;
    }
    bench.publish("other").await;
    let limits = ServerLimits {
        receive_maximum: 1,
        ..session(true)
    };
    bench.connect(limits).await;
    bench.settle().await;
    bench.answer_with(topic, ReasonCode::QUOTA_EXCEEDED).await;
    let mut order = Vec::new();
    for _ in 0..4 {
        bench.run(2 * SECOND).await;
        let sent = bench.sent();
        let Some(Sent::Publish(topic, _, Some(packet_id))) = sent.last().cloned() else {
            panic!("{sent:?}");
        };
        order.push(topic);
        bench.acknowledge(packet_id).await;
    }
    assert_eq!(order.iter().filter(|topic| *topic == "one").count(), 3);
    assert_eq!(bench.counts().await, (0, 0));
}

#[tokio::test(start_paused = true)]
async fn promise_6_a_message_that_drops_every_connection_is_parked_and_the_others_arrive() {
    for lost in [
        Lost::Broken("reset".into()),
        disconnected(ReasonCode::PACKET_TOO_LARGE),
        disconnected(ReasonCode::MALFORMED_PACKET),
    ] {
        let mut bench = Bench::new(None).await;
        let names = ["a", "b", "poison", "c", "d"];
        for name in names {
            bench.publish(name).await;
        }
        let mut delivered = Vec::new();
        let mut connections = 0;
        while bench.counts().await != (0, 1) {
            connections += 1;
            assert!(connections < 10, "{lost:?}");
            bench.connect(session(true)).await;
            // For as long as the connection lasts.
            let mut holds = true;
            for _ in 0..20 {
                bench.run(SECOND / 4).await;
                let sent = bench.sent();
                let is_bad = |sent: &Sent| matches!(sent, Sent::Publish(_, payload, _) if payload == "poison");
                if sent.iter().any(is_bad) {
                    holds = false;
                    break;
                }
                for one in &sent {
                    if let Sent::Publish(_, payload, _) = one {
                        delivered.push(payload.clone());
                    }
                }
                bench.answer(&sent, |_| true).await;
            }
            if !holds {
                bench.lose(&lost).await;
            }
        }
        delivered.sort();
        delivered.dedup();
        assert_eq!(delivered, ["a", "b", "c", "d"], "{lost:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn messages_beyond_the_servers_limits_are_parked_or_wait() {
    // Too large for this server.
    let mut bench = Bench::new(None).await;
    let small = ServerLimits {
        maximum_packet_size: 16,
        ..session(true)
    };
    bench.publish("much too long for it").await;
    bench.publish("x").await;
    bench.connect(small).await;
    bench.settle().await;
    assert_eq!(bench.published(), ["x"]);
    assert_eq!(bench.counts().await, (1, 1));
    let told = bench.send_directly("much too long for it");
    bench.settle().await;
    assert_eq!(told.await.unwrap().unwrap_err().remedy, Remedy::Configuration);
    // Without acknowledgements: messages that must not be lost wait, others are sent.
    let mut bench = Bench::new(None).await;
    let no_answers = ServerLimits {
        maximum_qos: Qos::AtMostOnce,
        ..session(true)
    };
    bench.publish("waits").await;
    bench.connect(no_answers).await;
    let told = bench.send_directly("goes");
    bench.settle().await;
    assert_eq!(
        bench.sent(),
        [Sent::Publish("goes".to_owned(), "goes".to_owned(), None)]
    );
    assert!(told.await.unwrap().is_ok());
    bench.lose(&Lost::Stale).await;
    bench.connect(session(true)).await;
    bench.settle().await;
    assert_eq!(bench.published(), ["waits"]);
}

#[tokio::test(start_paused = true)]
async fn a_topic_that_aws_refuses_at_quality_of_service_0_costs_one_connection() {
    for code in disconnect::QOS0_REFUSED {
        let mut bench = Bench::new(None).await;
        bench.connect(session(true)).await;
        let told = bench.send_directly("forbidden");
        bench.settle().await;
        assert!(told.await.unwrap().is_ok(), "nobody knows better yet");
        bench.sent();
        bench.lose(&disconnected(code)).await;
        // From now on each topic is tested at QoS 1.
        bench.connect(session(true)).await;
        let (forbidden, good) = (bench.send_directly("forbidden"), bench.send_directly("good"));
        bench.settle().await;
        bench.answer_with("forbidden", code).await;
        bench.answer_with("good", ReasonCode::SUCCESS).await;
        assert_eq!(forbidden.await.unwrap().unwrap_err().remedy, Remedy::Configuration);
        assert!(good.await.unwrap().is_ok());
        bench.sent();
        // One is refused for an hour, the other is not answered again.
        let (forbidden, good) = (bench.send_directly("forbidden"), bench.send_directly("good"));
        bench.settle().await;
        assert!(forbidden.await.unwrap().is_err() && good.await.unwrap().is_ok());
        assert_eq!(
            bench.sent(),
            [Sent::Publish("good".to_owned(), "good".to_owned(), None)]
        );
        tokio::time::advance(Duration::from_secs(3600)).await;
        let forbidden = bench.send_directly("forbidden");
        bench.settle().await;
        assert!(bench.sink.id_of("forbidden").is_some(), "AWS is asked again");
        bench.answer_with("forbidden", ReasonCode::SUCCESS).await;
        assert!(forbidden.await.unwrap().is_ok());
    }
}

#[tokio::test(start_paused = true)]
async fn a_qos_0_message_for_which_aws_is_too_busy_is_refused_with_the_reason() {
    let mut bench = Bench::new(None).await;
    bench.connect(session(true)).await;
    let first = bench.send_directly("t");
    bench.settle().await;
    assert!(first.await.unwrap().is_ok());
    bench.lose(&disconnected(ReasonCode::NOT_AUTHORIZED)).await;
    bench.connect(session(true)).await;
    let told = bench.send_directly("t");
    bench.settle().await;
    bench.answer_with("t", ReasonCode::QUOTA_EXCEEDED).await;
    assert_eq!(told.await.unwrap().unwrap_err().remedy, Remedy::Wait);
}

#[tokio::test(start_paused = true)]
async fn qos_0_messages_are_not_sent_later() {
    let mut bench = Bench::new(None).await;
    let told = bench.send_directly("late");
    tokio::task::yield_now().await;
    bench.connect(session(true)).await;
    bench.settle().await;
    assert!(told.await.unwrap().is_err());
    assert!(bench.sent().is_empty());
}

/// Cases `lost_session`, `present_session` and `missing_puback_and_lost_session` of docs/decisions/0003-mqtt-client.md.
#[tokio::test(start_paused = true)]
async fn unacknowledged_messages_are_sent_once_on_each_connection() {
    /// Whether AWS has kept the session, and the messages that it acknowledges.
    type Connections = &'static [(bool, &'static [&'static str])];
    let rows: [(&str, Connections); 4] = [
        (
            "the session is lost",
            &[(false, &["b"]), (false, &["d", "a"]), (false, &["c", "e"])],
        ),
        (
            "the session is kept",
            &[(false, &["b"]), (true, &["d", "a"]), (true, &["c", "e"])],
        ),
        (
            "one is acknowledged on the last connection only",
            &[(false, &["b", "d"]), (true, &["c"]), (false, &["a"]), (false, &["e"])],
        ),
        (
            "nothing is acknowledged for a while",
            &[(false, &[]), (true, &[]), (false, &["e", "d", "c", "b", "a"])],
        ),
    ];
    for (what, connections) in rows {
        let mut bench = Bench::new(None).await;
        let mut left = vec!["a", "b", "c", "d", "e"];
        for name in &left {
            bench.publish(name).await;
        }
        for (present, acknowledged) in connections {
            bench.connect(session(*present)).await;
            bench.run(SECOND).await;
            let mut sent = Vec::new();
            for packet in &bench.sink.sent {
                if let Sent::Publish(_, payload, Some(_)) = packet {
                    sent.push(payload.clone());
                }
            }
            sent.sort();
            assert_eq!(sent, left, "{what}");
            for name in *acknowledged {
                bench.answer_with(name, ReasonCode::SUCCESS).await;
                left.retain(|other| other != name);
            }
            bench.run(SECOND).await;
            assert_eq!(bench.sink.sent.len(), sent.len(), "{what}: nothing is sent twice");
            bench.lose(&Lost::GivenUp("silent".into())).await;
        }
        assert_eq!(bench.counts().await, (0, 0), "{what}");
    }
}
