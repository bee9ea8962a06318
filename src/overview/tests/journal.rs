//! Tests of when the verdict writes to the journal.

use super::*;
use crate::clock::SharedClock;
use crate::status::StatusHub;

#[test]
fn each_step_of_an_expiry_and_each_change_of_the_state_is_news_once() {
    let mut journal = OverviewJournal::default();
    let mut snapshot = healthy();
    let mut look = |snapshot: &Snapshot| journal.write(snapshot, &Overview::new(snapshot));
    // Remaining days, and whether that is news.
    for (left, is_news) in [
        (31, true),
        (31, false),
        (30, true),
        (29, false),
        (8, false),
        (7, true),
        (6, false),
        (300, true),
        (300, false),
    ] {
        certificate(&mut snapshot, 365 * DAY, left * DAY);
        assert_eq!(look(&snapshot), is_news, "{left} days");
    }
    snapshot.session.details.losses = repeats(2, &snapshot);
    assert!(!look(&snapshot));
    for (times, is_news) in [(3, true), (4, false), (100, false)] {
        snapshot.session.details.losses = repeats(times, &snapshot);
        assert_eq!(look(&snapshot), is_news, "{times} losses");
    }
    snapshot.aliases[0].details.failures = repeats(3, &snapshot);
    assert!(look(&snapshot) && !look(&snapshot));
    snapshot.boot += DAY;
    assert!(look(&snapshot) && !look(&snapshot), "it is calm again");
}

#[test]
fn findings_that_a_part_logs_itself_are_not_logged_again() {
    let mut journal = OverviewJournal::default();
    let mut snapshot = healthy();
    assert!(journal.write(&snapshot, &Overview::new(&snapshot)));
    snapshot.messages.details.parked = 3;
    assert!(!journal.write(&snapshot, &Overview::new(&snapshot)), "a notice");
    snapshot.messages.problem = Some(Problem::wait("slow"));
    assert!(
        journal.write(&snapshot, &Overview::new(&snapshot)),
        "the state has changed"
    );
    snapshot.session.problem = Some(Problem::wait("slower"));
    assert!(!journal.write(&snapshot, &Overview::new(&snapshot)));
}

/// The name of a change, whether listeners are notified of it, and the change.
type Change<D> = (&'static str, bool, fn(&mut D));

/// Details that the verdict depends on can change it without a change of any phase or problem.
#[test]
fn listeners_are_notified_of_details_that_the_verdict_depends_on() {
    let clock: SharedClock = ManualClock::at(1_800_000_000);
    let hub = StatusHub::new(clock.clone());
    let mut changed = hub.changed();
    let mut assert_notified = |what: &str, expected: bool| {
        assert_eq!(changed.has_changed().unwrap(), expected, "{what}");
        changed.borrow_and_update();
    };
    let messages = hub.reporter("messages", MessagesPhase::Ready, MessagesDetails::default());
    let changes: [Change<MessagesDetails>; 5] = [
        ("queued", false, |details| details.queued = 5),
        ("parked", true, |details| details.parked = 1),
        ("parked as before", false, |details| details.parked = 1),
        ("suspended", true, |details| details.suspended = 1),
        ("set aside", true, |details| details.set_aside = Some("PATH".to_owned())),
    ];
    for (what, expected, change) in changes {
        messages.details(change);
        assert_notified(what, expected);
    }
    let session = hub.reporter("session", SessionPhase::Connected, SessionDetails::default());
    let changes: [Change<SessionDetails>; 3] = [
        ("attempts", false, |details| details.attempts += 1),
        ("losses", true, |details| {
            details.losses.get_or_insert_default().add(&*ManualClock::at(1))
        }),
        ("discarded", true, |details| {
            details.discarded_at = Some("now".to_owned())
        }),
    ];
    for (what, expected, change) in changes {
        session.report_with(SessionPhase::Connected, None, change);
        assert_notified(what, expected);
    }
    let token = hub.reporter("token", TokenPhase::Ready, TokenDetails::default());
    token.details(|details| details.signatures += 1);
    assert_notified("signatures", false);
    token.details(|details| details.warning = Some("another key".to_owned()));
    assert_notified("a warning", true);
    let alias = hub.reporter("role alias", AliasPhase::Waiting, AliasDetails::default());
    for failed in 1..=3 {
        let problem = Some(Problem::wait("AWS answered 500"));
        alias.report_with(AliasPhase::Valid, problem, |details| details.failed_in_a_row += 1);
        assert_notified(&format!("failure {failed}"), true);
    }
}
