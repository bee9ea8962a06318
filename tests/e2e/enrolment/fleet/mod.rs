//! The life of a fleet: certificates that live minutes, a CA that is rolled over, and everything killed at random.
//!
//! `cargo test --test e2e -- --ignored --nocapture fleet` runs it with twenty gateways for as many minutes as FLEET_MINUTES says.

mod figures;
mod member;

use std::collections::HashSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use cloudlet::{Cloudlet, Event, Options, Role, RoleAlias};
use est_server::{EstServer, User};
use rig::{port, wait};
use tempfile::TempDir;

use self::figures::report;
use self::member::Member;
use super::SECRET;
use crate::faketime::WallClock;
use crate::support;

/// The life of a fleet that is lived.
struct Life {
    gateways: usize,
    /// How long certificates live.
    certificate: Duration,
    /// How long credentials live, in seconds.
    credentials: i64,
    /// How long things are killed.
    duration: Duration,
    seed: u64,
}

/// A fleet with its cloud and its EST server.
struct Fleet {
    cloud: Cloudlet,
    members: Vec<Member>,
    est_options: est_server::Options,
    est: Option<EstServer>,
    est_starts_at: Instant,
    broker_starts_at: Option<Instant>,
    random: fastrand::Rng,
    stops: (u64, u64),
    _folder: TempDir,
}

/// The gateway that sleeps past the end of its certificate.
const SLEEPER: usize = 0;
/// The gateway whose first boot is in 1970.
const EARLY: usize = 1;
/// Requests of programs are made this often.
const TICK: Duration = Duration::from_millis(250);

impl Fleet {
    fn new(life: &Life) -> Self {
        let folder = TempDir::new().unwrap();
        let user = |number| User {
            name: format!("fleet-{number}"),
            secret: SECRET.to_owned(),
            one_time: false,
        };
        let est_options = est_server::Options {
            dir: Some(PathBuf::from(folder.path())),
            users: (0..life.gateways).map(user).collect(),
            lifetime: life.certificate,
            // No outgoing connection can take it while the server is down.
            port: port::free_pair().unwrap(),
            ..est_server::Options::default()
        };
        let est = EstServer::start(est_options.clone()).unwrap();
        let cloud = Cloudlet::start(Options {
            seed: life.seed,
            ..support::options()
        })
        .unwrap();
        cloud.switches().set(|switches| {
            switches.connect_interval = Duration::from_secs(1);
            switches.report_acknowledgements = true;
            switches.credentials.lifetime = cloudlet::switches::Lifetime::Seconds(life.credentials);
        });
        cloud.register_ca(&est.ca_pem(), cloud.article_template()).unwrap();
        let role = "arn:aws:iam::123456789012:role/telemetry";
        cloud.add_role(Role::trusting(role)).unwrap();
        cloud.add_role_alias(RoleAlias::new("telemetry", role)).unwrap();
        let mut members: Vec<Member> = (0..life.gateways)
            .map(|number| Member::new(number, &cloud, &est, SECRET))
            .collect();
        let clock = WallClock::at_1970(&mut members[EARLY].gateway);
        members[EARLY].clock = Some((clock, Instant::now() + life.duration / 10));
        Self {
            cloud,
            members,
            est_options,
            est: Some(est),
            est_starts_at: Instant::now(),
            broker_starts_at: None,
            random: fastrand::Rng::with_seed(life.seed),
            stops: (0, 0),
            _folder: folder,
        }
    }

    /// Stops something at random, for up to some seconds.
    fn harm(&mut self, now: Instant) {
        let pause = Duration::from_millis(self.random.u64(1_100..5_000));
        match self.random.u32(0..10) {
            0 | 1 if self.broker_starts_at.is_none() => {
                self.cloud.broker().kill().unwrap();
                self.broker_starts_at = Some(now + pause);
                self.stops.0 += 1;
            }
            2..=4 if self.est.is_some() => {
                self.est = None;
                self.est_starts_at = now + pause;
                self.stops.1 += 1;
            }
            _ => {
                let number = self.random.usize(0..self.members.len());
                let member = &mut self.members[number];
                if member.starts_at.is_none() && member.clock.is_none() {
                    member.kill(pause);
                }
            }
        }
    }

    /// Starts again what is due, and makes the requests of local programs.
    fn keep_running(&mut self, now: Instant) {
        if self.broker_starts_at.is_some_and(|at| at <= now) {
            self.broker_starts_at = None;
            self.cloud.broker().start().unwrap();
        }
        if self.est.is_none() && self.est_starts_at <= now {
            // The port is free again in a moment.
            self.est = EstServer::start(self.est_options.clone()).ok();
        }
        for member in &mut self.members {
            member.keep_running(now);
            member.ask();
        }
    }

