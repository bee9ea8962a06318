//! The state that all connections share.

use std::path::PathBuf;
use std::time::Duration;

use parking_lot::Mutex;

use crate::authentication::Users;
use crate::ca::Cas;
use crate::events::Events;
use crate::options::Options;
use crate::switches::SwitchBoard;
use crate::tls::ServerIdentity;

/// The state that all connections share.
pub(crate) struct State {
    pub(crate) options: Options,
    pub(crate) cas: Mutex<Cas>,
    pub(crate) users: Users,
    pub(crate) switches: SwitchBoard,
    pub(crate) lifetime: Mutex<Duration>,
    pub(crate) events: Events,
    pub(crate) identity: ServerIdentity,
    pub(crate) bootstrap: Vec<Vec<u8>>,
    pub(crate) folder: PathBuf,
}
