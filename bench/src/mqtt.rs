//! Programs that speak MQTT: messages per second, from PUBLISH to PUBACK, and idle connections. The comparisons are a Mosquitto that saves
//! at each change (which is the same promise), one that saves every half an hour (which is not), and SQLite's group commit alone.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use bench::append::write_and_sync;
use bench::group_commit::GroupCommit;
use bench::mosquitto::{Autosave, Mosquitto};
use bench::mqtt_client::{MqttClient, Session};
use bench::publishers::{Publish, run_timed};
use bench::sample::Sample;
use bench::table::{Budget, Figure, Row};
use bench::{idle, start};
use rig::process::Process;
use rig::{unix_http, wait};

use crate::report::STATUS;

/// Number of programs, and of messages in a round.
const LOADS: [(usize, usize); 3] = [(1, 500), (8, 4_000), (64, 16_000)];
/// Number of messages of a program that does not wait for each acknowledgement, and of one that uses QoS 0.
const PIPELINED: usize = 8_000;
const QOS_0: usize = 40_000;
/// Numbers of idle connections.
const IDLE: [usize; 3] = [1, 100, 500];
/// Number of rounds of each load, in which the servers alternate. The median counts.
const ROUNDS: usize = 3;
const PATIENCE: Duration = Duration::from_secs(60);

/// A measurement and its setup.
pub(crate) struct Mqtt<'a> {
    /// The socket for HTTP, and the one for MQTT.
    pub(crate) socket: &'a Path,
    pub(crate) mqtt_socket: &'a Path,
    /// A folder on the same disk as the state folder.
    pub(crate) folder: &'a Path,
    /// A configuration with which almost nothing is sent to AWS.
    pub(crate) configuration: &'a str,
    pub(crate) thing: &'a str,
    pub(crate) daemon: &'a [&'a str],
}

/// The number of messages, their total duration, and the duration of each.
struct Round {
    messages: usize,
    took: Duration,
    times: Vec<Duration>,
}

/// The rounds of each server.
#[derive(Default)]
struct Servers {
    ours: Vec<Round>,
    at_changes: Vec<Round>,
    seldom: Vec<Round>,
    alone: Vec<Round>,
}

impl Mqtt<'_> {
    pub(crate) fn rows(&self) -> Result<Vec<Row>> {
        let mut daemon = self.start()?;
        // Memory is measured first: memory that many messages leave allocated does not belong to a connection.
        let mut rows = self.idle(daemon.pid())?;
        for (programs, messages) in LOADS {
            let servers = self.rounds(|server| {
                let (took, times) = run_timed(programs, messages, |program| server.publisher(self, program))?;
                Ok(Round { messages, took, times })
            })?;
            rows.extend(servers.rates(&format!("QoS 1 in, {programs} at a time"))?);
            rows.extend(servers.latencies(&format!("PUBLISH to PUBACK, {programs} at a time"))?);
        }
        rows.push(self.synced_records()?);
        let servers = self.rounds(|server| {
            let Some(mut client) = server.client(self)? else {
                return server.pipelined(self);
            };
            let took = client.publish_in_a_window(&self.topic(0), PIPELINED)?;
            Ok(Round::new(PIPELINED, took))
        })?;
        rows.extend(servers.rates("QoS 1 in, 100 in flight")?);
        let mut servers = self.rounds(|server| {
            let Some(mut client) = server.client(self)? else {
                return Ok(Round::new(0, Duration::ZERO));
            };
            let took = client.publish_at_qos_0(&self.topic(0), QOS_0)?;
            Ok(Round::new(QOS_0, took))
        })?;
        servers.alone.clear();
        rows.extend(servers.rates("QoS 0 in")?);
        start::stop(&mut daemon)?;
        Ok(rows)
    }

    pub(crate) fn start(&self) -> Result<Process> {
        let mut command = start::daemon(self.daemon)?;
        let daemon = start::until_answered(command.arg(self.configuration), self.socket, STATUS)?;
        wait::until(PATIENCE, "the session and the MQTT socket", || {
            let status = unix_http::get(self.socket, STATUS)
                .ok()
                .and_then(|answer| answer.json().ok());
            let is_connected = status.is_some_and(|status| {
                status
                    .pointer("/session/phase")
                    .is_some_and(|phase| phase == "connected")
            });
            is_connected && MqttClient::connect(self.mqtt_socket, "first", Session::Clean).is_ok()
        })?;
        Ok(daemon)
    }

    /// Runs the same rounds on each server, alternately.
    fn rounds(&self, round: impl Fn(&Server) -> Result<Round>) -> Result<Servers> {
        let mut servers = Servers::default();
        for _ in 0..ROUNDS {
            servers.ours.push(round(&Server::Gatepost)?);
            let folder = tempfile::tempdir_in(self.folder)?;
            servers.at_changes.push(round(&Server::Mosquitto(Mosquitto::start(
                folder.path(),
                Autosave::OnChange,
            )?))?);
            let folder = tempfile::tempdir_in(self.folder)?;
            servers.seldom.push(round(&Server::Mosquitto(Mosquitto::start(
                folder.path(),
                Autosave::EveryHalfHour,
            )?))?);
            let folder = tempfile::tempdir_in(self.folder)?;
            servers
                .alone
                .push(round(&Server::GroupCommit(GroupCommit::new(folder.path())?))?);
        }
        Ok(servers)
    }

    fn topic(&self, program: usize) -> String {
        format!("{}/data/{program}", self.thing)
    }

    /// Measures the same without any server or database: no durable publish of a single program can be faster.
    fn synced_records(&self) -> Result<Row> {
        let (_, records) = LOADS[0];
        let mut times = Vec::new();
        for _ in 0..ROUNDS {
            let folder = tempfile::tempdir_in(self.folder)?;
            times.extend(write_and_sync(folder.path(), records)?);
        }
        let sample = Sample::new(times).context("no records")?;
        Ok(Row {
            what: "a record written into a file and synced, p50".to_owned(),
            value: Figure::Time(sample.median()),
            floor: None,
            budget: Budget::None,
        })
    }

    /// Measures the memory of an idle connection.
    fn idle(&self, pid: u32) -> Result<Vec<Row>> {
        let folder = tempfile::tempdir_in(self.folder)?;
        let mosquitto = Mosquitto::start(folder.path(), Autosave::EveryHalfHour)?;
        let weigh = |pid: u32, socket: &Path, count: usize| {
            let before = idle::memory(pid)?.own;
            let clients: Vec<_> = (0..count)
                .map(|client| MqttClient::connect(socket, &format!("idle-{client}"), Session::Clean))
                .collect::<Result<_>>()?;
            let taken = idle::memory(pid)?.own.saturating_sub(before);
            drop(clients);
            anyhow::Ok(Figure::Bytes(taken / u64::try_from(count)?))
        };
        idle::settle(pid)?;
        let row = |count| {
            Ok(Row {
                what: format!("memory of an idle connection, {count} of them"),
                value: weigh(pid, self.mqtt_socket, count)?,
                floor: Some(weigh(mosquitto.pid(), mosquitto.socket(), count)?),
                budget: match count {
                    500 => Budget::TimesFloor(1.0),
                    _ => Budget::None,
                },
            })
        };
        IDLE.into_iter().map(row).collect()
    }
}

