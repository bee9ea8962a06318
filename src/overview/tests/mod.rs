//! Tests of the verdict, partly against the tables of docs/operations.md.

mod cases;
mod journal;
mod table;

use std::time::{Duration, SystemTime};

use tokio::sync::watch;

use super::{Overview, OverviewJournal, Severity, Snapshot, State};
use crate::clock::manual::ManualClock;
use crate::clock::{Clock, rfc3339};
use crate::credentials::{AliasDetails, AliasPart, AliasPhase, CredentialCache};
use crate::problem::{Exit, Problem};
use crate::status::{
    AcceptingDetails, AcceptingPhase, ClockDetails, ClockPhase, ConfigurationDetails, ConfigurationPhase,
    CredentialsFilesDetails, CredentialsFilesPhase, EnrolmentDetails, IdentityDetails, IdentityPhase, LocalMqttDetails,
    LocalMqttPhase, LoopbackPhase, MessagesDetails, MessagesPhase, NetworkDetails, NetworkPhase, Part,
    ProvisioningDetails, ProvisioningPhase, Repeats, SessionDetails, SessionPhase, StatusBoard, StatusHub,
    TokenDetails, TokenPhase,
};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// 2027-01-15T08:00:00Z.
fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

fn part<P, D: Default>(phase: P) -> Part<P, D> {
    Part {
        phase,
        since: Duration::ZERO,
        problem: None,
        details: D::default(),
    }
}

fn alias(name: &str) -> AliasPart {
    Part {
        details: AliasDetails {
            name: name.to_owned(),
            ..AliasDetails::default()
        },
        ..part(AliasPhase::Valid)
    }
}

/// Returns a gateway without any problem.
fn healthy() -> Snapshot {
    let mut snapshot = Snapshot {
        configuration: part::<_, ConfigurationDetails>(ConfigurationPhase::Loaded),
        token: part::<_, TokenDetails>(TokenPhase::Ready),
        identity: part::<_, IdentityDetails>(IdentityPhase::Ready),
        clock: part::<_, ClockDetails>(ClockPhase::Set),
        network: part::<_, NetworkDetails>(NetworkPhase::Up),
        provisioning: part::<_, ProvisioningDetails>(ProvisioningPhase::Provisioned),
        session: part::<_, SessionDetails>(SessionPhase::Connected),
        aliases: vec![alias("telemetry")],
        web_tokens: Vec::new(),
        messages: part::<_, MessagesDetails>(MessagesPhase::Ready),
        loopback: None,
        local_mqtt: part::<_, LocalMqttDetails>(LocalMqttPhase::Off),
        accepting: part::<_, AcceptingDetails>(AcceptingPhase::Accepting),
        credentials_files: part::<_, CredentialsFilesDetails>(CredentialsFilesPhase::Written),
        credentials_end_in: None,
        now: now(),
        boot: 10 * DAY,
    };
    certificate(&mut snapshot, 365 * DAY, 300 * DAY);
    snapshot.session.details.client_id = Some("gw-1".to_owned());
    snapshot
}

/// Gives the certificate this lifetime and remaining validity.
fn certificate(snapshot: &mut Snapshot, lifetime: Duration, left: Duration) {
    let end = snapshot.now + left;
    snapshot.identity.details.not_before = Some(rfc3339(end - lifetime));
    snapshot.identity.details.not_after = Some(rfc3339(end));
}

/// Returns this number of occurrences, ten minutes apart, the last one a minute ago.
fn repeats(times: u64, snapshot: &Snapshot) -> Option<Repeats> {
    let clock = ManualClock::at(0);
    clock.pass(snapshot.boot - Duration::from_secs(60) - Duration::from_secs(600) * u32::try_from(times).unwrap());
    let mut repeats = Repeats::default();
    for _ in 0..times {
        clock.pass(Duration::from_secs(600));
        let since_boot = clock.boot();
        clock.step_to(snapshot.now - (snapshot.boot - since_boot));
        repeats.add(&*clock);
    }
    Some(repeats)
}

#[test]
fn the_verdict_may_change_at_known_times_without_a_report() {
    let hour = Duration::from_secs(3600);
    let mut snapshot = healthy();
    assert_eq!(Overview::next_change_in(&snapshot), Some(270 * DAY));
    certificate(&mut snapshot, 365 * DAY, 20 * DAY);
    assert_eq!(Overview::next_change_in(&snapshot), Some(13 * DAY));
    snapshot.session.details.losses = repeats(3, &snapshot);
    assert_eq!(
        Overview::next_change_in(&snapshot),
        Some(hour - Duration::from_secs(60))
    );
    snapshot.credentials_end_in = Some(Duration::from_secs(5));
    assert_eq!(Overview::next_change_in(&snapshot), Some(Duration::from_secs(5)));
    // While the clock is not set, no expiry is expected.
    snapshot = healthy();
    snapshot.clock.phase = ClockPhase::Unset;
    assert_eq!(Overview::next_change_in(&snapshot), None);
}

