//! The outbox: durable publishes, the cost of a full outbox, and sending it after a long time offline.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bench::group_commit::GroupCommit;
use bench::mosquitto::{Autosave, Mosquitto};
use bench::publishers::{self, to_gatepost, written};
use bench::sample::Sample;
use bench::table::{Budget, Figure, Row};
use bench::{idle, start};
use rig::process::Process;
use rig::{unix_http, wait};

use crate::report::STATUS;

/// Number of callers, and of messages in a round: enough for about a second.
const LOADS: [(usize, usize); 3] = [(1, 500), (8, 4_000), (64, 16_000)];
/// Number of rounds, in which gatepost and the floors alternate. The median counts.
const ROUNDS: usize = 3;
/// Number of callers that fill the outbox.
const FILLERS: usize = 64;
/// The duration of the replay measurement.
const REPLAY: Duration = Duration::from_secs(30);
/// Number of messages on new topics during the replay.
const NEW_TOPICS: usize = 40;
/// Time limit for a purge of the full outbox.
const PURGE: Duration = Duration::from_secs(600);
/// Time limit for a session: AWS may refuse a CONNECT that follows soon after another one.
const PATIENCE: Duration = Duration::from_secs(60);

/// A measurement and its setup.
pub(crate) struct Outbox<'a> {
    pub(crate) socket: &'a Path,
    /// The number of messages that wait in the end.
    pub(crate) queued: usize,
    /// A folder on the same disk as the state folder.
    pub(crate) folder: &'a Path,
    /// A configuration that sends almost nothing, and one that sends at AWS's rate.
    pub(crate) filling: &'a str,
    pub(crate) sending: &'a str,
    /// The log of the local AWS.
    pub(crate) cloud_log: &'a Path,
    pub(crate) thing: &'a str,
    pub(crate) daemon: &'a [&'a str],
}

