//! Tests of the decision whether the server is still reachable.

use std::time::Duration;

use tokio::time::Instant;

use super::*;

#[test]
fn only_received_data_counts_as_a_sign_of_life() {
    let begun = Instant::now();
    let at = |seconds: u64| begun + Duration::from_secs(seconds);
    // A program publishes each second; nothing comes back.
    let mut liveness = Liveness::new(Duration::from_secs(60), begun);
    let mut pinged = Vec::new();
    for second in 1..=90 {
        liveness.sent(at(second));
        match liveness.overdue(None, at(second)) {
            Some(Overdue::Ping) => {
                pinged.push(second);
                liveness.pinged(at(second));
            }
            other => assert_eq!(other, (second == 90).then_some(Overdue::Silent), "{second}"),
        }
    }
    assert_eq!(pinged, [60], "asked once, though something was sent all the time");

    // Messages arrive all the time, and nothing is sent: the server must receive something from us as well.
    let mut liveness = Liveness::new(Duration::from_secs(60), begun);
    liveness.received(at(59));
    assert_eq!(liveness.overdue(None, at(59)), None);
    assert_eq!(liveness.overdue(None, at(60)), Some(Overdue::Ping));
    liveness.pinged(at(60));
    liveness.received(at(61));
    liveness.answered(at(61));
    assert_eq!(liveness.overdue(None, at(62)), None);
    assert_eq!(liveness.deadline(None), at(120));

    // The server answers PINGREQ, but never the packet sent at 10 s.
    let (mut liveness, sent) = (Liveness::new(Duration::from_secs(600), begun), Some(at(10)));
    assert_eq!(liveness.deadline(sent), at(40));
    assert_eq!(liveness.overdue(sent, at(39)), None);
    assert_eq!(liveness.overdue(sent, at(40)), Some(Overdue::Ping));
    liveness.pinged(at(40));
    assert_eq!(
        liveness.overdue(sent, at(200)),
        None,
        "the server cannot answer a packet that it has not read"
    );
    liveness.received(at(200));
    liveness.answered(at(200));
    assert_eq!(liveness.deadline(sent), at(230));
    assert_eq!(liveness.overdue(sent, at(229)), None);
    assert_eq!(liveness.overdue(sent, at(230)), Some(Overdue::Unanswered));
    assert_eq!(
        liveness.overdue(Some(at(201)), at(230)),
        None,
        "it was answered, and a younger one has time"
    );
    // An unsolicited PINGRESP proves nothing.
    let mut liveness = Liveness::new(Duration::from_secs(600), begun);
    liveness.answered(at(11));
    assert_eq!(liveness.overdue(sent, at(100)), Some(Overdue::Ping));
}

#[test]
fn a_server_that_does_not_answer_pingreq_is_given_up_whatever_it_sends() {
    // Each second: bytes of a packet that never ends, or a complete packet.
    type Sends = fn(&mut Liveness, u64, Instant);
    let cases: [(&str, Sends, u64, Overdue); 7] = [
        ("nothing", |_, _, _| {}, 90, Overdue::Silent),
        (
            "a byte each second",
            |it, _, now| it.received_bytes(1, now),
            90,
            Overdue::Silent,
        ),
        (
            "a byte every ten seconds",
            |it, second, now| {
                if second % 10 == 0 {
                    it.received_bytes(1, now)
                }
            },
            90,
            Overdue::Silent,
        ),
        (
            "a slow large packet",
            |it, _, now| it.received_bytes(100, now),
            360,
            Overdue::PingUnanswered,
        ),
        ("packets", |it, _, now| it.received(now), 360, Overdue::PingUnanswered),
        (
            "a packet a minute",
            |it, second, now| {
                if second % 60 == 59 {
                    it.received(now)
                }
            },
            360,
            Overdue::PingUnanswered,
        ),
        (
            "packets for a minute",
            |it, second, now| {
                if second <= 60 {
                    it.received(now)
                }
            },
            150,
            Overdue::Silent,
        ),
    ];
    let begun = Instant::now();
    for (name, sends, end, expected) in cases {
        let mut liveness = Liveness::new(Duration::from_secs(60), begun);
        let mut pings = Vec::new();
        let ended = (1..100_000).find_map(|second| {
            let now = begun + Duration::from_secs(second);
            sends(&mut liveness, second, now);
            let overdue = liveness.overdue(None, now)?;
            assert!(liveness.deadline(None) <= now, "{name}");
            if overdue != Overdue::Ping {
                return Some((second, overdue));
            }
            pings.push(second);
            liveness.pinged(now);
            None
        });
        assert_eq!(ended, Some((end, expected)), "{name}");
        let due: Vec<u64> = (60..end).step_by(60).collect();
        assert_eq!(pings, due, "{name}: MQTT-3.1.2-20");
    }
}

#[test]
fn each_pingresp_answers_the_oldest_pingreq() {
    let begun = Instant::now();
    let at = |seconds: u64| begun + Duration::from_secs(seconds);
    let mut liveness = Liveness::new(Duration::from_secs(100), begun);
    liveness.pinged(at(20));
    liveness.pinged(at(40));
    for (received, proven) in [(41, None), (61, Some(91))] {
        liveness.received(at(received));
        liveness.answered(at(received));
        assert_eq!(liveness.overdue(Some(at(30)), at(90)), None, "{received}");
        let overdue = liveness.overdue(Some(at(30)), at(91));
        assert_eq!(overdue, proven.map(|_| Overdue::Unanswered), "{received}");
    }
}

#[test]
fn a_change_of_the_network_wants_a_sign_of_life() {
    let begun = Instant::now();
    let at = |milliseconds: u64| begun + Duration::from_millis(milliseconds);
    let doubtful = || {
        let mut liveness = Liveness::new(Duration::from_secs(60), begun);
        liveness.pinged(at(10_000));
        liveness.doubt(at(10_000));
        liveness
    };
    let liveness = doubtful();
    assert_eq!(liveness.deadline(None), at(12_500));
    assert_eq!(liveness.overdue(None, at(12_400)), None);
    assert_eq!(liveness.overdue(None, at(12_500)), Some(Overdue::Stale));
    // A single byte is enough.
    let mut liveness = doubtful();
    liveness.received_bytes(1, at(11_000));
    assert_eq!(liveness.overdue(None, at(12_500)), None);
    let mut liveness = doubtful();
    liveness.received(at(11_000));
    assert_eq!(liveness.overdue(None, at(12_500)), None);
    // The address is reported after the link, and each restarts the time limit.
    let mut liveness = doubtful();
    liveness.doubt(at(12_000));
    assert_eq!(liveness.overdue(None, at(14_400)), None);
    assert_eq!(liveness.overdue(None, at(14_500)), Some(Overdue::Stale));
}
