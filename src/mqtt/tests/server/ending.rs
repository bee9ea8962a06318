//! The end of a connection: whether the will is published, and how long the session is kept.

use super::*;

const NEVER: u32 = SESSION_NEVER_EXPIRES;

/// Returns CONNECT of MQTT 5 with a will that has this delay, and this session expiry.
fn with_will(delay: u8, expiry: u32) -> Vec<u8> {
    let expiry = [&[0x11][..], &expiry.to_be_bytes()].concat();
    let will = [b"\x00\x02gw\x05\x18\x00\x00\x00", &[delay][..], b"\x00\x01w\x00\x03off"].concat();
    connect(5, 0x0c, &expiry, &will)
}

/// A CONNECT, the end of its connection, the delay of the published will, the session expiry, and the last packet.
type Case<'a> = (
    &'a str,
    Vec<u8>,
    &'a dyn Fn(&mut Link) -> Close,
    Option<u64>,
    u32,
    &'a [u8],
);

fn delay(close: &Close) -> Option<u64> {
    close.will.as_ref().map(|due| due.delay.as_secs())
}

#[test]
fn the_will_is_published_unless_the_client_takes_it_back() {
    let with_will_3 = connect(4, 0x0c, &[], b"\x00\x02gw\x00\x01w\x00\x03off");
    let end = |connect: &[u8], how: &dyn Fn(&mut Link) -> Close| {
        let mut link = Link::accepted(connect, Acceptance::default());
        let close = how(&mut link);
        (delay(&close), close.session_expiry, link.sent())
    };
    let day = 7 * 24 * 60 * 60;
    let disconnect = |bytes: &'static [u8]| move |link: &mut Link| link.close(bytes);
    let lost = |link: &mut Link| link.server.lost();
    let silent = |link: &mut Link| {
        link.pass(Duration::from_secs(90));
        link.server.check_time(link.now).unwrap()
    };
    let shut_down = |link: &mut Link| link.server.disconnect(ReasonCode::SERVER_SHUTTING_DOWN, None);
    let taken_over = |resumes| move |link: &mut Link| link.server.take_over(resumes);
    let cases: [Case; 18] = [
        ("DISCONNECT", with_will(0, 60), &disconnect(b"\xe0\x00"), None, 60, b""),
        (
            "DISCONNECT with will",
            with_will(5, 60),
            &disconnect(b"\xe0\x01\x04"),
            Some(5),
            60,
            b"",
        ),
        (
            "DISCONNECT with an error",
            with_will(5, 60),
            &disconnect(b"\xe0\x01\x83"),
            Some(5),
            60,
            b"",
        ),
        (
            "DISCONNECT and no session",
            with_will(5, 60),
            &disconnect(b"\xe0\x07\x04\x05\x11\0\0\0\0"),
            Some(0),
            0,
            b"",
        ),
        (
            "DISCONNECT and a longer session",
            with_will(5, 3),
            &disconnect(b"\xe0\x07\x04\x05\x11\0\0\0\x09"),
            Some(5),
            9,
            b"",
        ),
        ("lost", with_will(5, 60), &lost, Some(5), 60, b""),
        ("lost, without a session", with_will(5, 0), &lost, Some(0), 0, b""),
        ("lost, the session ends first", with_will(5, 2), &lost, Some(2), 2, b""),
        ("lost, for ever", with_will(5, NEVER), &lost, Some(5), day, b""),
        ("silent", with_will(0, 60), &silent, Some(0), 60, b"\xe0\x01\x8d"),
        ("shut down", with_will(0, 60), &shut_down, Some(0), 60, b"\xe0\x01\x8b"),
        (
            "taken over",
            with_will(0, 60),
            &taken_over(true),
            Some(0),
            60,
            b"\xe0\x01\x8e",
        ),
        (
            "taken over within the delay",
            with_will(5, 60),
            &taken_over(true),
            None,
            60,
            b"\xe0\x01\x8e",
        ),
        (
            "taken over with a clean start",
            with_will(5, 60),
            &taken_over(false),
            Some(0),
            0,
            b"\xe0\x01\x8e",
        ),
        (
            "DISCONNECT of 3.1.1",
            with_will_3.clone(),
            &disconnect(b"\xe0\x00"),
            None,
            day,
            b"",
        ),
        ("lost, of 3.1.1", with_will_3.clone(), &lost, Some(0), day, b""),
        ("silent, of 3.1.1", with_will_3.clone(), &silent, Some(0), day, b""),
        (
            "taken over, of 3.1.1",
            with_will_3,
            &taken_over(true),
            Some(0),
            day,
            b"",
        ),
    ];
    for (what, connect, how, due, expiry, sent) in cases {
        assert_eq!(end(&connect, how), (due, expiry, sent.to_vec()), "{what}");
    }
}

#[test]
fn a_clean_session_of_3_1_1_ends_with_its_connection() {
    let granted = Acceptance {
        session_expiry: Some(60),
        ..Acceptance::default()
    };
    let kept = connect(4, 0, &[], b"\x00\x02gw");
    assert_eq!(
        Link::accepted(CONNECT_3, granted.clone()).server.lost().session_expiry,
        0
    );
    assert_eq!(Link::accepted(&kept, granted).server.lost().session_expiry, 60);
}

