use super::*;

#[test]
fn programs_are_judged_by_their_variables() {
    let process = "credential_process = HOME/gatepost credentials t\n";
    let config = format!("[profile t]\n{process}region = x\n[profile n]\n{process}");
    let home = Home::new(&config, "");
    home.write("keys.aws", &format!("[default]\n{KEYS}"), 0o600);
    home.write("other.aws", &format!("[default]\n{KEYS}"), 0o600);
    let uri = |address: &str| format!("http://{address}/v1/credentials/t");
    for (variables, words) in [
        (
            vec![("AWS_PROFILE", "t".to_owned())],
            "ok    AWS variables  x: programs with its variables ask gatepost (",
        ),
        (vec![("AWS_PROFILE", "n".to_owned())], "nothing names a Region for them"),
        (
            vec![("AWS_PROFILE", "n".to_owned()), ("AWS_REGION", "r".to_owned())],
            "programs with its variables ask gatepost (",
        ),
        (
            vec![("AWS_PROFILE", "T".to_owned())],
            "AWS_PROFILE names a profile that is in neither file",
        ),
        (
            vec![("AWS_REGION", "r".to_owned())],
            "find no credentials unless they name a profile",
        ),
        (
            vec![
                ("AWS_PROFILE", "t".to_owned()),
                ("AWS_ACCESS_KEY_ID", "AKIASECRET".to_owned()),
            ],
            "AWS_ACCESS_KEY_ID is set without AWS_SECRET_ACCESS_KEY",
        ),
        (
            vec![
                ("AWS_ACCESS_KEY_ID", "AKIASECRET".to_owned()),
                ("AWS_SECRET_ACCESS_KEY", "wJaX".to_owned()),
            ],
            "use AWS_ACCESS_KEY_ID in their environment, and not gatepost",
        ),
        (
            vec![
                ("AWS_ACCESS_KEY_ID", "AKIASECRET".to_owned()),
                ("AWS_SECRET_ACCESS_KEY", "wJaX".to_owned()),
                ("AWS_CREDENTIAL_EXPIRATION", "2026-11-30T20:00:00Z".to_owned()),
            ],
            "as by gatepost exec",
        ),
        (
            vec![("AWS_CONTAINER_CREDENTIALS_FULL_URI", uri("127.0.0.1:9922"))],
            "ask gatepost's loopback listener",
        ),
        (
            vec![("AWS_CONTAINER_CREDENTIALS_FULL_URI", uri("localhost:9922"))],
            "ask gatepost's loopback listener",
        ),
        (
            vec![("AWS_CONTAINER_CREDENTIALS_FULL_URI", uri("127.0.0.1:9911"))],
            "which is not gatepost's loopback listener",
        ),
        (
            vec![("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/x".to_owned())],
            "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI names",
        ),
        (
            vec![("AWS_SHARED_CREDENTIALS_FILE", "HOME/keys.aws".to_owned())],
            "which gatepost keeps fresh",
        ),
        (
            vec![("AWS_SHARED_CREDENTIALS_FILE", "~/keys.aws".to_owned())],
            "which gatepost keeps fresh",
        ),
        (
            vec![("AWS_SHARED_CREDENTIALS_FILE", "HOME/other.aws".to_owned())],
            "other.aws, line 2, and not gatepost",
        ),
        (
            vec![
                ("AWS_CONFIG_FILE", "/nowhere".to_owned()),
                ("AWS_PROFILE", "t".to_owned()),
            ],
            "in neither file",
        ),
        (
            vec![
                ("AWS_WEB_IDENTITY_TOKEN_FILE", "/t".to_owned()),
                ("AWS_ROLE_ARN", "r".to_owned()),
            ],
            "use a role with the token of AWS_WEB_IDENTITY_TOKEN_FILE",
        ),
        (
            vec![("AWS_WEB_IDENTITY_TOKEN_FILE", "/t".to_owned())],
            "is set without AWS_ROLE_ARN",
        ),
    ] {
        let path = home.path().display().to_string();
        let variables = variables
            .iter()
            .map(|(name, value)| (*name, value.replace("HOME", &path)));
        let program = ProgramEnvironment {
            name: "x".to_owned(),
            environment: Environment::new(variables),
        };
        let mut report = Report::default();
        check_program(&home.owner(), &program, &configuration(home.path()), &mut report);
        let text = report.text();
        assert!(text.contains(words), "{program:?}: {text}");
        assert!(!text.contains("AKIA") && !text.contains("wJa"), "{text}");
    }
}

#[test]
fn variables_that_name_two_profiles_are_reported() {
    let process = "credential_process = HOME/gatepost credentials t\nregion = x\n";
    let home = Home::new(
        &format!("[profile t]\n{process}[profile n]\n{process}[default]\n{process}"),
        "",
    );
    for (variables, words) in [
        (
            &[("AWS_DEFAULT_PROFILE", "t"), ("AWS_PROFILE", "n")][..],
            Some("name two profiles"),
        ),
        (&[("AWS_DEFAULT_PROFILE", "t")], Some("is set without AWS_PROFILE")),
        (
            &[("AWS_DEFAULT_PROFILE", "t"), ("AWS_PROFILE", "")],
            Some("is set without AWS_PROFILE"),
        ),
        (&[("AWS_DEFAULT_PROFILE", "t"), ("AWS_PROFILE", "t")], None),
        (&[("AWS_DEFAULT_PROFILE", "default")], None),
        (&[("AWS_PROFILE", "t")], None),
    ] {
        let program = ProgramEnvironment {
            name: "x".to_owned(),
            environment: Environment::new(variables.iter().copied()),
        };
        let mut report = Report::default();
        check_program(&home.owner(), &program, &configuration(home.path()), &mut report);
        let text = report.text();
        assert!(text.contains("programs with its variables ask gatepost"), "{text}");
        assert_eq!(
            text.contains("AWS_DEFAULT_PROFILE"),
            words.is_some(),
            "{program:?}: {text}"
        );
        assert!(text.contains(words.unwrap_or_default()), "{program:?}: {text}");
    }
}
