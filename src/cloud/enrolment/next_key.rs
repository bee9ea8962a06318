//! The key of the next certificate, where each certificate gets a new key (`enrolment.renew-key = "new"`).
//!
//! Two labels take turns. The key that is free is made for the next certificate, after a record says so: a power cut between any two
//! steps leaves a state from which the same key is used, and never a third one made. A key whose certificate AWS has accepted is never used
//! again and never deleted: while it is there, the certificate is renewed with the key in use, and the status says why.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::record::StoredProblem;
use crate::cloud::state_file::StateFile;
use crate::problem::Problem;

/// The record of a key that has no certificate yet, or of why there is none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct NextKeyRecord {
    /// The URI of the key that gatepost is making or has made; empty if there is none.
    pub(super) uri: String,
    /// The public key (SubjectPublicKeyInfo in hex), once it is made.
    pub(super) key_info: Option<String>,
    /// The signing request for it in PEM, which is repeated as it is.
    pub(super) request: Option<String>,
    /// Why the last renewal kept the key.
    pub(super) obstacle: Option<StoredProblem>,
}

/// The next step towards a key for the next certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plan {
    /// The label is free: record the intention, then make the key.
    Generate,
    /// The key was made for this and has no certificate that AWS has accepted.
    Use,
    /// The key has had a certificate that AWS has accepted, or was not made by gatepost.
    Occupied,
}

/// The file of the record.
pub(super) type NextKeyFile = StateFile<NextKeyRecord>;

/// Names the file of the record.
pub(super) fn next_key_file(path: PathBuf) -> NextKeyFile {
    StateFile::new(
        path,
        "enrolment",
        "after a restart a key that was made for the next certificate counts as one that was used",
    )
}

impl NextKeyRecord {
    /// Says that a key is about to be made.
    pub(super) fn intention(uri: &str) -> Self {
        Self {
            uri: uri.to_owned(),
            key_info: None,
            request: None,
            obstacle: None,
        }
    }

    /// Says that the key was made.
    pub(super) fn made(self, key_info: &[u8]) -> Self {
        Self {
            key_info: Some(hex(key_info)),
            obstacle: None,
            ..self
        }
    }

    /// Says why the key was kept, and that none is being made.
    pub(super) fn kept(problem: &Problem) -> Self {
        Self {
            obstacle: Some(StoredProblem::from(problem)),
            ..Self::intention("")
        }
    }
}

/// Decides from the record, and from the key that is in the token at this URI, if there is one.
pub(super) fn plan(record: Option<&NextKeyRecord>, uri: &str, found: Option<&[u8]>) -> Plan {
    let record = record.filter(|record| record.uri == uri);
    match (record, found) {
        (_, None) => Plan::Generate,
        (Some(record), Some(found)) if record.key_info.as_ref().is_none_or(|known| *known == hex(found)) => Plan::Use,
        (_, Some(_)) => Plan::Occupied,
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const URI: &str = "pkcs11:object=device-2";

    #[test]
    fn promise_11_every_state_that_a_power_cut_leaves_makes_one_key_and_no_third() {
        let intention = NextKeyRecord::intention(URI);
        let made = intention.clone().made(b"new");
        let with_request = NextKeyRecord {
            request: Some("pem".to_owned()),
            ..made.clone()
        };
        let other_label = NextKeyRecord::intention("pkcs11:object=device").made(b"new");
        let kept = NextKeyRecord::kept(&Problem::configuration("it is write-protected"));
        for (state, record, found, expected) in [
            ("nothing was begun", None, None, Plan::Generate),
            (
                "the intention is on disk, and no key was made",
                Some(&intention),
                None,
                Plan::Generate,
            ),
            (
                "the key was made, and the record was not written",
                Some(&intention),
                Some("new"),
                Plan::Use,
            ),
            ("the key is on record", Some(&made), Some("new"), Plan::Use),
            ("the request is on record", Some(&with_request), Some("new"), Plan::Use),
            (
                "the certificate is in its place, the record is gone",
                None,
                Some("new"),
                Plan::Occupied,
            ),
            (
                "the key of the certificate before the last is still there",
                None,
                Some("old"),
                Plan::Occupied,
            ),
            ("the key on record was deleted", Some(&made), None, Plan::Generate),
            (
                "another key has the label of the one on record",
                Some(&made),
                Some("other"),
                Plan::Occupied,
            ),
            (
                "the record is about the other label",
                Some(&other_label),
                Some("old"),
                Plan::Occupied,
            ),
            (
                "the record is about the other label, this one is free",
                Some(&other_label),
                None,
                Plan::Generate,
            ),
            (
                "the key was kept, and the old one is still there",
                Some(&kept),
                Some("old"),
                Plan::Occupied,
            ),
            (
                "the key was kept, and the old one was deleted",
                Some(&kept),
                None,
                Plan::Generate,
            ),
        ] {
            assert_eq!(plan(record, URI, found.map(str::as_bytes)), expected, "{state}");
        }
    }

    #[test]
    fn a_record_is_read_as_it_was_written_and_a_damaged_one_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("next-key.json");
        let file = next_key_file(path.clone());
        assert_eq!(file.read(), None);
        let kept = NextKeyRecord::kept(&Problem::configuration("why").next("do it"));
        for record in [
            NextKeyRecord::intention(URI),
            NextKeyRecord::intention(URI).made(b"new"),
            kept,
        ] {
            file.write(&record);
            assert_eq!(file.read(), Some(record));
        }
        for damaged in ["", "{", "[]", "{\"uri\":\"x\"}x", "{\"uri\":7}"] {
            std::fs::write(&path, damaged).unwrap();
            assert_eq!(file.read(), None, "{damaged}");
        }
    }
}
