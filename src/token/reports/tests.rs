//! Tests of each report without a token: what the status shows, which keys are announced, and when the daemon ends.

use std::path::PathBuf;
use std::sync::Arc;

use super::super::named_key::{DEVICE_KEY, NamedKey};
use super::super::public_key::{P256_PARAMETERS, P384_PARAMETERS, PublicKey};
use super::super::{Hash, KeyAlgorithm, Scheme};
use super::*;
use crate::clock::manual::ManualClock;
use crate::problem::Remedy;
use crate::status::{Part, StatusHub};

/// `Reports`, and the receiving ends of its channels.
struct Fixture {
    reports: Reports,
    status: watch::Receiver<Part<TokenPhase, TokenDetails>>,
    device_keys: watch::Receiver<Vec<FoundKey>>,
    fatals: mpsc::Receiver<Fatal>,
}

impl Fixture {
    fn new() -> Self {
        let hub = StatusHub::new(ManualClock::at(1_800_000_000));
        let reporter = hub.reporter("token", TokenPhase::Waiting, TokenDetails::default());
        let status = reporter.watch();
        let (key_sender, device_keys) = watch::channel(Vec::new());
        let (fatal_sender, fatals) = mpsc::channel(1);
        Self {
            reports: Reports::new(reporter, key_sender, fatal_sender),
            status,
            device_keys,
            fatals,
        }
    }

    fn phase(&self) -> TokenPhase {
        self.status.borrow().phase
    }

    fn problem(&self) -> Option<Problem> {
        self.status.borrow().problem.clone()
    }

    fn details(&self) -> TokenDetails {
        self.status.borrow().details.clone()
    }

    /// Has signatures fail until the token is judged never to sign. Returns the complaint.
    fn fail_signatures(&mut self) -> Problem {
        for _ in 0..3 {
            assert_eq!(self.reports.judge_failure(&signature(), fault()), fault());
        }
        let complaint = self.reports.judge_failure(&signature(), fault());
        assert_eq!(complaint.remedy, Remedy::Configuration);
        complaint
    }
}

fn fault() -> Problem {
    Problem::wait("the token has a fault")
}

fn name() -> Arc<NamedKey> {
    Arc::new(NamedKey {
        uri: "pkcs11:token=gw;object=device".parse().unwrap(),
        setting: DEVICE_KEY,
        certificate: PathBuf::from("/device.pem"),
        certificate_setting: "identity.certificate",
    })
}

fn p256() -> FoundKey {
    found_key(&P256_PARAMETERS, 65)
}

fn p384() -> FoundKey {
    found_key(&P384_PARAMETERS, 97)
}

/// Creates a key on this curve, whose uncompressed points have `length` bytes.
fn found_key(curve: &[u8], length: usize) -> FoundKey {
    let mut point = vec![7; length];
    point[0] = 4;
    FoundKey {
        name: name(),
        public: PublicKey::elliptic(curve, &point).unwrap(),
    }
}

fn signature() -> Operation {
    Operation::Sign {
        key: p256().public,
        name: name(),
        scheme: Scheme::Ecdsa(Hash::Sha256),
        message: Vec::new(),
    }
}

#[test]
fn an_open_token_is_ready_and_announces_its_keys() {
    let mut fixture = Fixture::new();
    assert!(!fixture.reports.has_shown_key());
    fixture.reports.waiting(fault());
    assert_eq!(
        (fixture.phase(), fixture.problem()),
        (TokenPhase::Waiting, Some(fault()))
    );
    fixture.reports.opened(vec![p384(), p256()], None);
    assert_eq!((fixture.phase(), fixture.problem()), (TokenPhase::Ready, None));
    let details = fixture.details();
    assert_eq!(details.openings, 1);
    assert_eq!(details.algorithm.as_deref(), Some("ec-p384"), "of the first key");
    assert_eq!(details.warning, None);
    assert_eq!(*fixture.device_keys.borrow(), [p384(), p256()]);
    assert!(fixture.reports.has_shown_key());
}

#[test]
fn a_warning_stays_until_another_one_replaces_it() {
    let mut fixture = Fixture::new();
    for (warning, shown) in [(Some("new"), "new"), (None, "new"), (Some("other"), "other")] {
        fixture.reports.opened(vec![p256()], warning);
        assert_eq!(fixture.details().warning.as_deref(), Some(shown));
    }
    assert_eq!(fixture.details().openings, 3);
}

#[test]
fn keys_are_announced_only_when_they_change() {
    let mut fixture = Fixture::new();
    for (keys, is_new) in [
        (vec![p256()], true),
        (vec![p256()], false),
        (vec![p256(), p384()], true),
        (vec![p384()], true),
    ] {
        fixture.reports.announce_keys(keys.clone());
        assert_eq!(fixture.device_keys.has_changed().unwrap(), is_new, "{keys:?}");
        assert_eq!(*fixture.device_keys.borrow_and_update(), keys);
    }
}