impl Outbox<'_> {
    pub(crate) fn rows(&self) -> Result<Vec<Row>> {
        let mut rows = Vec::new();
        let mut daemon = self.start(self.filling)?;
        // Without shared libraries: Mosquitto uses some of them too, so their share changes when it starts and ends.
        let own = || {
            idle::settle(daemon.pid())?;
            anyhow::Ok(idle::memory(daemon.pid())?.own)
        };
        let idle = own()?;
        for (callers, messages) in LOADS {
            rows.extend(self.publishes(daemon.pid(), callers, messages)?);
        }
        // Memory that many callers leave behind does not belong to the messages: it is the freed buffers of their connections, which the C
        // library keeps.
        let warm = own()?;
        self.fill()?;
        let full = own()?;
        let above = |what: String, own: u64, least: u64, budget| Row {
            what,
            value: Figure::Bytes(own.saturating_sub(least)),
            floor: None,
            budget,
        };
        rows.extend([
            above(
                "memory after all of them, above idle".to_owned(),
                warm,
                idle,
                Budget::None,
            ),
            above(
                format!("memory with {} messages, above that", self.queued),
                full,
                warm,
                Budget::AtMost(Figure::Bytes(2_000_000)),
            ),
        ]);
        start::stop(&mut daemon)?;
        rows.extend(self.replay()?);
        Ok(rows)
    }

    fn start(&self, configuration: &str) -> Result<Process> {
        let mut command = start::daemon(self.daemon)?;
        let daemon = start::until_answered(command.arg(configuration), self.socket, STATUS)?;
        self.wait_for("/session/phase", |phase| phase == "connected")?;
        Ok(daemon)
    }

    /// Measures messages per second, beside SQLite alone and beside Mosquitto, and the bytes that each writes to the disk.
    fn publishes(&self, pid: u32, callers: usize, messages: usize) -> Result<Vec<Row>> {
        let round = || tempfile::tempdir_in(self.folder);
        let mosquitto = |saves| {
            let folder = round()?;
            let mosquitto = Mosquitto::start(folder.path(), saves)?;
            publishers::run(callers, messages, |caller| {
                mosquitto.publisher(caller, &self.topic(caller))
            })
        };
        let (mut ours, mut floor, mut seldom, mut at_changes) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let (mut our_bytes, mut floor_bytes) = (0, 0);
        for _ in 0..ROUNDS {
            let before = written(pid)?;
            let connect = |caller| to_gatepost(self.socket, &self.topic(caller), "");
            ours.push(publishers::run(callers, messages, connect)?);
            our_bytes += written(pid)? - before;
            let folder = round()?;
            let alone = GroupCommit::new(folder.path())?;
            let before = written(std::process::id())?;
            floor.push(publishers::run(callers, messages, |caller| {
                Ok(alone.publisher(self.topic(caller)))
            })?);
            floor_bytes += written(std::process::id())? - before;
            seldom.push(mosquitto(Autosave::EveryHalfHour)?);
            at_changes.push(mosquitto(Autosave::OnChange)?);
        }
        let a_second = |rounds: Vec<Duration>| {
            let middle = Sample::new(rounds).context("no rounds")?.median();
            anyhow::Ok(Figure::PerSecond(
                f64::from(u32::try_from(messages)?) / middle.as_secs_f64(),
            ))
        };
        let a_message = |bytes: u64| Figure::Bytes(bytes / u64::try_from(messages * ROUNDS).unwrap_or(u64::MAX));
        let row = |what: &str, value, floor, budget| Row {
            what: format!("{what}, {callers} at a time"),
            value,
            floor,
            budget,
        };
        let promise = match callers {
            8 => Budget::TimesFloor(2.0),
            _ => Budget::None,
        };
        let floor = Some(a_second(floor)?);
        Ok(vec![
            row("durable publish", a_second(ours)?, floor, promise),
            row(
                "  mosquitto, saved at changes",
                a_second(at_changes)?,
                floor,
                Budget::None,
            ),
            row(
                "  mosquitto, saved every 30 min",
                a_second(seldom)?,
                floor,
                Budget::None,
            ),
            row(
                "  written to the disk a message",
                a_message(our_bytes),
                Some(a_message(floor_bytes)),
                Budget::None,
            ),
        ])
    }

    fn topic(&self, caller: usize) -> String {
        format!("{}/data/{caller}", self.thing)
    }

    fn fill(&self) -> Result<()> {
        let queued = self.status("/messages/queued")?.as_u64().context("no number")?;
        // Messages acknowledged meanwhile are missing at the end, and a few more are refused than there is room for.
        let missing = self.queued.saturating_sub(usize::try_from(queued)?);
        publishers::run(FILLERS, missing, |caller| {
            to_gatepost(self.socket, &self.topic(caller), "")
        })?;
        Ok(())
    }

    /// Measures the replay after a long time offline: the start, the rate, and the delay of a new message meanwhile.
    fn replay(&self) -> Result<Vec<Row>> {
        let began = Instant::now();
        let mut command = start::daemon(self.daemon)?;
        let mut daemon = start::until_answered(command.arg(self.sending), self.socket, STATUS)?;
        // The daemon is not ready until the thing name is known, and it reads the backlog from the disk first.
        let first = format!("{}/data/first", self.thing);
        wait::until(PATIENCE, "the first message to be accepted", || {
            to_gatepost(self.socket, &first, "").is_ok_and(|mut publish| publish().is_ok())
        })?;
        let opened = began.elapsed();
        self.wait_for("/session/phase", |phase| phase == "connected")?;
        let sent = || self.cloud_says(&format!("{}: ", self.thing), " bytes to ");
        let (before, since) = (sent()?, Instant::now());
        thread::sleep(REPLAY);
        let rate = f64::from(sent()? - before) / since.elapsed().as_secs_f64();
        let beside = self.new_topics("beside")?;
        let discarded = self.cloud_says(&format!("{}: ", self.thing), "discarded")?;
        let purged = Instant::now();
        let purge = "DELETE /v1/outbox/queued HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        let answer = unix_http::KeptConnection::open(self.socket)?
            .patient(PURGE)?
            .ask(purge.as_bytes())?;
        ensure!(answer.status == 200, "the outbox was not purged: {:?}", answer.json());
        let purged = purged.elapsed();
        self.wait_for("/messages/queued", |queued| queued == 0)?;
        let alone = self.new_topics("alone")?;
        start::stop(&mut daemon)?;
        let row = |what: &str, value, floor, budget| Row {
            what: what.to_owned(),
            value,
            floor,
            budget,
        };
        let time = |sample: &Sample, percent| Figure::Time(sample.percentile(percent));
        let second = Budget::AtMost(Figure::Time(Duration::from_secs(1)));
        Ok(vec![
            row(
                &format!("start with {} messages to the first accepted", self.queued),
                Figure::Time(opened),
                None,
                Budget::None,
            ),
            row(
                "replay",
                Figure::PerSecond(rate),
                Some(Figure::PerSecond(100.0)),
                Budget::TimesFloor(1.25),
            ),
            row(
                "replay, discarded by AWS",
                Figure::Count(discarded.into()),
                None,
                Budget::AtMost(Figure::Count(0)),
            ),
            row(
                "new topic to PUBACK beside the replay, p50",
                time(&beside, 50),
                Some(time(&alone, 50)),
                second,
            ),
            row(
                "new topic to PUBACK beside the replay, p95",
                time(&beside, 95),
                Some(time(&alone, 95)),
                second,
            ),
            row(
                &format!("purge of {} messages", self.queued),
                Figure::Time(purged),
                None,
                Budget::None,
            ),
        ])
    }

    /// Returns the round-trip times of messages on topics without a backlog.
    fn new_topics(&self, name: &str) -> Result<Sample> {
        let one = |number: usize| {
            let topic = format!("{}/{name}/{number}", self.thing);
            let mut publish = to_gatepost(self.socket, &topic, "?wait=ack")?;
            let began = Instant::now();
            publish()?;
            anyhow::Ok(began.elapsed())
        };
        Sample::new((0..NEW_TOPICS).map(one).collect::<Result<_>>()?).context("no new topics")
    }

    /// Returns the number of lines that contain both texts.
    fn cloud_says(&self, who: &str, what: &str) -> Result<u32> {
        let log = fs::read_to_string(self.cloud_log)?;
        let lines = log.lines().filter(|line| line.contains(who) && line.contains(what));
        Ok(u32::try_from(lines.count())?)
    }

    fn wait_for(&self, field: &str, wanted: impl Fn(&serde_json::Value) -> bool) -> Result<()> {
        wait::until(PATIENCE, field, || self.status(field).is_ok_and(|value| wanted(&value)))
    }

    fn status(&self, field: &str) -> Result<serde_json::Value> {
        let status = unix_http::get(self.socket, STATUS)?.json()?;
        let value = status.pointer(field).cloned();
        value.with_context(|| format!("the status has no {field}"))
    }
}
