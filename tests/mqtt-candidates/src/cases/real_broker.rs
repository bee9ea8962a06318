//! mosquitto, killed with SIGKILL in the middle of the work.

use std::{collections::BTreeSet, time::Duration};

use tokio::{
    select,
    time::{sleep, timeout},
};

use super::{Verdict, check, failed, first};
use crate::{
    candidate::{Candidate, ConnectOptions},
    mosquitto::{Mosquitto, Sink},
    outbox::Outbox,
};

const MESSAGES: u64 = 2000;

pub async fn killed_with_database<C: Candidate>() -> Verdict {
    killed::<C>(true).await
}

pub async fn killed_without_database<C: Candidate>() -> Verdict {
    killed::<C>(false).await
}

/// Three rounds: publish, kill, start again, sink first. At the end every accepted message came out of the broker.
async fn killed<C: Candidate>(persistence: bool) -> Verdict {
    let mut mosquitto = Mosquitto::start(persistence).await.map_err(failed)?;
    let options = ConnectOptions {
        address: mosquitto.address,
        tls: None,
        timeout: Duration::from_secs(20),
    };
    let (mut client, mut outbox) = (C::default(), Outbox::accept(0..MESSAGES, 512));
    let (mut seen, mut count) = (BTreeSet::new(), 0);
    for pause in [120, 60, 0] {
        let mut sink = Sink::connect(mosquitto.address).await.map_err(failed)?;
        if pause == 0 {
            // To the end, with reconnects if the candidate needs some.
            let finish = async {
                outbox.deliver(&mut client, &options, Duration::from_secs(40)).await;
                sleep(Duration::from_millis(500)).await;
            };
            select! { () = finish => {}, () = sink.drain(&mut seen, &mut count) => {} }
            break;
        }
        let work = outbox.deliver_once(&mut client, &options);
        let kill = async {
            sleep(Duration::from_millis(pause)).await;
            mosquitto.kill_and_restart().await
        };
        let ((worked, killed), ()) =
            tokio::join!(async { tokio::join!(work, kill) }, sink.drain(&mut seen, &mut count));
        killed.map_err(failed)?;
        outbox.failures.extend(worked.err());
    }
    let left = outbox.len();
    let closed = timeout(Duration::from_secs(3), client.disconnect(Duration::from_secs(2)))
        .await
        .is_ok();
    let lost = MESSAGES as usize - left - (seen.len().min(MESSAGES as usize - left));
    let text = format!(
        "{} of {MESSAGES} came out, {} twice, {left} left, {lost} acknowledged but never seen, {} connects, failures {:?}",
        seen.len(),
        count - seen.len(),
        outbox.connects,
        first(&outbox.failures)
    );
    check(closed && left == 0 && seen.len() == MESSAGES as usize, text)
}
