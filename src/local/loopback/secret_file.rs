//! A token that the administrator has chosen: `token-file` of an access rule.

use std::fs::File;
use std::io::Read as _;
use std::ops::RangeInclusive;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use nix::libc::{O_NOCTTY, O_NONBLOCK};
use zeroize::Zeroizing;

use crate::secret::SecretString;

/// Its length. 32 characters out of 16 are 128 bits, which nobody guesses.
const LENGTH: RangeInclusive<usize> = 32..=512;
/// A file that is longer is another file.
const MAX_SIZE: u64 = 4096;
/// May be written by the group or by every user, or read by every user.
const TOO_OPEN: u32 = 0o026;

/// Reads the token at `path`. A line end after it is not part of it.
///
/// # Errors
/// With the reason, as a sentence without its content.
pub fn read(path: &Path) -> Result<SecretString, String> {
    let name = path.display();
    let mut file = File::options()
        .read(true)
        // Neither waits for the other end of a pipe nor takes a terminal for its own.
        .custom_flags(O_NONBLOCK | O_NOCTTY)
        .open(path)
        .map_err(|error| format!("{name} cannot be read: {error}; the user gatepost must be let in"))?;
    let unreadable = |error: std::io::Error| format!("{name} cannot be read: {error}");
    let found = file.metadata().map_err(unreadable)?;
    let own = rustix::process::geteuid().as_raw();
    check(found.is_file(), found.uid(), own, found.mode()).map_err(|why| format!("{name} {why}"))?;
    let mut content = Zeroizing::new(Vec::with_capacity(usize::try_from(MAX_SIZE).unwrap_or(0) + 1));
    let mut most = (&mut file).take(MAX_SIZE);
    most.read_to_end(&mut content).map_err(unreadable)?;
    token(&content).map_err(|why| format!("{name} {why}"))
}

/// The users who could have put the file there, and those who can read it.
fn check(is_file: bool, owner: u32, own: u32, mode: u32) -> Result<(), String> {
    if !is_file {
        return Err("is no regular file".into());
    }
    if owner != 0 && owner != own {
        return Err(format!(
            "belongs to uid {owner}, and must belong to root or to gatepost's user"
        ));
    }
    match mode & TOO_OPEN {
        0 => Ok(()),
        _ => Err(format!(
            "is open to others (mode {:04o}): nobody but its owner may write it, and not every user read it; chmod 0640",
            mode & 0o7777
        )),
    }
}

fn token(content: &[u8]) -> Result<SecretString, String> {
    let content = content.strip_suffix(b"\n").unwrap_or(content);
    let content = content.strip_suffix(b"\r").unwrap_or(content);
    if !LENGTH.contains(&content.len()) {
        return Err(format!(
            "holds {} characters, and a token has {} to {}",
            content.len(),
            LENGTH.start(),
            LENGTH.end()
        ));
    }
    match std::str::from_utf8(content) {
        // An HTTP header field and MQTT's password can carry these.
        Ok(text) if text.bytes().all(|byte| byte.is_ascii_graphic()) => Ok(text.to_owned().into()),
        _ => Err("holds something besides letters, digits and ASCII punctuation on one line".into()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::secret::ExposeSecret;

    #[test]
    fn a_token_is_one_line_of_visible_characters() {
        let good = "0123456789abcdef0123456789ABCDEF";
        for (content, fits) in [
            (good.to_owned(), true),
            (format!("{good}\n"), true),
            (format!("{good}\r\n"), true),
            ("x".repeat(512), true),
            (format!("{}~", "!".repeat(31)), true),
            (good[1..].to_owned(), false),
            (format!("{}\n", &good[1..]), false),
            ("x".repeat(513), false),
            (format!("{good}\n\n"), false),
            (format!("{good}\n{good}"), false),
            (format!(" {good}"), false),
            (format!("{good} "), false),
            (format!("\u{feff}{good}"), false),
            (format!("{good}\0"), false),
            (format!("ü{good}"), false),
            (String::new(), false),
        ] {
            let outcome = token(content.as_bytes());
            assert_eq!(outcome.is_ok(), fits, "{content:?}");
            match outcome {
                Ok(token) => assert_eq!(token.expose_secret(), content.trim_end()),
                Err(why) => assert!(!why.contains("0123"), "{why}"),
            }
        }
        assert!(token(b"\xff0123456789abcdef0123456789ABCDEF").is_err());
    }

    #[test]
    fn whoever_could_have_written_or_read_it_counts() {
        let (root, own, other) = (0, 990, 1000);
        for (is_file, owner, mode, fits) in [
            (true, root, 0o100_640, true),
            (true, root, 0o100_600, true),
            (true, root, 0o100_440, true),
            (true, own, 0o100_400, true),
            (true, root, 0o100_750, true),
            (true, root, 0o100_644, false),
            (true, root, 0o100_604, false),
            (true, root, 0o100_660, false),
            (true, root, 0o100_602, false),
            (true, root, 0o100_666, false),
            (true, other, 0o100_600, false),
            (false, root, 0o040_700, false),
        ] {
            assert_eq!(check(is_file, owner, own, mode).is_ok(), fits, "{owner} {mode:o}");
        }
    }

    #[test]
    fn the_file_itself_is_looked_at() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        assert!(read(&path).unwrap_err().contains("cannot be read"));
        assert!(read(folder.path()).unwrap_err().contains("is no regular file"));
        std::fs::write(&path, "0123456789abcdef0123456789abcdef\n").unwrap();
        let mode = |mode| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        mode(0o644);
        assert!(read(&path).unwrap_err().contains("is open to others (mode 0644)"));
        mode(0o640);
        assert_eq!(read(&path).unwrap().expose_secret(), "0123456789abcdef0123456789abcdef");
    }
}
