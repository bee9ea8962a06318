//! The socket while handshakes wait for a slow token, beside the same daemon without a handshake.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bench::pace::Pace;
use bench::sample::{Sample, middle};
use bench::start;
use bench::table::{Budget, Figure, Row};
use rig::{unix_http, wait};

use crate::report::{CREDENTIALS, STATUS};

/// Number of rounds. The median counts.
const ROUNDS: usize = 5;

/// Three seconds per round: five signatures of 600 ms.
const PACE: Pace = Pace {
    requests: 3_000,
    interval: Duration::from_millis(1),
};

/// Time limit for a session: AWS may refuse a CONNECT that follows soon after another one, and each one takes a signature.
const PATIENCE: Duration = Duration::from_secs(60);

/// The socket's behaviour in one state of the daemon.
struct Observed {
    rounds: Vec<Sample>,
    signatures: u32,
    minutes: f64,
}

impl Observed {
    fn signatures_per_minute(&self) -> Figure {
        Figure::PerMinute(f64::from(self.signatures) / self.minutes)
    }
}

/// Measures the socket. `calm` and `busy` are configurations, the last word on the daemon's command line. They differ only in role aliases
/// for which AWS returns nothing usable, so that their refreshers do handshakes again and again.
pub(crate) fn rows(socket: &Path, calm: &str, busy: &str, daemon: &[&str]) -> Result<Vec<Row>> {
    let calm = observe(socket, daemon, calm)?;
    let busy = observe(socket, daemon, busy)?;
    ensure!(
        calm.signatures == 0 && busy.signatures > 0,
        "the token signed {} times while nothing was to be signed, and {} times while handshakes were wanted",
        calm.signatures,
        busy.signatures
    );
    let beside = |name: &str, percent, budget| {
        let figure = |observed: &Observed| Figure::Time(middle(&observed.rounds, |round| round.percentile(percent)));
        Row {
            what: format!("answer, a slow token in a handshake, {name}"),
            value: figure(&busy),
            floor: Some(figure(&calm)),
            budget,
        }
    };
    Ok(vec![
        beside("p50", 50, Budget::None),
        beside("p99", 99, Budget::TimesFloor(2.0)),
        beside("longest", 100, Budget::None),
        Row {
            what: "signatures meanwhile".to_owned(),
            value: busy.signatures_per_minute(),
            floor: Some(calm.signatures_per_minute()),
            budget: Budget::None,
        },
    ])
}

fn observe(socket: &Path, daemon: &[&str], configuration: &str) -> Result<Observed> {
    let mut command = start::daemon(daemon)?;
    let mut daemon = start::until_answered(command.arg(configuration), socket, CREDENTIALS)?;
    wait::until(PATIENCE, "the MQTT session", || {
        status(socket, "/session/phase").is_ok_and(|phase| phase == "connected")
    })?;
    let (before, began) = (signatures(socket)?, Instant::now());
    let rounds = (0..ROUNDS)
        .map(|_| PACE.run(socket, CREDENTIALS))
        .collect::<Result<_>>()?;
    let count = signatures(socket)?.saturating_sub(before);
    let minutes = began.elapsed().as_secs_f64() / 60.0;
    start::stop(&mut daemon)?;
    Ok(Observed {
        rounds,
        signatures: u32::try_from(count)?,
        minutes,
    })
}

/// Returns the number of signatures since the daemon's start, according to its status.
fn signatures(socket: &Path) -> Result<u64> {
    let count = status(socket, "/token/signatures")?;
    count.as_u64().context("the status does not count signatures")
}

/// Returns a field of the status.
fn status(socket: &Path, field: &str) -> Result<serde_json::Value> {
    let status = unix_http::get(socket, STATUS)?.json()?;
    let value = status.pointer(field).cloned();
    value.with_context(|| format!("the status has no {field}"))
}
