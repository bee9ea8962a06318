//! What the broker sends, right and wrong.

use std::time::Duration;

use tokio::{join, select, time::timeout};

use super::{Session, Verdict, check, failed, options, resident_kib, session};
use crate::{
    broker::Broker,
    candidate::*,
    wire::{self, Received},
};

pub async fn manual_ack<C: Candidate>() -> Verdict {
    let Session {
        mut client, mut peer, ..
    } = session::<C>(&[]).await?;
    peer.send(&wire::publish("gw-1/commands", 9, b"reboot"))
        .await
        .map_err(failed)?;
    let event = client.next().await.map_err(|failure| format!("{failure:?}"))?;
    let Event::Message { handle, .. } = event else {
        return Err(format!("{event:?}"));
    };
    let early = timeout(Duration::from_millis(300), async {
        join!(client.next(), peer.read()).1
    })
    .await
    .is_ok();
    client.acknowledge(handle);
    let answer = select! { event = client.next() => return Err(format!("{event:?}")), answer = peer.read() => answer };
    let acknowledged = matches!(answer, Ok(Received::Puback { id: 9 }));
    check(
        !early && acknowledged,
        format!("PUBACK only when told: {}; then {answer:?}", !early),
    )
}

/// Without an acknowledgement the broker sends it again after a reconnect, and that one can be acknowledged.
pub async fn redelivered_after_reconnect<C: Candidate>() -> Verdict {
    let Session {
        mut client,
        mut peer,
        broker,
        options,
    } = session::<C>(&[]).await?;
    peer.send(&wire::publish("gw-1/commands", 9, b"reboot"))
        .await
        .map_err(failed)?;
    let event = client.next().await.map_err(|failure| format!("{failure:?}"))?;
    drop(peer);
    let lost = client.next().await;
    let (connected, peer) = join!(client.connect(&options), broker.accept_session(true, &[]));
    connected.map_err(|failure| format!("reconnect: {failure:?}"))?;
    let mut peer = peer.map_err(failed)?;
    peer.send(&wire::publish("gw-1/commands", 9, b"reboot"))
        .await
        .map_err(failed)?;
    let again = client.next().await.map_err(|failure| format!("{failure:?}"))?;
    if let Event::Message { handle, .. } = again {
        client.acknowledge(handle);
    }
    let answer = select! { event = client.next() => return Err(format!("{event:?}")), answer = peer.read() => answer };
    let good = event == again && matches!(answer, Ok(Received::Puback { id: 9 }));
    check(good, format!("lost: {:?}; again: {answer:?}", lost.err()))
}

pub async fn payload_of_128_kib_in<C: Candidate>() -> Verdict {
    let Session {
        mut client, mut peer, ..
    } = session::<C>(&[]).await?;
    let packet = wire::publish("gw-1/commands", 9, &vec![7; 128 * 1024]);
    let (event, sent) = join!(client.next(), peer.send(&packet));
    sent.map_err(failed)?;
    match event {
        Ok(Event::Message { payload, .. }) => check(payload.len() == 128 * 1024, format!("{} bytes", payload.len())),
        other => Err(format!("{other:?}")),
    }
}

/// More than was promised in CONNECT: refused on its length alone, before it is buffered.
pub async fn oversize<C: Candidate>() -> Verdict {
    let Session {
        mut client, mut peer, ..
    } = session::<C>(&[]).await?;
    let before = resident_kib();
    let packet = wire::publish("gw-1/commands", 9, &vec![7; 64 * 1024 * 1024]);
    let failure =
        select! { event = client.next() => event, _ = peer.send(&packet) => return Err("took 64 MiB".into()) };
    let grown = resident_kib().saturating_sub(before);
    // The packet itself is the broker's.
    let own = grown.saturating_sub(64 * 1024);
    check(
        matches!(failure, Err(Failure::Protocol(_))) && own < 4096,
        format!("{failure:?}, +{own} KiB"),
    )
}

pub async fn server_disconnect<C: Candidate>() -> Verdict {
    let Session {
        mut client, mut peer, ..
    } = session::<C>(&[]).await?;
    peer.send(&wire::disconnect(0x8E, "taken over")).await.map_err(failed)?;
    drop(peer);
    let event = client.next().await;
    let wanted = Failure::Disconnected {
        code: 0x8E,
        reason: Some("taken over".into()),
    };
    check(event.as_ref() == Err(&wanted), format!("{event:?}"))
}

pub async fn subscription_refused<C: Candidate>() -> Verdict {
    let Session {
        mut client, mut peer, ..
    } = session::<C>(&[]).await?;
    client.subscribe("gw-1/commands");
    let served = async {
        match peer.read().await {
            Ok(Received::Subscribe { id }) => peer.send(&wire::suback(id, &[0x87])).await,
            other => Err(std::io::Error::other(format!("{other:?}"))),
        }
    };
    let (event, served) = join!(client.next(), served);
    served.map_err(failed)?;
    check(event == Ok(Event::Subscribed(vec![0x87])), format!("{event:?}"))
}