#[test]
fn the_first_expiry_warning_is_suppressed_with_automatic_renewal() {
    for (left, by_hand, by_est) in [
        (40 * DAY, false, false),
        (29 * DAY, true, false),
        (8 * DAY, true, false),
        (6 * DAY, true, true),
        (Duration::ZERO, true, true),
    ] {
        for (enrolment, is_reported) in [(None, by_hand), (Some(EnrolmentDetails::default()), by_est)] {
            let mut snapshot = healthy();
            certificate(&mut snapshot, 90 * DAY, left);
            snapshot.identity.details.enrolment = enrolment;
            let overview = Overview::new(&snapshot);
            let reported = overview.findings.iter().any(|finding| finding.part == "identity");
            assert_eq!(reported, is_reported, "{left:?}");
        }
    }
}

#[test]
fn failures_are_forgotten_after_an_hour() {
    let mut snapshot = healthy();
    snapshot.session.details.losses = repeats(9, &snapshot);
    assert_eq!(Overview::new(&snapshot).state, State::Waiting);
    snapshot.boot += Duration::from_secs(3600);
    snapshot.now += Duration::from_secs(3600);
    assert_eq!(Overview::new(&snapshot).state, State::Ready);
}

#[test]
fn a_session_connected_after_the_loss_of_the_route_proves_another_route() {
    let mut snapshot = healthy();
    snapshot.network.phase = NetworkPhase::Down;
    snapshot.network.since = Duration::from_secs(100);
    snapshot.network.problem = Some(Problem::wait("this machine has lost its default route"));
    for (connected_at, state) in [(50, State::Waiting), (100, State::Waiting), (101, State::Ready)] {
        snapshot.session.since = Duration::from_secs(connected_at);
        assert_eq!(Overview::new(&snapshot).state, state, "connected at {connected_at}");
    }
}

#[test]
fn a_stopped_daemon_is_distinguished_from_a_starting_one() {
    for (exit, state, id) in [
        (Exit::Pin, State::Attention, "token-pin"),
        (Exit::Configuration, State::Attention, "daemon-failed"),
        (Exit::NotRunning, State::Attention, "daemon-stopped"),
        (Exit::Unavailable, State::Waiting, "daemon-starting"),
        (Exit::CannotCreate, State::Attention, "daemon-failed"),
    ] {
        let overview = Overview::of_stopped(exit, Problem::configuration("it ended").next("mend it"));
        let found: Vec<_> = overview.findings.iter().map(|finding| finding.id).collect();
        assert_eq!(
            (overview.state, overview.exit_code, found),
            (state, exit as u8, vec![id])
        );
        assert_eq!(overview.summary, "it ended; next: mend it");
    }
}

/// Returns the receivers of the parts of `gateway`.
fn board(gateway: &Snapshot) -> StatusBoard {
    fn reading_end<T>(part: &T) -> watch::Receiver<T>
    where
        T: Clone,
    {
        watch::channel(part.clone()).1
    }
    StatusBoard {
        token: reading_end(&gateway.token),
        clock: reading_end(&gateway.clock),
        identity: reading_end(&gateway.identity),
        provisioning: reading_end(&gateway.provisioning),
        session: reading_end(&gateway.session),
        messages: reading_end(&gateway.messages),
        loopback: watch::channel(None).1,
        local_mqtt: reading_end(&gateway.local_mqtt),
        accepting: reading_end(&gateway.accepting),
        credentials_files: reading_end(&gateway.credentials_files),
        network: reading_end(&gateway.network),
        configuration: reading_end(&gateway.configuration),
    }
}

#[test]
fn promise_14_the_end_of_a_certificate_is_judged_by_awss_time() {
    // The remaining days by AWS's time, how many days the wall clock is ahead, and the problem.
    for (left, ahead, expected) in [
        (300, 0, None),
        (300, 290, None),
        (300, 400, None),
        (300, -290, None),
        (20, 0, Some("certificate-expiring")),
        (20, -100, Some("certificate-expiring")),
        (5, -3, Some("certificate-expiring")),
        (5, 6, Some("certificate-expiring")),
        (40, 20, None),
        (-1, -100, Some("certificate-expired")),
        (-1, 0, Some("certificate-expired")),
    ] {
        let mut gateway = healthy();
        let end = now() + 1000 * DAY;
        gateway.identity.details.not_before = Some(rfc3339(end - 2000 * DAY));
        gateway.identity.details.not_after = Some(rfc3339(end));
        let seconds = |days: i64| days * 24 * 3600;
        let aws = 1_800_000_000 + seconds(1000 - left);
        let wall = u64::try_from(aws + seconds(ahead)).unwrap();
        let clock = ManualClock::ahead_of_aws(wall, seconds(ahead));
        let hub = StatusHub::new(clock.clone());
        let snapshot = Snapshot::take(&board(&gateway), &CredentialCache::new([], None, &hub).0, &*clock);
        let findings = Overview::new(&snapshot).findings;
        let mut ids = findings.iter().map(|finding| finding.id);
        let found = ids.find(|id| id.starts_with("certificate-"));
        assert_eq!(found, expected, "{left} days left, {ahead} days ahead");
    }
}
