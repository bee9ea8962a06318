//! The sealed file in which credentials pass to the next run of the daemon: everything that is read from it is usable and consistent.

#![no_main]

use std::fs::File;
use std::io::Write as _;
use std::os::fd::OwnedFd;

use fuzz::FixedClock;
use gatepost::credentials::sealed_snapshot::{CurrentRun, Entry, seal, unseal};
use libfuzzer_sys::fuzz_target;
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};

const ENDPOINT: &str = "credentials.example:443";

fuzz_target!(|content: &[u8]| {
    let current_run = CurrentRun {
        endpoint: ENDPOINT.to_owned(),
        role_aliases: vec!["telemetry", "upload"],
        thing_name: content
            .first()
            .is_some_and(|byte| *byte == b'{')
            .then(|| "gw-1".to_owned()),
    };
    let clock = FixedClock::default();
    let outcomes = match unseal(sealed(content), &current_run, &clock) {
        Ok(outcomes) => outcomes,
        Err(reason) => return fuzz::assert_readable(&reason),
    };
    let mut entries = Vec::new();
    for outcome in outcomes {
        match outcome {
            Ok(entry) => entries.push(entry),
            Err(reason) => fuzz::assert_readable(&reason),
        }
    }
    for entry in &entries {
        assert!(current_run.role_aliases.contains(&entry.role_alias.as_str()));
        assert!(
            current_run
                .thing_name
                .as_deref()
                .is_none_or(|thing| thing == entry.credentials.thing_name())
        );
        assert!(entry.credentials.usable(&clock));
    }
    if entries.len() <= 20 {
        round_trip(&entries, &current_run, &clock);
    }
});

/// Asserts that entries are unchanged after sealing and reading them.
fn round_trip(entries: &[Entry], current_run: &CurrentRun, clock: &FixedClock) {
    let again = seal(entries, ENDPOINT, clock).expect("a file in memory");
    let read = unseal(again, current_run, clock).expect("our own file");
    assert_eq!(read.len(), entries.len());
    for (before, after) in entries.iter().zip(read) {
        let after = after.expect("what was usable is");
        assert_eq!(before.role_alias, after.role_alias);
        assert_eq!(before.refreshed, after.refreshed);
        assert_eq!(
            before.credentials.keys().secret_access_key(),
            after.credentials.keys().secret_access_key()
        );
        assert_eq!(
            before.credentials.keys().session_token(),
            after.credentials.keys().session_token()
        );
        assert_eq!(before.credentials.thing_name(), after.credentials.thing_name());
    }
}

fn sealed(content: &[u8]) -> OwnedFd {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let mut file = File::from(memfd_create(c"gatepost-fuzz", flags).expect("a file in memory"));
    file.write_all(content).expect("room for it");
    let seals = SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE;
    fcntl_add_seals(&file, seals).expect("seals");
    file.into()
}
