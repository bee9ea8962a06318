//! Outgoing QoS 1: promise 5.

use std::{collections::BTreeMap, time::Duration};

use tokio::{join, select};

use super::{Verdict, check, failed, first, options, resident_kib};
use crate::{
    broker::Broker,
    candidate::*,
    outbox::{Outbox, TOPIC, payload},
    script::{Act, Log, play},
};

const LIMIT: Duration = Duration::from_secs(8);

/// Delivers 300 messages against the acts; passes if all arrive, and none more often than connections ended before its
/// PUBACK could be there.
async fn deliver<C: Candidate>(acts: &[Act], parked: usize) -> Result<(Outbox, Log, String), String> {
    const MESSAGES: u64 = 300;
    let broker = Broker::start(None).await.map_err(failed)?;
    let (log, mut client, mut outbox) = (Log::default(), C::default(), Outbox::accept(0..MESSAGES, 64));
    let options = options(&broker);
    let done = select! {
        done = outbox.deliver(&mut client, &options, LIMIT) => done,
        error = play(&broker, acts, &log) => return Err(format!("{error:?}")),
    };
    let sent = log.seen().len();
    let seen = format!(
        "{} of {MESSAGES} arrived, {} sent again, {} left, {} parked, {} connects, failures {:?}",
        log.distinct(),
        sent - log.distinct(),
        outbox.len(),
        outbox.parked.len(),
        outbox.connects,
        first(&outbox.failures)
    );
    let complete = done && log.distinct() == MESSAGES as usize && outbox.parked.len() == parked;
    if complete { Ok((outbox, log, seen)) } else { Err(seen) }
}

/// Sent again more often than there were connections before is a loop, or twice on one connection.
fn repeats(log: &Log) -> usize {
    let mut per_connection: BTreeMap<(usize, Key), usize> = BTreeMap::new();
    for seen in log.seen() {
        *per_connection.entry((seen.connection, seen.key)).or_default() += 1;
    }
    per_connection.values().filter(|count| **count > 1).count()
}

pub async fn pubacks_reordered<C: Candidate>() -> Verdict {
    let (_, log, seen) = deliver::<C>(
        &[Act {
            batch: 10,
            ..Act::default()
        }],
        0,
    )
    .await?;
    check(log.seen().len() == 300, seen)
}

pub async fn puback_refused<C: Candidate>() -> Verdict {
    let (outbox, log, seen) = deliver::<C>(
        &[Act {
            refuse: &[3, 77],
            ..Act::default()
        }],
        2,
    )
    .await?;
    let right = outbox
        .parked
        .iter()
        .map(|(key, code)| (*key, *code))
        .eq([(3, 0x87), (77, 0x87)]);
    check(
        right && log.seen().len() == 300,
        format!("parked {:x?}; {seen}", outbox.parked),
    )
}

pub async fn lost_session<C: Candidate>() -> Verdict {
    let drop = |after| Act {
        drop_after: Some(after),
        batch: 4,
        ..Act::default()
    };
    let (_, log, seen) = deliver::<C>(&[drop(50), drop(90), Act::default()], 0).await?;
    check(repeats(&log) == 0, seen)
}

pub async fn present_session<C: Candidate>() -> Verdict {
    let drop = |after| Act {
        drop_after: Some(after),
        batch: 4,
        session_present: true,
        ..Act::default()
    };
    let first = Act {
        session_present: false,
        ..drop(50)
    };
    let (_, log, seen) = deliver::<C>(
        &[
            first,
            drop(90),
            Act {
                session_present: true,
                ..Act::default()
            },
        ],
        0,
    )
    .await?;
    check(repeats(&log) == 0, seen)
}

/// MQTT 5.0, 4.4: on a present session the same packet identifier, with DUP.
pub async fn same_identifier_with_dup<C: Candidate>() -> Verdict {
    let acts = [
        Act {
            drop_after: Some(20),
            swallow: &[5, 6, 7],
            ..Act::default()
        },
        Act {
            session_present: true,
            ..Act::default()
        },
    ];
    let (_, log, seen) = deliver::<C>(&acts, 0).await?;
    let seen_on = |connection, key| {
        log.seen()
            .into_iter()
            .find(|seen| (seen.connection, seen.key) == (connection, key))
    };
    let same = [5, 6, 7].iter().all(|key| match (seen_on(0, *key), seen_on(1, *key)) {
        (Some(before), Some(after)) => before.id == after.id && after.dup,
        _ => false,
    });
    let pairs: Vec<_> = [5, 6, 7]
        .map(|key| [seen_on(0, key), seen_on(1, key)].map(|seen| seen.map(|seen| (seen.id, seen.dup))))
        .into();
    check(
        same,
        if same {
            seen
        } else {
            format!("identifier and DUP before and after: {pairs:?}")
        },
    )
}

