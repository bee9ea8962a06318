//! The messages of a run: programs that publish, a bridge with sensors behind it, and programs that receive what AWS sends.

use std::net::{Ipv4Addr, SocketAddr};

use rig::wait;

use super::arrivals::{Account, Arrivals};
use super::mqtt_connection::Address;
use super::programs::{Programs, Record, Transport};
use super::receivers::{Numbers, Receivers};
use super::stage::Stage;
use super::tap::Tap;
use super::topic::{command_prefix, topic_prefix};
use crate::mqtt_clients::bridge::Bridge;
use crate::mqtt_listener::packets::{V3_1_1, V5};
use crate::mqtt_listener::socket;
use crate::support::SOON;

const PROGRAMS: usize = 24;
const SENSORS: usize = 2;
/// Publishers at AWS. Each has a receiver of its own, and another receiver gets everything.
const COMMANDERS: usize = 4;
/// Messages of sensors during one fault.
const SENSOR_MESSAGES: usize = 50;

pub(super) struct Traffic {
    programs: Option<Programs>,
    sensors: Option<Programs>,
    commanders: Option<Programs>,
    /// Messages that AWS's broker had accepted before the last fault.
    from_aws: usize,
    receivers: Receivers,
    pub(super) tap: Tap,
    pub(super) bridge: Bridge,
}

impl Traffic {
    /// Starts everything; returns once all have subscribed.
    pub(super) fn start(stage: &Stage, random: &mut fastrand::Rng) -> Self {
        let tap = Tap::to(&socket(&stage.world.gateway));
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, tap.port()));
        let bridge = Bridge::start(address, "notifications false\nmax_queued_messages 0");
        let own = |number| format!("{}{number}/#", command_prefix());
        let mut filters: Vec<_> = (0..COMMANDERS).map(own).collect();
        filters.push(format!("{}#", command_prefix()));
        let receivers = Receivers::start(&stage.mqtt_address(), &filters, random);
        let sensors = vec![Transport::Mqtt(Address::Port(bridge.port()), V3_1_1); SENSORS];
        let broker = Address::Socket(stage.world.cloud.broker().socket().to_owned());
        let commanders = vec![Transport::Mqtt(broker, V5); COMMANDERS];
        let traffic = Self {
            programs: Some(Programs::start(stage.transports(PROGRAMS), &topic_prefix(), random)),
            sensors: Some(Programs::start(sensors, "sensors/", random)),
            commanders: Some(Programs::start(commanders, &command_prefix(), random)),
            from_aws: 0,
            receivers,
            tap,
            bridge,
        };
        // What AWS sends earlier, the others acknowledge alone.
        let are_subscribed = || traffic.receivers.are_subscribed() && traffic.tap.is_subscribed();
        wait::until(SOON, "all to have subscribed", are_subscribed).unwrap();
        traffic
    }

    /// The messages that gatepost has accepted.
    pub(super) fn accepted(&self) -> usize {
        let by_bridge: usize = self.tap.published().iter().map(|record| record.accepted.len()).sum();
        self.programs.as_ref().map_or(0, Programs::accepted) + by_bridge
    }

    /// Lets programs go on until so many of their messages are accepted.
    pub(super) fn allow(&mut self, messages: usize) {
        self.programs.iter().for_each(|programs| programs.allow(messages));
        if let Some(sensors) = &self.sensors {
            sensors.allow(sensors.accepted() + SENSOR_MESSAGES);
        }
        self.from_aws = self.commanders.as_ref().map_or(0, Programs::accepted);
    }

    /// Lets so many messages come from AWS since the last fault.
    pub(super) fn allow_from_aws(&self, messages: usize) {
        let commanders = self.commanders.iter();
        commanders.for_each(|commanders| commanders.allow(self.from_aws + messages));
    }

    pub(super) fn kill_some_programs(&self) {
        self.programs.iter().for_each(Programs::kill_some);
        self.receivers.kill_some();
    }

    /// How many messages the slowest receiver lacks.
    pub(super) fn backlog(&self, arrivals: &Arrivals) -> usize {
        let accounts = self.accounts(arrivals);
        accounts
            .iter()
            .map(|(_, _, account)| account.lost.len())
            .max()
            .unwrap_or(0)
    }

    /// Ends the publishers; returns what those were told that gatepost has answered, and how many messages they sent once more.
    pub(super) fn stop_publishing(&mut self) -> (Vec<Record>, usize) {
        let (mut records, mut resent) = (Vec::new(), 0);
        if let Some(programs) = self.programs.take() {
            resent += programs.resent();
            let (of_programs, statuses) = programs.end();
            eprintln!("answers {statuses:?}");
            records = of_programs;
        }
        self.sensors.take().map(Programs::end);
        self.commanders.take().map(Programs::end);
        // Whoever asks later must not count more than was there when the outbox was empty.
        self.tap.cut();
        records.extend(self.tap.published());
        (records, resent + self.tap.resent())
    }

    /// Waits until all have what AWS was told they have.
    pub(super) fn come_to_rest(&self, arrivals: &Arrivals) {
        let waited = wait::until(3 * SOON, "the receivers to have everything", || {
            self.backlog(arrivals) == 0
        });
        if let Err(error) = waited {
            eprintln!("{error}");
        }
    }

    /// The fate of what AWS had an acknowledgement for, at each receiver, and the number of the receiver's connections.
    pub(super) fn accounts(&self, arrivals: &Arrivals) -> Vec<(String, usize, Account)> {
        let account = |filter: &str, received: &Numbers| arrivals.account_for_receiver(filter, received);
        let receivers = self.receivers.all().iter();
        let mut accounts: Vec<_> = receivers
            .map(|receiver| {
                let account = account(&receiver.filter, &receiver.received());
                (receiver.filter.clone(), receiver.connections(), account)
            })
            .collect();
        let everything = format!("{}#", command_prefix());
        let of_bridge = account(&everything, &self.tap.received());
        accounts.push(("the bridge".to_owned(), self.tap.connections(), of_bridge));
        accounts
    }

    pub(super) fn lost_sessions(&self) -> usize {
        self.receivers.lost_sessions()
    }

    pub(super) fn end(self) {
        self.receivers.end();
    }
}
