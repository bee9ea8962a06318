//! Tests of callers' permissions by the rules.

use super::*;
use crate::config::{self, Folders};
use crate::local::caller::TokenHolder;

const RULES: &str = r#"
    access = [
        { uid = 1000, role-aliases = ["telemetry"] },
        { gid = 50, role-aliases = ["video", "telemetry"] },
        { uid = 7, gid = 8, role-aliases = ["*"] },
        { user = "root", role-aliases = ["*"] },
        { group = "daemon", role-aliases = ["group"] },
        { user = "no-such-user", role-aliases = ["*"] },
        { unit = "camera.service", role-aliases = ["camera"] },
        { uid = 9, unit = "audio.service", role-aliases = ["audio"] },
    ]
    role-alias = [{ name = "telemetry" }, { name = "video" }, { name = "group" }, { name = "camera" }, { name = "audio" }]
    aws = { mqtt-endpoint = "m", credentials-endpoint = "c" }
    token = { module = "/m", key = "pkcs11:object=o" }
    identity = { subject = { common-name = "gw-1" } }
"#;

fn rules() -> Vec<AccessRule> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gatepost.toml");
    std::fs::write(&path, RULES).unwrap();
    config::load(&path, &Folders::from_environment()).unwrap().access
}

fn peer(uid: u32, gid: u32, unit: Option<&str>) -> Caller {
    Caller::Peer(Peer {
        uid,
        account: uid,
        gid,
        pid: None,
        unit: unit.map(Arc::from),
    })
}

#[test]
fn promise_7_a_permission_needs_a_rule() {
    let access = AccessRules::new(&rules());
    let (camera, audio) = (Some("camera.service"), Some("audio.service"));
    let cases = [
        (1000, 1000, None, "telemetry", Some(0)),
        (1000, 1000, None, "video", None),
        (1001, 50, None, "video", Some(1)),
        (1000, 50, None, "telemetry", Some(0)),
        (7, 8, None, "anything", Some(2)),
        (7, 9, None, "anything", None),
        (9, 8, None, "anything", None),
        (0, 0, None, "anything", Some(3)),
        (1234, 1, None, "group", Some(4)),
        (1234, 1, None, "telemetry", None),
        (4242, 4242, None, "telemetry", None),
        (4242, 4242, camera, "camera", Some(6)),
        (4242, 4242, camera, "telemetry", None),
        (4242, 4242, Some("camera.scope"), "camera", None),
        (4242, 4242, None, "camera", None),
        (9, 9, audio, "audio", Some(7)),
        (9, 9, None, "audio", None),
        (10, 9, audio, "audio", None),
    ];
    for (uid, gid, unit, alias, rule) in cases {
        let given = access.find_rule(&peer(uid, gid, unit), Permission::RoleAlias(alias), "gw-1");
        let number = given.map(|name| name.split([' ', '[', ']']).nth(1).unwrap().parse().unwrap());
        assert_eq!(number, rule, "uid {uid} gid {gid} {unit:?} {alias}: {given:?}");
    }
    assert_eq!(
        AccessRules::default().find_rule(&peer(0, 0, camera), Permission::RoleAlias("x"), "gw-1"),
        None,
        "the default is no"
    );
}

#[test]
fn promise_7_a_rule_without_selectors_is_for_nobody() {
    let nobody = AccessRule {
        place: "access[0]".into(),
        who: Selectors::default(),
        role_aliases: Aliases::All,
        publish: vec!["#".into()],
        subscribe: vec!["#".into()],
        tokens: Vec::new(),
        token_file: None,
    };
    assert_eq!(
        AccessRules::new(&[nobody]).find_rule(&peer(0, 0, None), Permission::RoleAlias("x"), "gw-1"),
        None
    );
}

#[test]
fn a_token_speaks_for_the_rules_with_its_selectors() {
    let access = AccessRules::new(&rules());
    let bearer = |uid| {
        Caller::Bearer(TokenHolder {
            selectors: Arc::new(Selectors {
                uid: Some(uid),
                ..Selectors::default()
            }),
            uid: Some(uid),
        })
    };
    assert!(
        access
            .find_rule(&bearer(1000), Permission::RoleAlias("telemetry"), "gw-1")
            .is_some()
    );
    assert_eq!(
        access.find_rule(&bearer(1000), Permission::RoleAlias("video"), "gw-1"),
        None
    );
    assert_eq!(
        access.find_rule(&bearer(7), Permission::RoleAlias("telemetry"), "gw-1"),
        None,
        "that rule wants a group as well"
    );
}

#[test]
fn promise_7_topics_are_granted_by_filter_and_never_more() {
    let camera = AccessRule {
        place: "access[0]".into(),
        who: Selectors {
            uid: Some(7),
            ..Selectors::default()
        },
        role_aliases: Aliases::These(Vec::new()),
        publish: vec!["{thing}/camera/#".into(), "#".into()],
        subscribe: vec!["{thing}/camera/+".into(), "$aws/things/{thing}/shadow/#".into()],
        tokens: Vec::new(),
        token_file: None,
    };
    let access = AccessRules::new(&[camera]);
    for (permission, given) in [
        (Permission::Publish("gw-1/camera/7"), true),
        (Permission::Publish("$aws/things/gw-1/shadow/update"), false),
        (Permission::Subscribe("gw-1/camera/7"), true),
        (Permission::Subscribe("gw-1/camera/+"), true),
        (Permission::Subscribe("gw-1/camera/#"), false),
        (Permission::Subscribe("gw-10/camera/7"), false),
        (Permission::Subscribe("+/camera/7"), false),
        (Permission::Subscribe("{thing}/camera/7"), false),
        (Permission::Subscribe("$aws/things/gw-1/shadow/update/accepted"), true),
        (Permission::Subscribe("$aws/things/gw-1/jobs/#"), false),
        (Permission::Subscribe("$aws/things/gw-2/shadow/get"), false),
        (Permission::RoleAlias("telemetry"), false),
    ] {
        assert_eq!(
            access.find_rule(&peer(7, 7, None), permission, "gw-1").is_some(),
            given,
            "{permission}"
        );
        assert_eq!(
            access.find_rule(&peer(8, 7, None), permission, "gw-1"),
            None,
            "{permission}"
        );
    }
}

#[test]
fn a_rule_for_an_account_that_does_not_exist_is_a_problem_with_a_next_step() {
    let problems = AccessRules::rules_for_nobody(&rules());
    assert_eq!(problems.len(), 1, "{problems:?}");
    let said = problems[0].to_string();
    assert!(
        said.starts_with("access[5] of ") && said.contains("there is no user no-such-user"),
        "{said}"
    );
    assert!(
        said.ends_with("; next: create the account, or correct the rule"),
        "{said}"
    );
}
