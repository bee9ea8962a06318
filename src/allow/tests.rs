use super::*;
use crate::config::{self, Selectors};
use crate::local::{AccessRules, Caller, Peer, Permission};

const MAIN: &str = "aws = { mqtt-endpoint = \"m\", credentials-endpoint = \"c\", sts-endpoint = \"sts.us-east-2.amazonaws.com\" }\n\
                    token = { module = \"/m\", key = \"pkcs11:object=o\" }\n\
                    identity = { subject = { common-name = \"gw-1\" } }\n\
                    role-alias = [{ name = \"s3\", default = true }, { name = \"video\" }]\n";

struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("gatepost.toml"), MAIN).unwrap();
        Self { folder }
    }

    fn main(&self) -> PathBuf {
        self.folder.path().join("gatepost.toml")
    }

    fn run(&self, rule: RuleText, dry_run: bool) -> Result<(), Fatal> {
        run(&AllowRequest {
            config: Some(self.main()),
            rule,
            dry_run,
        })
    }

    fn drop_ins(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.folder.path().join("conf.d")) else {
            return Vec::new();
        };
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn grants(&self, uid: u32, permission: Permission) -> bool {
        let config = config::examine(&self.main(), &Folders::from_environment()).unwrap();
        let caller = Caller::Peer(Peer::new(uid, 100, None));
        AccessRules::new(&config.access)
            .find_rule(&caller, permission, "gw-1")
            .is_some()
    }
}

fn rule(uid: u32, aliases: &[&str], publish: &[&str], subscribe: &[&str]) -> RuleText {
    let list = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    RuleText {
        who: Selectors {
            uid: Some(uid),
            ..Selectors::default()
        },
        role_aliases: list(aliases),
        publish: list(publish),
        subscribe: list(subscribe),
        tokens: Vec::new(),
    }
}

#[test]
fn consecutive_rules_all_apply_and_none_is_written_twice() {
    let place = Place::new();
    place.run(rule(7, &["s3"], &[], &[]), true).unwrap();
    assert!(place.drop_ins().is_empty(), "--dry-run writes nothing");
    for (request, files) in [
        (rule(7, &["s3"], &[], &[]), 1),
        (rule(7, &["s3", "s3"], &[], &[]), 1),
        (rule(7, &["s3", "video"], &[], &[]), 2),
        (rule(7, &[], &["gw-1/a/#"], &[]), 3),
        (rule(7, &[], &["gw-1/a/b"], &[]), 3),
        (rule(7, &[], &["gw-1/b"], &["gw-1/a/b"]), 4),
        (rule(7, &["video", "s3"], &["gw-1/a/#"], &["gw-1/a/b"]), 4),
        (rule(8, &["s3"], &[], &[]), 5),
        (rule(8, &["*"], &[], &[]), 6),
        (rule(8, &["video"], &[], &[]), 6),
    ] {
        place.run(request.clone(), false).unwrap();
        assert_eq!(place.drop_ins().len(), files, "{request}: {:?}", place.drop_ins());
    }
    assert_eq!(
        place.drop_ins(),
        [
            "allow-uid-7-2.toml",
            "allow-uid-7-3.toml",
            "allow-uid-7-4.toml",
            "allow-uid-7.toml",
            "allow-uid-8-2.toml",
            "allow-uid-8.toml"
        ]
    );
    for (uid, permission) in [
        (7, Permission::RoleAlias("s3")),
        (7, Permission::RoleAlias("video")),
        (7, Permission::Publish("gw-1/a/b")),
        (7, Permission::Publish("gw-1/b")),
        (7, Permission::Subscribe("gw-1/a/b")),
        (8, Permission::RoleAlias("video")),
    ] {
        assert!(place.grants(uid, permission), "{uid} {permission}");
    }
    for (uid, permission) in [
        (7, Permission::Subscribe("gw-1/a/c")),
        (8, Permission::Publish("gw-1/b")),
        (9, Permission::RoleAlias("s3")),
    ] {
        assert!(!place.grants(uid, permission), "{uid} {permission}");
    }
}

#[test]
fn hostile_text_becomes_a_rule_for_exactly_that_text_or_none() {
    for topic in [
        "gw-1/x';touch pwned;'",
        "a\"], role-aliases = [\"*\"], subscribe = [\"b",
        "a/$(touch pwned)",
        "a/`touch pwned`/b",
        "a\\b",
        "[[access]]",
        "../../../etc/passwd",
        "# no comment",
        "ünïcode/温度",
        "a/|b&c>d",
    ] {
        let place = Place::new();
        let outcome = place.run(rule(7, &[], &[topic], &[]), false);
        match config::may_be_granted(topic) {
            true => {
                outcome.unwrap();
                assert!(place.grants(7, Permission::Publish(topic)), "{topic}");
            }
            false => assert_eq!(outcome.unwrap_err().exit, Exit::Usage, "{topic}"),
        }
        for permission in [
            Permission::RoleAlias("s3"),
            Permission::Subscribe("b"),
            Permission::Publish("other"),
        ] {
            assert!(!place.grants(7, permission), "{topic}: {permission}");
        }
        assert!(!place.grants(8, Permission::Publish(topic)), "{topic}");
    }
}

