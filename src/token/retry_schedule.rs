//! Schedules the attempts to open a token that cannot be used yet.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::request::Request;

/// The wait before the next look for a missing token.
pub(super) const CHECK_INTERVAL: Duration = Duration::from_secs(5);
/// The number of attempts with a login after which the waits grow.
const FREQUENT_LOGINS: u32 = 6;
/// The longest wait between two attempts with a login.
const LONGEST: Duration = Duration::from_secs(300);

/// The waits between attempts.
///
/// A missing token is looked for at a constant rate, which costs nothing. For a token that accepts the login but has no usable
/// key, the waits grow, because a TPM takes a second for a login. A key may become usable with a certificate, so a change of
/// the certificate file ends the wait.
#[derive(Debug, Default)]
pub(super) struct RetrySchedule {
    logins: u32,
    /// The certificate file at the last attempt with a login.
    certificate: Option<FileStamp>,
}

/// The attributes that change with the content of a file.
#[derive(Debug, Default, PartialEq, Eq)]
struct FileStamp(Option<(u64, u64, i64, i64)>);

impl FileStamp {
    fn of(path: &Path) -> Self {
        let found = fs::metadata(path).ok();
        Self(found.map(|found| (found.ino(), found.size(), found.mtime(), found.mtime_nsec())))
    }
}

impl RetrySchedule {
    /// Returns the wait before the next attempt. `has_logged_in` says whether the last one included a login.
    pub(super) fn next_wait(&mut self, has_logged_in: bool, certificate: &Path) -> Duration {
        if !has_logged_in {
            *self = Self::default();
            return CHECK_INTERVAL;
        }
        self.certificate = Some(FileStamp::of(certificate));
        self.logins = self.logins.saturating_add(1);
        let doublings = self.logins.saturating_sub(FREQUENT_LOGINS).min(16);
        CHECK_INTERVAL.saturating_mul(1 << doublings).min(LONGEST)
    }

    /// Returns whether the certificate file has changed since the last attempt with a login.
    pub(super) fn certificate_has_changed(&self, certificate: &Path) -> bool {
        self.certificate
            .as_ref()
            .is_some_and(|known| *known != FileStamp::of(certificate))
    }

    /// Waits for the next request; `None` when the token is to be tried again, which is at the time `again` or when the
    /// certificate file has changed. Without a time, only a request ends the wait.
    ///
    /// # Errors
    /// If the last sender is dropped.
    pub(super) fn receive_until(
        &self,
        again: Option<Instant>,
        requests: &Receiver<Request>,
        certificate: &Path,
    ) -> Result<Option<Request>, RecvTimeoutError> {
        let Some(again) = again else {
            return requests.recv().map(Some).map_err(|_| RecvTimeoutError::Disconnected);
        };
        loop {
            let left = again.saturating_duration_since(Instant::now());
            match requests.recv_timeout(left.min(CHECK_INTERVAL)) {
                Ok(request) => return Ok(Some(request)),
                Err(RecvTimeoutError::Timeout)
                    if left <= CHECK_INTERVAL || self.certificate_has_changed(certificate) =>
                {
                    return Ok(None);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Err(RecvTimeoutError::Disconnected),
            }
        }
    }

    /// Records that the token was opened.
    pub(super) fn opened(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(retry_schedule: &mut RetrySchedule, has_logged_in: bool, looks: usize) -> Vec<u64> {
        let nowhere = Path::new("/nowhere/device.pem");
        (0..looks)
            .map(|_| retry_schedule.next_wait(has_logged_in, nowhere).as_secs())
            .collect()
    }

    #[test]
    fn only_attempts_with_a_login_become_rare() {
        let mut retry_schedule = RetrySchedule::default();
        assert_eq!(seconds(&mut retry_schedule, false, 100), [5; 100]);
        let waits = seconds(&mut retry_schedule, true, 40);
        assert_eq!(waits[..12], [5, 5, 5, 5, 5, 5, 10, 20, 40, 80, 160, 300]);
        assert_eq!(waits[12..], [300; 28]);
        // A token that was away may be another one.
        assert_eq!(seconds(&mut retry_schedule, false, 1), [5]);
        assert_eq!(seconds(&mut retry_schedule, true, 7), [5, 5, 5, 5, 5, 5, 10]);
        retry_schedule.opened();
        assert_eq!(seconds(&mut retry_schedule, true, 1), [5]);
    }

    #[test]
    fn a_change_of_the_certificate_file_counts_only_after_a_login() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("device.pem");
        let mut retry_schedule = RetrySchedule::default();
        assert!(!retry_schedule.certificate_has_changed(&path));
        retry_schedule.next_wait(true, &path);
        assert!(!retry_schedule.certificate_has_changed(&path));
        fs::write(&path, "a certificate").unwrap();
        assert!(retry_schedule.certificate_has_changed(&path));
        retry_schedule.next_wait(true, &path);
        assert!(!retry_schedule.certificate_has_changed(&path));
        fs::write(&path, "another certificate").unwrap();
        assert!(retry_schedule.certificate_has_changed(&path));
        retry_schedule.next_wait(false, &path);
        fs::remove_file(&path).unwrap();
        assert!(!retry_schedule.certificate_has_changed(&path));
    }
}
