//! Finds the next step on a machine where gatepost is installed and has never run.
//!
//! After an installation nothing runs, because nothing is configured, and `inactive (dead)` does not say what to do about it. The files
//! that exist show which steps the administrator has done.

use std::fs;
use std::path::Path;

const UNIT: &str = "usr/lib/systemd/system/gatepost.service";
const CONFIGURATION: &str = "etc/gatepost/gatepost.toml";
/// The drop-in that `gatepost-tpm-setup` creates last.
const TPM_IS_READY: &str = "etc/systemd/system/gatepost.service.d/gatepost-tpm.conf";
/// The links that `systemctl enable` creates.
const ENABLED: [&str; 2] = [
    "etc/systemd/system/multi-user.target.wants/gatepost.service",
    "etc/systemd/system/sockets.target.wants/gatepost.socket",
];
/// The placeholder for the prefix of the account's endpoints in the sample.
const PLACEHOLDER: &str = "PREFIX";

/// Returns the commands that remain to be run, below `root`; `None` if the package is not installed, or nothing remains.
pub(crate) fn next_steps(root: &Path) -> Option<String> {
    let exists = |name: &str| fs::symlink_metadata(root.join(name)).is_ok();
    if !exists(UNIT) || ENABLED.iter().any(|name| exists(name)) {
        return None;
    }
    let configured = is_configured(&root.join(CONFIGURATION));
    let mut lines = vec!["gatepost is installed and was not started yet. Next:".to_owned()];
    // A token other than a TPM needs a configuration and no drop-in.
    if !configured && !exists(TPM_IS_READY) {
        lines.push(
            "  sudo gatepost-tpm-setup                    (a key in the TPM; another token: see the guide)".to_owned(),
        );
    }
    if !configured {
        lines.push(
            "  sudo editor /etc/gatepost/gatepost.toml    (the endpoints, the fleet's CA, whom to serve)".to_owned(),
        );
    }
    lines.push("  sudo gatepostd --check-config".to_owned());
    lines.push("  sudo systemctl enable --now gatepost".to_owned());
    lines.push("The guide is /usr/share/doc/gatepost/install.md; see also: man gatepostd".to_owned());
    Some(lines.join("\n"))
}

/// Returns whether the file contains no placeholder. A file that cannot be read has been edited by its administrator.
fn is_configured(path: &Path) -> bool {
    match fs::read_to_string(path) {
        Ok(text) => !text
            .lines()
            .any(|line| !line.trim_start().starts_with('#') && line.contains(PLACEHOLDER)),
        Err(error) => error.kind() != std::io::ErrorKind::NotFound,
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    const SAMPLE: &str = include_str!("../../../config/gatepost.toml");
    const EDITED: &str =
        "# mqtt-endpoint = \"PREFIX-ats...\"\n[aws]\nmqtt-endpoint = \"a1-ats.iot.us-east-2.amazonaws.com\"\n";

    struct Root(PathBuf);

    impl Root {
        fn new(name: &str, files: &[(&str, &str)]) -> Self {
            let path = std::env::temp_dir().join(format!("gatepost-first-steps-{}-{name}", std::process::id()));
            for (file, text) in files {
                let file = path.join(file);
                fs::create_dir_all(file.parent().unwrap()).unwrap();
                fs::write(file, text).unwrap();
            }
            Self(path)
        }
    }

    impl Drop for Root {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn completed_steps_are_not_named_again() {
        let (tpm, editor, check, enable) = ("gatepost-tpm-setup", "sudo editor", "--check-config", "enable --now");
        let unit = (UNIT, "");
        let all = [tpm, editor, check, enable];
        for (name, files, expected) in [
            ("nothing", vec![], None),
            ("no-unit", vec![(CONFIGURATION, SAMPLE)], None),
            ("installed", vec![unit, (CONFIGURATION, SAMPLE)], Some(&all[..])),
            ("no-file", vec![unit], Some(&all[..])),
            (
                "tpm",
                vec![unit, (CONFIGURATION, SAMPLE), (TPM_IS_READY, "")],
                Some(&all[1..]),
            ),
            (
                "edited",
                vec![unit, (CONFIGURATION, EDITED), (TPM_IS_READY, "")],
                Some(&all[2..]),
            ),
            ("other-token", vec![unit, (CONFIGURATION, EDITED)], Some(&all[2..])),
            ("latin-1", vec![unit, (CONFIGURATION, "")], Some(&all[2..])),
            ("enabled", vec![unit, (CONFIGURATION, SAMPLE), (ENABLED[0], "")], None),
            ("socket", vec![unit, (CONFIGURATION, EDITED), (ENABLED[1], "")], None),
        ] {
            let root = Root::new(name, &files);
            let said = next_steps(&root.0);
            let named: Option<Vec<&str>> = said
                .as_ref()
                .map(|said| all.into_iter().filter(|step| said.contains(step)).collect());
            assert_eq!(named.as_deref(), expected, "{name}: {said:?}");
        }
    }
}
