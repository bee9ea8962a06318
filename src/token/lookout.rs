//! When a token that cannot be used yet is looked at again.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Duration;

/// How long to wait before looking again for a token that is not there.
pub(super) const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// Each look that needed a login is one more for the token: after this many the waits grow.
const PATIENT_LOOKS: u32 = 6;
/// The longest wait between two such looks.
const LONGEST: Duration = Duration::from_secs(300);

/// The waits between looks at a token.
///
/// A token that is not there is looked for at the same pace, which costs nothing. One that was logged in to, and has no usable
/// key, is left alone for longer and longer, because a TPM needs a second for a login. A key may become usable with a
/// certificate, so a change of the certificate file ends the wait.
#[derive(Debug, Default)]
pub(super) struct Lookout {
    logins: u32,
    /// The certificate file at the last look that needed a login.
    certificate: Option<FileStamp>,
}

/// Attributes that change with the content of a file.
#[derive(Debug, Default, PartialEq, Eq)]
struct FileStamp(Option<(u64, u64, i64, i64)>);

impl FileStamp {
    fn of(path: &Path) -> Self {
        let found = fs::metadata(path).ok();
        Self(found.map(|found| (found.ino(), found.size(), found.mtime(), found.mtime_nsec())))
    }
}

impl Lookout {
    /// The wait before the next look. `has_logged_in` is whether the last one came as far as a login.
    pub(super) fn next_wait(&mut self, has_logged_in: bool, certificate: &Path) -> Duration {
        if !has_logged_in {
            *self = Self::default();
            return LOOK_AGAIN;
        }
        self.certificate = Some(FileStamp::of(certificate));
        self.logins = self.logins.saturating_add(1);
        let doublings = self.logins.saturating_sub(PATIENT_LOOKS).min(16);
        LOOK_AGAIN.saturating_mul(1 << doublings).min(LONGEST)
    }

    /// Whether the certificate file has changed since the last look that needed a login.
    pub(super) fn has_news(&self, certificate: &Path) -> bool {
        self.certificate
            .as_ref()
            .is_some_and(|known| *known != FileStamp::of(certificate))
    }

    /// Takes a token that was opened into account.
    pub(super) fn opened(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(lookout: &mut Lookout, has_logged_in: bool, looks: usize) -> Vec<u64> {
        let nowhere = Path::new("/nowhere/device.pem");
        (0..looks)
            .map(|_| lookout.next_wait(has_logged_in, nowhere).as_secs())
            .collect()
    }

    #[test]
    fn looks_that_need_a_login_become_rare_and_others_do_not() {
        let mut lookout = Lookout::default();
        assert_eq!(seconds(&mut lookout, false, 100), [5; 100]);
        let waits = seconds(&mut lookout, true, 40);
        assert_eq!(waits[..12], [5, 5, 5, 5, 5, 5, 10, 20, 40, 80, 160, 300]);
        assert_eq!(waits[12..], [300; 28]);
        // Away and back: it may be another token.
        assert_eq!(seconds(&mut lookout, false, 1), [5]);
        assert_eq!(seconds(&mut lookout, true, 7), [5, 5, 5, 5, 5, 5, 10]);
        lookout.opened();
        assert_eq!(seconds(&mut lookout, true, 1), [5]);
    }

    #[test]
    fn a_change_of_the_certificate_file_is_news_only_where_it_could_help() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("device.pem");
        let mut lookout = Lookout::default();
        assert!(!lookout.has_news(&path));
        lookout.next_wait(true, &path);
        assert!(!lookout.has_news(&path));
        fs::write(&path, "a certificate").unwrap();
        assert!(lookout.has_news(&path));
        lookout.next_wait(true, &path);
        assert!(!lookout.has_news(&path));
        fs::write(&path, "another certificate").unwrap();
        assert!(lookout.has_news(&path));
        lookout.next_wait(false, &path);
        fs::remove_file(&path).unwrap();
        assert!(!lookout.has_news(&path));
    }
}
