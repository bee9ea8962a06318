//! The client of an MQTT session: its identity, and its name in messages.

use std::rc::Rc;

use super::registry::ClientKey;
use crate::local::caller::Caller;
use crate::local::context::ApiContext;

/// An identified client of the listener.
#[derive(Clone)]
pub(super) struct Principal {
    pub(super) context: Rc<ApiContext>,
    pub(super) caller: Caller,
    /// The account that other limits apply to.
    pub(super) reader: Rc<str>,
    pub(super) key: Rc<ClientKey>,
    /// The client's name in messages.
    pub(super) name: Rc<str>,
    /// This gateway's thing name when the client connected.
    pub(super) connected_thing: String,
}

impl Principal {
    /// Returns the current thing name.
    pub(super) fn thing(&self) -> String {
        let known = self.context.thing_name.known();
        known.unwrap_or_else(|| self.connected_thing.clone())
    }
}
