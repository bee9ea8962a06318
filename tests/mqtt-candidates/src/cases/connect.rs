//! From TCP to CONNACK.

use std::time::Duration;

use tokio::{join, time::sleep};

use super::{Verdict, check, failed, options, resident_kib};
use crate::{
    broker::Broker,
    candidate::*,
    wire::{self},
};

/// What AWS does to the first connection of JITP.
pub async fn drop_before_connack<C: Candidate>() -> Verdict {
    let broker = Broker::start(None).await.map_err(failed)?;
    let mut client = C::default();
    let options = options(&broker);
    let (result, served) = join!(client.connect(&options), async {
        let mut peer = broker.accept().await?;
        peer.connect().await
    });
    served.map_err(failed)?;
    check(matches!(result, Err(Failure::Dropped(_))), format!("{result:?}"))
}

pub async fn hang_without_connack<C: Candidate>() -> Verdict {
    let broker = Broker::start(None).await.map_err(failed)?;
    let mut client = C::default();
    let options = ConnectOptions {
        timeout: Duration::from_secs(2),
        ..options(&broker)
    };
    let (result, served) = join!(client.connect(&options), async {
        let mut peer = broker.accept().await?;
        peer.connect().await?;
        peer.closed().await
    });
    served.map_err(failed)?;
    check(
        result == Err(Failure::Timeout),
        format!("{result:?}, and the connection was closed"),
    )
}

/// A TPM signs slowly, so 30 s must be possible: here CONNACK comes after the 5 s that are built into some.
pub async fn slow_connack<C: Candidate>() -> Verdict {
    let broker = Broker::start(None).await.map_err(failed)?;
    let mut client = C::default();
    let options = options(&broker);
    let (result, served) = join!(client.connect(&options), async {
        let mut peer = broker.accept().await?;
        peer.connect().await?;
        sleep(Duration::from_secs(6)).await;
        peer.send(&wire::connack(false, 0, &[])).await?;
        Ok::<_, std::io::Error>(peer)
    });
    served.map_err(failed)?;
    check(result.is_ok(), format!("CONNACK after 6 s: {:?}", result.err()))
}

pub async fn connect_on_the_wire<C: Candidate>() -> Verdict {
    let broker = Broker::start(None).await.map_err(failed)?;
    let mut client = C::default();
    let options = options(&broker);
    let (result, connect) = join!(client.connect(&options), async {
        let mut peer = broker.accept().await?;
        let connect = peer.connect().await?;
        peer.send(&wire::connack(false, 0, &[])).await?;
        Ok::<_, std::io::Error>(connect)
    });
    result.map_err(|failure| format!("{failure:?}"))?;
    let connect = connect.map_err(failed)?;
    let contains = |bytes: &[u8], part: &[u8]| bytes.windows(part.len()).any(|window| window == part);
    let wanted = [
        ("MQTT 5", connect.level == 5),
        ("clean start off", !connect.clean_start),
        ("keep-alive", connect.keep_alive == KEEP_ALIVE),
        (
            "session expiry",
            contains(
                &connect.properties,
                &wire::u32_property(wire::SESSION_EXPIRY, SESSION_EXPIRY),
            ),
        ),
        (
            "receive maximum",
            contains(
                &connect.properties,
                &wire::u16_property(wire::RECEIVE_MAXIMUM, RECEIVE_MAXIMUM),
            ),
        ),
        (
            "maximum packet",
            contains(
                &connect.properties,
                &wire::u32_property(wire::MAXIMUM_PACKET_SIZE, MAXIMUM_PACKET),
            ),
        ),
        (
            "will",
            connect.will && contains(&connect.payload, WILL_TOPIC.as_bytes()),
        ),
        (
            "will delay",
            contains(&connect.payload, &wire::u32_property(wire::WILL_DELAY, WILL_DELAY)),
        ),
    ];
    let missing: Vec<_> = wanted
        .iter()
        .filter(|(_, there)| !there)
        .map(|(what, _)| *what)
        .collect();
    check(missing.is_empty(), format!("missing on the wire: {missing:?}"))
}