/// A server of one round.
enum Server {
    Gatepost,
    Mosquitto(Mosquitto),
    GroupCommit(GroupCommit),
}

impl Server {
    fn socket<'a>(&'a self, mqtt: &'a Mqtt<'_>) -> Option<&'a Path> {
        match self {
            Self::Gatepost => Some(mqtt.mqtt_socket),
            Self::Mosquitto(mosquitto) => Some(mosquitto.socket()),
            Self::GroupCommit(_) => None,
        }
    }

    fn client(&self, mqtt: &Mqtt<'_>) -> Result<Option<MqttClient>> {
        let socket = self.socket(mqtt);
        socket
            .map(|socket| MqttClient::connect(socket, "one", Session::Clean))
            .transpose()
    }

    fn publisher(&self, mqtt: &Mqtt<'_>, program: usize) -> Result<Publish<'static>> {
        let topic = mqtt.topic(program);
        match self {
            Self::GroupCommit(alone) => Ok(alone.publisher(topic)),
            server => {
                let socket = server.socket(mqtt).context("no socket")?;
                Ok(MqttClient::connect(socket, &format!("program-{program}"), Session::Clean)?.publisher(&topic))
            }
        }
    }

    /// Publishes messages without waiting for each. For the database, as many callers as messages in the window are the same work.
    fn pipelined(&self, mqtt: &Mqtt<'_>) -> Result<Round> {
        let (took, _) = run_timed(100, PIPELINED, |program| self.publisher(mqtt, program))?;
        Ok(Round::new(PIPELINED, took))
    }
}

impl Round {
    fn new(messages: usize, took: Duration) -> Self {
        Self {
            messages,
            took,
            times: Vec::new(),
        }
    }
}

impl Servers {
    /// Returns the messages per second.
    fn rates(&self, what: &str) -> Result<Vec<Row>> {
        let rate = |rounds: &[Round]| {
            let middle = Sample::new(rounds.iter().map(|round| round.took).collect());
            let messages = rounds.first().map_or(0, |round| round.messages);
            let a_second = |middle: &Sample| {
                f64::from(u32::try_from(messages).unwrap_or(u32::MAX)) / middle.median().as_secs_f64()
            };
            middle.as_ref().map(|middle| Figure::PerSecond(a_second(middle)))
        };
        self.table(what, rate)
    }

    /// Returns the median and the 99th percentile.
    fn latencies(&self, what: &str) -> Result<Vec<Row>> {
        let percentile = |percent| {
            move |rounds: &[Round]| {
                let times = rounds.iter().flat_map(|round| round.times.iter().copied()).collect();
                Sample::new(times).map(|sample| Figure::Time(sample.percentile(percent)))
            }
        };
        let mut rows = self.table(&format!("{what}, p50"), percentile(50))?;
        rows.extend(self.table(&format!("{what}, p99"), percentile(99))?);
        Ok(rows)
    }

    /// Returns a row for each server; the floor is SQLite alone.
    fn table(&self, what: &str, figure: impl Fn(&[Round]) -> Option<Figure>) -> Result<Vec<Row>> {
        let floor = figure(&self.alone);
        let row = |what: String, rounds: &[Round]| {
            anyhow::Ok(Row {
                what,
                value: figure(rounds).context("no rounds")?,
                floor,
                budget: Budget::None,
            })
        };
        Ok(vec![
            row(what.to_owned(), &self.ours)?,
            row("  mosquitto, saved at changes".to_owned(), &self.at_changes)?,
            row("  mosquitto, saved every 30 min".to_owned(), &self.seldom)?,
        ])
    }
}
