//! Tests of the subscriber's requests to AWS, of its records, and of its search for a filter that ends every connection.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::super::testing::{Bench, session};
use super::*;
use crate::cloud::mqtt::test_sink::Sent;
use crate::cloud::mqtt::{Event, ReasonCode};
use crate::qos::Qos;

const BAD: Lost = Lost::Protocol(ProtocolError::BEFORE_CONNACK);

fn granted(filter: &str) -> (String, SubscriptionState) {
    (filter.to_owned(), SubscriptionState::Granted(Qos::AtLeastOnce))
}

fn uncertain(filter: &str) -> (String, SubscriptionState) {
    (filter.to_owned(), SubscriptionState::Uncertain)
}

#[tokio::test(start_paused = true)]
async fn uncertain_filters_are_stored_before_the_request() {
    let mut bench = Bench::new(None).await;
    bench.want(&["a", "b"]);
    bench.connect(session(false)).await;
    // One step at a time: the mark is written before anything is sent.
    requests::drive(&mut bench.traffic.subscriber, &mut bench.sink).await;
    assert!(bench.sent().is_empty());
    bench.settle().await;
    assert_eq!(bench.recorded().await, [uncertain("a"), uncertain("b")]);
    let sent = bench.sent();
    assert!(
        matches!(&sent[..], [Sent::Subscribe(_, filters)] if filters.len() == 2),
        "{sent:?}"
    );
    bench.answer(&sent, |_| true).await;
    assert_eq!(bench.recorded().await, [granted("a"), granted("b")]);
    // UNSUBSCRIBE in the same way, once no program has wanted the filter for a while.
    bench.want(&["a"]);
    bench.run(LINGER + Duration::from_secs(1)).await;
    assert_eq!(bench.recorded().await, [granted("a"), uncertain("b")]);
    let sent = bench.sent();
    assert!(
        matches!(&sent[..], [Sent::Unsubscribe(_, filters)] if filters == &["b"]),
        "{sent:?}"
    );
    bench.answer(&sent, |_| true).await;
    assert_eq!(bench.recorded().await, [granted("a")]);
}

#[tokio::test(start_paused = true)]
async fn a_kill_between_subscribe_and_its_answer_leaves_nothing_that_nobody_wants() {
    // The desired filters after the restart, and the packets that follow.
    for (desired, subscribes, unsubscribes) in [
        (&["a"][..], true, false),
        (&[][..], false, true),
        (&["a/#"][..], true, true),
    ] {
        let mut bench = Bench::new(None).await;
        bench.want(&["a"]);
        bench.connect(session(false)).await;
        bench.settle().await;
        assert!(matches!(&bench.sent()[..], [Sent::Subscribe(..)]));
        // AWS has it, but its SUBACK was lost with the process.
        bench.want(desired);
        bench.restart().await;
        bench.connect(session(true)).await;
        let mut sent = Vec::new();
        for _ in 0..12 {
            bench.run(Duration::from_secs(1)).await;
            let now = bench.sent();
            bench.answer(&now, |_| true).await;
            sent.extend(now);
        }
        let has = |is: fn(&Sent) -> bool| sent.iter().any(is);
        assert_eq!(
            has(|sent| matches!(sent, Sent::Subscribe(..))),
            subscribes,
            "{desired:?}: {sent:?}"
        );
        assert_eq!(
            has(|sent| matches!(sent, Sent::Unsubscribe(_, filters) if filters == &["a"])),
            unsubscribes,
            "{desired:?}: {sent:?}"
        );
        let noted = bench.recorded().await;
        let expected: Vec<_> = desired.iter().map(|filter| granted(filter)).collect();
        assert_eq!(noted, expected);
    }
}