#[test]
fn a_check_of_the_keys_shows_the_token_as_ready() {
    let mut fixture = Fixture::new();
    fixture.reports.ready_with(fault());
    assert_eq!((fixture.phase(), fixture.problem()), (TokenPhase::Ready, Some(fault())));
    fixture.reports.keys_found(vec![p256()]);
    fixture.reports.count_check();
    assert_eq!((fixture.phase(), fixture.problem()), (TokenPhase::Ready, None));
    assert_eq!(*fixture.device_keys.borrow(), [p256()]);
    assert_eq!((fixture.details().checks, fixture.details().openings), (1, 0));
    let complaint = fixture.fail_signatures();
    fixture.reports.keys_found(vec![p256()]);
    assert_eq!(fixture.problem(), Some(complaint));
}

#[test]
fn a_token_that_is_absent_or_has_a_fault_is_waited_for() {
    // The number of failures after which a token that was never open gets advice.
    for (error, limit) in [
        (TokenError::Absent as fn(Problem) -> TokenError, 60),
        (TokenError::Device as fn(Problem) -> TokenError, 4),
    ] {
        let mut fixture = Fixture::new();
        for _ in 1..limit {
            let judged = fixture.reports.closed(error(fault()));
            assert_eq!(judged.problem(), &fault());
        }
        let judged = fixture.reports.closed(error(fault()));
        assert_eq!(judged.problem().remedy, Remedy::Configuration, "{judged:?}");
        assert_eq!(fixture.phase(), TokenPhase::Waiting);
        assert_eq!(fixture.problem().as_ref(), Some(judged.problem()));
        fixture.reports.opened(vec![p256()], None);
        let judged = fixture.reports.closed(error(fault()));
        assert_eq!(judged.problem(), &fault(), "it was open before");
        assert!(fixture.fatals.try_recv().is_err());
    }
}

#[test]
fn the_kind_of_an_error_stays() {
    let mut fixture = Fixture::new();
    assert!(matches!(
        fixture.reports.closed(TokenError::Absent(fault())),
        TokenError::Absent(_)
    ));
    assert!(matches!(
        fixture.reports.closed(TokenError::Device(fault())),
        TokenError::Device(_)
    ));
    let error = fixture.reports.closed(TokenError::Final(Exit::Pin, fault()));
    assert!(matches!(error, TokenError::Final(Exit::Pin, _)));
}

#[test]
fn a_final_error_before_the_first_key_ends_the_daemon() {
    for (exit, pin_rejected) in [(Exit::Pin, true), (Exit::Configuration, false)] {
        let mut fixture = Fixture::new();
        // Only the first one ends the daemon. The thread does not wait until it is received.
        for _ in 0..2 {
            fixture.reports.closed(TokenError::Final(exit, fault()));
        }
        assert_eq!(
            (fixture.phase(), fixture.problem()),
            (TokenPhase::Failed, Some(fault()))
        );
        assert_eq!(fixture.details().pin_rejected, pin_rejected);
        let fatal = fixture.fatals.try_recv().unwrap();
        assert_eq!((fatal.exit, fatal.problem), (exit, fault()));
        assert!(fixture.fatals.try_recv().is_err());
    }
}

#[test]
fn a_final_error_after_the_first_key_is_only_shown() {
    let mut fixture = Fixture::new();
    fixture.reports.opened(vec![p256()], None);
    fixture.reports.closed(TokenError::Final(Exit::Pin, fault()));
    assert_eq!(
        (fixture.phase(), fixture.problem()),
        (TokenPhase::Failed, Some(fault()))
    );
    assert!(fixture.details().pin_rejected);
    assert!(fixture.fatals.try_recv().is_err());
}

#[test]
fn a_failed_opening_counts_without_a_change_of_the_phase() {
    let fixture = Fixture::new();
    fixture.reports.count_failed_opening();
    assert_eq!((fixture.details().openings, fixture.phase()), (1, TokenPhase::Waiting));
}

#[test]
fn a_signature_is_counted_and_ends_only_the_complaint_that_the_token_never_signs() {
    let mut fixture = Fixture::new();
    fixture.reports.ready_with(fault());
    fixture.reports.signed(Instant::now());
    assert_eq!(fixture.problem(), Some(fault()), "a signature does not resolve it");
    assert_eq!(fixture.details().signatures, 1);
    assert_eq!(fixture.details().latencies.count(), 1);

    let mut fixture = Fixture::new();
    let complaint = fixture.fail_signatures();
    fixture.reports.opened(vec![p256()], None);
    assert_eq!(
        (fixture.phase(), fixture.problem()),
        (TokenPhase::Ready, Some(complaint))
    );
    fixture.reports.signed(Instant::now());
    assert_eq!((fixture.phase(), fixture.problem()), (TokenPhase::Ready, None));
}

#[test]
fn only_signatures_are_judged_by_their_failures() {
    let mut fixture = Fixture::new();
    for operation in [
        Operation::Find(name()),
        Operation::Generate(name(), KeyAlgorithm::EcP256),
    ] {
        for _ in 0..9 {
            assert_eq!(fixture.reports.judge_failure(&operation, fault()), fault());
        }
    }
    fixture.fail_signatures();
}