#[test]
fn audiences_become_rules_for_themselves_alone() {
    let place = Place::new();
    let of = |audiences: &[&str]| RuleText {
        tokens: audiences.iter().map(|audience| (*audience).to_owned()).collect(),
        ..rule(7, &[], &[], &[])
    };
    for (audiences, files) in [
        (&["https://vault.example"][..], 1),
        (&["https://vault.example"], 1),
        (&["https://vault.example", "b\"], role-aliases = [\"*"], 2),
        (&["'; touch pwned; '", "\u{1f511}"], 3),
    ] {
        place.run(of(audiences), false).unwrap();
        assert_eq!(place.drop_ins().len(), files, "{audiences:?}");
        for audience in audiences {
            assert!(place.grants(7, Permission::Token(audience)), "{audience}");
            assert!(!place.grants(8, Permission::Token(audience)), "{audience}");
        }
    }
    assert!(!place.grants(7, Permission::RoleAlias("s3")));
    let long = "x".repeat(10 * 1024);
    let twelve: Vec<String> = (0..12).map(|number| format!("https://api-{number}.example")).collect();
    let twelve: Vec<&str> = twelve.iter().map(String::as_str).collect();
    for (audiences, exit, says) in [
        (&[""][..], Exit::Usage, "0 characters"),
        (&["*"], Exit::Usage, "is not an audience"),
        (&[long.as_str()], Exit::Usage, "10240 characters"),
        (&["a\nb"], Exit::Usage, "control character"),
        (&["\u{1b}[2J"], Exit::Usage, "control character"),
        (&twelve, Exit::Configuration, "gatepost keeps 10"),
    ] {
        let fatal = place.run(of(audiences), false).unwrap_err();
        assert_eq!(fatal.exit, exit, "{says}");
        assert!(fatal.problem.message.contains(says), "{}", fatal.problem.message);
    }
    assert_eq!(place.drop_ins().len(), 3, "nothing more was written");
}

#[test]
fn permissions_that_no_rule_can_grant_are_refused_and_nothing_is_written() {
    let who = |change: fn(&mut Selectors)| {
        let mut request = rule(7, &["s3"], &[], &[]);
        change(&mut request.who);
        request
    };
    for (request, exit, says) in [
        (rule(7, &["a b"], &[], &[]), Exit::Usage, "is not a role alias"),
        (rule(7, &[""], &[], &[]), Exit::Usage, "is not a role alias"),
        (
            rule(7, &["no-such"], &[], &[]),
            Exit::Configuration,
            "no [[role-alias]] is named",
        ),
        (rule(7, &[], &["$aws/rules/all"], &[]), Exit::Usage, "reserved topic"),
        (rule(7, &[], &["$SYS/#"], &[]), Exit::Usage, "reserved topic"),
        (
            rule(7, &[], &[], &["$aws/things/gw-2/shadow/#"]),
            Exit::Usage,
            "reserved topic",
        ),
        (
            rule(7, &[], &["{thing}/gatepost/status"], &[]),
            Exit::Usage,
            "gatepost's own topic",
        ),
        (
            rule(7, &[], &["{thing}/gatepost/#"], &[]),
            Exit::Usage,
            "gatepost's own topic",
        ),
        (
            rule(7, &[], &["{thing}/gatepost"], &[]),
            Exit::Usage,
            "gatepost's own topic",
        ),
        (rule(7, &[], &["a#b"], &[]), Exit::Usage, "publish: "),
        (rule(7, &[], &[], &["a\nb"]), Exit::Usage, "subscribe: "),
        (
            rule(7, &[], &["-----BEGIN PRIVATE KEY-----"], &[]),
            Exit::Usage,
            "key material",
        ),
        (
            who(|who| who.user = Some("a:b".to_owned())),
            Exit::Usage,
            "not a name of a user",
        ),
        (
            who(|who| who.group = Some("a\nb".to_owned())),
            Exit::Usage,
            "not a name of a user",
        ),
        (
            who(|who| who.unit = Some("camera".to_owned())),
            Exit::Usage,
            "whole name of a service",
        ),
    ] {
        let place = Place::new();
        let refused = place.run(request.clone(), false).unwrap_err();
        assert_eq!(refused.exit, exit, "{request}: {refused}");
        assert!(refused.to_string().contains(says), "{request}: {refused}");
        assert!(place.drop_ins().is_empty(), "{request}");
    }
}

#[test]
fn a_configuration_that_is_wrong_already_is_left_alone() {
    let place = Place::new();
    let drop_ins = place.folder.path().join("conf.d");
    fs::create_dir(&drop_ins).unwrap();
    fs::write(drop_ins.join("bad.toml"), "colour = 1").unwrap();
    let refused = place.run(rule(7, &["s3"], &[], &[]), false).unwrap_err();
    assert_eq!(refused.exit, Exit::Configuration);
    assert_eq!(place.drop_ins(), ["bad.toml"]);
}

#[test]
fn a_files_name_has_nothing_unusual_in_it() {
    for (user, name) in [
        ("app", "allow-user-app.toml"),
        ("DOMAIN\\user name", "allow-user-DOMAIN-user-name.toml"),
        ("../../x", "allow-user-..-..-x.toml"),
        ("ünï", "allow-user-n.toml"),
        ("'$(x)'", "allow-user-x.toml"),
    ] {
        let rule = RuleText {
            who: Selectors {
                user: Some(user.to_owned()),
                ..Selectors::default()
            },
            ..RuleText::default()
        };
        assert_eq!(file_name(&rule, 1), name);
    }
    let long = RuleText {
        who: Selectors {
            unit: Some(format!("{}.service", "x".repeat(240))),
            ..Selectors::default()
        },
        ..RuleText::default()
    };
    assert!(file_name(&long, 1000).len() < 80);
}
