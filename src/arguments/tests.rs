use super::*;

#[test]
fn every_form_of_the_command_line() {
    let command =
        |words: &[&str]| parse(["gatepostd"].iter().chain(words).map(OsString::from)).map_err(|fatal| fatal.exit);
    assert_eq!(command(&[]), Ok(Command::Run(DEFAULT_PATH.into())));
    assert_eq!(command(&["--config", "/x"]), Ok(Command::Run("/x".into())));
    assert_eq!(
        command(&["--check-config", "--config=/x"]),
        Ok(Command::CheckConfig("/x".into()))
    );
    assert_eq!(
        command(&["--print-policy", "--account", "123456789012"]),
        Ok(Command::PrintPolicy(DEFAULT_PATH.into(), Some("123456789012".into())))
    );
    let check = Command::Check {
        path: DEFAULT_PATH.into(),
        user: Some("camera".into()),
        json: true,
    };
    assert_eq!(command(&["--check", "--json", "--as", "camera"]), Ok(check));
    let prepare = |preparation, label: &str| Command::PrepareToken {
        preparation,
        module: "/m.so".into(),
        label: label.into(),
    };
    assert_eq!(
        command(&["--prepare-token", "list", "--module", "/m.so"]),
        Ok(prepare(Preparation::List, ""))
    );
    assert_eq!(
        command(&["--prepare-token=make", "--token=gw", "--module=/m.so"]),
        Ok(prepare(Preparation::Make, "gw"))
    );
    assert_eq!(
        command(&["--prepare-token=prove", "--token=gw", "--module=/m.so"]),
        Ok(prepare(Preparation::Prove, "gw"))
    );
    assert!(matches!(command(&["--help"]), Ok(Command::Print(_))));
    for bad in [
        &["--confg"][..],
        &["--config=/x", "--config=/y"],
        &["--config="],
        &["--check", "--as=a", "--as=b"],
        &["--print-policy", "--account=123456789012", "--account=123456789012"],
        &["--prepare-token=list", "--prepare-token=make", "--module=/m.so"],
        &["--config"],
        &["extra"],
        &["--check-config=yes"],
        &["--print-policy", "--check-config"],
        &["--print-policy", "--account", "1234"],
        &["--account", "123456789012"],
        &["--check", "--check-config"],
        &["--json"],
        &["--as", "root", "--check-config"],
        &["--check", "--as"],
        &["--prepare-token"],
        &["--prepare-token", "delete", "--module=/m.so", "--token=gw"],
        &["--prepare-token", "list"],
        &["--prepare-token", "make", "--module=/m.so"],
        &["--prepare-token", "prove", "--token=gw"],
        &["--prepare-token", "list", "--module=/m.so", "--check"],
        &["--module=/m.so"],
        &["--check", "--token=gw"],
        &["--check", "--allow", "--user=app", "--role-alias=s3"],
    ] {
        assert_eq!(command(bad), Err(Exit::Usage), "{bad:?}");
    }
}

#[test]
fn operator_modes_are_parsed_with_their_options() {
    let command = |words: &[&str]| parse(["gatepostd"].iter().chain(words).map(OsString::from));
    let Ok(Command::Allow(request)) = command(&[
        "--allow",
        "--config=/x",
        "--user=-x",
        "--unit=a.service",
        "--role-alias=a",
        "--role-alias=*",
        "--publish={thing}/a",
        "--subscribe=--b",
        "--audience=https://vault.example",
        "--audience",
        "b",
        "--dry-run",
    ]) else {
        panic!("it was not parsed")
    };
    assert_eq!(request.config, Some("/x".into()));
    assert_eq!(
        request.rule.to_string(),
        "[[access]]\nuser = \"-x\"\nunit = \"a.service\"\nrole-aliases = [\"a\", \"*\"]\npublish = [\"{thing}/a\"]\n\
         subscribe = [\"--b\"]\ntokens = [\"https://vault.example\", \"b\"]"
    );
    assert!(request.dry_run);
    let Ok(Command::InstallCertificate(request)) =
        command(&["--config", "/x", "--install-certificate=a.pem", "--stdin"])
    else {
        panic!("it was not parsed")
    };
    assert_eq!((request.config, request.file), (Some("/x".into()), "a.pem".into()));
    assert!(request.from_stdin);
    assert_eq!(command(&["--support"]).ok(), Some(Command::Support(None)));
    assert_eq!(
        command(&["--support", "--config=/x"]).ok(),
        Some(Command::Support(Some("/x".into())))
    );
    for bad in [
        &["--allow"][..],
        &["--allow", "--user=a"],
        &["--allow", "--role-alias=a"],
        &["--allow", "--uid=-1", "--role-alias=a"],
        &["--allow", "--uid=4294967296", "--role-alias=a"],
        &["--allow", "--user=a", "--role-alias=a", "extra"],
        &["--allow", "--user=a", "--role-alias=a", "--json"],
        &["--install-certificate"],
        &["--install-certificate=a", "--wait"],
        &["--check", "--install-certificate=a"],
        &["--support", "--output=x"],
        &["--allow", "--user=a", "--user=b", "--role-alias=a"],
        &["--allow", "--user=a", "--role-alias=a", "--config=/x", "--config=/y"],
        &["--user=a", "--role-alias=a"],
    ] {
        assert_eq!(command(bad).map_err(|fatal| fatal.exit), Err(Exit::Usage), "{bad:?}");
    }
}

#[test]
fn a_mistake_is_named_and_help_lists_every_option() {
    let message = |words: &[&str]| {
        let outcome = parse(["gatepostd"].iter().chain(words).map(OsString::from));
        outcome.map_err(|fatal| fatal.to_string()).unwrap_err()
    };
    for (words, says) in [
        (&["--chek-config"][..], "did you mean --check-config?"),
        (&["--config=/x", "--config", "/y"], "--config is given twice"),
        (&["--check", "--support"], "--check and --support cannot be combined"),
        (&["--json"], "--json belongs to --check"),
        (&["--user=a", "--check"], "--user belongs to --allow"),
        (&["extra"], "unexpected argument"),
    ] {
        assert!(message(words).contains(says), "{words:?}: {}", message(words));
    }
    let Ok(Command::Print(text)) = parse(["gatepostd", "--help"].map(OsString::from)) else {
        panic!("no help")
    };
    assert!(text.contains(DEFAULT_PATH));
    for option in GATEPOSTD.options {
        assert!(text.contains(&help::option_term(option)), "{}", option.name);
    }
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
}