pub async fn connack_properties<C: Candidate>() -> Verdict {
    let broker = Broker::start(None).await.map_err(failed)?;
    let mut client = C::default();
    let options = options(&broker);
    let properties = [
        wire::u32_property(wire::SESSION_EXPIRY, 900),
        wire::u16_property(wire::RECEIVE_MAXIMUM, 7),
        wire::u32_property(wire::MAXIMUM_PACKET_SIZE, 4096),
        wire::u16_property(wire::SERVER_KEEP_ALIVE, 30),
        wire::string_property(wire::REASON_STRING, "hello"),
    ];
    let properties = properties.concat();
    let (result, _peer) = join!(client.connect(&options), broker.accept_session(false, &properties));
    let wanted = Connack {
        session_present: false,
        session_expiry: Some(900),
        receive_maximum: Some(7),
        maximum_packet_size: Some(4096),
        server_keep_alive: Some(30),
        reason: Some("hello".into()),
    };
    check(result.as_ref() == Ok(&wanted), format!("{result:?}"))
}

/// The operator wants the broker's own words: code and reason string.
pub async fn refused_connack<C: Candidate>() -> Verdict {
    let broker = Broker::start(None).await.map_err(failed)?;
    let mut client = C::default();
    let options = options(&broker);
    let reason = wire::string_property(wire::REASON_STRING, "policy");
    let (result, served) = join!(client.connect(&options), async {
        let mut peer = broker.accept().await?;
        peer.connect().await?;
        peer.send(&wire::connack(false, 0x87, &reason)).await?;
        peer.closed().await
    });
    served.map_err(failed)?;
    check(
        result
            == Err(Failure::Refused {
                code: 0x87,
                reason: Some("policy".into()),
            }),
        format!("{result:?}"),
    )
}

/// The daemon was restarted, the broker still has the session: connect, publish and subscribe must work.
pub async fn session_present_after_restart<C: Candidate>() -> Verdict {
    let broker = Broker::start(None).await.map_err(failed)?;
    let log = crate::script::Log::default();
    let acts = [crate::script::Act {
        session_present: true,
        ..Default::default()
    }];
    let mut client = C::default();
    let mut outbox = crate::outbox::Outbox::accept(0..5, 8);
    let options = options(&broker);
    let done = tokio::select! {
        done = outbox.deliver(&mut client, &options, Duration::from_secs(4)) => done,
        _ = crate::script::play(&broker, &acts, &log) => false,
    };
    let seen = format!(
        "{} of 5 arrived, {} connects, failures {:?}",
        log.distinct(),
        outbox.connects,
        super::first(&outbox.failures)
    );
    check(done && outbox.parked.is_empty(), seen)
}

/// The connection ends in the middle of a packet: nothing of it may reach the next one.
pub async fn partial_packet_then_reconnect<C: Candidate>() -> Verdict {
    let broker = Broker::start(None).await.map_err(failed)?;
    let mut client = C::default();
    let options = ConnectOptions {
        timeout: Duration::from_secs(3),
        ..options(&broker)
    };
    let (first, peer) = join!(client.connect(&options), broker.accept_session(false, &[]));
    first.map_err(|failure| format!("{failure:?}"))?;
    let mut peer = peer.map_err(failed)?;
    let whole = wire::publish("gw-1/commands", 9, b"reboot");
    peer.send(&whole[..whole.len() / 2]).await.map_err(failed)?;
    drop(peer);
    let lost = client.next().await;
    let (second, _peer) = join!(client.connect(&options), broker.accept_session(true, &[]));
    check(
        lost.is_err() && second.is_ok(),
        format!("{:?}, then {:?}", lost.err(), second.err()),
    )
}

/// 300 refusals: one TCP connection for each call, and nothing piles up.
pub async fn refusal_storm<C: Candidate>() -> Verdict {
    const TRIES: usize = 300;
    let broker = Broker::start(None).await.map_err(failed)?;
    let mut client = C::default();
    let options = options(&broker);
    let accepted = std::cell::Cell::new(0);
    let before = resident_kib();
    let calls = async {
        for _ in 0..TRIES {
            if client.connect(&options).await.is_ok() {
                return Err("connected".to_owned());
            }
        }
        Ok(())
    };
    let drops = async {
        while let Ok(peer) = broker.accept().await {
            accepted.set(accepted.get() + 1);
            drop(peer);
        }
    };
    tokio::select! { result = calls => result?, () = drops => {} }
    let grown = resident_kib().saturating_sub(before);
    check(
        accepted.get() <= TRIES && grown < 4096,
        format!("{} TCP connections for {TRIES} calls, +{grown} KiB", accepted.get()),
    )
}
