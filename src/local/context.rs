//! Holds what requests are answered from.

use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};

use super::access::{AccessDeniedError, AccessRules, Audit, Permission};
use super::caller::Caller;
use super::credentials_files::CredentialsFiles;
use super::limits::{AckWaiters, RateLimiter, RequestCounts};
use super::listeners::{AcceptStatus, Connections};
use super::loopback::LoopbackSlot;
use super::mqtt::MqttState;
use super::thing_name::ThingName;
use crate::clock::SharedClock;
use crate::credentials::CredentialCache;
use crate::log_limiter::LogLimiter;
use crate::logging::LogLevel;
use crate::messages::{Inbox, Outbox};
use crate::overview::{Overview, Snapshot};
use crate::retry::Retries;
use crate::status::{ConfigurationPhase, ReloadOutcome, StatusBoard};
use crate::token::Token;

/// The state that requests are answered from: snapshots and handles, so that reading it never waits. Nothing in it depends on
/// the protocol of a request.
#[derive(Debug)]
pub struct ApiContext {
    /// The clock that credentials age by.
    pub clock: SharedClock,
    /// The start of the daemon, by the boottime clock.
    pub started: Duration,
    /// Status of each component.
    pub board: StatusBoard,
    /// Credentials of each role alias.
    pub cache: CredentialCache,
    /// The access rules. A reload replaces all of them.
    pub access: RefCell<AccessRules>,
    /// Requests a reload of the configuration; the reply comes when it is complete.
    pub reloads: mpsc::Sender<oneshot::Sender<ReloadOutcome>>,
    /// The connections of all listeners.
    pub connections: Connections,
    /// Whether their connections are accepted.
    pub accepting: Rc<AcceptStatus>,
    /// The configuration's drop-in folder, which hints name.
    pub drop_ins: PathBuf,
    /// The loopback listener, if one is configured.
    pub loopback: LoopbackSlot,
    /// The files of credentials for programs that can only read a file.
    pub credentials_files: Rc<CredentialsFiles>,
    /// The listeners for programs that speak MQTT, and their connections.
    pub mqtt: MqttState,
    /// Messages to AWS.
    pub outbox: Outbox,
    /// Messages from AWS.
    pub inbox: Rc<Inbox>,
    /// The certificate signing request in PEM, once it is written.
    pub signing_request: watch::Receiver<Option<Arc<str>>>,
    /// The topic of presence and health with its `{thing}` placeholder. Only the daemon publishes there.
    pub presence_topic: RefCell<Option<String>>,
    /// The thing name, which replaces `{thing}`.
    pub thing_name: ThingName,
    /// Limits the request rate of each caller.
    pub rate_limiter: RateLimiter,
    /// Bounds the requests that wait for AWS's acknowledgement.
    pub ack_waiters: AckWaiters,
    /// Counts responses.
    pub request_counts: RequestCounts,
    /// Logs access decisions.
    pub audit: Audit,
    /// The log level.
    pub log_level: LogLevel,
    /// Requests immediate attempts of the cloud thread's tasks.
    pub retries: Retries,
    /// Requests an immediate look for the token.
    pub token: Token,
    /// Rate-limits the log lines about retry requests.
    pub retry_lines: RefCell<LogLimiter>,
}

impl ApiContext {
    /// Evaluates the state of the whole gateway.
    pub fn overview(&self) -> Overview {
        Overview::new(&self.snapshot())
    }

    /// Takes a snapshot of the status of each component.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot::take(&self.board, &self.cache, &*self.clock)
    }

    /// Checks that a rule grants `caller` the permission, and logs the decision. `thing` replaces `{thing}` in the rules.
    ///
    /// # Errors
    /// If no rule does. The error names the missing rule.
    pub fn authorize(&self, caller: &Caller, permission: Permission, thing: &str) -> Result<(), AccessDeniedError> {
        let access = self.access.borrow();
        let rule = access.find_rule(caller, permission, thing);
        self.audit
            .log_decision(caller, permission, rule, access.has_rule_for(caller));
        match rule {
            Some(_) => Ok(()),
            None => Err(
                AccessDeniedError::missing_rule(caller, access.accounts(), permission, thing, &self.drop_ins)
                    .remark(self.unloaded_change("access")),
            ),
        }
    }

    /// Rejects a caller to whom no rule grants any permission of this kind, before anything is waited for.
    /// [`authorize`](Self::authorize) decides about the exact permission later.
    ///
    /// # Errors
    /// If no rule does. The error names the missing rule.
    pub fn authorize_any(&self, caller: &Caller, permission: Permission) -> Result<(), AccessDeniedError> {
        if self.access.borrow().gives_any(caller, permission) {
            return Ok(());
        }
        self.authorize(caller, permission, &self.thing_name.known().unwrap_or_default())
    }

    /// Checks that the caller is root or the daemon's own user, who could do more harm than `action` does.
    ///
    /// # Errors
    /// If it is another caller.
    pub fn authorize_root(&self, caller: &Caller, action: &str) -> Result<(), AccessDeniedError> {
        match caller {
            Caller::Peer(peer) if self.rate_limiter.is_exempt(peer.uid) => Ok(()),
            _ => Err(AccessDeniedError::root_only(caller, action)),
        }
    }

    /// Returns whether `caller` may publish and subscribe to everything. Such a caller may also see and change what others own.
    pub fn may_do_everything(&self, caller: &Caller) -> bool {
        let access = self.access.borrow();
        let may = |permission| access.find_rule(caller, permission, "").is_some();
        may(Permission::Publish("#")) && may(Permission::Subscribe("#"))
    }

    /// Returns the remark for an error that a change of `key` in the configuration files might resolve, if such a change is
    /// there and not loaded.
    pub fn unloaded_change(&self, key: &str) -> Option<&'static str> {
        let configuration = self.board.configuration.borrow();
        match configuration.phase {
            ConfigurationPhase::Differs if configuration.details.differs.contains(&key) => {
                Some("the configuration files were changed there and not loaded since: systemctl reload gatepost")
            }
            ConfigurationPhase::Wrong | ConfigurationPhase::LastGood => {
                Some("the configuration files are wrong and were not loaded: gatepostd --check-config")
            }
            _ => None,
        }
    }
}
