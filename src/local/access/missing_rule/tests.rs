//! Tests of hints for callers with hostile names.

use std::sync::Arc;

use super::*;

fn peer(uid: u32, unit: Option<&str>) -> Peer {
    Peer {
        uid,
        account: uid,
        gid: 100,
        pid: Some(7),
        unit: unit.map(Arc::from),
    }
}

fn hint(peer: &Peer, permission: Permission) -> String {
    let accounts = UserAccounts::default();
    missing_rule(peer, &accounts, permission, "gw-1", Path::new("/srv/gate post/conf.d"))
}

/// Parses the hint's TOML: the selector and the value of the key.
fn rule(hint: &str, key: &str) -> (String, String) {
    let document: toml::Table = toml::from_str(hint).unwrap_or_else(|error| panic!("{error}: {hint}"));
    assert_eq!(document.len(), 1, "{hint}");
    let rules = document["access"].as_array().unwrap();
    assert_eq!(rules.len(), 1, "{hint}");
    let mut rule = rules[0].as_table().unwrap().clone();
    let values = rule.remove(key).unwrap();
    let values = values.as_array().unwrap();
    assert_eq!((values.len(), rule.len()), (1, 1), "{hint}");
    let (name, selector) = rule.into_iter().next().unwrap();
    let selector = match selector {
        toml::Value::Integer(number) => number.to_string(),
        other => other.as_str().unwrap().to_owned(),
    };
    (format!("{name} {selector}"), values[0].as_str().unwrap().to_owned())
}

/// Returns the text outside of double quotes, as a shell would see it, after checking the text inside.
fn outside_quotes(hint: &str) -> String {
    let mut parts = hint.split('"');
    let mut outside = parts.next().unwrap().to_owned();
    while let (Some(inside), Some(next)) = (parts.next(), parts.next()) {
        assert!(inside.is_ascii() && !inside.contains(['`', '\'', '!', '\n']), "{hint}");
        for (index, _) in inside.match_indices('$') {
            assert!(inside.as_bytes()[index + 1].is_ascii_alphabetic(), "{hint}");
        }
        for (index, _) in inside.match_indices('\\') {
            assert!(matches!(inside.as_bytes()[index + 1], b'u' | b'U'), "{hint}");
        }
        outside.push_str("\"\"");
        outside.push_str(next);
    }
    outside
}

#[test]
fn the_hint_is_toml_that_grants_exactly_the_refused_permission() {
    let fixed = "# to allow it, add these lines to /srv/gate post/conf.d/access.toml, then: systemctl reload gatepost\n\
                 # (as root, gatepost allow adds such rules and reloads: gatepost allow --help)\n\
                 [[access]]\nuid = 1000\npublish = [\"\"]";
    for topic in [
        "gw-1/camera/state",
        "gw-1/x';touch pwned;'",
        "a\"], role-aliases = [\"*\"], subscribe = [\"b",
        "a\\\"b",
        "$(touch pwned)",
        "a/`touch pwned`/b",
        "a/${IFS}b",
        "a/$$b",
        "trailing $",
        "trailing \\",
        "bidi \u{202e}kcalb",
        "ünïcode/温度/🌡",
        "[[access]]",
        "\u{feff}bom",
        "'''",
        "\"\"\"",
        "!history",
    ] {
        // Topics that begin with `$` belong to AWS, and are tested separately.
        let topic = topic.strip_prefix('$').unwrap_or(topic);
        let hint = hint(&peer(1000, None), Permission::Publish(topic));
        let expected = topic.replace("gw-1", THING);
        assert_eq!(rule(&hint, "publish"), ("uid 1000".to_owned(), expected));
        assert_eq!(outside_quotes(&hint), fixed, "{topic}");
    }
}

