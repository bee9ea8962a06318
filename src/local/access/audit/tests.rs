//! Tests of which decisions are logged, and of the bounds.

use super::*;
use crate::clock::manual::ManualClock;

fn kind(uid: u32, rule: Option<&str>) -> Kind {
    Kind {
        caller: format!("uid {uid}"),
        unit: None,
        permission: "role-aliases telemetry".to_owned(),
        rule: rule.map(str::to_owned),
    }
}

#[test]
fn a_loop_is_counted_and_reported_later() {
    let clock = ManualClock::at(1_800_000_000);
    let audit = Audit::new(clock.clone());
    let record = |uid, rule| audit.count(kind(uid, rule), Some(7));
    let first: Vec<_> = (0..10_000).filter_map(|_| record(1, None)).collect();
    assert_eq!(first, [0; MAX_LINES as usize]);
    assert_eq!(
        record(1, Some("access[0]")),
        Some(0),
        "another decision has its own line"
    );
    assert_eq!(record(2, None), Some(0), "and so has another user");
    clock.pass(WINDOW);
    assert_eq!(record(1, None), Some(10_000 - MAX_LINES));
    assert_eq!(record(1, None), Some(0));
}

#[test]
fn a_process_in_a_loop_hides_no_other_process_and_no_other_unit() {
    let clock = ManualClock::at(1_800_000_000);
    let audit = Audit::new(clock.clone());
    for _ in 0..1_000 {
        audit.count(kind(1, None), Some(7));
    }
    assert_eq!(audit.count(kind(1, None), Some(8)), Some(0), "another process");
    assert_eq!(audit.count(kind(1, None), Some(8)), None, "and only once");
    let in_unit = Kind {
        unit: Some("camera.service".into()),
        ..kind(1, None)
    };
    assert_eq!(audit.count(in_unit, Some(7)), Some(0), "another unit");
    let lines = (100..10_000)
        .filter_map(|pid| audit.count(kind(1, None), Some(pid)))
        .count();
    assert_eq!(
        lines,
        MAX_PROCESSES - 2,
        "a user who starts processes in a loop does not fill the disk"
    );
    clock.pass(WINDOW);
    let written = MAX_LINES + u32::try_from(MAX_PROCESSES).unwrap() - 1;
    assert_eq!(
        audit.count(kind(1, None), Some(7)),
        Some(1_000 + 2 + 9_900 - written),
        "suppressed decisions are counted"
    );
}

#[test]
fn users_whom_no_rule_names_do_not_fill_the_disk_and_push_nobody_out() {
    let clock = ManualClock::at(1_800_000_000);
    let audit = Audit::new(clock.clone());
    let caller = |uid, unit: &str| {
        let mut peer = crate::local::caller::Peer::new(uid, 100, i32::try_from(uid).ok());
        peer.unit = Some(unit.into());
        Caller::Peer(peer)
    };
    audit.log_decision(
        &caller(1, "a.service"),
        Permission::Publish("t"),
        Some("access[0]"),
        true,
    );
    for uid in 100_000..110_000 {
        audit.log_decision(
            &caller(uid, &format!("{uid}.service")),
            Permission::Publish("t"),
            None,
            false,
        );
    }
    let kinds = audit.kinds.borrow();
    assert_eq!(kinds.len(), 2, "{kinds:?}");
    let written: u32 = kinds.values().map(|count| count.logged).sum();
    assert!(
        written <= 1 + MAX_LINES + u32::try_from(MAX_PROCESSES).unwrap(),
        "{written}"
    );
}

#[test]
fn the_number_of_kinds_is_bounded() {
    let clock = ManualClock::at(1_800_000_000);
    let audit = Audit::new(clock.clone());
    for uid in 0..10 * u32::try_from(MAX_KINDS).unwrap() {
        clock.pass(Duration::from_millis(1));
        audit.count(kind(uid, None), Some(7));
    }
    assert_eq!(audit.kinds.borrow().len(), MAX_KINDS);
}
