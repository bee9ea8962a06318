//! `gatepost.toml` and its drop-ins: any files result in a configuration or in readable findings.

#![no_main]

use std::fs;
use std::path::Path;

use gatepost::config::{self, Changes};
use libfuzzer_sys::fuzz_target;

thread_local! {
    static FOLDER: tempfile::TempDir = fuzz::folder();
}

fuzz_target!(|input: &[u8]| {
    let parts = fuzz::parts(input);
    if parts.len() > 5 {
        return;
    }
    FOLDER.with(|folder| {
        let main = write(folder.path(), &parts);
        let folders = fuzz::folders(folder.path());
        match config::load(&main, &folders) {
            Ok(config) => {
                let again = config::load(&main, &folders).expect("the same files are the same configuration");
                assert!(Changes::between(&config, &again).is_empty());
                assert_eq!(config.access, again.access);
                // An empty drop-in changes nothing.
                fs::write(folder.path().join("conf.d/99-empty.toml"), "").expect("a file");
                let with_empty = config::load(&main, &folders).expect("an empty file is no fault");
                assert!(Changes::between(&config, &with_empty).is_empty());
                assert_eq!(config.access, with_empty.access);
                assert!(
                    config
                        .default_alias()
                        .is_none_or(|alias| { config.role_aliases.iter().any(|known| known.name == alias) })
                );
            }
            Err(findings) => {
                let findings = findings.to_string();
                fuzz::assert_readable(&findings);
                assert!(!findings.is_empty());
            }
        }
    });
});

/// Writes the parts to files: the first one is the main file, each further one a drop-in.
fn write(folder: &Path, parts: &[&[u8]]) -> std::path::PathBuf {
    let drop_ins = folder.join("conf.d");
    let _ = fs::remove_dir_all(&drop_ins);
    fs::create_dir_all(&drop_ins).expect("a folder");
    for (index, part) in parts.iter().skip(1).enumerate() {
        fs::write(drop_ins.join(format!("{index}.toml")), part).expect("a file");
    }
    let main = folder.join("gatepost.toml");
    fs::write(&main, parts[0]).expect("a file");
    main
}