/// One PUBACK never comes, the connection drops, and the session is lost, twice.
pub async fn missing_puback_and_lost_session<C: Candidate>() -> Verdict {
    let acts = [
        Act {
            swallow: &[5],
            drop_after: Some(150),
            ..Act::default()
        },
        Act {
            swallow: &[5],
            drop_after: Some(120),
            session_present: true,
            ..Act::default()
        },
        Act {
            swallow: &[5],
            drop_after: Some(20),
            ..Act::default()
        },
        Act::default(),
    ];
    let (_, log, seen) = deliver::<C>(&acts, 0).await?;
    check(repeats(&log) == 0, seen)
}

pub async fn receive_maximum<C: Candidate>() -> Verdict {
    let (_, log, seen) = deliver::<C>(
        &[Act {
            receive_maximum: Some(3),
            batch: 3,
            ..Act::default()
        }],
        0,
    )
    .await?;
    let most = log.seen().iter().map(|seen| seen.in_flight).max().unwrap_or(0);
    check(most <= 3, format!("at most {most} in flight; {seen}"))
}

/// The second connection grants less than the first had in flight.
pub async fn receive_maximum_shrinks<C: Candidate>() -> Verdict {
    let acts = [
        Act {
            receive_maximum: Some(20),
            batch: 100,
            drop_after: Some(20),
            ..Act::default()
        },
        Act {
            receive_maximum: Some(3),
            session_present: true,
            batch: 3,
            ..Act::default()
        },
    ];
    let (_, log, seen) = deliver::<C>(&acts, 0).await?;
    let later = log.seen().into_iter().filter(|seen| seen.connection > 0);
    let most = later.map(|seen| seen.in_flight).max().unwrap_or(0);
    check(
        most <= 3,
        format!("at most {most} in flight after the reconnect; {seen}"),
    )
}

/// One message is larger than the broker's maximum packet size: it is parked, the rest arrives on the same connection.
pub async fn too_large_for_the_broker<C: Candidate>() -> Verdict {
    let broker = Broker::start(None).await.map_err(failed)?;
    let (log, mut client, mut outbox) = (Log::default(), C::default(), Outbox::accept(0..20, 64));
    outbox.add(7, 5000);
    let options = options(&broker);
    let acts = [Act {
        maximum_packet_size: Some(1000),
        ..Act::default()
    }];
    let done = select! {
        done = outbox.deliver(&mut client, &options, Duration::from_secs(3)) => done,
        _ = play(&broker, &acts, &log) => false,
    };
    let seen = format!(
        "{} of 19 arrived, {} connects, parked {:?}, failures {:?}",
        log.distinct(),
        outbox.connects,
        outbox.parked.keys(),
        first(&outbox.failures)
    );
    check(done && log.distinct() == 19 && outbox.connects == 1, seen)
}

pub async fn payload_of_128_kib<C: Candidate>() -> Verdict {
    let broker = Broker::start(None).await.map_err(failed)?;
    let (log, mut client, mut outbox) = (Log::default(), C::default(), Outbox::accept(0..20, 128 * 1024));
    let options = options(&broker);
    let acts = [Act::default()];
    let done = select! {
        done = outbox.deliver(&mut client, &options, LIMIT) => done,
        _ = play(&broker, &acts, &log) => false,
    };
    let whole = log.seen().iter().all(|seen| seen.length == 128 * 1024);
    check(
        done && whole,
        format!(
            "{} of 20 arrived, failures {:?}",
            log.distinct(),
            first(&outbox.failures)
        ),
    )
}

/// The broker acknowledges nothing: the candidate says "not now" instead of growing.
pub async fn bounded<C: Candidate>() -> Verdict {
    let broker = Broker::start(None).await.map_err(failed)?;
    let mut client = C::default();
    let options = options(&broker);
    let (connected, peer) = join!(client.connect(&options), broker.accept_session(false, &[]));
    connected.map_err(|failure| format!("{failure:?}"))?;
    let mut peer = peer.map_err(failed)?;
    let before = resident_kib();
    let mut taken = 0;
    for key in 0..100_000 {
        if client.publish(key, TOPIC, payload(key, 1024)).is_ok() {
            taken += 1;
        }
        if key % 1000 == 0 {
            let _ = tokio::time::timeout(Duration::from_millis(1), async { join!(client.next(), peer.read()) }).await;
        }
    }
    let grown = resident_kib().saturating_sub(before);
    check(
        taken <= usize::from(WINDOW) * 2 && grown < 8192,
        format!("took {taken} of 100000, +{grown} KiB"),
    )
}