/// A second PUBACK, and one for nobody: either the session goes on, or it ends and nothing is taken as acknowledged.
pub async fn stray_pubacks<C: Candidate>() -> Verdict {
    let Session {
        mut client, mut peer, ..
    } = session::<C>(&[]).await?;
    for key in 1..=2 {
        client
            .publish(key, "t", crate::outbox::payload(key, 8))
            .map_err(|error| format!("{error:?}"))?;
    }
    let mut ids = Vec::new();
    while ids.len() < 2 {
        select! {
            event = client.next() => return Err(format!("{event:?}")),
            received = peer.read() => if let Ok(Received::Publish { id, .. }) = received { ids.push(id) },
        }
    }
    let strays = [
        wire::puback(ids[0], 0, None),
        wire::puback(ids[0], 0, None),
        wire::puback(4000, 0, None),
    ];
    peer.send(&strays.concat()).await.map_err(failed)?;
    let first = client.next().await;
    let second = timeout(Duration::from_millis(500), client.next()).await;
    let right = matches!(first, Ok(Event::Acknowledged { key: 1, .. }));
    match second {
        Err(_) => check(right, "ignored".into()),
        Ok(Err(failure)) => check(right || first.is_err(), format!("session ended: {failure:?}")),
        Ok(Ok(event)) => Err(format!("took {event:?} for real")),
    }
}

/// MQTT 5.0, 3.4.2.2.1 and 3.14.2.2.1: a reason code may come without the property length. Debian's mosquitto 2.0.11 sends
/// DISCONNECT so (e0 01 82 to a PUBLISH on "#").
pub async fn short_forms<C: Candidate>() -> Verdict {
    let Session {
        mut client, mut peer, ..
    } = session::<C>(&[]).await?;
    client
        .publish(1, "t", crate::outbox::payload(1, 8))
        .map_err(|error| format!("{error:?}"))?;
    let received =
        select! { event = client.next() => return Err(format!("{event:?}")), received = peer.read() => received };
    let Ok(Received::Publish { id, .. }) = received else {
        return Err(format!("{received:?}"));
    };
    let [high, low] = id.to_be_bytes();
    let packets = [wire::packet(0x40, &[high, low, 0x87]), wire::packet(0xE0, &[0x8B])];
    peer.send(&packets.concat()).await.map_err(failed)?;
    let first = client.next().await;
    let limit = Duration::from_secs(5);
    let second = timeout(limit, client.next())
        .await
        .map_err(|_| format!("{first:?}, then deaf to DISCONNECT"))?;
    let right = first
        == Ok(Event::Acknowledged {
            key: 1,
            code: 0x87,
            reason: None,
        })
        && second
            == Err(Failure::Disconnected {
                code: 0x8B,
                reason: None,
            });
    check(right, format!("{first:?}, {second:?}"))
}

/// Bytes of well-formed packets, each position once replaced by each of a few values: no panic, no hang.
pub async fn malformed<C: Candidate>() -> Verdict {
    let properties = [
        wire::u16_property(wire::RECEIVE_MAXIMUM, 7),
        wire::u32_property(wire::MAXIMUM_PACKET_SIZE, 4096),
    ];
    let connack = wire::connack(false, 0, &properties.concat());
    let others = [
        wire::publish("gw-1/c", 9, b"x"),
        wire::puback(1, 0x87, Some("no")),
        wire::suback(1, &[1]),
        wire::disconnect(0x8E, "bye"),
        wire::packet(0xF0, &[0x18, 0]),
        wire::packet(0x20, &[0, 0, 0]),
        vec![0x30, 0xFF, 0xFF, 0xFF, 0xFF],
    ];
    let broker = Broker::start(None).await.map_err(failed)?;
    let options = ConnectOptions {
        timeout: Duration::from_secs(1),
        ..options(&broker)
    };
    let mut tried = 0;
    for bytes in variants(&connack) {
        let mut client = C::default();
        let served = async {
            let mut peer = broker.accept().await?;
            peer.connect().await?;
            peer.send(&bytes).await
        };
        let (_, served) = join!(client.connect(&options), served);
        served.map_err(failed)?;
        tried += 1;
    }
    for packet in &others {
        for bytes in variants(packet) {
            let mut client = C::default();
            let (connected, peer) = join!(client.connect(&options), broker.accept_session(false, &[]));
            connected.map_err(|failure| format!("{failure:?}"))?;
            let mut peer = peer.map_err(failed)?;
            peer.send(&bytes).await.map_err(failed)?;
            drop(peer);
            let drained = async { while client.next().await.is_ok() {} };
            timeout(Duration::from_secs(1), drained)
                .await
                .map_err(|_| format!("hangs after {bytes:02x?}"))?;
            tried += 1;
        }
    }
    Ok(format!("{tried} variants"))
}

fn variants(packet: &[u8]) -> Vec<Vec<u8>> {
    let mut variants: Vec<_> = (1..packet.len()).map(|end| packet[..end].to_vec()).collect();
    for position in 0..packet.len() {
        for value in [0x00, 0x01, 0x21, 0x7F, 0x80, 0xFF, packet[position] ^ 0x10] {
            let mut variant = packet.to_vec();
            variant[position] = value;
            variants.push(variant);
        }
    }
    variants
}
