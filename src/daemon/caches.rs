//! The caches of credentials and of tokens for services outside AWS, and which of them the cloud thread requests.

use std::os::fd::OwnedFd;

use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

use crate::clock::Clock;
use crate::config::Config;
use crate::credentials::{AliasChanges, CredentialCacheEditor, WebTokenChanges};
use crate::status::StatusHub;
use crate::systemd::FdStore;

/// The caches, and the channels by which the cloud thread learns what to request.
pub(super) struct Caches {
    pub(super) editor: CredentialCacheEditor,
    pub(super) fd_store: FdStore,
    pub(super) alias_sender: UnboundedSender<AliasChanges>,
    pub(super) alias_changes: UnboundedReceiver<AliasChanges>,
    pub(super) web_token_sender: UnboundedSender<WebTokenChanges>,
    pub(super) web_token_changes: UnboundedReceiver<WebTokenChanges>,
}

impl Caches {
    /// Creates the caches for the configured role aliases and audiences, and fills them from `stored`, descriptors with the credentials
    /// of the previous run.
    pub(super) fn new(config: &Config, hub: &StatusHub, stored: Vec<(String, OwnedFd)>, clock: &dyn Clock) -> Self {
        let editor = CredentialCacheEditor::new(hub.clone());
        let names = config.role_aliases.iter().map(|alias| alias.name.as_str());
        let aliases = editor.set(names, config.default_alias());
        let fd_store = FdStore::take_over(stored, config, &aliases.added, clock);
        // The receivers exist, so sending cannot fail.
        let (web_token_sender, web_token_changes) = mpsc::unbounded_channel();
        let _ = web_token_sender.send(editor.set_audiences(config.audiences()));
        let (alias_sender, alias_changes) = mpsc::unbounded_channel();
        let _ = alias_sender.send(aliases);
        Self {
            editor,
            fd_store,
            alias_sender,
            alias_changes,
            web_token_sender,
            web_token_changes,
        }
    }
}
