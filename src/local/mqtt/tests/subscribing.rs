//! How subscriptions are answered, and what becomes of them.

use super::program::{at, client, kept_client, subscribe};
use super::{Program, online};
use crate::local::testing::{OTHER_USER, USER, received, rule};
use crate::messages::{MAX_FILTERS, SessionEvent};
use crate::mqtt::packet::{SubscriptionOptions, Unsubscribe};
use crate::mqtt::{Packet, ProtocolVersion, ReasonCode};
use crate::problem::Problem;
use crate::qos::Qos;

const V3: ProtocolVersion = ProtocolVersion::V3_1_1;
const V5: ProtocolVersion = ProtocolVersion::V5;
const ZERO: Qos = Qos::AtMostOnce;
const ONE: Qos = Qos::AtLeastOnce;

fn granted(filter: &str) -> SessionEvent {
    SessionEvent::Subscribed(filter.to_owned())
}

fn refused(filter: &str) -> SessionEvent {
    SessionEvent::Refused(filter.to_owned(), Problem::wait("AWS does not want it"))
}

fn codes(codes: &[u8]) -> Vec<ReasonCode> {
    codes.iter().copied().map(ReasonCode).collect()
}

#[tokio::test(start_paused = true)]
async fn suback_waits_for_awss_answer_to_every_filter() {
    online(async |bench| {
        for (version, refusal) in [(V5, 0x87), (V3, 0x80)] {
            let mut program = Program::start(&bench, USER, client(version, "c")).await;
            program
                .send(&subscribe(&[
                    ("{thing}/a", at(ONE)),
                    ("gw-1/b", at(ZERO)),
                    ("gw-2/c", at(ONE)),
                ]))
                .await;
            program.expect_nothing().await;
            bench.report(granted("gw-1/a")).await;
            program.expect_nothing().await;
            bench.report(refused("gw-1/b")).await;
            let (answers, words) = program.suback().await;
            assert_eq!(answers, codes(&[1, refusal, refusal]));
            assert_eq!(words.is_some(), version == V5, "{words:?}");
            program.disconnect(ReasonCode::SUCCESS).await;
        }
    })
    .await;
}

