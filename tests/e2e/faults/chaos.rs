//! Everything goes wrong at random, for minutes, while messages go both ways, over HTTP and over MQTT.

use std::collections::BTreeMap;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rig::network::{End, Network};
use rig::{user, wait};

use super::disk::SmallDisk;
use super::fault::{Fault, FaultPlan};
use super::scale::Scale;
use super::stage::{Stage, between, seed};
use super::traffic::Traffic;
use crate::registry::certificate_for;
use crate::support::SOON;

/// The state folder's disk, in megabytes: the database, its log, and what waits while the network is away.
const DISK: u32 = 24;
/// The session expiry in this test. Some pauses are longer.
const SESSION: Duration = Duration::from_secs(1);

/// How long messages may come from AWS between two faults.
const LET_IN: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(100);
/// Messages that a program may lack before no more come.
const MAX_BACKLOG: usize = 1000;

/// Messages that may be under way on a connection: AWS's Receive Maximum, gatepost's own, and that of programs.
const WINDOW: usize = 100;
/// Messages that AWS has acknowledged and whose rows gatepost may still have: a kill sends them again.
const DEFERRED: usize = 50;

struct Chaos<'a> {
    scale: Scale,
    network: Option<&'a Network>,
    /// Before the stage, whose folder it is in: dropped in this order.
    disk: Option<SmallDisk>,
    traffic: Traffic,
    stage: Stage,
    random: fastrand::Rng,
    kills: usize,
    happened: BTreeMap<Fault, usize>,
}

#[test]
fn promise_5_every_accepted_message_arrives() {
    run(Scale::SHORT);
}

#[test]
#[ignore = "takes about an hour: GATEPOST_FAULTS_KILLS (200), GATEPOST_FAULTS_MESSAGES (100000) and GATEPOST_FAULTS_FROM_AWS (100000) say how many"]
fn promise_5_every_accepted_message_arrives_in_a_long_run() {
    run(Scale::from_environment());
}

fn run(scale: Scale) {
    if !user::is_root() {
        eprintln!("NOT TESTED: a full disk and a bad network, because only root may have some of its own");
        return everything_goes_wrong(scale, None);
    }
    let network = Network::new().unwrap();
    network
        .in_cloud(|| everything_goes_wrong(scale, Some(&network)))
        .unwrap();
}

fn everything_goes_wrong(scale: Scale, network: Option<&Network>) {
    let mut random = fastrand::Rng::with_seed(seed());
    let mut stage = Stage::new(network);
    let disk = network.map(|_| SmallDisk::at(&stage.world.gateway.state(""), DISK));
    stage.bring_online();
    let traffic = Traffic::start(&stage, &mut random);
    let switches = stage.world.cloud.switches();
    switches.set(|switches| switches.session_expiry_limit = SESSION);
    let mut plan = FaultPlan::new(network.is_some(), &mut random);
    let mut chaos = Chaos {
        scale,
        network,
        disk,
        traffic,
        stage,
        random,
        kills: 0,
        happened: BTreeMap::new(),
    };
    let began = Instant::now();
    while !plan.had_all() || chaos.is_unfinished() {
        chaos.traffic.allow(scale.messages * (chaos.kills + 1) / scale.kills);
        let fault = plan.next(&mut chaos.random);
        eprintln!(
            "{:>5.1} s: {} kills, {} accepted, {} acknowledged to AWS; {fault:?}",
            began.elapsed().as_secs_f32(),
            chaos.kills,
            chaos.traffic.accepted(),
            chaos.stage.arrivals.delivered_count()
        );
        chaos.cause(fault);
        *chaos.happened.entry(fault).or_default() += 1;
        if chaos.random.u8(..10) == 0 {
            chaos.take_breath();
        }
        chaos.let_messages_in();
    }
    eprintln!("{:?} of faults: {:?}", began.elapsed(), chaos.happened);
    let (records, resent) = chaos.traffic.stop_publishing();
    // It may have a long wait before it that only a start ends.
    chaos.kill_gateway(Duration::ZERO);
    chaos.stage.come_to_rest();
    chaos.traffic.come_to_rest(&chaos.stage.arrivals);
    let accepted: usize = records.iter().map(|record| record.accepted.len()).sum();
    let kills = chaos.kills;
    // What is under way when a connection ends may come twice, and after a kill what was acknowledged and not deleted yet.
    let sessions = chaos.stage.arrivals.sessions();
    let connections = sessions.resumed + sessions.new;
    let most = WINDOW * connections + DEFERRED * kills;
    let account = chaos.stage.arrivals.account_for(&records, &chaos.traffic.tap.sent());
    eprintln!(
        "{kills} kills, {accepted} accepted, {} arrived, {} duplicates ({resent} were sent again by their programs), {:?}, {:?} in all",
        account.arrived,
        account.duplicates,
        sessions,
        began.elapsed()
    );
    assert_eq!(account.lost, [], "accepted, and did not arrive");
    assert_eq!(account.out_of_order, [], "arrived after a later one");
    assert_eq!(account.refused_and_arrived, [], "refused, and arrived");
    let duplicates = account.duplicates.saturating_sub(resent);
    assert!(duplicates <= most, "{duplicates} duplicates");
    for (receiver, connections_of_receiver, account) in chaos.traffic.accounts(&chaos.stage.arrivals) {
        eprintln!(
            "{receiver}: {} received of what AWS had an acknowledgement for, {} duplicates on {connections_of_receiver} connections",
            account.arrived, account.duplicates
        );
        assert_eq!(account.lost, [], "{receiver}: acknowledged to AWS, and not received");
        assert_eq!(account.out_of_order, [], "{receiver}: received after a later one");
        assert!(
            account.duplicates <= WINDOW * (connections + connections_of_receiver),
            "{receiver}: {} duplicates",
            account.duplicates
        );
    }
    assert_eq!(chaos.traffic.lost_sessions(), 0, "sessions were lost");
    chaos.stage.assert_nothing_is_aside();
    assert!(sessions.new > 1 && sessions.resumed > 1, "{sessions:?}");
    chaos.traffic.end();
}

