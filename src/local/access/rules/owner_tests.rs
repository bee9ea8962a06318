//! Tests of the owners of durable subscriptions, and of the rules that apply to them.

use std::sync::Arc;

use super::*;
use crate::config::{AccessRule, Aliases, Selectors};
use crate::local::caller::TokenHolder;
use crate::messages::TokenOwner;

fn rules(all: &[(Selectors, &str)]) -> AccessRules {
    let rule = |(who, filter): &(Selectors, &str)| AccessRule {
        place: "access[0]".to_owned(),
        who: who.clone(),
        role_aliases: Aliases::These(Vec::new()),
        publish: Vec::new(),
        subscribe: vec![(*filter).to_owned()],
        tokens: Vec::new(),
        token_file: None,
    };
    AccessRules::new(&all.iter().map(rule).collect::<Vec<_>>())
}

fn uid(uid: u32) -> Selectors {
    Selectors {
        uid: Some(uid),
        ..Selectors::default()
    }
}

fn unit(unit: &str) -> Selectors {
    Selectors {
        unit: Some(unit.to_owned()),
        ..Selectors::default()
    }
}

fn gid(gid: u32) -> Selectors {
    Selectors {
        gid: Some(gid),
        ..Selectors::default()
    }
}

fn process(uid: u32, unit: Option<&str>) -> Caller {
    Caller::Peer(Peer {
        uid,
        account: uid,
        gid: uid,
        pid: None,
        unit: unit.map(Arc::from),
    })
}

fn bearer(selectors: Selectors, uid: Option<u32>) -> Caller {
    Caller::Bearer(TokenHolder {
        selectors: Arc::new(selectors),
        uid,
    })
}

#[test]
fn promise_7_nobody_is_another_owner() {
    let owned_by = |caller: &Caller, by_unit| caller.owner(by_unit);
    let cam = process(1000, Some("cam.service"));
    let of_user = owned_by(&process(1000, None), false);
    let of_unit = owned_by(&cam, true);
    let of_token = owned_by(&bearer(gid(44), None), false);
    let of_unit_token = owned_by(&bearer(unit("cam.service"), None), false);
    let of_user_token = owned_by(&bearer(uid(1000), Some(1000)), false);
    for (caller, owner, may) in [
        (process(1000, None), &of_user, true),
        (process(1000, Some("x.service")), &of_user, true),
        (process(1001, None), &of_user, false),
        (process(0, None), &of_user, false),
        (bearer(uid(1000), Some(1000)), &of_user, true),
        (bearer(gid(1000), None), &of_user, false),
        (cam.clone(), &of_unit, true),
        (process(61184, Some("cam.service")), &of_unit, true),
        (process(1000, None), &of_unit, false),
        (process(1000, Some("x.service")), &of_unit, false),
        (process(1000, Some("cam@1.service")), &of_unit, false),
        (bearer(unit("cam.service"), None), &of_unit, false),
        (bearer(gid(44), None), &of_token, true),
        (bearer(gid(45), None), &of_token, false),
        (process(44, None), &of_token, false),
        (bearer(unit("cam.service"), None), &of_unit_token, true),
        (cam.clone(), &of_unit_token, false),
        (process(1000, None), &of_user_token, true),
        (process(1000, None), &Owner::Unknown("x".to_owned()), false),
        (process(1000, None), &Owner::Unknown("uid 1000".to_owned()), false),
    ] {
        assert_eq!(caller.is_owner(owner), may, "{caller}: {owner}");
    }
}

#[test]
fn promise_7_rules_are_asked_about_the_owner_of_today() {
    let user = |uid, gid| Owner::User { uid, gid };
    let owner_unit = |name: &str, uid| Owner::Unit {
        unit: name.to_owned(),
        uid,
        gid: uid,
    };
    let token = |name, value: &str| Owner::Token(TokenOwner(vec![(name, value.to_owned())]));
    for (selectors, owner, given) in [
        (uid(1000), user(1000, Some(1000)), true),
        (uid(1000), user(1001, Some(1000)), false),
        (gid(7), user(1000, Some(7)), true),
        (gid(7), user(1000, Some(8)), false),
        (unit("cam.service"), user(1000, Some(1000)), false),
        (unit("cam.service"), owner_unit("cam.service", 1000), true),
        (unit("cam.service"), owner_unit("cam.service", 61184), true),
        (unit("cam.service"), owner_unit("x.service", 1000), false),
        (uid(1000), owner_unit("cam.service", 1000), true),
        (gid(7), token("gid", "7"), true),
        (gid(7), token("gid", "8"), false),
        (uid(7), token("gid", "7"), false),
        // As stored by an older version: only the user is known.
        (uid(1000), user(1000, None), true),
        (uid(1001), user(1000, None), false),
        (gid(7), user(1000, None), true),
        (unit("cam.service"), user(1000, None), true),
        (Selectors::default(), user(1000, None), false),
        (uid(1000), Owner::Unknown("uid 1000".to_owned()), false),
    ] {
        let access = rules(&[(uid(5), "{thing}/a/#"), (selectors.clone(), "{thing}/a/#")]);
        assert_eq!(
            access.owner_may_subscribe(&owner, "gw-1/a/b", "gw-1"),
            given,
            "{selectors}: {owner}"
        );
        assert!(!access.owner_may_subscribe(&owner, "gw-1/b", "gw-1"));
        assert!(
            !access.owner_may_subscribe(&owner, "gw-1/#", "gw-1"),
            "no more than the rule grants"
        );
        assert!(!access.owner_may_subscribe(&owner, "gw-2/a/b", "gw-1"));
    }
}

#[test]
fn the_first_matching_rule_determines_the_owner() {
    let cam = process(1000, Some("cam.service"));
    for (all, by_unit) in [
        (vec![(unit("cam.service"), "#")], true),
        (vec![(uid(1000), "#"), (unit("cam.service"), "#")], false),
        (vec![(uid(1000), "other/#"), (unit("cam.service"), "#")], true),
        (vec![], false),
    ] {
        assert_eq!(
            rules(&all).is_given_by_unit(&cam, Permission::Subscribe("a"), "gw-1"),
            by_unit
        );
    }
}