/// A program that has gone may come back, so its filter stays for a while. A broker may send a message once for each filter that matches.
#[tokio::test(start_paused = true)]
async fn a_filter_that_nobody_wants_goes_at_once_if_a_wanted_one_overlaps_with_it() {
    for (wanted, goes_at_once) in [
        ("a/b", true),
        ("#", true),
        ("+/b", true),
        ("+/b/c", false),
        ("b/#", false),
    ] {
        let mut bench = Bench::new(None).await;
        bench.want(&["a/+"]);
        bench.connect(session(false)).await;
        bench.settle().await;
        let sent = bench.sent();
        bench.answer(&sent, |_| true).await;
        bench.want(&[wanted]);
        let mut gone_after = 0;
        loop {
            bench.run(Duration::from_secs(1)).await;
            gone_after += 1;
            let sent = bench.sent();
            bench.answer(&sent, |_| true).await;
            if sent.iter().any(|sent| matches!(sent, Sent::Unsubscribe(..))) {
                break;
            }
        }
        assert_eq!(
            gone_after < LINGER.as_secs(),
            goes_at_once,
            "{wanted}: after {gone_after} s"
        );
        assert_eq!(bench.recorded().await, [granted(wanted)], "{wanted}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_no_subscription_whatever_its_code() {
    for code in [0x80, 0x83, 0x87, 0x8f, 0x91, 0x97, 0x9e, 0xa1, 0xa2, 0xff].map(ReasonCode) {
        let mut bench = Bench::new(None).await;
        bench.want(&["bad", "good"]);
        bench.connect(session(false)).await;
        bench.settle().await;
        let sent = bench.sent();
        let [Sent::Subscribe(packet_id, _)] = &sent[..] else {
            panic!("{sent:?}")
        };
        bench.grant(*packet_id, vec![Err(code), Ok(Qos::AtMostOnce)]).await;
        assert_eq!(bench.recorded().await, [granted("good")], "{code}");
        assert_eq!(bench.refused(), ["bad"], "{code}");
        bench.settle().await;
        assert!(bench.sent().is_empty(), "{code}: it is left alone");
        bench.run(MIN_DELAY).await;
        assert_eq!(bench.subscribed(), [["bad"]], "{code}: for a minute");
    }
}

#[tokio::test(start_paused = true)]
async fn an_unsubscribe_that_is_never_answered_is_left_alone_as_well() {
    let mut bench = Bench::new(None).await;
    bench.want(&["a", "b"]);
    bench.connect(session(false)).await;
    bench.settle().await;
    let sent = bench.sent();
    bench.answer(&sent, |_| true).await;
    bench.want(&["a"]);
    bench.run(LINGER + Duration::from_secs(1)).await;
    assert!(matches!(&bench.sent()[..], [Sent::Unsubscribe(..)]));
    for minutes in [1, 2, 4] {
        tokio::time::advance(LATEST_ANSWER).await;
        bench.lose(&Lost::Unanswered).await;
        bench.connect(session(true)).await;
        bench.run(Duration::from_secs(minutes * 60 - 1)).await;
        assert!(bench.sent().is_empty(), "{minutes}");
        bench.run(Duration::from_secs(2)).await;
        assert!(matches!(&bench.sent()[..], [Sent::Unsubscribe(..)]), "{minutes}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_subscribe_that_is_never_answered_holds_up_no_other() {
    let mut bench = Bench::new(None).await;
    bench.want(&["a", "bad", "c"]);
    let mut served = BTreeSet::new();
    for _ in 0..6 {
        bench.connect(session(true)).await;
        let mut is_waiting = false;
        for _ in 0..70 {
            bench.run(Duration::from_secs(1)).await;
            for sent in bench.sent() {
                match sent {
                    Sent::Subscribe(_, filters) if filters.iter().any(|(filter, _)| filter == "bad") => {
                        is_waiting = true
                    }
                    Sent::Subscribe(_, ref filters) => {
                        served.extend(filters.iter().map(|(filter, _)| filter.clone()));
                        bench.answer(&[sent], |_| true).await;
                    }
                    _ => {}
                }
            }
        }
        if !is_waiting {
            break;
        }
        bench.lose(&Lost::Unanswered).await;
    }
    assert_eq!(served, BTreeSet::from(["a".to_owned(), "c".to_owned()]));
    assert!(bench.refused().contains(&"bad".to_owned()));
}

/// A cloud with retained messages that violate the protocol.
struct Aws {
    /// By filter, whether these messages are sent at QoS 1 and are therefore repeated in the session.
    bad: BTreeMap<&'static str, bool>,
    /// Whether it keeps sessions.
    keeps_sessions: bool,
    session: bool,
    subscribed: BTreeSet<String>,
    /// Whether the session has a queued message that violates the protocol.
    queued: bool,
    /// The number of sessions that were discarded.
    discarded: u32,
}

impl Aws {
    fn new(bad: &[(&'static str, bool)]) -> Self {
        Self {
            bad: bad.iter().copied().collect(),
            keeps_sessions: true,
            session: true,
            subscribed: BTreeSet::new(),
            queued: false,
            discarded: 0,
        }
    }

    /// Makes one connection; returns true once it is stable, with all desired filters except for `set_aside`.
    async fn connect(&mut self, bench: &mut Bench) -> bool {
        let is_clean = bench.traffic.subscriber.wants_clean_start() || !self.keeps_sessions;
        self.discarded += u32::from(bench.traffic.subscriber.wants_clean_start());
        let present = self.session && !is_clean;
        if !present {
            self.subscribed.clear();
            self.queued = false;
        }
        self.session = true;
        bench.connect(session(present)).await;
        for _ in 0..200 {
            if self.queued {
                bench.settle().await;
                bench.lose(&BAD).await;
                return false;
            }
            bench.run(Duration::from_millis(500)).await;
            for sent in bench.sent() {
                bench.answer(std::slice::from_ref(&sent), |_| true).await;
                match sent {
                    Sent::Subscribe(_, filters) => {
                        for (filter, _) in &filters {
                            self.subscribed.insert(filter.clone());
                        }
                        let bad = filters.iter().find_map(|(filter, _)| self.bad.get(filter.as_str()));
                        if let Some(comes_again) = bad {
                            self.queued = *comes_again;
                            bench.settle().await;
                            bench.lose(&BAD).await;
                            return false;
                        }
                    }
                    Sent::Unsubscribe(_, filters) => filters.iter().for_each(|filter| {
                        self.subscribed.remove(filter);
                    }),
                    Sent::Publish(..) => {}
                }
            }
        }
        true
    }
}

#[tokio::test(start_paused = true)]
async fn promise_6_a_filter_whose_retained_message_breaks_the_protocol_is_set_aside_and_the_others_go_on() {
    let many = ["a", "b", "bad", "d", "e", "f", "g", "h", "i", "j"];
    // The desired filters; the bad ones, with whether their message is repeated; whether AWS keeps sessions; how many sessions may be
    // discarded; and after how many connections everything works.
    type Row<'a> = (&'a str, &'a [&'a str], &'a [(&'static str, bool)], bool, u32, u32);
    let rows: &[Row] = &[
        ("alone", &["bad"], &[("bad", true)], true, 2, 5),
        ("with one other", &["a", "bad"], &[("bad", true)], true, 2, 6),
        ("among many", &many, &[("bad", true)], true, 2, 6),
        ("two of many", &many, &[("bad", true), ("h", true)], true, 3, 12),
        ("at quality of service 0", &["bad"], &[("bad", false)], true, 0, 2),
        (
            "at quality of service 0 among many",
            &many,
            &[("bad", false)],
            true,
            0,
            3,
        ),
        ("sessions are not kept", &["bad"], &[("bad", true)], false, 0, 3),
        ("sessions are not kept, many", &many, &[("bad", true)], false, 0, 4),
        ("nothing is bad", &many, &[], true, 0, 1),
    ];
    for (what, desired, bad, keeps_sessions, discards, connections) in rows {
        let mut bench = Bench::new(None).await;
        let mut aws = Aws::new(bad);
        aws.keeps_sessions = *keeps_sessions;
        bench.want(desired);
        let mut count = 1;
        while !aws.connect(&mut bench).await {
            count += 1;
            assert!(count <= 2 * connections, "{what}");
        }
        assert!(count <= *connections, "{what}: {count} connections");
        assert_eq!(aws.discarded, *discards, "{what}: sessions discarded");
        let bad: BTreeSet<String> = bad.iter().map(|(filter, _)| (*filter).to_owned()).collect();
        let served: BTreeSet<String> = aws.subscribed.iter().cloned().collect();
        let expected = desired.iter().map(|filter| (*filter).to_owned());
        let aside = bench.traffic.subscriber.all_set_aside();
        let aside: BTreeSet<String> = aside.into_iter().map(|one| one.filter).collect();
        // QoS 0 messages are not repeated as long as the session lasts, so nothing need be suspended.
        if *discards > 0 || !keeps_sessions {
            assert_eq!(aside, bad, "{what}");
            assert_eq!(bench.traffic.problem("gw-1").is_some(), !bad.is_empty(), "{what}");
        }
        assert_eq!(
            served,
            expected.filter(|filter| !aside.contains(filter)).collect(),
            "{what}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn promise_6_a_filter_that_was_set_aside_is_tried_again_and_serves_once_its_message_is_gone() {
    let mut bench = Bench::new(None).await;
    let mut aws = Aws::new(&[("bad", true)]);
    bench.want(&["a", "bad"]);
    while !aws.connect(&mut bench).await {}
    assert_eq!(bench.refused(), ["bad"], "its programs get the refusal");
    assert!(bench.traffic.subscriber.take_changed());
    let problem = bench.traffic.problem("gw-1").unwrap();
    assert_eq!(problem.remedy, crate::problem::Remedy::Configuration);
    assert!(
        problem.message.contains("the subscription to bad is set aside"),
        "{problem}"
    );
    // Still bad after an hour: one more discarded session, without a search.
    let before = aws.discarded;
    tokio::time::advance(MAX_DELAY).await;
    let mut count = 0;
    while !aws.connect(&mut bench).await {
        count += 1;
    }
    assert!(count <= 2, "{count}");
    assert_eq!(aws.discarded, before + 1);
    // Somebody has deleted the message.
    aws.bad.clear();
    bench.traffic.subscriber.take_changed();
    tokio::time::advance(MAX_DELAY).await;
    assert!(aws.connect(&mut bench).await);
    assert_eq!(bench.traffic.problem("gw-1"), None);
    assert!(aws.subscribed.contains("bad"));
}

#[tokio::test(start_paused = true)]
async fn a_program_that_joins_is_served_without_a_second_search() {
    // At QoS 0 the retained message arrives for each new program.
    let mut bench = Bench::new(None).await;
    let mut aws = Aws::new(&[("bad", false)]);
    bench.want(&["a", "bad"]);
    while !aws.connect(&mut bench).await {}
    let mut ends = 0;
    for _ in 0..5 {
        bench.join("bad");
        while !aws.connect(&mut bench).await {
            ends += 1;
            assert!(ends < 5, "each program costs a connection");
        }
    }
    assert_eq!(aws.discarded, 0, "the session is not to blame");
    assert!(!aws.subscribed.contains("bad"), "AWS ends the subscription");
    assert!(aws.subscribed.contains("a"));
}

#[tokio::test(start_paused = true)]
async fn a_protocol_error_by_the_session_is_attributed_to_no_filter() {
    let mut bench = Bench::new(None).await;
    let mut aws = Aws::new(&[]);
    bench.want(&["a", "b"]);
    aws.connect(&mut bench).await;
    bench.lose(&Lost::Broken("reset".into())).await;
    aws.queued = true;
    let mut count = 0;
    while !aws.connect(&mut bench).await {
        // New filters each time.
        bench.want(&["a", "b", &format!("new {count}")]);
        count += 1;
        assert!(count < 10);
    }
    assert_eq!((count, aws.discarded), (3, 1), "as it was: after three, and not before");
    assert!(bench.traffic.subscriber.all_set_aside().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_answer_to_something_else_changes_nothing() {
    let mut bench = Bench::new(None).await;
    bench.want(&["a"]);
    bench.connect(session(false)).await;
    bench.settle().await;
    let sent = bench.sent();
    for event in [
        Event::Subscribed {
            packet_id: 999,
            granted: vec![Ok(Qos::AtLeastOnce)],
            words: None,
        },
        Event::Unsubscribed { packet_id: 1 },
    ] {
        bench.traffic.handle(event, &mut bench.sink, "gw-1").await;
        assert_eq!(bench.recorded().await, [uncertain("a")]);
    }
    // One code too few: the filter without a code is refused.
    let [Sent::Subscribe(packet_id, _)] = &sent[..] else {
        panic!("{sent:?}")
    };
    bench.grant(*packet_id, Vec::new()).await;
    assert_eq!(bench.recorded().await, []);
    assert_eq!(bench.refused(), ["a"]);
}

/// A broker that sends a message once for overlapping subscriptions may choose the lower quality of service.
#[tokio::test(start_paused = true)]
async fn an_unwanted_filter_of_lower_qos_is_removed_before_a_filter_that_it_covers_is_requested() {
    for (outer_qos, is_removed_first) in [(Qos::AtMostOnce, true), (Qos::AtLeastOnce, false)] {
        let mut bench = Bench::new(None).await;
        bench.want_at(outer_qos, &["a/#"]);
        bench.connect(session(false)).await;
        bench.settle().await;
        let sent = bench.sent();
        bench.answer(&sent, |_| true).await;
        bench.want(&["a/b"]);
        bench.settle().await;
        let sent = bench.sent();
        let is_unsubscribe = matches!(&sent[..], [Sent::Unsubscribe(_, filters)] if filters == &["a/#"]);
        assert_eq!(is_unsubscribe, is_removed_first, "{sent:?}");
        bench.answer(&sent, |_| true).await;
        bench.settle().await;
        if is_removed_first {
            assert_eq!(bench.subscribed(), [["a/b"]]);
        } else {
            // It does not linger, because it would bring every message twice.
            let sent = bench.sent();
            let is_removed = matches!(&sent[..], [Sent::Unsubscribe(_, filters)] if filters == &["a/#"]);
            assert!(is_removed, "{sent:?}");
        }
    }
}
