//! How long each operation of the token may take.

use std::time::Duration;

/// How long a caller waits for its signature. The slowest TPMs of Chrome's study take 600 ms; several may queue.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);
/// How long opening the token may take. It is longer than for a signature, because a restart in the middle of a login counts
/// against a TPM's dictionary lockout.
pub(super) const OPEN_PATIENCE: Duration = Duration::from_secs(120);
/// How long generating a key may take. A TPM searches for the primes of an RSA key itself, which usually takes seconds and at
/// worst minutes, and starts over if it is interrupted.
pub(super) const GENERATION_PATIENCE: Duration = Duration::from_secs(600);
/// How long closing the token may take at shutdown. A thread that is stuck in the hardware does not answer at all.
pub(super) const CLOSE_PATIENCE: Duration = Duration::from_secs(1);
