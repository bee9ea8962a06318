//! Lists owners, modes and sizes of the files that gatepost uses, but never their content.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use nix::unistd::{Gid, Group, Uid, User};

use crate::clock::rfc3339;
use crate::config::{self, Folders};
use crate::foreign_text;

/// Maximum depth of subfolders that are listed.
const DEPTH: u32 = 3;
/// Maximum number of files that are listed. A tpm2-pkcs11 store has a dozen, a SoftHSM store a few more.
const MAX_FILES: usize = 500;
/// Paths outside gatepost's folders that the package or its administrator may have created, and the TPM's devices.
const ELSEWHERE: [&str; 9] = [
    "/etc/credstore.encrypted/gatepost.pin",
    "/etc/credstore/gatepost.pin",
    "/etc/systemd/system/gatepost.service.d",
    "/etc/systemd/system/gatepost-pin@.service.d",
    "/etc/systemd/system/gatepost-enrol@.service.d",
    "/etc/apparmor.d/local/usr.sbin.gatepostd",
    "/dev/tpm0",
    "/dev/tpmrm0",
    "/usr/sbin/gatepostd",
];

/// Returns a line for each file.
pub(super) fn list(path: &Path, folders: &Folders) -> String {
    let mut lines = Vec::new();
    let mut roots: Vec<PathBuf> = path.parent().map(Path::to_owned).into_iter().collect();
    roots.extend([folders.state.clone(), folders.runtime.clone()]);
    roots.extend(named(path, folders));
    roots.extend(ELSEWHERE.map(PathBuf::from));
    for root in roots {
        add(&root, DEPTH, &mut lines);
    }
    lines.join("\n")
}

/// Returns the files that the configuration names, if it can be read.
fn named(path: &Path, folders: &Folders) -> Vec<PathBuf> {
    let Ok(config) = config::examine(path, folders) else {
        return Vec::new();
    };
    let mut named = vec![config.token.module, config.identity.certificate];
    let optional = [config.aws.root_ca, config.identity.ca_chain, config.token.pin_file];
    named.extend(optional.into_iter().flatten());
    named.extend(config.access.into_iter().filter_map(|rule| rule.token_file));
    named
}

fn add(path: &Path, depth: u32, lines: &mut Vec<String>) {
    if lines.len() == MAX_FILES {
        lines.push(format!("(no more than {MAX_FILES} files are listed)"));
    }
    if lines.len() > MAX_FILES {
        return;
    }
    let shown = foreign_text::one_line(&path.display().to_string());
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) => {
            lines.push(format!("{shown}: {}", foreign_text::clean(error)));
            return;
        }
    };
    let (uid, gid) = (found.uid(), found.gid());
    let user = User::from_uid(Uid::from_raw(uid)).ok().flatten().map(|user| user.name);
    let group = Group::from_gid(Gid::from_raw(gid))
        .ok()
        .flatten()
        .map(|group| group.name);
    let changed = found.modified().unwrap_or(SystemTime::UNIX_EPOCH);
    let target = fs::read_link(path)
        .map(|target| format!(" -> {}", target.display()))
        .unwrap_or_default();
    lines.push(format!(
        "{:06o} {}:{} {:>9} {} {shown}{}",
        found.mode(),
        user.unwrap_or_else(|| uid.to_string()),
        group.unwrap_or_else(|| gid.to_string()),
        found.size(),
        rfc3339(changed),
        foreign_text::one_line(&target)
    ));
    if !found.is_dir() || depth == 0 {
        return;
    }
    match fs::read_dir(path) {
        Ok(entries) => {
            let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
            paths.sort();
            paths.iter().for_each(|path| add(path, depth - 1, lines));
        }
        Err(error) => lines.push(format!("{shown}: cannot be listed: {}", foreign_text::clean(error))),
    }
}
