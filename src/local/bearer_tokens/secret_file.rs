//! Reads a token that the administrator has chosen (`token-file` of an access rule).

use std::fs::File;
use std::io::{self, ErrorKind, Read as _};
use std::ops::RangeInclusive;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use nix::libc::{O_NOCTTY, O_NONBLOCK};
use zeroize::Zeroizing;

use crate::foreign_text::clean;
use crate::problem::Problem;
use crate::secret::SecretString;
use crate::user_accounts::name_in_message;

/// Permitted length of a token. 32 hexadecimal digits are 128 bits, which cannot be guessed.
const LENGTH: RangeInclusive<usize> = 32..=512;
/// Maximum size of the file. A longer one is not a token file.
const MAX_SIZE: u64 = 4096;
/// Forbidden mode bits: writable by the group or by every user, or readable by every user.
const FORBIDDEN_MODE: u32 = 0o026;

/// Reads the token at `path`. A final line end is not part of it.
///
/// # Errors
/// If the file or its content is not acceptable. The problem never repeats the content.
pub fn read(path: &Path) -> Result<SecretString, Problem> {
    let name = path.display();
    let problem = |cause: String, step: String| Problem::configuration(format!("{name} {cause}")).next(step);
    let unreadable = |error: io::Error| match error.kind() {
        ErrorKind::NotFound => problem("does not exist".to_owned(), creation_step(path)),
        ErrorKind::PermissionDenied => {
            let step = format!(
                "give it to the user of the service, and see that the folders above it can be entered: {}",
                give_token_file_to(&own_user_name(), path)
            );
            problem("cannot be read: permission denied".to_owned(), step).caused_by(&error)
        }
        _ => problem(
            format!("cannot be read: {}", clean(error)),
            "look at the file and its file system".to_owned(),
        ),
    };
    let mut file = File::options()
        .read(true)
        // Neither blocks on a pipe nor makes a terminal the controlling one.
        .custom_flags(O_NONBLOCK | O_NOCTTY)
        .open(path)
        .map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    let own = rustix::process::geteuid().as_raw();
    check_metadata(path, metadata.is_file(), metadata.uid(), own, metadata.mode())
        .map_err(|(cause, step)| problem(cause, step))?;
    let mut content = Zeroizing::new(Vec::with_capacity(usize::try_from(MAX_SIZE).unwrap_or(0) + 1));
    let mut limited = (&mut file).take(MAX_SIZE);
    limited.read_to_end(&mut content).map_err(unreadable)?;
    parse_token(&content).map_err(|cause| problem(cause, creation_step(path)))
}

/// Returns the commands that write a new token.
fn creation_step(path: &Path) -> String {
    let word = shell_word(path);
    format!(
        "write a token into it: (umask 077; openssl rand -hex 32 > {word}); {}",
        give_token_file_to(&own_user_name(), path)
    )
}

/// Returns the commands that let only the service's user read a token file.
pub fn give_token_file_to(user: &str, path: &Path) -> String {
    let word = shell_word(path);
    format!("chown root:{user} {word} && chmod 0640 {word}")
}

/// Returns the effective user as an argument of chown.
fn own_user_name() -> String {
    let uid = nix::unistd::Uid::effective();
    let user = nix::unistd::User::from_uid(uid).ok().flatten();
    user.map_or_else(|| uid.to_string(), |user| user.name)
}

/// Quotes the path as one word of a shell command.
fn shell_word(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "/._-+@%:,".contains(letter);
    match text.chars().all(is_plain) {
        true => text,
        false => format!("'{}'", text.replace('\'', "'\\''")),
    }
}

/// Checks that no other user could have written the file, and that not every user can read it. The error is cause and next
/// step.
fn check_metadata(path: &Path, is_file: bool, owner: u32, own: u32, mode: u32) -> Result<(), (String, String)> {
    if !is_file {
        let step = "name a file that holds nothing but the token".to_owned();
        return Err(("is not a regular file".to_owned(), step));
    }
    if owner != 0 && owner != own {
        let cause = format!(
            "belongs to {}, and must belong to root or to gatepost's user",
            name_in_message(owner)
        );
        return Err((cause, give_token_file_to(&own_user_name(), path)));
    }
    match mode & FORBIDDEN_MODE {
        0 => Ok(()),
        _ => Err((
            format!(
                "is open to others (mode {:04o}): nobody but its owner may write it, and not every user read it",
                mode & 0o7777
            ),
            format!("chmod 0640 {}", shell_word(path)),
        )),
    }
}

/// Checks the content of a token file. The error never repeats it.
fn parse_token(content: &[u8]) -> Result<SecretString, String> {
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
        // HTTP header fields and MQTT passwords can carry these characters.
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
            let outcome = parse_token(content.as_bytes());
            assert_eq!(outcome.is_ok(), fits, "{content:?}");
            match outcome {
                Ok(token) => assert_eq!(token.expose_secret(), content.trim_end()),
                Err(why) => assert!(!why.contains("0123"), "{why}"),
            }
        }
        assert!(parse_token(b"\xff0123456789abcdef0123456789ABCDEF").is_err());
    }

    #[test]
    fn owner_and_mode_are_checked() {
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
            let path = Path::new("/etc/gatepost/camera.token");
            assert_eq!(
                check_metadata(path, is_file, owner, own, mode).is_ok(),
                fits,
                "{owner} {mode:o}"
            );
        }
    }

    #[test]
    fn a_file_is_read_or_its_fault_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let why = |path: &Path| read(path).unwrap_err().to_string();
        assert!(why(&path).contains("does not exist; next: write a token into it: "));
        assert!(why(folder.path()).contains("is not a regular file; next: name a file"));
        std::fs::write(&path, "0123456789abcdef0123456789abcdef\n").unwrap();
        let mode = |mode| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        mode(0o644);
        assert!(why(&path).contains("is open to others (mode 0644)"));
        assert!(
            why(&path).ends_with(&format!("; next: chmod 0640 {}", path.display())),
            "{}",
            why(&path)
        );
        mode(0o640);
        assert_eq!(read(&path).unwrap().expose_secret(), "0123456789abcdef0123456789abcdef");
    }

    #[test]
    fn a_path_in_a_next_step_is_one_word_of_a_shell() {
        for (path, word) in [
            ("/etc/gatepost/camera.token", "/etc/gatepost/camera.token"),
            ("/srv/gate post/x", "'/srv/gate post/x'"),
            ("/srv/$(reboot)", "'/srv/$(reboot)'"),
            ("/srv/a'b", "'/srv/a'\\''b'"),
            ("/srv/a;b", "'/srv/a;b'"),
            ("/srv/*", "'/srv/*'"),
        ] {
            assert_eq!(shell_word(Path::new(path)), word);
        }
    }
}
