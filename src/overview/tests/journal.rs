//! When the verdict writes to the journal.

use super::*;

#[test]
fn each_step_of_an_expiry_and_each_change_of_the_state_is_news_once() {
    let mut journal = OverviewJournal::default();
    let mut snapshot = healthy();
    let mut look = |snapshot: &Snapshot| journal.write(snapshot, &Overview::new(snapshot));
    // Days that are left, and whether that is news.
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
fn what_a_part_writes_itself_is_not_written_again() {
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
