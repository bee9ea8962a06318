//! The progress of fleet provisioning on disk: after a restart, a certificate that was created already is registered instead of creating
//! another one.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use super::claim::{self, Created};
use super::record::seconds;
use crate::cloud::state_file::StateFile;
use crate::identity::certificate_id;

/// AWS accepts an ownership token for an hour (developer guide, "Provisioning by claim"). A request that uses it must be sent before the
/// end.
const TOKEN_LIFETIME: Duration = Duration::from_secs(55 * 60);

/// The record that is kept between two attempts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Progress {
    /// The template that will register the certificate.
    pub(super) template: String,
    /// The public key that the certificate is for (SubjectPublicKeyInfo in hex).
    key_info: String,
    /// When the certificate was created, in seconds since 1970.
    created_at: u64,
    /// The certificate and its token.
    pub(super) created: Created,
    /// Whether RegisterThing was sent, so that AWS may have carried it out.
    pub(super) was_sent: bool,
    /// Whether AWS has registered the certificate.
    pub(super) is_registered: bool,
    /// The thing name in AWS's answer.
    pub(super) thing_name: Option<String>,
}

impl Progress {
    pub(super) fn new(template: &str, key_info: &[u8], created: Created, now: SystemTime) -> Self {
        Self {
            template: template.to_owned(),
            key_info: hex(key_info),
            created_at: seconds(now),
            created,
            was_sent: false,
            is_registered: false,
            thing_name: None,
        }
    }

    /// Returns whether the attempt for this template and key can continue from here. A token with a time in the future counts as too old.
    fn can_go_on(&self, template: &str, key_info: &[u8], now: SystemTime) -> bool {
        let age = seconds(now).checked_sub(self.created_at);
        let is_fresh = age.is_some_and(|age| age < TOKEN_LIFETIME.as_secs());
        self.template == template && self.key_info == hex(key_info) && (self.is_registered || is_fresh)
    }
}

/// The step with which an attempt continues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Resume {
    /// A certificate is requested.
    Create,
    /// The certificate on record is registered.
    Register,
    /// The certificate on record is registered already, and is installed.
    Install,
}

/// Decides how an attempt for this template and key continues. `installed` is the ID of the installed certificate: if that is the
/// one on record, the power was cut after it had been installed, and another one is wanted now.
pub(super) fn resume(
    record: Option<&Progress>,
    template: &str,
    key_info: &[u8],
    installed: Option<&str>,
    now: SystemTime,
) -> Resume {
    let is_installed = |progress: &Progress| {
        let certificates = claim::certificates(&progress.created.certificate_pem);
        certificates
            .iter()
            .any(|der| installed == Some(certificate_id(der).as_str()))
    };
    match record.filter(|progress| progress.can_go_on(template, key_info, now)) {
        Some(progress) if is_installed(progress) => Resume::Create,
        Some(progress) if progress.is_registered => Resume::Install,
        Some(_) => Resume::Register,
        None => Resume::Create,
    }
}

/// Returns the file that holds the progress.
pub(super) fn progress_file(path: PathBuf) -> StateFile<Progress> {
    StateFile::new(
        path,
        "enrolment",
        "after a restart AWS is asked for another certificate",
    )
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000 + seconds)
    }

    fn progress() -> Progress {
        let created = Created {
            certificate_pem: "pem".to_owned(),
            certificate_id: "id".to_owned(),
            certificate_ownership_token: "hunter2".to_owned(),
        };
        Progress::new("t", b"key", created, at(0))
    }

    #[test]
    fn promise_11_a_claim_continues_from_every_state_that_a_power_cut_leaves() {
        let pair = rcgen::KeyPair::generate().unwrap();
        let certificate = rcgen::CertificateParams::default().self_signed(&pair).unwrap();
        let id = certificate_id(certificate.der());
        let created = Created {
            certificate_pem: certificate.pem(),
            ..progress().created
        };
        let created = Progress::new("t", b"key", created, at(0));
        let sent = Progress {
            was_sent: true,
            ..created.clone()
        };
        let registered = Progress {
            is_registered: true,
            ..sent.clone()
        };
        let (hour, year) = (4000, 30_000_000);
        for (state, record, installed, now, expected) in [
            ("nothing was requested", None, None, 1, Resume::Create),
            (
                "the request for a certificate was sent, its answer was lost",
                None,
                Some("old"),
                1,
                Resume::Create,
            ),
            ("the certificate is there", Some(&created), None, 1, Resume::Register),
            (
                "the certificate is there, for a renewal",
                Some(&created),
                Some("old"),
                1,
                Resume::Register,
            ),
            ("its token is too old", Some(&created), None, hour, Resume::Create),
            (
                "RegisterThing was sent, its answer was lost",
                Some(&sent),
                Some("old"),
                1,
                Resume::Register,
            ),
            (
                "its answer was lost, and the token is too old",
                Some(&sent),
                Some("old"),
                hour,
                Resume::Create,
            ),
            (
                "it is registered, and was not installed",
                Some(&registered),
                Some("old"),
                1,
                Resume::Install,
            ),
            (
                "it was registered long ago, and was not installed",
                Some(&registered),
                None,
                year,
                Resume::Install,
            ),
            (
                "it is installed, and the record was not removed",
                Some(&registered),
                Some(&id),
                1,
                Resume::Create,
            ),
            (
                "the same, when the next renewal is due",
                Some(&registered),
                Some(&id),
                year,
                Resume::Create,
            ),
        ] {
            assert_eq!(resume(record, "t", b"key", installed, at(now)), expected, "{state}");
        }
        assert_eq!(
            resume(Some(&registered), "t", b"other", None, at(1)),
            Resume::Create,
            "another key"
        );
        assert_eq!(
            resume(Some(&registered), "u", b"key", None, at(1)),
            Resume::Create,
            "another template"
        );
    }

    #[test]
    fn only_a_fresh_token_for_the_same_request_can_go_on() {
        for (template, key, now, expected) in [
            ("t", b"key", 1, true),
            ("t", b"key", 3200, true),
            ("t", b"key", 3300, false),
            ("t", b"key", 400_000, false),
            ("u", b"key", 1, false),
            ("t", b"kez", 1, false),
        ] {
            let can_go_on = progress().can_go_on(template, key, at(now));
            assert_eq!(can_go_on, expected, "{template} {now}");
        }
        // A clock that was set back proves nothing.
        assert!(!progress().can_go_on("t", b"key", at(0) - Duration::from_secs(60)));
        let registered = Progress {
            is_registered: true,
            thing_name: Some("gw".to_owned()),
            ..progress()
        };
        assert!(registered.can_go_on("t", b"key", at(400_000)));
    }

    #[test]
    fn progress_is_read_as_it_was_written_and_its_token_is_shown_nowhere() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("claim.json");
        let file = progress_file(path.clone());
        assert_eq!(file.read(), None);
        let registered = Progress {
            is_registered: true,
            thing_name: Some("gw".to_owned()),
            ..progress()
        };
        for written in [progress(), registered] {
            file.write(&written);
            assert_eq!(file.read(), Some(written));
        }
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        for damaged in ["", "{", "[]", "{\"template\":\"t\"}"] {
            std::fs::write(&path, damaged).unwrap();
            assert_eq!(file.read(), None);
        }
        assert!(!format!("{:?}", progress()).contains("hunter2"));
    }
}
