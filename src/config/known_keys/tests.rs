//! Tests of the list of keys and of the suggestions for mistyped names.

use super::*;

#[test]
fn the_list_matches_the_raw_configuration() {
    for KnownTable { name, is_list, keys } in TABLES {
        let header = if is_list {
            format!("[[{name}]]")
        } else {
            format!("[{name}]")
        };
        let text = format!("{header}\nzzz = 1\n");
        let error = toml::from_str::<super::super::raw::Raw>(&text).unwrap_err();
        let expected: Vec<&str> = error.message().split('`').skip(3).step_by(2).collect();
        assert_eq!(expected, keys, "{name}");
        for key in keys {
            assert!(is_safe_to_show(key), "{key}");
        }
    }
    for (key, _) in NUMBERS {
        assert!(TABLES.iter().any(|table| table.keys.contains(&key)), "{key}");
    }
}

#[test]
fn words_that_no_key_has_may_be_secrets() {
    for (name, shown) in [
        ("mqtt-endpiont", true),
        ("modul", true),
        ("pin", true),
        ("pin-file", true),
        ("root_ca", true),
        ("aws.root-ca", true),
        ("proxy-url", true),
        ("log-level", true),
        ("acess", true),
        ("roles", true),
        ("", false),
        ("correcthorsebatterystaple", false),
        ("correct-horse-battery", false),
        ("hunter", false),
        ("letmein", false),
        ("pin-swordfish", false),
        ("swordfish", false),
        ("qwertzuiop", false),
        ("tiger", false),
        ("mysecretpassphrase", false),
        ("geheim", false),
    ] {
        assert_eq!(is_safe_to_show(name), shown, "{name}");
    }
}

#[test]
fn a_mistyped_name_gets_a_suggestion() {
    let top: Vec<&str> = ["aws", "token", "identity", "role-alias", "access", "mqtt", "loopback"].to_vec();
    let rule = find_table("access").unwrap().keys;
    let aws = find_table("aws").unwrap().keys;
    for (name, expected, words) in [
        ("role_alias", &top[..], Some("did you mean [[role-alias]]?")),
        ("role-aliases", &top, Some("did you mean [[role-alias]]?")),
        ("acces", &top, Some("did you mean [[access]]?")),
        ("Access", &top, Some("did you mean [[access]]?")),
        ("mqqt", &top, Some("did you mean `mqtt`?")),
        ("loopbak", &top, Some("did you mean `loopback`?")),
        ("tokens", &top, Some("did you mean `token`?")),
        ("mqtt-endpoint", &top, Some("it belongs in [aws]")),
        ("role-alias", rule, Some("did you mean `role-aliases`?")),
        ("users", rule, Some("did you mean `user`?")),
        ("publich", rule, Some("did you mean `publish`?")),
        ("subscribes", rule, Some("did you mean `subscribe`?")),
        ("module", aws, Some("it belongs in [token]")),
        ("common_name", aws, Some("it belongs in [identity.subject]")),
        ("root-cas", aws, Some("did you mean `root-ca`?")),
        ("colour", aws, None),
        ("pin", aws, None),
    ] {
        assert_eq!(suggest(name, expected).as_deref(), words, "{name}");
    }
}