#[test]
fn any_words_of_a_caller_come_back_from_the_hint_unchanged() {
    const LETTERS: &[char] = &[
        'a',
        '/',
        '$',
        '(',
        ')',
        '`',
        '\'',
        '"',
        '\\',
        '\n',
        '\r',
        '\0',
        '{',
        '}',
        '[',
        ']',
        '=',
        ',',
        '#',
        ' ',
        ';',
        '&',
        '|',
        '>',
        '<',
        '!',
        '*',
        '?',
        '~',
        '\u{7f}',
        '\u{85}',
        '\u{2028}',
        '\u{202e}',
        '\u{d7ff}',
        '\u{10ffff}',
    ];
    // A fixed linear congruential sequence (Knuth, MMIX): the same words in each run.
    let mut state: u64 = 7;
    let mut next = |below: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % below
    };
    for round in 0..5_000 {
        let length = next(24);
        let words: String = (0..length).map(|_| LETTERS[next(LETTERS.len())]).collect();
        let words = format!("w{words}");
        let (permission, key) = match round % 4 {
            0 => (Permission::Publish(&words), "publish"),
            1 => (Permission::Subscribe(&words), "subscribe"),
            2 => (Permission::Token(&words), "tokens"),
            _ => (Permission::RoleAlias(&words), "role-aliases"),
        };
        let hint = hint(&peer(1000, None), permission);
        let is_good = match permission {
            Permission::RoleAlias(name) => config::is_alias_name(name),
            Permission::Publish(topic) => crate::topic::check_publish(topic).is_ok() && config::may_be_granted(topic),
            Permission::Subscribe(filter) => config::may_be_granted(filter),
            Permission::Token(audience) => config::may_be_audience(audience),
        };
        if !is_good {
            assert!(hint.starts_with("# ") && !hint.contains(['\n', '"']), "{hint}");
            continue;
        }
        assert_eq!(rule(&hint, key), ("uid 1000".to_owned(), words.clone()));
        assert!(outside_quotes(&hint).ends_with(&format!("{key} = [\"\"]")), "{hint}");
    }
}

#[test]
fn a_user_that_systemd_lends_is_never_named() {
    for (uid, unit, expected) in [
        (61_184, Some("camera.service"), Some("unit camera.service")),
        (65_519, Some("camera.service"), Some("unit camera.service")),
        (61_183, Some("camera.service"), Some("uid 61183")),
        (65_520, Some("camera.service"), Some("uid 65520")),
        (1000, Some("user@1000.service"), Some("uid 1000")),
        (62_000, None, None),
    ] {
        let hint = hint(&peer(uid, unit), Permission::RoleAlias("telemetry"));
        let given = hint.contains("[[access]]").then(|| rule(&hint, "role-aliases").0);
        assert_eq!(given.as_deref(), expected, "{hint}");
        assert!(toml::from_str::<toml::Table>(&hint).is_ok());
    }
}

#[test]
fn a_user_is_named_by_name_where_it_has_a_usable_one() {
    let passwd = "root:x:0:0::/root:/bin/sh\ncamera:x:1000:1000::/:/bin/sh\n\
                  second:x:1000:1000::/:/bin/sh\nbad\u{7}name:x:1001:1::/:\n#comment\n:x:1002:1:::\nfoo:x:many:1:::\n\
                  DOMAIN\\\\user:x:1003:1:::\nlent:x:62000:1:::\n";
    let accounts = UserAccounts::default().with_names(passwd);
    for (uid, unit, expected) in [
        (0, None, Some("user root")),
        (1000, None, Some("user camera")),
        (1000, Some("camera.service"), Some("user camera")),
        (1001, None, Some("uid 1001")),
        (1002, None, Some("uid 1002")),
        (1003, None, Some("user DOMAIN\\\\user")),
        (1004, None, Some("uid 1004")),
        (62_000, Some("camera.service"), Some("unit camera.service")),
        (62_000, None, None),
    ] {
        let permission = Permission::RoleAlias("telemetry");
        let hint = missing_rule(
            &peer(uid, unit),
            &accounts,
            permission,
            "gw-1",
            Path::new("/etc/gatepost/conf.d"),
        );
        let given = hint.contains("[[access]]").then(|| rule(&hint, "role-aliases").0);
        assert_eq!(given.as_deref(), expected, "{hint}");
    }
}

#[test]
fn only_this_things_reserved_topics_can_be_granted() {
    for (topic, expected) in [
        (
            "$aws/things/gw-1/shadow/update",
            Some("$aws/things/{thing}/shadow/update"),
        ),
        ("$aws/things/gw-10/shadow/update", None),
        ("$aws/rules/all/x", None),
        ("$SYS/broker", None),
        ("$", None),
        ("gw-1/$aws", Some("{thing}/$aws")),
        ("fleet/gw-1", Some("fleet/{thing}")),
        ("gw-10/gw-1x/xgw-1/gw-1/", Some("gw-10/gw-1x/xgw-1/{thing}/")),
        ("/gw-1//gw-1", Some("/{thing}//{thing}")),
    ] {
        let hint = hint(&peer(1000, None), Permission::Publish(topic));
        let given = hint.contains("[[access]]").then(|| rule(&hint, "publish").1);
        assert_eq!(given.as_deref(), expected, "{hint}");
    }
}

