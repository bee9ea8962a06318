//! Lines of the journal that a program can cause as fast as it likes.

pub(super) use crate::log_limiter::LogLimiter as Few;
