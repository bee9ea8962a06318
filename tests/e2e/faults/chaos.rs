//! Everything goes wrong at random, for minutes.

use std::collections::BTreeMap;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rig::network::{End, Network};
use rig::{user, wait};

use super::disk::SmallDisk;
use super::programs::Programs;
use super::stage::{Stage, between, seed};
use crate::registry::certificate_for;
use crate::support::SOON;

/// At least so many times gatepostd or the broker is killed.
const KILLS: usize = 200;
/// At least so many messages are accepted.
const MESSAGES: usize = 100_000;
const PROGRAMS: usize = 24;
/// The state folder's disk, in megabytes: the database, its log, and what waits while the network is away.
const DISK: u32 = 24;
/// The session expiry in this test. Some pauses are longer.
const SESSION: Duration = Duration::from_secs(1);

/// A fault that the test injects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    GatewayKilled,
    BrokerKilled,
    BrokerWiped,
    NetworkCut,
    NetworkSlow,
    NetworkHalfOpen,
    SessionExpired,
    DiskFull,
    CertificateRotated,
}

/// How often each, of a hundred. gatepostd most often: after a broken connection it waits ever longer before it connects
/// again, and only a start makes it forget that.
const FAULTS: &[(Fault, u32)] = &[
    (Fault::GatewayKilled, 62),
    (Fault::BrokerKilled, 10),
    (Fault::BrokerWiped, 5),
    (Fault::NetworkCut, 5),
    (Fault::NetworkSlow, 4),
    (Fault::NetworkHalfOpen, 4),
    (Fault::SessionExpired, 3),
    (Fault::DiskFull, 4),
    (Fault::CertificateRotated, 3),
];

impl Fault {
    fn needs_root(self) -> bool {
        matches!(
            self,
            Self::NetworkCut | Self::NetworkSlow | Self::NetworkHalfOpen | Self::DiskFull
        )
    }
}

struct Chaos<'a> {
    network: Option<&'a Network>,
    /// Before the stage, whose folder it is in: dropped in this order.
    disk: Option<SmallDisk>,
    stage: Stage,
    faults: Vec<(Fault, u32)>,
    random: fastrand::Rng,
    kills: usize,
    happened: BTreeMap<Fault, usize>,
}

#[test]
fn promise_5_every_accepted_message_arrives() {
    if !user::is_root() {
        eprintln!("NOT TESTED: a full disk and a bad network, because only root may have some of its own");
        return everything_goes_wrong(None);
    }
    let network = Network::new().unwrap();
    network.in_cloud(|| everything_goes_wrong(Some(&network))).unwrap();
}

fn everything_goes_wrong(network: Option<&Network>) {
    let mut random = fastrand::Rng::with_seed(seed());
    let mut stage = Stage::new(network);
    let disk = network.map(|_| SmallDisk::at(&stage.world.gateway.state(""), DISK));
    stage.bring_online();
    let switches = stage.world.cloud.switches();
    switches.set(|switches| switches.session_expiry_limit = SESSION);
    let programs = Programs::start(PROGRAMS, &stage.world.gateway.socket(), &mut random);
    let can_happen = |(fault, _): &&(Fault, u32)| network.is_some() || !fault.needs_root();
    let mut chaos = Chaos {
        network,
        stage,
        faults: FAULTS.iter().filter(can_happen).copied().collect(),
        disk,
        random,
        kills: 0,
        happened: BTreeMap::new(),
    };
    let began = Instant::now();
    while chaos.kills < KILLS || programs.accepted() < MESSAGES {
        programs.allow(MESSAGES * (chaos.kills + 1) / KILLS);
        let fault = chaos.next_fault();
        chaos.cause(fault);
        *chaos.happened.entry(fault).or_default() += 1;
        if chaos.random.u8(..10) == 0 {
            chaos.take_breath();
        }
    }
    let (records, statuses) = programs.end();
    eprintln!("{:?} of faults: {:?}", began.elapsed(), chaos.happened);
    // It may have a long wait before it that only a start ends.
    chaos.kill_gateway(Duration::ZERO);
    chaos.stage.come_to_rest();
    let account = chaos.stage.arrivals.account_for(&records);
    let accepted: usize = records.iter().map(|record| record.accepted.len()).sum();
    eprintln!(
        "{} kills, {accepted} accepted, {} arrived, {} duplicates, {:?}, answers {statuses:?}, {:?} in all",
        chaos.kills,
        account.arrived,
        account.duplicates,
        chaos.stage.arrivals.sessions(),
        began.elapsed()
    );
    assert_eq!(account.lost, [], "accepted, and did not arrive");
    assert_eq!(account.out_of_order, [], "arrived after a later one");
    assert_eq!(account.refused_and_arrived, [], "refused, and arrived");
    chaos.stage.assert_nothing_is_aside();
    // What is under way at a kill may come twice, and no more than AWS lets be under way.
    let most = accepted / 20 + 100 * chaos.kills;
    assert!(account.duplicates <= most, "{} duplicates", account.duplicates);
    let sessions = chaos.stage.arrivals.sessions();
    assert!(sessions.new > 1 && sessions.resumed > 1, "{sessions:?}");
    for (fault, _) in &chaos.faults {
        assert!(chaos.happened.contains_key(fault), "{fault:?} never happened");
    }
}

impl Chaos<'_> {
    fn next_fault(&mut self) -> Fault {
        let all: u32 = self.faults.iter().map(|(_, weight)| weight).sum();
        let mut drawn = self.random.u32(..all);
        for (fault, weight) in &self.faults {
            match drawn.checked_sub(*weight) {
                Some(less) => drawn = less,
                None => return *fault,
            }
        }
        unreachable!("{drawn} is left")
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