#[test]
fn a_connection_that_was_not_accepted_leaves_nothing_behind() {
    for connect in [&[][..], &with_will(0, 60)] {
        let mut link = Link::new();
        link.receive(connect);
        let close = link.server.lost();
        assert_eq!((close.will, close.session_expiry, link.sent()), (None, 0, Vec::new()));
    }
}

#[test]
fn keep_alive_runs_from_the_last_whole_packet() {
    let mut link = Link::connected(V5);
    let (second, just_short) = (Duration::from_secs(1), Duration::from_millis(89_999));
    for bytes in [&b"\xc0\x00"[..], b"\x40\x02\x00\x09", &publish(V5, 0, 0), b"\xc0\x00"] {
        link.pass(just_short);
        assert_eq!(link.server.check_time(link.now), None);
        link.receive(bytes);
    }
    // An incomplete packet does not count.
    link.pass(just_short);
    link.receive(b"\x30\x09\x00");
    link.pass(second);
    let close = link.server.check_time(link.now).unwrap();
    assert_eq!(close.cause, CloseCause::KeepAlive);
    assert_eq!((link.server.deadline(), link.server.check_time(link.now)), (None, None));

    // While an answer is due nothing is read, so the client cannot send a sign of life.
    let mut link = Link::connected(V3);
    for id in 1..=100 {
        assert!(link.receive(&publish(V3, 2, id)).is_some());
    }
    assert_eq!((link.next(), link.server.deadline()), (None, None));
    link.pass(second * 1000);
    link.server.puback(1, ReasonCode::SUCCESS, None);
    assert_eq!(link.next(), None);
    assert_eq!(link.server.deadline(), Some(link.now + second * 90));

    let mut never = Link::accepted(
        b"\x10\x0f\x00\x04MQTT\x05\x02\x00\x00\x00\x00\x02gw",
        Acceptance::default(),
    );
    assert_eq!(
        (
            never.server.deadline(),
            never.server.check_time(never.now + second * 1_000_000)
        ),
        (None, None)
    );
    let granted = Acceptance {
        keep_alive: Some(10),
        ..Acceptance::default()
    };
    assert_eq!(
        Link::accepted(CONNECT_5, granted)
            .server
            .deadline()
            .map(|at| at > link.now),
        Some(false)
    );
}

#[test]
fn a_silent_client_is_disconnected() {
    let mut link = Link::new();
    link.pass(Duration::from_secs(9));
    link.receive(b"\x10");
    assert_eq!(link.server.check_time(link.now), None);
    link.pass(Duration::from_secs(1));
    let close = link.server.check_time(link.now).unwrap();
    assert_eq!((close.cause, link.sent()), (CloseCause::ConnectTimeout, Vec::new()));
    // While the driver decides about CONNECT, the client is not the one that is silent.
    let mut link = Link::new();
    link.receive(CONNECT_5);
    assert_eq!(link.server.deadline(), None);
}

#[test]
fn nothing_is_read_or_written_after_the_end() {
    let mut link = Link::connected(V5);
    let both = [b"\xe0\x00", &publish(V5, 2, 1)[..]].concat();
    assert!(matches!(link.receive(&both), Some(Action::Close(_))));
    assert_eq!(link.next(), None);
    link.server.puback(1, ReasonCode::SUCCESS, None);
    link.server.accept(Acceptance::default(), link.now);
    link.server.refuse(ReasonCode::BANNED, None);
    link.server.disconnect(ReasonCode::SERVER_BUSY, None);
    assert_eq!(link.sent(), b"");
}

#[test]
fn each_end_reads_as_a_sentence() {
    let error = match Link::connected(V5).close(b"\xd0\x00").cause {
        CloseCause::Protocol(error) => error,
        other => panic!("{other}"),
    };
    let disconnected = Link::connected(V5).close(b"\xe0\x08\x83\x06\x1f\x00\x03why").cause;
    for (cause, words) in [
        (
            CloseCause::Protocol(error),
            "the client sent a packet that only servers send (MQTT 5.0, 2.1.2)",
        ),
        (
            disconnected,
            "the client disconnected: implementation specific error (0x83): why",
        ),
        (
            CloseCause::Refused(ReasonCode::NOT_AUTHORIZED),
            "the server refused: not authorized (0x87)",
        ),
        (
            CloseCause::KeepAlive,
            "the client sent nothing for one and a half keep-alives",
        ),
        (CloseCause::ConnectTimeout, "the client sent no CONNECT in time"),
        (CloseCause::TakenOver, "the same client has connected again"),
        (
            CloseCause::ByServer(ReasonCode::SERVER_BUSY),
            "the server disconnected: server busy (0x89)",
        ),
        (CloseCause::Lost, "the client has gone without DISCONNECT"),
        (
            CloseCause::ClientTooNarrow,
            "the client accepts no packet as large as the answer to its request",
        ),
    ] {
        assert_eq!(cause.to_string(), words);
    }
}
