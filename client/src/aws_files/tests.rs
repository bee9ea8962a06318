use std::os::unix::fs::{PermissionsExt, symlink};

use super::sources::sources_in;
use super::*;

/// Returns setting, profile and line of each source as one text.
fn found(text: &str, kind: Kind) -> String {
    let sources = sources_in(Path::new("f"), text.as_bytes(), kind);
    let shown = sources
        .iter()
        .map(|source| format!("{}:{}:{}", source.profile, source.setting, source.line));
    shown.collect::<Vec<_>>().join(" ")
}

#[test]
fn keys_are_found_however_the_file_is_written() {
    for (text, expected) in [
        ("", ""),
        ("[t]\naws_access_key_id = A\n", "t:aws_access_key_id:2"),
        ("[t]\r\naws_access_key_id=A\r\nregion=x\r\n", "t:aws_access_key_id:2"),
        ("[t]\raws_access_key_id=A\r", "t:aws_access_key_id:1"),
        ("\u{feff}[t]\naws_access_key_id=A", "t:aws_access_key_id:2"),
        ("[t]\nAWS_Access_Key_ID\t=\tA\n", "t:aws_access_key_id:2"),
        ("[t]\naws_access_key_id:A\n", "t:aws_access_key_id:2"),
        ("[t]\n  aws_access_key_id = A\n", "t:aws_access_key_id:2"),
        (
            "[t]\n\n; c\n# [x]\naws_access_key_id = A # mine\n",
            "t:aws_access_key_id:5",
        ),
        ("[t] # c\naws_access_key_id =\n", "t:aws_access_key_id:2"),
        ("  [ t ]\naws_access_key_id = A\n", "t:aws_access_key_id:2"),
        ("[\"t\"]\naws_access_key_id = A\n", "t:aws_access_key_id:2"),
        ("[a]\nregion = x\n[t]\nrole_arn = A\n", "t:role_arn:4"),
        ("[t]\nregion = x\n[a]\n[t]\nsso_session = A\n", "t:sso_session:5"),
        ("[t]\n#aws_access_key_id = A\n;aws_access_key_id = A\n", ""),
        ("[t]\n # aws_access_key_id = A\n", ""),
        ("[t]\ns3 =\n  aws_access_key_id = A\n", ""),
        ("[t]\naws_access_key_id_old = A\nx_aws_access_key_id = A\n", ""),
        ("aws_access_key_id = A\n[t]\nregion = x\n", ""),
        ("[t\naws_access_key_id = A\n", "t:aws_access_key_id:2"),
        ("[t]\naws_access_key_id\n", ""),
        ("[T]\naws_access_key_id = A\n", "T:aws_access_key_id:2"),
        ("include = other\n[include]\npath = ~/other\n[t]\nregion = x\n", ""),
        ("[profile t]\naws_access_key_id = A\n", "profile t:aws_access_key_id:2"),
    ] {
        assert_eq!(found(text, Kind::Credentials), expected, "{text:?}");
    }
    for (text, expected) in [
        ("[profile t]\nrole_arn = A\n", "t:role_arn:2"),
        ("[profile \"t\"]\nrole_arn = A\n", "t:role_arn:2"),
        ("[profile   't']\nrole_arn = A\n", "t:role_arn:2"),
        ("[profile\tt]\nrole_arn = A\n", "t:role_arn:2"),
        ("[t]\nrole_arn = A\n", ""),
        ("[profilet]\nrole_arn = A\n", ""),
        ("[default]\nrole_arn = A\n", "default:role_arn:2"),
        ("[profile default]\nrole_arn = A\n", "default:role_arn:2"),
        ("[sso-session t]\nsso_start_url = A\n[services t]\nrole_arn = A\n", ""),
        (
            "[profile t]\nregion = x\ncredential_process = y\n",
            "t:credential_process:3",
        ),
    ] {
        assert_eq!(found(text, Kind::Config), expected, "{text:?}");
    }
}

