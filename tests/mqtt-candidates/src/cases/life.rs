//! Keep-alive, cancellation, closing, TLS.

use std::{sync::Arc, time::Duration};

use tokio::{
    join, select,
    time::{sleep, timeout},
};

use super::{Session, Verdict, check, failed, options, session};
use crate::{
    broker::Broker,
    candidate::*,
    outbox::{TOPIC, key_of, payload},
    tls,
    wire::{self, Received},
};

/// CONNECT says 60 s, CONNACK says 1 s: the broker's word counts.
pub async fn server_keep_alive<C: Candidate>() -> Verdict {
    let Session {
        mut client, mut peer, ..
    } = session::<C>(&wire::u16_property(wire::SERVER_KEEP_ALIVE, 1)).await?;
    let ping = timeout(Duration::from_secs(4), async {
        select! { event = client.next() => Err(format!("{event:?}")), received = peer.read() => Ok(received) }
    });
    let ping = ping.await.map_err(|_| "no PINGREQ in 4 s")??;
    check(matches!(ping, Ok(Received::Pingreq)), format!("{ping:?}"))
}

/// The network is gone without a FIN: PINGRESP never comes.
pub async fn silent_broker<C: Candidate>() -> Verdict {
    let Session {
        mut client, mut peer, ..
    } = session::<C>(&wire::u16_property(wire::SERVER_KEEP_ALIVE, 1)).await?;
    let ended = async {
        loop {
            if let Err(failure) = client.next().await {
                return failure;
            }
        }
    };
    let swallow = async { while peer.read().await.is_ok() {} };
    let failure = timeout(Duration::from_secs(40), async {
        join!(ended, async { timeout(Duration::from_secs(36), swallow).await }).0
    });
    match failure.await {
        Ok(failure @ Failure::Dropped(_)) => Ok(format!("{failure:?}")),
        Ok(other) => Err(format!("{other:?}")),
        Err(_) => Err("never noticed in 40 s".into()),
    }
}

/// Fifty messages, byte by byte, and `next` cancelled every millisecond.
pub async fn cancelled_while_receiving<C: Candidate>() -> Verdict {
    const MESSAGES: u64 = 50;
    let Session {
        mut client, mut peer, ..
    } = session::<C>(&[]).await?;
    let dribble = async {
        for key in 0..MESSAGES {
            for byte in wire::publish("t", key as u16 + 1, &payload(key, 8)) {
                peer.send(&[byte]).await?;
                tokio::task::yield_now().await;
            }
            sleep(Duration::from_millis(2)).await;
        }
        sleep(Duration::from_millis(500)).await;
        Ok::<_, std::io::Error>(())
    };
    let mut got = Vec::new();
    let receive = async {
        loop {
            match timeout(Duration::from_millis(1), client.next()).await {
                Ok(Ok(Event::Message { handle, payload })) => {
                    got.push(key_of(&payload));
                    client.acknowledge(handle);
                }
                Ok(Err(failure)) => return format!("{failure:?}"),
                _ => {}
            }
        }
    };
    let ended = select! { failure = receive => failure, sent = dribble => format!("{sent:?}") };
    check(
        got.iter().copied().eq(0..MESSAGES),
        format!("{} of {MESSAGES} in order, {ended}", got.len()),
    )
}

/// Large publishes into a broker that reads slowly, and `next` cancelled every millisecond: the stream stays whole.
pub async fn cancelled_while_sending<C: Candidate>() -> Verdict {
    const MESSAGES: u64 = 60;
    let Session {
        mut client, mut peer, ..
    } = session::<C>(&[]).await?;
    let mut next = 0;
    let send = async {
        loop {
            while next < MESSAGES && client.publish(next, TOPIC, payload(next, 100_000)).is_ok() {
                next += 1;
            }
            if let Ok(Err(failure)) = timeout(Duration::from_millis(1), client.next()).await {
                return format!("{failure:?}");
            }
        }
    };
    let mut got = Vec::new();
    let receive = async {
        while (got.len() as u64) < MESSAGES {
            match timeout(Duration::from_secs(3), peer.read()).await {
                Ok(Ok(Received::Publish { id, payload, .. })) => {
                    got.push(key_of(&payload));
                    peer.send(&wire::puback(id, 0, None)).await?;
                    sleep(Duration::from_millis(5)).await;
                }
                Ok(other) => return other.map(drop),
                Err(_) => return Err(std::io::Error::other("nothing more comes")),
            }
        }
        Ok(())
    };
    let ended = select! { failure = send => failure, received = receive => format!("{received:?}") };
    check(
        got.iter().copied().eq(0..MESSAGES),
        format!("{} of {MESSAGES} in order, {ended}", got.len()),
    )
}

