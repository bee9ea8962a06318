//! Tests of encoding and comparing owners.

use proptest::prelude::*;

use super::*;

fn token(selectors: &[(&'static str, &str)]) -> Owner {
    let selectors = selectors.iter().map(|(name, value)| (*name, (*value).to_owned()));
    Owner::Token(TokenOwner(selectors.collect()))
}

#[test]
fn prose_of_older_databases_is_parsed() {
    let user = |uid| Owner::User { uid, gid: None };
    for (prose, owner) in [
        ("uid 0", user(0)),
        ("uid 4294967295", user(u32::MAX)),
        ("the holder of the token for user camera", token(&[("user", "camera")])),
        ("the holder of the token for group video", token(&[("group", "video")])),
        (
            "the holder of the token for unit camera.service",
            token(&[("unit", "camera.service")]),
        ),
        (
            "the holder of the token for user a, group b, uid 1, gid 2, unit c d.service",
            token(&[
                ("user", "a"),
                ("group", "b"),
                ("uid", "1"),
                ("gid", "2"),
                ("unit", "c d.service"),
            ]),
        ),
    ] {
        assert_eq!(Owner::from_prose(prose), owner, "{prose}");
    }
    for prose in [
        "",
        "uid",
        "uid x",
        "uid -1",
        "uid 4294967296",
        "somebody",
        "the holder of the token for nobody x",
    ] {
        let owner = Owner::from_prose(prose);
        assert!(matches!(owner, Owner::Unknown(_)), "{prose}");
        assert_eq!(Owner::from_text(&owner.to_text()), owner);
        assert!(!owner.is(&owner), "an unknown owner equals no one");
    }
}

#[test]
fn owners_are_compared_by_their_identity() {
    let unit = |unit: &str, uid| Owner::Unit {
        unit: unit.to_owned(),
        uid,
        gid: uid,
    };
    let user = |uid, gid| Owner::User { uid, gid };
    for (one, other, same) in [
        (user(1, None), user(1, Some(7)), true),
        (user(1, None), user(2, None), false),
        (unit("a.service", 1), unit("a.service", 2), true),
        (unit("a.service", 1), unit("b.service", 1), false),
        (unit("a.service", 1), user(1, Some(1)), false),
        (token(&[("uid", "1")]), user(1, None), false),
        (token(&[("uid", "1")]), token(&[("uid", "1")]), true),
        (token(&[("uid", "1")]), token(&[("gid", "1")]), false),
    ] {
        assert_eq!(one.is(&other), same, "{one} {other}");
        assert_eq!(other.is(&one), same, "{one} {other}");
        assert_eq!(one.account() == other.account(), same, "{one} {other}");
    }
}

#[test]
fn text_that_no_version_wrote_is_an_unknown_owner() {
    for text in [
        "",
        "uid",
        "uid=",
        "uid=x",
        "uid=1;gid=",
        "uid=1;gid=2;x=3",
        "unit=a;uid=1",
        "unit=%zz;uid=1;gid=1",
        "token;x=1",
        "token;user",
        "tokens;user=a",
        "gid=1",
    ] {
        assert_eq!(Owner::from_text(text), Owner::Unknown(text.to_owned()), "{text}");
    }
}

proptest! {
    #[test]
    fn owners_are_decoded_as_they_were_encoded(uid: u32, gid: Option<u32>, name in ".*", group in ".*") {
        for owner in [
            Owner::User { uid, gid },
            Owner::Unit { unit: name.clone(), uid, gid: gid.unwrap_or(0) },
            token(&[]),
            token(&[("user", &name), ("group", &group)]),
        ] {
            prop_assert_eq!(Owner::from_text(&owner.to_text()), owner);
        }
    }
}
