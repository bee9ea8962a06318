//! Tests from TCP to CONNACK.

use tokio::time::{pause, resume, sleep};

use super::super::{Lost, PacketSink as _};
use super::*;
use crate::messages::Properties;
use crate::mqtt::ReasonCode;
use crate::qos::Qos;

/// Returns the error of one attempt to connect.
async fn refusal(server: &Server, serve: impl Future<Output = ()>) -> ConnectError {
    let (outcome, ()) = join!(server.connect(), serve);
    outcome.map(drop).unwrap_err()
}

/// Case `connect_on_the_wire`.
#[tokio::test]
async fn connect_says_what_gatepost_asks_for() {
    // Session expiry 3600 s, Receive Maximum 100, Maximum Packet Size 149,504.
    let properties = b"\x0d\x11\x00\x00\x0e\x10\x21\x00\x64\x27\x00\x02\x48\x00";
    let id = b"\x00\x04gw-1";
    let will = Message {
        topic: "gw-1/gatepost/status".into(),
        payload: "offline".into(),
        retain: true,
        properties: Properties {
            message_expiry: Some(60),
            ..Properties::default()
        },
    };
    let will_fields = b"\x05\x02\x00\x00\x00\x3c\x00\x14gw-1/gatepost/status\x00\x07offline";
    let cases = [
        ("resumes", false, None, 0x00),
        ("clean start", true, None, 0x02),
        ("has a will that is kept", false, Some(will), 0x2c),
    ];
    let mut server = Server::start().await;
    for (what, clean_start, will, flags) in cases {
        server.options.clean_start = clean_start;
        let will_fields = will.as_ref().map_or(&b""[..], |_| &will_fields[..]);
        server.options.will = will;
        let accepting = async {
            let (mut peer, connect) = server.accept().await;
            peer.send(&connack(&[])).await;
            connect
        };
        let (connected, connect) = join!(server.connect(), accepting);
        connected.unwrap();
        let body = [b"\x00\x04MQTT\x05", &[flags, 0, 60][..], properties, id, will_fields].concat();
        assert_eq!(connect, packet(0x10, &body), "{what}");
    }
}

/// Case `connack_properties`.
#[tokio::test]
async fn the_limits_of_connack_apply_to_the_connection() {
    let server = Server::start().await;
    let (_, terms, _) = server.open(&connack(&[])).await;
    assert_eq!(
        terms,
        Terms {
            session_expiry: Duration::from_secs(3600),
            ..Terms::default()
        },
        "nothing is said, so what was asked for holds"
    );
    let properties = b"\x11\x00\x00\x03\x84\x21\x00\x07\x27\x00\x00\x10\x00\x13\x00\x1e\x1f\x00\x05hello";
    let (_, terms, _) = server.open(&connack(properties)).await;
    let limits = terms.limits;
    assert_eq!(
        (terms.session_expiry, limits.keep_alive),
        (Duration::from_secs(900), Some(Duration::from_secs(30)))
    );
    assert_eq!((limits.receive_maximum, limits.maximum_packet_size), (7, 4096));
}

/// Case `refused_connack`.
#[tokio::test]
async fn a_refusal_is_passed_on_with_code_and_words() {
    let server = Server::start().await;
    let refused = refusal(&server, async {
        let (mut peer, _) = server.accept().await;
        peer.send(&packet(0x20, b"\x00\x87\x09\x1f\x00\x06policy")).await;
    })
    .await;
    let ConnectError::Refused(reason) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(
        (reason.code, reason.words.as_deref()),
        (ReasonCode::NOT_AUTHORIZED, Some("policy"))
    );
}

#[tokio::test]
async fn faults_in_an_answer_are_named() {
    let rows: [(&str, Vec<u8>, &str); 8] = [
        ("a message first", publish(1, b"x"), "MQTT-3.2.0-1"),
        (
            "a web server",
            b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(),
            "MQTT-2.1.3-1",
        ),
        ("another client ID", connack(b"\x12\x00\x01x"), "MQTT 5.0, 3.2.2.3.7"),
        ("MQTT 3.1.1", packet(0x20, &[0, 0]), "MQTT 5.0, 2.1.4"),
        ("reserved flags", packet(0x20, &[2, 0, 0]), "MQTT-3.2.2-1"),
        ("a code with a name", packet(0x20, &[0, 0x8a, 0]), "banned (0x8a)"),
        ("another one", packet(0x20, &[0, 0x88, 0]), "server unavailable (0x88)"),
        (
            "a code without a name",
            packet(0x20, &[0, 0xee, 0]),
            "does not list (0xee)",
        ),
    ];
    let server = Server::start().await;
    for (what, answer, named) in rows {
        let error = refusal(&server, async {
            let (mut peer, _) = server.accept().await;
            peer.send(&answer).await;
        })
        .await;
        let said = match &error {
            ConnectError::Protocol(error) => error.to_string(),
            ConnectError::Refused(reason) => reason.to_string(),
            other => panic!("{what}: {other:?}"),
        };
        assert!(said.contains(named), "{what}: {said}");
    }
}

