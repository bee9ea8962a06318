//! Tests of which token is in the file after each event, and which tokens are accepted.

use std::sync::Arc;

use super::*;

fn recipients() -> Vec<Recipient> {
    let uid = rustix::process::geteuid().as_raw();
    let selectors = Selectors {
        uid: Some(uid),
        ..Selectors::default()
    };
    vec![Recipient {
        selectors: Arc::new(selectors),
        reader: Reader::User(uid),
        token_file: None,
    }]
}

/// As it comes from the run before: in no file.
fn inherited(tokens: &Tokens) -> Tokens {
    Tokens::new(tokens.iter().map(|token| token.in_file(PathBuf::new())).collect())
}

fn value(tokens: &Tokens) -> String {
    tokens.iter().next().unwrap().value().expose_secret().to_owned()
}

/// A change of a file between two times that it is laid out.
type Change = fn(&Path);

#[test]
fn what_is_in_the_file_always_opens_something() {
    let rewrite: Change = |file| {
        fs::remove_file(file).unwrap();
        fs::write(file, "0".repeat(64)).unwrap();
    };
    let replace: Change = |file| {
        fs::remove_file(file).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", file).unwrap();
    };
    let empty: Change = |file| {
        fs::remove_file(file).unwrap();
        fs::write(file, "").unwrap();
    };
    let remove: Change = |file| fs::remove_file(file).unwrap();
    let nothing: Change = |_| {};
    for (what, change, is_inherited, occasion, is_kept) in [
        ("nothing", nothing, false, Occasion::Reload, true),
        ("another token", rewrite, false, Occasion::Reload, false),
        ("a link", replace, false, Occasion::Reload, false),
        ("an empty file", empty, false, Occasion::Reload, false),
        ("no file", remove, false, Occasion::Reload, false),
        ("nothing", nothing, true, Occasion::Start, true),
        ("another token", rewrite, true, Occasion::Start, true),
        ("a link", replace, true, Occasion::Start, true),
        ("no file", remove, true, Occasion::Start, true),
        ("a token that had no folder", remove, true, Occasion::Reload, true),
        ("a token that had no folder", rewrite, true, Occasion::Reload, true),
    ] {
        let around = tempfile::tempdir().unwrap();
        let folder = around.path().join("loopback");
        let first = lay_out(&folder, recipients(), &Tokens::default(), Occasion::Start).unwrap();
        let file = first.files().next().unwrap().to_owned();
        change(&file);
        let known = if is_inherited { inherited(&first) } else { first.clone() };
        let tokens = lay_out(&folder, recipients(), &known, occasion).unwrap();
        let now = fs::read_to_string(tokens.files().next().unwrap()).unwrap();
        assert_eq!(now, value(&tokens), "{what}, {occasion:?}");
        assert_eq!(now == value(&first), is_kept, "{what}, {occasion:?}");
        assert_eq!(entries(&folder).count(), 1, "{what}, {occasion:?}");
    }
}

#[test]
fn a_folder_that_cannot_be_made_is_a_problem() {
    let around = tempfile::tempdir().unwrap();
    let folder = around.path().join("none/loopback");
    assert!(lay_out(&folder, recipients(), &Tokens::default(), Occasion::Start).is_err());
}
