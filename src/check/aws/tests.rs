mod access;
mod files;
mod variables;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::*;
use crate::config::{self, Folders};

const KEYS: &str = "aws_access_key_id = AKIASECRET\naws_secret_access_key = wJaSECRET\n";

/// Returns a configuration with the role aliases t, which is the default, and video, a loopback listener and a credentials file.
fn configuration(folder: &Path) -> Config {
    let path = folder.join("gatepost.toml");
    let file = folder.join("keys.aws");
    let text = format!(
        "aws = {{ mqtt-endpoint = \"m\", credentials-endpoint = \"c\" }}\n\
         token = {{ module = \"/m\", key = \"pkcs11:object=o\" }}\n\
         identity = {{ subject = {{ common-name = \"gw-1\" }} }}\n\
         role-alias = [{{ name = \"t\", default = true }}, {{ name = \"video\" }}]\n\
         loopback = {{ listen = \"127.0.0.1:9922\" }}\n\
         credentials-file = [{{ role-alias = \"t\", owner = \"root\", format = \"aws\", path = {file:?} }}]\n"
    );
    fs::write(&path, text).unwrap();
    config::load(&path, &Folders::from_environment()).unwrap()
}

/// A user with files and a program `gatepost`.
struct Home(tempfile::TempDir);

impl Home {
    fn new(config: &str, credentials: &str) -> Self {
        let home = Self(tempfile::tempdir().unwrap());
        fs::create_dir(home.path().join(".aws")).unwrap();
        home.write("gatepost", "#!/bin/sh\n", 0o755);
        home.write(".aws/config", config, 0o600);
        home.write(".aws/credentials", credentials, 0o600);
        home
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes a file, in which HOME stands for this folder.
    fn write(&self, name: &str, text: &str, mode: u32) {
        let path = self.path().join(name);
        fs::write(&path, text.replace("HOME", &self.path().display().to_string())).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }

    fn owner(&self) -> Owner<'_> {
        Owner {
            name: "camera",
            uid: rustix::process::geteuid().as_raw(),
            home: self.path(),
        }
    }

    fn files(&self) -> FileContents {
        AwsFiles::of_program(&Environment::default(), Some(self.path())).read()
    }

    /// Returns the report about the files.
    fn report(&self) -> String {
        let mut report = Report::default();
        check_files(&self.owner(), &self.files(), &configuration(self.path()), &mut report);
        let text = report.text();
        assert!(!text.contains("SECRET"), "{text}");
        text
    }
}

#[test]
fn requests_to_gatepost_must_be_valid() {
    let good = "profiles that use gatepost: p";
    for (call, words) in [
        ("HOME/gatepost credentials", good),
        ("HOME/gatepost credentials t", good),
        ("\"HOME/gatepost\" credentials video", good),
        ("HOME/gatepost credentials --socket /run/other.sock else", good),
        (
            "HOME/gatepost credentials otheralias",
            "asks gatepost for role alias \"otheralias\", which does not exist (configured: t, video)",
        ),
        (
            "HOME/gatepost credentials vidoe",
            "gatepost setup-profile video --profile NAME, or add a [[role-alias]]",
        ),
        ("HOME/gatepost credentials T", "role alias \"T\", which does not exist"),
        (
            "HOME/gatepost credentials 'a b'",
            "role alias \"a b\", which does not exist",
        ),
        (
            "HOME/gatepost credential t",
            "runs gatepost, and not its command credentials",
        ),
        ("HOME/gatepost", "runs gatepost, and not its command credentials"),
        ("HOME/gatepost status", "runs gatepost, and not its command credentials"),
        (
            "HOME/gatepost credentials t # mine",
            "runs gatepost, and not its command credentials",
        ),
        ("HOME/bin/gatepost credentials t", "can execute no such program"),
        ("~/gatepost credentials t", "can execute no such program"),
        ("./gatepost credentials t", "can execute no such program"),
        (
            "gatepost-of-nowhere/gatepost credentials t",
            "can execute no such program",
        ),
        ("HOME/.aws/gatepost credentials t", "can execute no such program"),
    ] {
        let text = Home::new(&format!("[profile p]\ncredential_process = {call}\n"), "").report();
        assert!(text.contains(words), "{call}: {text}");
        assert_eq!(text.contains("ok    AWS files"), words == good, "{call}: {text}");
    }
}

#[test]
fn files_that_others_can_change_or_read_are_named() {
    let keys = format!("[x]\n{KEYS}");
    for (mode, text, words) in [
        (0o600, keys.as_str(), "ok    AWS files"),
        (0o640, keys.as_str(), "ok    AWS files"),
        (0o644, keys.as_str(), "has keys, and every user can read it"),
        (0o644, "[x]\nregion = x\n", "ok    AWS files"),
        (0o620, "", "can be changed by others"),
        (0o602, "", "can be changed by others"),
    ] {
        let home = Home::new("", "");
        home.write(".aws/credentials", text, mode);
        assert!(home.report().contains(words), "{mode:o}: {}", home.report());
    }
    let home = Home::new("", "");
    let stranger = Owner {
        uid: u32::MAX - 1,
        ..home.owner()
    };
    let mut report = Report::default();
    check_files(&stranger, &home.files(), &configuration(home.path()), &mut report);
    // Files of root's are good for everybody.
    let is_root = rustix::process::geteuid().is_root();
    assert_eq!(
        report.text().contains("belongs to another user"),
        !is_root,
        "{}",
        report.text()
    );
    let home = Home::new("", "");
    fs::remove_file(home.path().join(".aws/credentials")).unwrap();
    fs::create_dir(home.path().join(".aws/credentials")).unwrap();
    assert!(
        home.report().contains("credentials cannot be read: it is not a file"),
        "{}",
        home.report()
    );
}
