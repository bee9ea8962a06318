//! Tests of all branches of the decision, and their consequences.

use super::*;

type There = Vec<(Origin, usize, bool)>;
type Case = (&'static str, There, Origin, Admission);

/// Connections by origin: how many, and whether they are busy. The first ones sent their last requests first.
fn decide(there: &[(Origin, usize, bool)], newcomer: &Origin) -> Admission {
    let all: Vec<(&Origin, bool)> = there
        .iter()
        .flat_map(|(origin, count, busy)| std::iter::repeat_n((origin, *busy), *count))
        .collect();
    let occupied = all
        .iter()
        .zip(0..)
        .map(|((origin, is_busy), last_request)| OccupiedSlot {
            origin,
            last_request,
            is_busy: *is_busy,
        });
    admit(&HTTP_SLOTS, occupied, newcomer)
}

fn bearer(name: &str) -> Origin {
    Origin::Bearer(name.into())
}

#[test]
fn every_branch() {
    use Admission::{Enter, Refuse, Replace};
    use Origin::{Trusted, Unnamed, User, WithoutToken};
    let crowd = |busy| -> Vec<_> {
        (1..=7)
            .map(|uid| (User(uid), 50, busy))
            .chain([(User(8), 2, busy)])
            .collect()
    };
    let full = |busy| -> Vec<_> { (1..=7).map(|uid| (User(uid), 64, busy)).collect() };
    let few = |busy| -> Vec<_> { (1..=56).map(|uid| (User(uid), 8, busy)).collect() };
    let cases: Vec<Case> = vec![
        ("an empty house", vec![], User(1), Enter),
        ("one's last place", vec![(User(1), 63, true)], User(1), Enter),
        ("one's own limit, idle", vec![(User(1), 64, false)], User(1), Replace(0)),
        ("one's own limit, busy", vec![(User(1), 64, true)], User(1), Refuse),
        (
            "one's own limit, one idle",
            vec![(User(1), 63, true), (User(1), 1, false)],
            User(1),
            Replace(63),
        ),
        ("another's limit", vec![(User(1), 64, true)], User(2), Enter),
        ("root's limit, idle", vec![(Trusted, 64, false)], Trusted, Replace(0)),
        ("root's limit, busy", vec![(Trusted, 64, true)], Trusted, Refuse),
        ("the reserve is not for those with many", crowd(true), User(1), Refuse),
        (
            "who has many makes room with its own",
            crowd(false),
            User(1),
            Replace(0),
        ),
        ("the reserve is for those with few", crowd(true), User(8), Enter),
        ("the reserve is for those with nothing", crowd(true), User(9), Enter),
        ("a full house makes room", full(false), User(9), Replace(0)),
        ("a full pool, all busy", full(true), User(9), Refuse),
        ("among equals nobody makes room", few(false), User(99), Refuse),
        ("a holder is named too", crowd(true), bearer("a"), Enter),
        ("a holder's limit", vec![(bearer("a"), 64, true)], bearer("a"), Refuse),
        ("another holder", vec![(bearer("a"), 64, true)], bearer("b"), Enter),
        (
            "a user is not a holder",
            vec![(User(1), 64, true)],
            bearer("uid 1"),
            Enter,
        ),
        (
            "users whom no rule names have slots of their own",
            vec![(Unnamed, 31, true)],
            Unnamed,
            Enter,
        ),
        (
            "and one makes room for another",
            vec![(Unnamed, 32, false)],
            Unnamed,
            Replace(0),
        ),
        ("but not in a request", vec![(Unnamed, 32, true)], Unnamed, Refuse),
        (
            "without a token there is room",
            vec![(WithoutToken, 191, true)],
            WithoutToken,
            Enter,
        ),
        (
            "and then the idlest is evicted",
            vec![(WithoutToken, 192, false)],
            WithoutToken,
            Replace(0),
        ),
        (
            "but not in a request",
            vec![(WithoutToken, 192, true)],
            WithoutToken,
            Refuse,
        ),
    ];
    for (what, there, newcomer, expected) in cases {
        assert_eq!(decide(&there, &newcomer), expected, "{what}");
    }
}

#[test]
fn promise_6_callers_without_a_rule_evict_no_caller_with_one() {
    let unnamed = vec![(Origin::Unnamed, 32, true), (Origin::WithoutToken, 192, true)];
    for named in [Origin::Trusted, Origin::User(1000), bearer("camera")] {
        assert_eq!(decide(&unnamed, &named), Admission::Enter, "{named:?}");
    }
    // Named users whose connections are all busy do not keep root out either.
    let mut everybody = unnamed;
    everybody.extend((1..=7).map(|uid| (Origin::User(uid), 64, true)));
    assert_eq!(decide(&everybody, &Origin::Trusted), Admission::Enter);
}

#[test]
fn six_greedy_users_leave_eight_places_to_each_of_a_dozen_others() {
    let mut there: Vec<(Origin, usize, bool)> = Vec::new();
    for uid in 1..=6 {
        let mut held = 0;
        while decide(&there, &Origin::User(uid)) == Admission::Enter {
            there.push((Origin::User(uid), 1, true));
            held += 1;
        }
        assert!(held <= PER_ORIGIN);
    }
    for uid in 100..112 {
        for _ in 0..8 {
            assert_eq!(decide(&there, &Origin::User(uid)), Admission::Enter);
            there.push((Origin::User(uid), 1, true));
        }
    }
}

#[test]
fn all_pools_together_leave_descriptors_for_the_rest() {
    let pools = [Pool::Trusted, Pool::Named, Pool::Unnamed, Pool::WithoutToken];
    assert!(pools.iter().map(|pool| HTTP_SLOTS.of(*pool)).sum::<usize>() <= 800);
}
