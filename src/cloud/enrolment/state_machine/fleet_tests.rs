//! A thousand gateways with one CA, in virtual time: no gateway waits for long, and the CA is not overloaded.

use std::collections::BTreeMap;

use super::*;

/// 2027-01-15T08:00:00Z
const BEGIN: u64 = 1_800_000_000;
const DAY: u64 = 24 * 3600;

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
}

const TEXTS: MethodTexts = MethodTexts {
    issuer: "the issuer",
    without_credential: "issue a secret",
    after_expiry: "issue a secret",
};

/// A CA that issues a limited number of certificates per second, and answers the other requests with 503 or not at all.
struct Ca {
    capacity: u64,
    lifetime: u64,
    is_up: fn(u64) -> bool,
}

/// A gateway of the fleet.
struct Simulated {
    name: String,
    machine: Enrolment,
    certificate: Option<(String, Validity)>,
    issued: u32,
    wakes: u64,
}

impl Simulated {
    fn step(&mut self, now: u64) -> Step {
        let certificate = self.certificate.as_ref().map(|(id, validity)| CurrentCertificate {
            id,
            thing_name: &self.name,
            validity: *validity,
        });
        self.machine.next_step(&Situation {
            certificate,
            bootstrap: Some(CredentialKind::Secret),
            renewal: Some(CredentialKind::CurrentCertificate),
            texts: &TEXTS,
            now: Some(at(now)),
        })
    }
}

/// Simulates the fleet for this number of seconds; returns it with the number of requests in each second.
fn run(ca: &Ca, gateways: u64, until: u64) -> (Vec<Simulated>, BTreeMap<u64, u64>) {
    // The folder does not exist, so the machines run without records on disk.
    let folder = std::path::Path::new("/nonexistent");
    let mut fleet: Vec<Simulated> = (0..gateways)
        .map(|number| Simulated {
            name: format!("gw-{number}"),
            machine: Enrolment::load(folder.join(number.to_string()), fastrand::Rng::with_seed(number)),
            certificate: None,
            issued: 0,
            wakes: BEGIN,
        })
        .collect();
    let mut requests: BTreeMap<u64, u64> = BTreeMap::new();
    let mut now = BEGIN;
    while now < BEGIN + until {
        for gateway in fleet.iter_mut().filter(|gateway| gateway.wakes <= now) {
            match gateway.step(now) {
                Step::Sleep(next) => gateway.wakes = seconds(next).max(now + 1),
                Step::Request(_, credential) => {
                    let number = requests.entry(now - BEGIN).or_default();
                    *number += 1;
                    gateway.machine.begin_attempt();
                    if (ca.is_up)(now - BEGIN) && *number <= ca.capacity {
                        gateway.issued += 1;
                        let validity = Validity {
                            not_before: at(now),
                            not_after: at(now + ca.lifetime),
                        };
                        gateway.certificate = Some((format!("{}-{}", gateway.name, gateway.issued), validity));
                        gateway.machine.record_success();
                    } else {
                        let failure = Failure::new(FailureKind::Unavailable, Problem::wait("busy"));
                        let validity = gateway.certificate.as_ref().map(|(_, validity)| *validity);
                        gateway
                            .machine
                            .record_failure(&failure, credential, validity.as_ref(), at(now));
                    }
                }
                step => panic!("{step:?}"),
            }
        }
        now = fleet.iter().map(|gateway| gateway.wakes).min().unwrap().max(now + 1);
    }
    (fleet, requests)
}

/// Returns the maximum number of requests within a window of this many seconds, starting at `from`.
fn most_within(requests: &BTreeMap<u64, u64>, from: u64, window: u64) -> u64 {
    let begins = requests.keys().filter(|second| **second >= from);
    let within = begins.map(|begin| requests.range(*begin..begin + window).map(|(_, number)| number).sum());
    within.max().unwrap_or_default()
}

#[test]
fn promise_11_a_thousand_gateways_that_enrol_at_once_have_their_certificates_within_minutes() {
    let ca = Ca {
        capacity: 5,
        lifetime: 90 * DAY,
        is_up: |_| true,
    };
    // All start in the same second: a CA that signs five per second needs at least 200 s.
    let (fleet, requests) = run(&ca, 1000, 3600);
    let without = fleet.iter().filter(|gateway| gateway.certificate.is_none()).count();
    let total: u64 = requests.values().sum();
    assert_eq!(without, 0, "after an hour, with {total} requests");
    assert!(fleet.iter().all(|gateway| gateway.issued == 1));
    assert!(total < 8 * 1000, "{total} requests");
    // Apart from the first second, requests are spread.
    assert!(most_within(&requests, 1, 1) < 60, "{}", most_within(&requests, 1, 1));
}

#[test]
fn promise_11_the_renewals_of_a_fleet_that_was_enrolled_together_spread_over_days() {
    let ca = Ca {
        capacity: 1000,
        lifetime: 90 * DAY,
        is_up: |_| true,
    };
    let (fleet, requests) = run(&ca, 1000, 70 * DAY);
    assert!(fleet.iter().all(|gateway| gateway.issued == 2), "each was renewed once");
    let busiest = most_within(&requests, 1, 3600);
    assert!(busiest < 25, "{busiest} renewals within an hour, of 1000 in nine days");
}

#[test]
fn promise_11_a_ca_that_is_down_for_three_weeks_costs_no_certificate() {
    let ca = Ca {
        capacity: 5,
        lifetime: 90 * DAY,
        is_up: |second| !(55 * DAY..76 * DAY).contains(&second),
    };
    let (fleet, requests) = run(&ca, 200, 80 * DAY);
    let renewed = fleet.iter().filter(|gateway| gateway.issued >= 2).count();
    assert_eq!(renewed, 200, "each has a new certificate before the old one ends");
    let down = requests
        .range(60 * DAY..76 * DAY)
        .map(|(_, number)| number)
        .sum::<u64>();
    // Each gateway sends at most one request in three hours.
    assert!(down < 16 * 8 * 200, "{down} requests in vain");
    assert!(most_within(&requests, 60 * DAY, 60) < 60, "no herd");
}
