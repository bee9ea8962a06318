use super::*;

#[test]
fn what_gets_in_the_way_is_named_without_values() {
    let process = "credential_process = HOME/gatepost credentials t\n";
    let own = &format!("[profile t]\n{process}");
    let keys = |profile: &str| format!("[{profile}]\n{KEYS}");
    for (config, credentials, words) in [
        (
            "",
            String::new(),
            &["ok    AWS files  nothing in them interferes; no profile there uses gatepost"][..],
        ),
        (
            own,
            String::new(),
            &[
                "ok    AWS files",
                "profiles that use gatepost: t",
                "without a Region",
                "AWS_SDK_LOAD_CONFIG=1",
            ],
        ),
        (&format!("{own}region = x\n"), keys("other"), &["ok    AWS files"]),
        (
            "",
            format!("[t]\n{process}"),
            &["ok    AWS files", "profiles that use gatepost: t"],
        ),
        (
            own,
            keys("t"),
            &[
                "programs with profile t use the keys in ",
                "credentials, line 2, and not gatepost",
            ],
        ),
        (
            own,
            keys("default"),
            &[
                "programs of camera that name no profile use the keys in ",
                "credentials, line 2",
            ],
        ),
        (
            "",
            keys("default"),
            &["programs of camera that name no profile use the keys in"],
        ),
        (
            "[default]\nrole_arn = SECRET\n",
            String::new(),
            &["config, line 2: the role has neither a source_profile"],
        ),
        (
            &format!("[default]\n{process}"),
            String::new(),
            &["ok    AWS files", "profiles that use gatepost: default"],
        ),
        (
            &format!("[default]\n{process}"),
            keys("default"),
            &["programs with profile default use the keys in"],
        ),
        (
            "[default]\ncredential_process = /bin/sh -c SECRET\n",
            String::new(),
            &["the credential_process of another program"],
        ),
        (
            "[default]\ncredential_process = SECRET\n",
            String::new(),
            &["can execute no such program"],
        ),
        (
            &format!("{own}sso_account_id = 1\n"),
            String::new(),
            &["programs with profile t get no credentials", "sso_role_name is missing"],
        ),
        (
            &format!("{own}login_session = x\n"),
            String::new(),
            &["use an interactive login"],
        ),
        (
            &format!("{own}[default]\nrole_arn = x\nsource_profile = t\n"),
            String::new(),
            &["ok    AWS files"],
        ),
        (
            &format!("[t]\n{process}"),
            String::new(),
            &["config, line 1: the section is no profile", "[profile NAME]"],
        ),
        (
            own,
            format!("[profile t]\n{KEYS}"),
            &["in the credentials file the word profile becomes a part of the name"],
        ),
        (
            &format!("[Default]\n{process}"),
            String::new(),
            &["is written in small letters"],
        ),
        (
            "[profile t]\ncredentials_process = SECRET\n",
            String::new(),
            &["is credential_process meant?"],
        ),
        (
            "[profile t]\nCREDENTIAL_PROCESS = HOME/gatepost credentials\n",
            String::new(),
            &["the SDK for JavaScript does not know"],
        ),
        (
            &format!("\u{feff}{own}"),
            String::new(),
            &["begins with a byte order mark: the AWS CLI and boto3 stop there"],
        ),
        (
            &format!("{own}{own}"),
            String::new(),
            &["config, line 3: a section is there for the second time"],
        ),
        (
            &format!("{own}SECRET\n"),
            String::new(),
            &["config, line 3: a line is neither a section nor a setting"],
        ),
        (
            own,
            "SECRET\n".to_owned(),
            &["credentials, line 1: a line stands before the first section"],
        ),
        (&own.replace('\n', "\r\n"), String::new(), &["ok    AWS files"]),
    ] {
        let text = Home::new(config, &credentials).report();
        for words in words {
            assert!(text.contains(words), "{config:?} {credentials:?}: {text}");
        }
    }
}