/// Without an answer the filter is granted after 5 seconds, and offline at once: gatepost subscribes to it at AWS in any case.
#[tokio::test(start_paused = true)]
async fn a_filter_that_aws_refuses_after_suback_ends_the_connection() {
    online(async |bench| {
        for (number, (version, is_online)) in [(V5, true), (V3, true), (V5, false), (V3, false)]
            .into_iter()
            .enumerate()
        {
            bench.set_online(is_online);
            let mut program = Program::start(&bench, USER, client(version, "c")).await;
            let filter = format!("gw-1/{number}");
            let began = tokio::time::Instant::now();
            let (answers, _) = program.subscribe(&[(&filter, at(ONE))]).await;
            assert_eq!(answers, codes(&[1]));
            assert_eq!(began.elapsed().as_secs(), if is_online { 5 } else { 0 });
            bench.report(refused(&filter)).await;
            program.expect_end(0x87).await;
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn each_reason_to_refuse_a_filter_has_its_code() {
    online(async |bench| {
        bench.set_online(false);
        let long = format!("gw-1/{}", "x".repeat(256));
        let levels = ["+"; 128].join("/");
        for version in [V5, V3] {
            let mut program = Program::start(&bench, USER, client(version, "c")).await;
            for (filter, code) in [
                ("gw-1/#", 1),
                ("gw-2/#", 0x87),
                ("#", 0x87),
                ("+/a", 0x87),
                ("$aws/things/gw-2/#", 0x87),
                ("$aws/#", 0x87),
                ("$SYS/#", 0x87),
                ("$share/group/gw-1/a", 0x9e),
                ("$share/group/$aws/things/gw-1/#", 0x9e),
                ("gw-1/a/b/c/d/e/f/g/h", 0x8f),
                (&levels, 0x8f),
                (&long, 0x8f),
            ] {
                let (answers, _) = program.subscribe(&[(filter, at(ONE))]).await;
                let expected = if version == V3 && code > 2 { 0x80 } else { code };
                assert_eq!(answers, codes(&[expected]), "{filter} {version:?}");
            }
            program.disconnect(ReasonCode::SUCCESS).await;
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn one_user_may_have_half_of_the_filters_that_aws_allows() {
    online(async |bench| {
        bench.set_online(false);
        let most = MAX_FILTERS / 2;
        let mut program = Program::start(&bench, USER, client(V5, "c")).await;
        for number in 0..=most {
            let (answers, _) = program.subscribe(&[(&format!("gw-1/{number}"), at(ONE))]).await;
            let expected = if number < most { 1 } else { 0x97 };
            assert_eq!(answers, codes(&[expected]), "{number}");
        }
        let mut other = Program::start(&bench, OTHER_USER, client(V5, "c")).await;
        let (answers, _) = other.subscribe(&[("gw-1/other", at(ONE))]).await;
        assert_eq!(answers, codes(&[1]), "another user has its own share");
        assert_eq!(bench.desired.borrow().len(), most + 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_subscription_that_no_rule_allows_any_more_ends_the_connection() {
    online(async |bench| {
        bench.set_online(false);
        for version in [V5, V3] {
            bench.allow(&[rule(USER)]);
            let mut program = Program::start(&bench, USER, client(version, "c")).await;
            program.subscribe(&[("gw-1/a", at(ONE))]).await;
            bench.allow(&[]);
            program.expect_end(0x87).await;
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_session_that_an_operator_deletes_ends_its_connection() {
    online(async |bench| {
        bench.set_online(false);
        for version in [V5, V3] {
            let mut program = Program::start(&bench, USER, kept_client(version, "c")).await;
            program.subscribe(&[("gw-1/a", at(ONE))]).await;
            let all = bench.context.inbox.list_durable().await.unwrap();
            assert_eq!(all.len(), 1);
            bench
                .context
                .inbox
                .delete_durable(&all[0].subscription.name)
                .await
                .unwrap();
            program.expect_end(0x98).await;
        }
    })
    .await;
}

/// MQTT-3.10.4-1, MQTT-3.11.3-1: a code for each filter, in their order.
#[tokio::test(start_paused = true)]
async fn unsubscribe_ends_exactly_these_filters() {
    online(async |bench| {
        bench.set_online(false);
        for version in [V5, V3] {
            let mut program = Program::start(&bench, USER, client(version, "c")).await;
            program.subscribe(&[("gw-1/a", at(ONE)), ("gw-1/b/#", at(ONE))]).await;
            let filters = ["{thing}/a", "gw-1/b", "gw-1/b/+", "gw-1/a", "$share/g/gw-1/a"];
            let unsubscribe = Unsubscribe {
                packet_id: 4,
                filters: filters.map(str::to_owned).to_vec(),
                properties: Vec::new(),
            };
            program.send(&Packet::Unsubscribe(unsubscribe)).await;
            let Some(Packet::Unsuback(unsuback)) = program.receive().await else {
                panic!("UNSUBACK")
            };
            if version == V5 {
                assert_eq!(unsuback.codes, codes(&[0, 0x11, 0x11, 0x11, 0x11]));
            }
            assert_eq!(bench.desired.borrow().keys().collect::<Vec<_>>(), ["gw-1/b/#"]);
            bench.send(None, received("gw-1/a", "ended", ZERO)).await;
            bench.send(None, received("gw-1/b/c", "goes on", ZERO)).await;
            assert_eq!(&program.message().await.payload[..], b"goes on");
            program.disconnect(ReasonCode::SUCCESS).await;
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_one_shared_subscription_at_aws_cannot_keep_is_said_in_the_reason_string() {
    online(async |bench| {
        bench.set_online(false);
        let mut program = Program::start(&bench, USER, client(V5, "c")).await;
        for retain_as_published in [false, true] {
            let options = SubscriptionOptions {
                retain_as_published,
                ..at(ONE)
            };
            let (answers, words) = program.subscribe(&[("gw-1/a", options)]).await;
            assert_eq!(answers, codes(&[1]));
            assert_eq!(words.is_some(), retain_as_published, "{words:?}");
        }
    })
    .await;
}