/// What was taken goes out before DISCONNECT, then the connection is closed.
pub async fn clean_disconnect<C: Candidate>() -> Verdict {
    let Session {
        mut client, mut peer, ..
    } = session::<C>(&[]).await?;
    for key in 0..10 {
        client
            .publish(key, TOPIC, payload(key, 64))
            .map_err(|error| format!("{error:?}"))?;
    }
    let served = async move {
        let mut publishes = 0;
        loop {
            match peer.read().await {
                Ok(Received::Publish { id, .. }) => {
                    publishes += 1;
                    // Some candidates are gone by then.
                    let _ = peer.send(&wire::puback(id, 0, None)).await;
                }
                Ok(Received::Disconnect { code }) => return Ok((publishes, code)),
                other => return Err(format!("after {publishes} publishes: {other:?}")),
            }
        }
    };
    let (closed, served) = join!(client.disconnect(Duration::from_secs(2)), served);
    let served = served?;
    check(
        closed.is_ok() && served == (10, 0),
        format!("{} of 10 before DISCONNECT {:#04x}, {closed:?}", served.0, served.1),
    )
}

/// The broker no longer reads: shutdown must not hang.
pub async fn disconnect_from_a_stuck_broker<C: Candidate>() -> Verdict {
    let Session { mut client, peer, .. } = session::<C>(&[]).await?;
    for key in 0..90 {
        let _ = client.publish(key, TOPIC, payload(key, 120_000));
        let _ = timeout(Duration::from_millis(1), client.next()).await;
    }
    let closed = timeout(Duration::from_secs(5), client.disconnect(Duration::from_secs(1))).await;
    drop(peer);
    check(closed.is_ok(), format!("{closed:?}"))
}

/// Our ClientConfig and certificate resolver; SNI and ALPN as the server sees them.
pub async fn tls_identity<C: Candidate>() -> Verdict {
    let pair = tls::pair().map_err(failed)?;
    let broker = Broker::start(Some(pair.server)).await.map_err(failed)?;
    let mut client = C::default();
    let options = ConnectOptions {
        tls: Some(pair.client),
        ..options(&broker)
    };
    let (connected, peer) = join!(client.connect(&options), broker.accept_session(false, &[]));
    connected.map_err(|failure| format!("{failure:?}"))?;
    let peer = peer.map_err(failed)?;
    let right = peer.server_name.as_deref() == Some("localhost") && peer.alpn.as_deref() == Some(tls::ALPN);
    check(
        right,
        format!(
            "SNI {:?}, ALPN {:?}",
            peer.server_name,
            peer.alpn.as_deref().map(String::from_utf8_lossy)
        ),
    )
}

/// TLS 1.3: the server's "no" to our certificate arrives after our handshake is done. It must not look like a hang.
pub async fn tls_certificate_refused<C: Candidate>() -> Verdict {
    let pair = tls::pair().map_err(failed)?;
    let stranger = tls::pair().map_err(failed)?;
    let broker = Broker::start(Some(pair.server)).await.map_err(failed)?;
    let mut client = C::default();
    let config = tls::with_identity_of(&pair.client, &stranger.client);
    let options = ConnectOptions {
        tls: Some(Arc::new(config)),
        ..options(&broker)
    };
    let (result, _) = join!(client.connect(&options), broker.accept());
    check(
        matches!(result, Err(Failure::Dropped(_) | Failure::Protocol(_))),
        format!("{result:?}"),
    )
}