#[test]
fn a_file_that_cannot_be_read_is_named_and_nothing_hangs() {
    let folder = std::env::temp_dir().join(format!("gatepost-aws-files-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let path = |name: &str| folder.join(name);
    let secret = "[t]\naws_access_key_id = AKIASECRET\naws_secret_access_key = wJalrXSECRET\n";
    fs::write(path("keys"), secret).unwrap();
    symlink(path("keys"), path("link")).unwrap();
    symlink(path("nowhere"), path("dangling")).unwrap();
    fs::create_dir(path("folder")).unwrap();
    fs::write(path("binary"), b"\xff\xfe[t]\n\x00\xffaws_access_key_id = A\n").unwrap();
    fs::write(path("closed"), secret).unwrap();
    fs::set_permissions(path("closed"), fs::Permissions::from_mode(0o000)).unwrap();
    let made = std::process::Command::new("mkfifo").arg(path("pipe")).status().unwrap();
    assert!(made.success());
    for (name, sources, unread) in [
        ("keys", 2, ""),
        ("link", 2, ""),
        ("dangling", 0, ""),
        ("nowhere", 0, ""),
        ("folder", 0, "it is not a file"),
        ("pipe", 0, "it is not a file"),
        ("binary", 0, ""),
        ("keys/credentials", 0, "a part of its path is not a folder"),
    ] {
        let files = AwsFiles {
            config: None,
            credentials: Some(path(name)),
        };
        let found = files.sources();
        assert_eq!(found.sources.len(), sources, "{name}");
        assert!(found.unread.concat().contains(unread), "{name}: {:?}", found.unread);
        assert_eq!(found.unread.is_empty(), unread.is_empty(), "{name}");
        let shown = format!("{found:?}");
        assert!(!shown.contains("SECRET"), "{shown}");
    }
    match ReadFile::read(&path("closed")) {
        ReadFile::Unreadable { why, .. } => assert_eq!(why, "permission denied"),
        file => assert!(file.text().is_some(), "root may read it"),
    }
    fs::write(path("large"), vec![b'#'; 1024 * 1024 + 1]).unwrap();
    assert!(matches!(ReadFile::read(&path("large")), ReadFile::Unreadable { why, .. } if why.contains("larger")));
    assert!(matches!(
        ReadFile::read(Path::new("/dev/zero")),
        ReadFile::Unreadable { .. }
    ));
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn probable_mistakes_are_found() {
    let name = |hint: &Hint| match hint {
        Hint::NoProfile { place } => format!("no profile:{}", place.line),
        Hint::WordProfile { place } => format!("word profile:{}", place.line),
        Hint::Default { place } => format!("default:{}", place.line),
        Hint::Misspelt { place, name } => format!("{name}:{}", place.line),
        Hint::Capitals { place, name } => format!("capitals {name}:{}", place.line),
    };
    for (kind, text, expected) in [
        (Kind::Config, "[gatepost]\ncredential_process = x\n", "no profile:1"),
        (Kind::Config, "[gatepost]\nregion = x\n", "no profile:1"),
        (Kind::Config, "[gatepost]\noutput = x\n", ""),
        (Kind::Config, "[profile my gateway]\nregion = x\n", "no profile:1"),
        (Kind::Config, "[Profile t]\nregion = x\n", "no profile:1"),
        (Kind::Config, "[profile t]\nregion = x\n[default]\nregion = y\n", ""),
        (
            Kind::Config,
            "[sso-session s]\nsso_start_url = x\n[services v]\ns3 =\n  endpoint_url = x\n",
            "",
        ),
        (Kind::Config, "[Default]\nregion = x\n", "default:1"),
        (Kind::Config, "[DEFAULT]\nregion = x\n", "default:1"),
        (Kind::Credentials, "[DEFAULT]\nregion = x\n", "default:1"),
        (Kind::Credentials, "[profile t]\nregion = x\n", "word profile:1"),
        (Kind::Credentials, "[t]\naws_access_key_id = A\n", ""),
        (
            Kind::Credentials,
            "[t]\naws_access_key = A\naws_secret_key = s\n",
            "aws_access_key_id:2 aws_secret_access_key:3",
        ),
        (Kind::Credentials, "[t]\naws_acess_key_id = A\n", "aws_access_key_id:2"),
        (
            Kind::Config,
            "[profile t]\ncredentials_process = x\n",
            "credential_process:2",
        ),
        (
            Kind::Config,
            "[profile t]\ncredential-process = x\n",
            "credential_process:2",
        ),
        (
            Kind::Config,
            "[profile t]\nCredential_Process = x\n",
            "capitals credential_process:2",
        ),
        (Kind::Config, "[profile t]\nREGION = x\n", "capitals region:2"),
        (Kind::Config, "[profile t]\naws_region = x\n", "region:2"),
        (Kind::Config, "[profile t]\nsource-profile = x\n", "source_profile:2"),
        (
            Kind::Config,
            "[profile t]\noutput = json\nsso_region = x\nrole_session_name = x\ncli_pager =\ncli_history = on\nexternal_id = x\n\
             duration_seconds = 900\nmfa_serial = x\nca_bundle = x\nretry_mode = x\nsso_role_name = x\naws_account_id = x\n\
             aws_security_token = x\nsso_registration_scopes = x\nendpoint_url = x\n",
            "",
        ),
    ] {
        let text = ReadFile::Text {
            path: "f".into(),
            bytes: text.as_bytes().to_vec(),
            owner: 0,
            mode: 0o600,
        };
        let (config, credentials) = match kind {
            Kind::Config => (text, ReadFile::Absent),
            Kind::Credentials => (ReadFile::Absent, text),
        };
        let files = FileContents { config, credentials };
        let hints: Vec<String> = find_hints(&files).iter().map(name).collect();
        assert_eq!(hints.join(" "), expected);
    }
}