    /// Replaces the CA. AWS knows the new one before it signs.
    fn roll_over(&mut self) -> String {
        self.est = None;
        let est = loop {
            match EstServer::start(self.est_options.clone()) {
                Ok(est) => break est,
                Err(_) => std::thread::sleep(TICK),
            }
        };
        est.roll_over().unwrap();
        let all = est.ca_pem();
        self.est = Some(est);
        let end = "-----END CERTIFICATE-----\n";
        let newest = all.split_inclusive(end).next().unwrap().to_owned();
        self.cloud.register_ca(&newest, self.cloud.article_template()).unwrap();
        newest
    }

    /// Lives until nothing is harmed any more. Returns the CA at the end.
    fn live(&mut self, life: &Life) -> String {
        let start = Instant::now();
        let (mut newest, mut next_harm) = (None, start + life.duration / 6);
        let sleeps_at = start + life.duration / 4;
        let mut has_slept = false;
        while start.elapsed() < life.duration {
            let now = Instant::now();
            self.keep_running(now);
            if newest.is_none() && start.elapsed() > life.duration / 2 {
                newest = Some(self.roll_over());
            }
            if !has_slept && now > sleeps_at && self.members[SLEEPER].starts_at.is_none() {
                self.members[SLEEPER].kill(life.certificate + Duration::from_secs(2));
                has_slept = true;
            }
            if now > next_harm {
                self.harm(now);
                next_harm =
                    now + Duration::from_millis(self.random.u64(500..4_000)) * if life.gateways < 10 { 2 } else { 1 };
            }
            std::thread::sleep(TICK);
        }
        newest.unwrap()
    }

    fn refused_connects(&self) -> Vec<Event> {
        let is_refused =
            |event: &Event| matches!(event, Event::ConnectRefused { reason, .. } if reason.contains("too soon"));
        self.cloud.events().into_iter().filter(is_refused).collect()
    }
}

fn live(life: &Life) {
    let mut fleet = Fleet::new(life);
    let newest = fleet.live(life);
    // Each gateway comes back by itself, and has a certificate of the new CA within one life.
    let patience = 2 * life.certificate + Duration::from_secs(180);
    let all_online = || {
        fleet.keep_running(Instant::now());
        fleet
            .members
            .iter()
            .all(|member| member.starts_at.is_none() && member.is_online_by(&newest))
    };
    wait::until(patience, "all gateways online by the new CA", all_online).unwrap_or_else(|error| {
        let late = fleet.members.iter().filter(|member| !member.is_online_by(&newest));
        let late: Vec<String> = late
            .map(|member| {
                format!(
                    "{} {:#}\n{}",
                    member.name,
                    member.gateway.status(),
                    member.gateway.log()
                )
            })
            .collect();
        panic!("{error}\n{}", late.join("\n"));
    });
    // What was accepted has arrived.
    let expected: u64 = fleet.members.iter().map(|member| member.accepted).sum();
    let arrived = || {
        let payload = |event: Event| match event {
            Event::Acknowledged { payload, topic, .. } if topic.ends_with("/n") => Some(payload),
            _ => None,
        };
        fleet
            .cloud
            .events()
            .into_iter()
            .filter_map(payload)
            .collect::<HashSet<_>>()
    };
    let is_complete = || u64::try_from(arrived().len()).unwrap() >= expected;
    wait::until(support::SOON, "every accepted message", is_complete).unwrap();
    assert_eq!(fleet.refused_connects(), [], "AWS's limit on CONNECT");
    // A renewal that met a server which was just down is repeated.
    let problem = |member: &Member| member.gateway.status()["identity"]["enrolment"]["problem"].clone();
    let have_no_problem = || {
        fleet.keep_running(Instant::now());
        fleet.members.iter().all(|member| problem(member).is_null())
    };
    wait::until(
        patience,
        "no gateway to have a problem with its renewal",
        have_no_problem,
    )
    .unwrap_or_else(|error| {
        let problems: Vec<_> = fleet.members.iter().map(problem).collect();
        panic!("{error}: {problems:?}");
    });
    report(&fleet.cloud.events(), &fleet.members, fleet.stops, expected);
}

#[test]
fn promise_11_a_fleet_lives_through_outages_and_a_new_ca_without_a_human() {
    live(&Life {
        gateways: 4,
        certificate: Duration::from_secs(30),
        credentials: 300,
        duration: Duration::from_secs(60),
        seed: 7,
    });
}

#[test]
#[ignore = "takes as long as FLEET_MINUTES says, 30 without it"]
fn the_life_of_twenty_gateways() {
    let minutes = std::env::var("FLEET_MINUTES").map_or(30, |text| text.parse().unwrap());
    live(&Life {
        gateways: 20,
        certificate: Duration::from_secs(180),
        credentials: 150,
        duration: Duration::from_secs(60 * minutes),
        seed: 11,
    });
}