/// Case `hang_without_connack`. The clock is paused after CONNECT, so the test does not wait.
#[tokio::test]
async fn silence_after_connect_ends_after_half_a_minute() {
    let server = Server::start().await;
    let lost = refusal(&server, async {
        let (mut peer, _) = server.accept().await;
        pause();
        assert_eq!(peer.read().await, None, "the connection is closed");
        resume();
    })
    .await;
    assert!(
        matches!(&lost, ConnectError::LostBeforeConnack(why) if why == "no CONNACK in 30 s"),
        "{lost:?}"
    );
}

/// TCP is accepted, but the server never sends anything: AWS has not seen a CONNECT.
#[tokio::test]
async fn a_handshake_that_never_ends_is_given_up_after_a_minute() {
    let server = Server::start().await;
    let unreachable = refusal(&server, async {
        let (mut tcp, _) = server.listener.accept().await.unwrap();
        pause();
        let mut hello = Vec::new();
        tcp.read_to_end(&mut hello).await.unwrap();
        assert!(!hello.is_empty(), "ClientHello, and then the end");
        resume();
    })
    .await;
    let ConnectError::Unreachable(problem) = unreachable else {
        panic!("{unreachable:?}");
    };
    assert!(
        problem.message.contains("the TLS handshake took more than 60 s"),
        "{problem}"
    );
}

/// Case `slow_connack`: AWS may take its time, above all where a TPM has just signed.
#[tokio::test]
async fn a_connack_may_take_twenty_seconds() {
    let server = Server::start().await;
    let accepting = async {
        let (mut peer, _) = server.accept().await;
        pause();
        sleep(Duration::from_secs(20)).await;
        resume();
        peer.send(&connack(&[])).await;
    };
    let (connected, ()) = join!(server.connect(), accepting);
    connected.unwrap();
}

/// Cases `drop_before_connack` and `refusal_storm`: each attempt is one connection, and a connection that AWS drops is distinguished from
/// all others.
#[tokio::test]
async fn an_attempt_is_one_connection() {
    const ATTEMPTS: usize = 30;
    let server = Server::start().await;
    for _ in 0..ATTEMPTS {
        let dropped = refusal(&server, async { drop(server.accept().await) }).await;
        assert!(matches!(dropped, ConnectError::LostBeforeConnack(_)), "{dropped:?}");
    }
    // Another connection would be in the listener's queue, before this one.
    server.open(&connack(&[])).await;
}

/// Cases `partial_packet_then_reconnect` and `session_present_after_restart`: no data of a connection reaches the next one.
#[tokio::test]
async fn the_next_connection_begins_with_nothing_of_the_last() {
    let server = Server::start().await;
    let (mut first, _, mut peer) = server.open(&connack(&[])).await;
    let id = first.publish(&message(b"unacknowledged".to_vec())).unwrap();
    assert_eq!(sent(&mut first, &mut peer).await, (id, b"unacknowledged".to_vec()));
    let half = publish(9, b"reboot");
    peer.send(&half[..half.len() / 2]).await;
    peer.close().await;
    assert!(matches!(first.next().await, Err(Lost::Broken(_))));

    let (mut second, terms, mut peer) = server.open(&packet(0x20, &[1, 0, 0])).await;
    assert!(terms.limits.session_present);
    second.subscribe(&[("a".into(), Qos::AtLeastOnce)]).unwrap();
    let subscribe = async { peer.read().await.unwrap() };
    tokio::select! {
        outcome = second.next() => panic!("{outcome:?}"),
        subscribe = subscribe => assert_eq!(subscribe[0], 0x82, "nothing else is sent, and nothing is sent again"),
    }
}

/// Case `tls_identity`.
#[tokio::test]
async fn the_server_sees_its_name_the_protocol_and_the_certificate() {
    let server = Server::start().await;
    let (_connection, _, peer) = server.open(&connack(&[])).await;
    let (_, tls) = peer.stream.get_ref();
    assert_eq!(
        (tls.server_name(), tls.alpn_protocol()),
        (Some("localhost"), Some(ALPN))
    );
    assert_eq!(tls.peer_certificates().map(<[_]>::len), Some(1));
}

/// Case `tls_certificate_refused`: with TLS 1.3 the refusal arrives after our side of the handshake is complete.
#[tokio::test]
async fn a_refused_certificate_is_distinguished_from_a_dropped_connection() {
    let mut server = Server::start().await;
    server.tls = client_tls(&server.ca, certificate(&ca(), "gw-1"));
    let refused = refusal(&server, async {
        let (tcp, _) = server.listener.accept().await.unwrap();
        server.acceptor.accept(tcp).await.unwrap_err();
    })
    .await;
    assert!(
        matches!(&refused, ConnectError::LostBeforeConnack(why) if why.starts_with("TLS alert")),
        "{refused:?}"
    );
}
