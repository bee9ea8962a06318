//! Each collection alone, without a cloudlet.

use super::*;
use crate::Error;
use crate::policy::Policy;

const DOCUMENT: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:Connect","Resource":"*"}]}"#;

fn kind<T: std::fmt::Debug>(result: Result<T, Error>) -> Option<RefusalKind> {
    match result {
        Ok(_) => None,
        Err(Error::Refused(refusal)) => Some(refusal.kind),
        Err(other) => panic!("{other}"),
    }
}

fn policy(name: &str) -> Policy {
    Policy::new(name, DOCUMENT).unwrap()
}

fn id() -> CertificateId {
    CertificateId("0".repeat(64))
}

/// Returns an account with one active certificate, a thing and a policy.
fn account() -> Account {
    let mut account = Account::new("123456789012", "us-east-1");
    let ca = CaId("ca".to_owned());
    account.certificates.register(id(), ca, CertificateStatus::Active);
    account.registry.put_thing(Thing::new("gw-1")).unwrap();
    account.policies.put(policy("gateway"));
    account
}

#[test]
fn a_policy_has_at_most_five_versions_and_keeps_its_default_one() {
    let mut policies = Policies::default();
    policies.create(policy("a")).unwrap();
    assert_eq!(kind(policies.create(policy("a"))), Some(RefusalKind::AlreadyExists));
    for version in 2..=5 {
        assert_eq!(policies.create_version(policy("a"), false).unwrap(), version);
    }
    let sixth = policies.create_version(policy("a"), true);
    assert_eq!(kind(sixth), Some(RefusalKind::VersionsLimitExceeded));
    assert_eq!(kind(policies.delete_version("a", 1)), Some(RefusalKind::DeleteConflict));
    policies.set_default_version("a", 3).unwrap();
    policies.delete_version("a", 1).unwrap();
    assert_eq!(kind(policies.version("a", 1).map(|_| ())), Some(RefusalKind::NotFound));
    assert_eq!(policies.existing("a").unwrap().default_version(), 3);
}

#[test]
fn a_thing_group_is_deleted_once_it_is_empty() {
    let mut registry = Registry::default();
    let mut thing = Thing::new("gw-1");
    thing.groups.insert("pune".to_owned());
    assert_eq!(kind(registry.put_thing(thing)), Some(RefusalKind::NotFound));
    registry.create_thing_group("pune", None).unwrap();
    registry.create_thing(Thing::new("gw-1")).unwrap();
    registry.set_thing_in_group("gw-1", "pune", true).unwrap();
    assert_eq!(
        kind(registry.delete_thing_group("pune")),
        Some(RefusalKind::DeleteConflict)
    );
    registry.set_thing_in_group("gw-1", "pune", false).unwrap();
    registry.delete_thing_group("pune").unwrap();
    assert!(registry.thing_groups().is_empty());
}

#[test]
fn names_and_durations_outside_awss_ranges_are_refused() {
    let role = "arn:aws:iam::123456789012:role/r";
    let invalid = Some(RefusalKind::InvalidRequest);
    let mut aliases = RoleAliases::default();
    for (name, arn, seconds, expected) in [
        ("telemetry", role, 3600, None),
        ("with space", role, 3600, invalid),
        ("", role, 3600, invalid),
        ("telemetry", "role/r", 3600, invalid),
        ("telemetry", role, 899, invalid),
        ("telemetry", role, 43_201, invalid),
        ("telemetry", role, 43_200, None),
    ] {
        let alias = RoleAlias::new(name, arn).lasting(seconds);
        assert_eq!(kind(aliases.put(alias)), expected, "{name:?} {arn} {seconds}");
    }
    let mut registry = Registry::default();
    for (name, expected) in [("gw:1_a-b", None), ("gw.1", invalid), ("gw 1", invalid), ("", invalid)] {
        assert_eq!(kind(registry.put_thing(Thing::new(name))), expected, "{name:?}");
    }
}

#[test]
fn a_certificate_is_deleted_when_it_is_inactive_and_detached() {
    let mut account = account();
    account.attach_thing(&id(), "gw-1").unwrap();
    account.attach_policy(&id(), "gateway").unwrap();
    assert_eq!(account.policies_of(&id()).len(), 1);
    assert_eq!(kind(account.delete_thing("gw-1")), Some(RefusalKind::InvalidRequest));
    assert_eq!(
        kind(account.delete_policy("gateway")),
        Some(RefusalKind::DeleteConflict)
    );
    let active = account.certificates.delete(&id(), false);
    assert_eq!(kind(active), Some(RefusalKind::CertificateState));
    account
        .certificates
        .set_status(&id(), CertificateStatus::Revoked)
        .unwrap();
    let again = account.certificates.set_status(&id(), CertificateStatus::Active);
    assert_eq!(kind(again), Some(RefusalKind::CertificateState));
    let attached = account.certificates.delete(&id(), true);
    assert_eq!(kind(attached), Some(RefusalKind::DeleteConflict));
    account.certificates.detach_thing(&id(), "gw-1").unwrap();
    let attached = account.certificates.delete(&id(), false);
    assert_eq!(kind(attached), Some(RefusalKind::DeleteConflict));
    account.certificates.delete(&id(), true).unwrap();
    account.delete_thing("gw-1").unwrap();
    account.delete_policy("gateway").unwrap();
}

#[test]
fn what_does_not_exist_cannot_be_attached() {
    let mut account = account();
    let missing = Some(RefusalKind::NotFound);
    assert_eq!(kind(account.attach_thing(&id(), "gw-2")), missing);
    assert_eq!(kind(account.attach_policy(&id(), "other")), missing);
    assert_eq!(kind(account.detach_policy(&id(), "other")), missing);
    let unknown = CertificateId("1".repeat(64));
    assert_eq!(kind(account.attach_thing(&unknown, "gw-1")), missing);
    assert_eq!(kind(account.attach_policy(&unknown, "gateway")), missing);
    let arn = "arn:aws:iot:us-east-1:999999999999:cert/0";
    assert_eq!(
        kind(account.certificate_named(arn).map(|_| ())),
        Some(RefusalKind::InvalidRequest)
    );
    let arn = account.iot_arn("cert", id().as_str());
    assert_eq!(account.certificate_named(&arn).unwrap().id, id());
}

/// The layout of the file of an account, which later versions must read.
#[test]
fn an_account_is_stored_as_one_flat_object() {
    let stored = serde_json::to_value(account()).unwrap();
    let names: Vec<&String> = stored.as_object().unwrap().keys().collect();
    assert_eq!(
        names,
        [
            "administrator",
            "cas",
            "certificates",
            "id",
            "policies",
            "region",
            "registration_code",
            "role_aliases",
            "roles",
            "templates",
            "thing_groups",
            "thing_types",
            "things"
        ]
    );
    assert_eq!(stored["policies"]["gateway"]["default_version"], 1, "{stored}");
    assert!(stored["things"]["gw-1"].is_object(), "{stored}");
    let read: Account = serde_json::from_value(stored).unwrap();
    assert_eq!(read.registry.things().count(), 1);
    assert_eq!(read.policies_of(&id()).len(), 0);
}
