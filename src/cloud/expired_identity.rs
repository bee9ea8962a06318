//! Replaces the identity that AWS accepted last, for the tasks that need one AWS knows, once its certificate has expired.
//!
//! The session proves a renewed certificate before other tasks use it. While the session cannot connect for other reasons (AWS is not
//! available, a long wait between two attempts), that proof may come only after the previous certificate has expired. From then on the
//! new certificate is the only one that the credentials provider can accept.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::watch;
use tokio::time::sleep;

use crate::clock::SharedClock;
use crate::identity::{Identity, IdentityReceiver};

/// Timers do not follow steps of the clock, so the time is checked again after this long.
const CHECK_INTERVAL: Duration = Duration::from_secs(600);
/// Validity is in whole seconds, so a timer must not fire within the last one.
const ROUNDING: Duration = Duration::from_secs(1);

/// Replaces expired identities as long as the daemon runs.
pub(super) async fn replace(
    accepted: watch::Sender<Option<Arc<Identity>>>,
    mut newest: IdentityReceiver,
    clock: SharedClock,
) {
    let mut known = accepted.subscribe();
    loop {
        let now = clock.aws_now();
        let end = |identity: &Option<Arc<Identity>>| identity.as_ref().map(|identity| identity.certificate.not_after);
        let (old, new) = (known.borrow_and_update().clone(), newest.borrow_and_update().clone());
        if is_due(end(&old), end(&new), now) {
            log::debug!("credentials: the certificate that AWS accepted last has expired; the newest one is used");
            accepted.send_replace(new);
            continue;
        }
        let left = end(&old).and_then(|end| end.duration_since(now).ok());
        tokio::select! {
            Ok(()) = known.changed() => {}
            Ok(()) = newest.changed() => {}
            () = sleep(left.map_or(CHECK_INTERVAL, |left| (left + ROUNDING).min(CHECK_INTERVAL))) => {}
        }
    }
}

/// Returns whether the newest certificate replaces the accepted one, by the ends of their validity.
fn is_due(accepted: Option<SystemTime>, newest: Option<SystemTime>, now: SystemTime) -> bool {
    match (accepted, newest) {
        (Some(accepted), Some(newest)) => accepted < now && newest >= now,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_expired_identity_is_replaced_and_only_by_a_valid_one() {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        for (accepted, newest, expected) in [
            (Some(99), Some(200), true),
            (Some(0), Some(100), true),
            // The proof may still come.
            (Some(100), Some(200), false),
            (Some(150), Some(200), false),
            // Both have expired, or there is no other one.
            (Some(99), Some(99), false),
            (Some(99), Some(50), false),
            (Some(99), None, false),
            // AWS has accepted none yet: just-in-time provisioning comes first.
            (None, Some(200), false),
            (None, None, false),
        ] {
            assert_eq!(
                is_due(accepted.map(at), newest.map(at), at(100)),
                expected,
                "{accepted:?} {newest:?}"
            );
        }
    }
}
