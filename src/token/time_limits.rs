//! Time limits of the operations of the token.

use std::time::Duration;

/// Time limit of a signature, and of everything else that has no limit of its own. The slowest TPMs of Chrome's study take 600 ms for a
/// signature, and several may queue.
pub(super) const OPERATION_TIMEOUT: Duration = Duration::from_secs(30);
/// Time limit of opening the token. It is longer than for a signature, because a restart in the middle of a login counts against a TPM's
/// dictionary lockout.
pub(super) const OPEN_TIMEOUT: Duration = Duration::from_secs(120);
/// Time limit of generating a key. A TPM searches for the primes of an RSA key itself, which usually takes seconds and at
/// worst minutes, and starts over if it is interrupted.
pub(super) const GENERATION_TIMEOUT: Duration = Duration::from_secs(600);
/// Time limit of closing the token at shutdown. A thread that is stuck in the hardware does not answer at all.
pub(super) const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);
