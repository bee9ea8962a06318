//! What every answer is made from.

use std::cell::RefCell;
use std::time::Duration;

use super::access::Access;
use super::audit::Audit;
use super::loopback::Loopback;
use super::pace::Pace;
use super::tally::Tally;
use crate::clock::SharedClock;
use crate::credentials::Shelf;
use crate::status::Board;

/// The local wing's view of the house: snapshots only, nothing that could be waited for.
#[derive(Debug)]
pub struct Shared {
    /// The clock that credentials age by.
    pub clock: SharedClock,
    /// When the daemon started, by the boottime clock.
    pub started: Duration,
    /// Every part's state.
    pub board: Board,
    /// Every alias's credentials.
    pub shelf: Shelf,
    /// Who may have what; replaced as a whole when the configuration is read again.
    pub access: RefCell<Access>,
    /// The loopback listener, if it is configured.
    pub loopback: Option<Loopback>,
    /// How often each caller may ask.
    pub pace: Pace,
    /// How requests were answered.
    pub tally: Tally,
    /// Where each decision is noted.
    pub audit: Audit,
}
