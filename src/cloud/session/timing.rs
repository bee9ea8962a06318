//! Intervals that several parts of the session share.

use std::time::Duration;

/// Minimum time between two CONNECTs: AWS IoT accepts one per second and client ID (quotas, "Connect requests per second per
/// client ID").
pub(in crate::cloud) const CONNECT_INTERVAL: Duration = Duration::from_secs(1);
/// Minimum time between a CONNECT and one that an operator requests: just-in-time provisioning accepts one in ten seconds per
/// client ID.
pub(super) const RETRY_INTERVAL: Duration = Duration::from_secs(10);
/// A connection that has lasted this long counts as stable, so the backoff is reset.
pub(super) const STABLE: Duration = Duration::from_secs(30);
/// Time for the last presence message and DISCONNECT.
pub(in crate::cloud) const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);
