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
        let first = lay_out(&folder, recipients(), &Tokens::default(), Occasion::Start).tokens;
        let file = first.files().next().unwrap().to_owned();
        change(&file);
        let known = if is_inherited { inherited(&first) } else { first.clone() };
        let Layout { tokens, problems } = lay_out(&folder, recipients(), &known, occasion);
        assert_eq!(problems, [], "{what}");
        let now = fs::read_to_string(tokens.files().next().unwrap()).unwrap();
        assert_eq!(now, value(&tokens), "{what}, {occasion:?}");
        assert_eq!(now == value(&first), is_kept, "{what}, {occasion:?}");
        assert_eq!(entries(&folder).count(), 1, "{what}, {occasion:?}");
    }
}

/// Makes the token's file impossible to write: a folder that is not empty stands in its place.
fn block(file: &Path) {
    let _ = fs::remove_file(file);
    fs::create_dir_all(file.join("in the way")).unwrap();
}

#[test]
fn a_token_that_cannot_be_laid_out_is_a_problem_with_a_next_step() {
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
            "is no regular file",
            "name a file",
            Box::new(|path| fs::create_dir(path).unwrap()),
        ),
    ];
    for (cause, step, prepare) in cases {
        let around = tempfile::tempdir().unwrap();
        let (folder, path) = (around.path().join("loopback"), around.path().join("camera.token"));
        prepare(&path);
        for occasion in [Occasion::Start, Occasion::Reload] {
            let Layout { tokens, problems } = lay_out(&folder, given(&path), &Tokens::default(), occasion);
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
    let good = lay_out(
        &around.path().join("loopback"),
        recipients(),
        &Tokens::default(),
        Occasion::Start,
    )
    .tokens;
    let given = around.path().join("camera.token");
    fs::write(&given, "0123456789abcdef0123456789abcdef").unwrap();
    fs::set_permissions(&given, Permissions::from_mode(0o600)).unwrap();
    let mut all = recipients();
    all.push(Recipient {
        selectors: Arc::new(Selectors {
            gid: Some(7),
            ..Selectors::default()
        }),
        reader: Reader::Group(7),
        token_file: Some(given.clone()),
    });
    let folder = around.path().join("none/loopback");
    for known in [Tokens::default(), inherited(&good)] {
        let kept = known.iter().count();
        let Layout { tokens, problems } = lay_out(&folder, all.clone(), &known, Occasion::Start);
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
    for (occasion, stays) in [(Occasion::Start, true), (Occasion::Reload, false)] {
        let around = tempfile::tempdir().unwrap();
        let folder = around.path().join("loopback");
        let first = lay_out(&folder, recipients(), &Tokens::default(), Occasion::Start).tokens;
        block(first.files().next().unwrap());
        let Layout { tokens, problems } = lay_out(&folder, recipients(), &first, occasion);
        assert_eq!(problems.len(), 1, "{problems:?}");
        let said = problems[0].to_string();
        assert!(
            said.contains("its file cannot be written: ") && said.contains("check the owner of the folder"),
            "{said}"
        );
        assert_eq!(tokens.iter().next().is_some(), stays, "{occasion:?}");
    }
}