impl Chaos<'_> {
    fn is_unfinished(&self) -> bool {
        self.kills < self.scale.kills
            || self.traffic.accepted() < self.scale.messages
            || self.stage.arrivals.delivered_count() < self.scale.from_aws
    }

    /// Waits until as many messages have come from AWS as should have by now, or for a while: only between two faults is the gateway
    /// connected for long enough.
    fn let_messages_in(&self) {
        let Scale { kills, from_aws, .. } = self.scale;
        let wanted = from_aws.min(from_aws * self.kills / kills);
        let arrivals = &self.stage.arrivals;
        let (began, before) = (Instant::now(), arrivals.delivered_count());
        let mut count = before;
        while count < wanted && began.elapsed() < LET_IN {
            if self.traffic.backlog(arrivals) < MAX_BACKLOG {
                self.traffic.allow_from_aws(count - before + 2 * from_aws / kills);
            }
            sleep(LOOK);
            count = arrivals.delivered_count();
        }
        self.traffic.allow_from_aws(0);
    }

    fn cause(&mut self, fault: Fault) {
        match fault {
            Fault::GatewayKilled => {
                let pause = between(&mut self.random, 0, 100);
                self.kill_gateway(pause);
            }
            Fault::BrokerKilled => {
                self.stage.world.cloud.broker().kill().unwrap();
                self.kills += 1;
                self.go_on(0, 400);
                self.stage.world.cloud.broker().start().unwrap();
            }
            Fault::BrokerWiped => {
                self.stage.world.cloud.broker().wipe_database().unwrap();
                self.kills += 1;
            }
            Fault::ProgramsKilled => self.traffic.kill_some_programs(),
            Fault::BridgeKilled => {
                self.traffic.bridge.restart();
                self.kills += 1;
            }
            Fault::BridgeCut => self.traffic.tap.cut(),
            Fault::BridgeHalfOpen => {
                self.traffic.tap.set_silent(true);
                self.go_on(100, 1000);
                self.maybe_kill_gateway();
                if self.random.bool() {
                    self.traffic.tap.cut();
                }
                self.traffic.tap.set_silent(false);
            }
            Fault::NetworkCut | Fault::NetworkSlow | Fault::NetworkHalfOpen => {
                let network = self.network.expect("only where there is one");
                self.spoil(network, fault);
            }
            Fault::SessionExpired => self.kill_gateway(SESSION + Duration::from_secs(2)),
            Fault::DiskFull => {
                self.disk.iter().for_each(SmallDisk::fill);
                self.go_on(100, 1000);
                self.maybe_kill_gateway();
                self.go_on(100, 500);
                self.disk.iter().for_each(SmallDisk::free);
            }
            Fault::CertificateRotated => {
                let csr = self.stage.world.gateway.state("device.csr");
                let (pem, _) = certificate_for(&self.stage.world, &csr);
                self.stage.world.gateway.install(&pem);
            }
        }
        self.go_on(100, 900);
    }

    /// A bad network for a while.
    fn spoil(&mut self, network: &Network, fault: Fault) {
        match fault {
            Fault::NetworkSlow => {
                network.slow_down(between(&mut self.random, 10, 400)).unwrap();
                self.go_on(200, 2000);
                self.maybe_kill_gateway();
            }
            Fault::NetworkHalfOpen => {
                let end = if self.random.bool() { End::Gateway } else { End::Cloud };
                network.lose_all_from(end).unwrap();
                self.maybe_forget_connections(network);
                self.go_on(200, 1500);
                self.maybe_kill_gateway();
                self.maybe_forget_connections(network);
            }
            _ => {
                network.set_cut(true).unwrap();
                self.go_on(0, 1000);
                self.maybe_forget_connections(network);
                network.set_cut(false).unwrap();
            }
        }
        network.restore().unwrap();
    }

    /// Whether and when the gateway is notified depends on the network.
    fn maybe_forget_connections(&mut self, network: &Network) {
        if self.random.bool() {
            network.forget_connections().unwrap();
        }
    }

    fn kill_gateway(&mut self, pause: Duration) {
        self.stage.kill_gateway();
        self.kills += 1;
        sleep(pause);
        self.stage.world.gateway.start();
    }

    fn maybe_kill_gateway(&mut self) {
        if self.random.bool() {
            self.kill_gateway(Duration::ZERO);
        }
    }

    /// Lets everything run for a while.
    fn go_on(&mut self, least: u64, most: u64) {
        sleep(between(&mut self.random, least, most));
    }

    /// Lets it get so far that something arrives, or nothing is left to.
    fn take_breath(&mut self) {
        let (gateway, arrivals) = (&self.stage.world.gateway, &self.stage.arrivals);
        let before = arrivals.count();
        let arrived = || arrivals.count() > before || gateway.status()["messages"]["queued"] == 0;
        wait::until(SOON, "messages to arrive", arrived)
            .unwrap_or_else(|error| panic!("{error}\n{:#}", gateway.status()));
    }
}
