use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;

/// Returns setting, profile and line of each source as one text.
fn found(text: &str, kind: Kind) -> String {
    let sources = sources_in(Path::new("f"), text, kind);
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
        ("folder", 0, "it is no file"),
        ("pipe", 0, "it is no file"),
        ("binary", 0, ""),
        ("keys/credentials", 0, "a part of its path is no folder"),
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
    let closed = read(&path("closed"));
    assert!(
        closed.is_ok() || said(&closed.unwrap_err()) == "permission denied",
        "root may read it"
    );
    fs::remove_dir_all(&folder).unwrap();
}