/// Each case has a request and the value of the hint's rule; `None` if no rule can be suggested.
#[test]
fn the_hint_is_a_rule_that_the_configuration_takes_and_gives_that_alone() {
    use crate::config::Folders;
    use crate::local::{AccessRules, Caller};

    let longest = "t".repeat(256);
    let too_long = "t".repeat(257);
    let cases = [
        (Permission::RoleAlias("telemetry"), "gw-1", Some("telemetry")),
        (Permission::RoleAlias("*"), "gw-1", None),
        (Permission::RoleAlias(""), "gw-1", None),
        (Permission::RoleAlias("a b"), "gw-1", None),
        (Permission::Publish("gw-1/x"), "gw-1", Some("{thing}/x")),
        (Permission::Publish("gw-1/x"), "", Some("gw-1/x")),
        (Permission::Publish("{thng}/x"), "gw-1", None),
        (Permission::Publish("{thing}/x"), "", Some("{thing}/x")),
        (Permission::Publish("#"), "gw-1", None),
        (Permission::Publish("+"), "gw-1", None),
        (Permission::Publish("a#b"), "gw-1", None),
        (Permission::Publish("a/+/b"), "gw-1", None),
        (Permission::Publish(""), "gw-1", None),
        (Permission::Publish(&longest), "gw-1", Some(&longest)),
        (Permission::Publish(&too_long), "gw-1", None),
        (Permission::Publish("a/b/c/d/e/f/g/h/i"), "gw-1", None),
        (Permission::Publish("two\nlines\n[[access]]\nuid = 0"), "gw-1", None),
        (Permission::Publish("tab\tand\u{1b}[2Jescape"), "gw-1", None),
        (Permission::Publish("# no comment"), "gw-1", None),
        (Permission::Publish("-----BEGIN PRIVATE KEY-----"), "gw-1", None),
        (Permission::Subscribe("#"), "gw-1", None),
        (Permission::Subscribe("+"), "gw-1", None),
        (Permission::Subscribe("a/#"), "gw-1", Some("a/#")),
        (Permission::Subscribe("a#b"), "gw-1", None),
        (Permission::Subscribe("$share/g/a"), "gw-1", None),
        (
            Permission::Subscribe("$aws/things/gw-1/jobs/#"),
            "gw-1",
            Some("$aws/things/{thing}/jobs/#"),
        ),
        (
            Permission::Subscribe("$aws/things/{thing}/jobs/#"),
            "",
            Some("$aws/things/{thing}/jobs/#"),
        ),
        (Permission::Subscribe("$aws/things//jobs/#"), "", None),
        (Permission::Subscribe("$aws/things/+/jobs/#"), "gw-1", None),
    ];
    let main = "aws = { mqtt-endpoint = \"m\", credentials-endpoint = \"c\" }\n\
                token = { module = \"/m\", key = \"pkcs11:object=o\" }\n\
                identity = { subject = { common-name = \"gw-1\" } }\n\
                role-alias = [{ name = \"telemetry\" }, { name = \"other\" }]\n";
    for (permission, thing, expected) in cases {
        let folder = tempfile::tempdir().unwrap();
        let (path, drop_ins) = (folder.path().join("gatepost.toml"), folder.path().join("conf.d"));
        std::fs::create_dir(&drop_ins).unwrap();
        std::fs::write(&path, main).unwrap();
        let hint = missing_rule(
            &peer(1000, None),
            &UserAccounts::default(),
            permission,
            thing,
            &drop_ins,
        );
        std::fs::write(drop_ins.join(FILE), &hint).unwrap();
        let config =
            config::load(&path, &Folders::from_environment()).unwrap_or_else(|error| panic!("{hint}: {error}"));
        assert_eq!(
            config.access.len(),
            usize::from(expected.is_some()),
            "{permission}: {hint}"
        );
        let given = hint.contains("[[access]]").then(|| rule(&hint, permission.key().0).1);
        assert_eq!(given.as_deref(), expected, "{hint}");
        let (access, caller) = (AccessRules::new(&config.access), Caller::Peer(peer(1000, None)));
        let asked = expected.is_some() && access.find_rule(&caller, permission, "gw-1").is_some();
        // While the name is unknown, the placeholder is not replaced.
        assert_eq!(
            asked || thing.is_empty(),
            expected.is_some() || thing.is_empty(),
            "{hint}"
        );
        for more in [
            Permission::RoleAlias("other"),
            Permission::Publish("other"),
            Permission::Subscribe("other/#"),
            Permission::Publish("/x"),
            Permission::Subscribe("$aws/things/gw-2/jobs/#"),
        ] {
            assert_eq!(access.find_rule(&caller, more, "gw-1"), None, "{hint} grants {more}");
        }
    }
}
