//! Programs that receive over MQTT, beside a Mosquitto that saves every half an hour, and the answers on the HTTP socket meanwhile.
//!
//! A message from AWS comes from the broker behind the cloudlet, by TLS, and goes to each program: with many programs it is gatepost's
//! side that counts. That broker must save as seldom as the one beside (`--broker-saves seldom`): at every change it takes 0.4 ms for a
//! message at QoS 1.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use bench::mosquitto::{Autosave, Mosquitto};
use bench::mqtt_client::{MqttClient, Session};
use bench::mqtt_load::PROGRAMS;
use bench::pace::Pace;
use bench::sample::{Sample, middle};
use bench::start;
use bench::table::{Budget, Figure, Row};
use rig::process::{Process, Signal};
use rig::user;

use crate::fairness::{OTHER_USER, OWN_PROGRAM};
use crate::mqtt::Mqtt;
use crate::report::CREDENTIALS;

/// Programs that receive, and messages that each gets in a round.
const LOADS: [(usize, usize); 3] = [(1, 2_000), (8, 2_000), (64, 1_000)];
/// Messages that all programs have received before the next ones are published: more at QoS 0 would be dropped by any broker.
const CHUNK: usize = 50;
/// Rounds of each load, the servers in turns. The median counts.
const ROUNDS: usize = 3;
const PACE: Pace = Pace {
    requests: 2_000,
    interval: Duration::from_millis(1),
};

/// A measurement and its setup.
pub(crate) struct MqttOut<'a> {
    pub(crate) mqtt: Mqtt<'a>,
    /// The socket of the broker behind the cloudlet.
    pub(crate) broker: &'a Path,
}

impl MqttOut<'_> {
    pub(crate) fn rows(&self) -> Result<Vec<Row>> {
        let mut daemon = self.mqtt.start()?;
        let mut rows = Vec::new();
        for qos in [0, 1] {
            for (programs, messages) in LOADS {
                let (mut ours, mut beside) = (Vec::new(), Vec::new());
                for _ in 0..ROUNDS {
                    ours.push(self.round(self.mqtt.mqtt_socket, self.broker, qos, programs, messages)?);
                    let folder = tempfile::tempdir_in(self.mqtt.folder)?;
                    let mosquitto = Mosquitto::start(folder.path(), Autosave::EveryHalfHour)?;
                    beside.push(self.round(mosquitto.socket(), mosquitto.socket(), qos, programs, messages)?);
                }
                rows.push(Row {
                    what: format!("QoS {qos} out, {programs} programs, beside mosquitto"),
                    value: rate(programs * messages, ours)?,
                    floor: Some(rate(programs * messages, beside)?),
                    budget: Budget::None,
                });
            }
        }
        rows.extend(self.credentials()?);
        start::stop(&mut daemon)?;
        Ok(rows)
    }

    /// Lets programs receive what is published at `source`; how long that took.
    fn round(&self, socket: &Path, source: &Path, qos: u8, programs: usize, messages: usize) -> Result<Duration> {
        let topic = format!("{}/out/bench", self.mqtt.thing);
        let start = Barrier::new(programs + 1);
        let receive = |program: usize| {
            // Whether it succeeds is looked at after the barrier: the others wait there.
            let subscribed = MqttClient::connect(socket, &format!("receiver-{program}"), Session::Clean)
                .and_then(|mut client| client.subscribe(&topic, qos).map(|()| client));
            start.wait();
            // A program that has failed still meets the others.
            let mut received = subscribed;
            for _ in 0..messages / CHUNK {
                received = received.and_then(|mut client| client.receive(CHUNK).map(|()| client));
                start.wait();
            }
            received.map(drop)
        };
        thread::scope(|scope| {
            let receive = &receive;
            let threads: Vec<_> = (0..programs)
                .map(|program| scope.spawn(move || receive(program)))
                .collect();
            start.wait();
            let began = Instant::now();
            let mut published = MqttClient::connect(source, "source", Session::Clean);
            for _ in 0..messages / CHUNK {
                published = published.and_then(|mut client| {
                    match qos {
                        0 => client.publish_at_qos_0(&topic, CHUNK)?,
                        _ => client.publish_in_a_window(&topic, CHUNK)?,
                    };
                    Ok(client)
                });
                start.wait();
            }
            for thread in threads {
                thread.join().map_err(|_| anyhow!("a program panicked"))??;
            }
            published.map(|_| began.elapsed())
        })
    }

    /// Measures the responses on the HTTP socket while programs publish as fast as they can: to gatepost, and to a Mosquitto, whose load
    /// delays them only because the processors are busy. Root's programs are the worst case, because only root's packets are not limited.
    fn credentials(&self) -> Result<Vec<Row>> {
        let ask = || PACE.run(self.mqtt.socket, CREDENTIALS);
        let (mut quiet, mut unlimited, mut limited, mut beside) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            quiet.push(ask()?);
            unlimited.push(self.with_load(self.mqtt.mqtt_socket, None, ask)?);
            if user::is_root() {
                limited.push(self.with_load(self.mqtt.mqtt_socket, Some(OTHER_USER), ask)?);
            }
            let folder = tempfile::tempdir_in(self.mqtt.folder)?;
            let mosquitto = Mosquitto::start(folder.path(), Autosave::EveryHalfHour)?;
            beside.push(self.with_load(mosquitto.socket(), None, ask)?);
        }
        let rows = [50, 99].map(|percent| {
            let row = |what: String, value: &[Sample], floor: Option<&[Sample]>| {
                let figure = |rounds: &[Sample]| Figure::Time(middle(rounds, |round| round.percentile(percent)));
                (!value.is_empty()).then(|| Row {
                    what,
                    value: figure(value),
                    floor: floor.map(figure),
                    budget: Budget::None,
                })
            };
            [
                row(format!("credentials without MQTT publishers, p{percent}"), &quiet, None),
                row(
                    format!("  beside {PROGRAMS} publishers, beside those of a mosquitto"),
                    &unlimited,
                    Some(&beside),
                ),
                row(
                    format!("  beside {PROGRAMS} publishers of another user, beside none"),
                    &limited,
                    Some(&quiet),
                ),
            ]
        });
        Ok(rows.into_iter().flatten().flatten().collect())
    }

    /// Measures something while programs publish, as another user if there is one.
    fn with_load<T>(&self, socket: &Path, uid: Option<u32>, act: impl FnOnce() -> Result<T>) -> Result<T> {
        let mut load = Command::new(OWN_PROGRAM);
        load.arg("mqtt-load").arg(socket).arg(self.mqtt.thing);
        if let Some(uid) = uid {
            load.uid(uid).gid(uid);
        }
        let mut load = Process::spawn(&mut load, "gatepost")?;
        let outcome = act()?;
        // Fails if the publishers have ended by themselves.
        load.signal(Signal::TERM).with_context(|| load.log())?;
        Ok(outcome)
    }
}

/// Messages a second, of the median round.
fn rate(messages: usize, rounds: Vec<Duration>) -> Result<Figure> {
    let median = Sample::new(rounds).ok_or_else(|| anyhow!("no rounds"))?.median();
    Ok(Figure::PerSecond(
        f64::from(u32::try_from(messages)?) / median.as_secs_f64(),
    ))
}
