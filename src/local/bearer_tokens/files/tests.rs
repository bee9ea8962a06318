//! Tests of which token is in the file after each event, and which tokens are accepted.

use std::sync::Arc;

use super::*;
use crate::local::access::TokenReader;

fn recipients() -> Vec<TokenRecipient> {
    let uid = rustix::process::geteuid().as_raw();
    let selectors = Selectors {
        uid: Some(uid),
        ..Selectors::default()
    };
    vec![TokenRecipient {
        selectors: Arc::new(selectors),
        reader: TokenReader::User(uid),
        token_file: None,
    }]
}

/// Returns a token of the previous run, which has no file yet.
fn inherited(tokens: &BearerTokens) -> BearerTokens {
    BearerTokens::new(tokens.iter().map(|token| token.with_file(PathBuf::new())).collect())
}

fn value(tokens: &BearerTokens) -> String {
    tokens.iter().next().unwrap().value().expose_secret().to_owned()
}

/// A change of a file between two times that it is written.
type Change = fn(&Path);

#[test]
fn a_token_in_its_file_is_always_valid() {
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
    for (what, change, is_inherited, reason, is_kept) in [
        ("nothing", nothing, false, WriteReason::Reload, true),
        ("another token", rewrite, false, WriteReason::Reload, false),
        ("a link", replace, false, WriteReason::Reload, false),
        ("an empty file", empty, false, WriteReason::Reload, false),
        ("no file", remove, false, WriteReason::Reload, false),
        ("nothing", nothing, true, WriteReason::Start, true),
        ("another token", rewrite, true, WriteReason::Start, true),
        ("a link", replace, true, WriteReason::Start, true),
        ("no file", remove, true, WriteReason::Start, true),
        ("a token that had no folder", remove, true, WriteReason::Reload, true),
        ("a token that had no folder", rewrite, true, WriteReason::Reload, true),
    ] {
        let around = tempfile::tempdir().unwrap();
        let folder = around.path().join("loopback");
        let first = write_token_files(&folder, recipients(), &BearerTokens::default(), WriteReason::Start).tokens;
        let file = first.files().next().unwrap().to_owned();
        change(&file);
        let known = if is_inherited { inherited(&first) } else { first.clone() };
        let TokenFiles { tokens, problems } = write_token_files(&folder, recipients(), &known, reason);
        assert_eq!(problems, [], "{what}");
        let now = fs::read_to_string(tokens.files().next().unwrap()).unwrap();
        assert_eq!(now, value(&tokens), "{what}, {reason:?}");
        assert_eq!(now == value(&first), is_kept, "{what}, {reason:?}");
        assert_eq!(entries(&folder).count(), 1, "{what}, {reason:?}");
    }
}

/// Makes the token's file impossible to write: a folder that is not empty stands in its place.
fn block(file: &Path) {
    let _ = fs::remove_file(file);
    fs::create_dir_all(file.join("in the way")).unwrap();
}

#[test]
fn an_unwritable_token_file_is_a_problem_with_a_next_step() {
    let given = |path: &Path| {
        let mut recipients = recipients();
        recipients[0].token_file = Some(path.to_owned());
        recipients
    };
    let write = |path: &Path, text: &str, mode: u32| {
        fs::write(path, text).unwrap();
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    };
    let good = "0123456789abcdef0123456789abcdef";
    type Prepare<'a> = Box<dyn Fn(&Path) + 'a>;
    let cases: Vec<(&str, &str, Prepare)> = vec![
        ("does not exist", "openssl rand -hex 32", Box::new(|_| {})),
        (
            "holds 31 characters",
            "openssl rand -hex 32",
            Box::new(|path| write(path, &good[1..], 0o600)),
        ),
        (
            "holds 0 characters",
            "openssl rand -hex 32",
            Box::new(|path| write(path, "", 0o600)),
        ),
        (
            "is open to others (mode 0644)",
            "chmod 0640",
            Box::new(|path| write(path, good, 0o644)),
        ),
        (
            "is open to others (mode 0660)",
            "chmod 0640",
            Box::new(|path| write(path, good, 0o660)),
        ),
        (
            "holds something besides",
            "openssl rand",
            Box::new(|path| write(path, &format!("{good} x"), 0o600)),
        ),
        (
            "is not a regular file",
            "name a file",
            Box::new(|path| fs::create_dir(path).unwrap()),
        ),
    ];
    for (cause, step, prepare) in cases {
        let around = tempfile::tempdir().unwrap();
        let (folder, path) = (around.path().join("loopback"), around.path().join("camera.token"));
        prepare(&path);
        for reason in [WriteReason::Start, WriteReason::Reload] {
            let TokenFiles { tokens, problems } =
                write_token_files(&folder, given(&path), &BearerTokens::default(), reason);
            assert_eq!((tokens.iter().count(), problems.len()), (0, 1), "{cause}");
            let said = problems[0].to_string();
            assert!(
                said.starts_with("there is no token for uid ") && said.contains(cause),
                "{said}"
            );
            assert!(
                said.contains(step) && said.ends_with("then: systemctl reload gatepost"),
                "{said}"
            );
            assert!(!said.contains(&good[1..]), "promise 10: {said}");
            assert_eq!(problems[0].event, Some(Event::LoopbackTokenFile));
        }
    }
}

#[test]
fn a_folder_that_cannot_be_made_is_a_problem_and_takes_no_token_away() {
    let around = tempfile::tempdir().unwrap();
    let good = write_token_files(
        &around.path().join("loopback"),
        recipients(),
        &BearerTokens::default(),
        WriteReason::Start,
    )
    .tokens;
    let given = around.path().join("camera.token");
    fs::write(&given, "0123456789abcdef0123456789abcdef").unwrap();
    fs::set_permissions(&given, Permissions::from_mode(0o600)).unwrap();
    let mut all = recipients();
    all.push(TokenRecipient {
        selectors: Arc::new(Selectors {
            gid: Some(7),
            ..Selectors::default()
        }),
        reader: TokenReader::Group(7),
        token_file: Some(given.clone()),
    });
    let folder = around.path().join("none/loopback");
    for known in [BearerTokens::default(), inherited(&good)] {
        let kept = known.iter().count();
        let TokenFiles { tokens, problems } = write_token_files(&folder, all.clone(), &known, WriteReason::Start);
        assert_eq!(problems.len(), 1, "one for the folder: {problems:?}");
        assert!(
            problems[0]
                .to_string()
                .contains("none/loopback: No such file or directory"),
            "{problems:?}"
        );
        assert_eq!(
            tokens.iter().count(),
            kept + 1,
            "what programs have stays good, and the file needs no folder"
        );
    }
}

#[test]
fn a_file_that_cannot_be_written_is_a_problem_and_only_a_reload_takes_the_token_away() {
    for (reason, stays) in [(WriteReason::Start, true), (WriteReason::Reload, false)] {
        let around = tempfile::tempdir().unwrap();
        let folder = around.path().join("loopback");
        let first = write_token_files(&folder, recipients(), &BearerTokens::default(), WriteReason::Start).tokens;
        block(first.files().next().unwrap());
        let TokenFiles { tokens, problems } = write_token_files(&folder, recipients(), &first, reason);
        assert_eq!(problems.len(), 1, "{problems:?}");
        let said = problems[0].to_string();
        assert!(
            said.contains("its file cannot be written: ") && said.contains("check the owner of the folder"),
            "{said}"
        );
        assert_eq!(tokens.iter().next().is_some(), stays, "{reason:?}");
    }
}
