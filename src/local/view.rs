//! What every answer is made from.

use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::access::{AccessRules, Permission};
use super::answer::ApiError;
use super::audit::Audit;
use super::caller::Caller;
use super::connections::Connections;
use super::loopback::LoopbackPlace;
use super::pace::Pace;
use super::tally::Tally;
use super::thing::ThingName;
use super::waiting::Waiting;
use hyper::StatusCode;
use tokio::sync::{mpsc, oneshot, watch};

use crate::clock::SharedClock;
use crate::credentials::CredentialCache;
use crate::log_limiter::LogLimiter;
use crate::logging::LogLevel;
use crate::messages::{Inbox, Outbox};
use crate::overview::{Overview, Snapshot};
use crate::retry::Retries;
use crate::status::{ConfigurationPhase, ReloadOutcome, StatusBoard};
use crate::token::Token;

/// The local wing's view of the house: snapshots only, nothing that could be waited for.
#[derive(Debug)]
pub struct ApiContext {
    /// The clock that credentials age by.
    pub clock: SharedClock,
    /// When the daemon started, by the boottime clock.
    pub started: Duration,
    /// Every part's state.
    pub board: StatusBoard,
    /// Every alias's credentials.
    pub cache: CredentialCache,
    /// Who may have what; replaced as a whole when the configuration is read again.
    pub access: RefCell<AccessRules>,
    /// Asks for the configuration to be read again; answered when that is done.
    pub reloads: mpsc::Sender<oneshot::Sender<ReloadOutcome>>,
    /// The connections of all listeners.
    pub connections: Connections,
    /// The configuration's folder for further files, as hints name it.
    pub drop_ins: PathBuf,
    /// The loopback listener, if one is configured.
    pub loopback: LoopbackPlace,
    /// Messages to AWS.
    pub outbox: Outbox,
    /// Messages from AWS.
    pub inbox: Rc<Inbox>,
    /// The certificate signing request in PEM, once it is written.
    pub signing_request: watch::Receiver<Option<Arc<str>>>,
    /// The topic of presence and health, `{thing}` not filled in; nobody else publishes there.
    pub presence_topic: RefCell<Option<String>>,
    /// What `{thing}` stands for.
    pub thing: ThingName,
    /// How often each caller may ask.
    pub pace: Pace,
    /// Who waits for AWS's acknowledgements.
    pub waiting: Waiting,
    /// How requests were answered.
    pub tally: Tally,
    /// Where each decision is noted.
    pub audit: Audit,
    /// How much is logged.
    pub log_level: LogLevel,
    /// Has tasks of the cloud's thread try now.
    pub retries: Retries,
    /// Has the token looked for now.
    pub token: Token,
    /// Limiter of the log lines about operators' retry requests.
    pub retry_lines: RefCell<LogLimiter>,
}

impl ApiContext {
    /// The verdict on the whole gateway.
    pub fn overview(&self) -> Overview {
        Overview::new(&self.snapshot())
    }

    /// The state of all parts now.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot::take(&self.board, &self.cache, &*self.clock)
    }

    /// Asks the rules whether `caller` may have what it wants, and notes the decision. `thing` is what `{thing}` stands for.
    ///
    /// # Errors
    /// With 403 and the missing rule.
    pub fn authorize(&self, caller: &Caller, permission: Permission, thing: &str) -> Result<(), ApiError> {
        let access = self.access.borrow();
        let rule = access.rule_for(caller, permission, thing);
        self.audit.note(caller, permission, rule, access.names(caller));
        match rule {
            Some(_) => Ok(()),
            None => {
                let refusal = ApiError::not_allowed(caller, access.accounts(), permission, thing, &self.drop_ins);
                Err(self.remark_on_files(refusal, "access"))
            }
        }
    }

    /// Adds to a refusal that what is missing may be in the files already, where a change of `key` was not loaded.
    pub fn remark_on_files(&self, refusal: ApiError, key: &str) -> ApiError {
        let configuration = self.board.configuration.borrow();
        match configuration.phase {
            ConfigurationPhase::Differs if configuration.details.differs.contains(&key) => refusal
                .remark("the configuration files were changed there and not loaded since: systemctl reload gatepost"),
            ConfigurationPhase::Wrong | ConfigurationPhase::LastGood => {
                refusal.remark("the configuration files are wrong and were not loaded: gatepostd --check-config")
            }
            _ => refusal,
        }
    }

    /// Refuses a caller at once whom no rule gives anything of the kind that it wants. What the rules give exactly, or do not,
    /// is for [`authorize`](Self::authorize) to say.
    ///
    /// # Errors
    /// With 403 and the missing rule.
    pub fn authorize_any(&self, caller: &Caller, permission: Permission) -> Result<(), ApiError> {
        if self.access.borrow().gives_any(caller, permission) {
            return Ok(());
        }
        self.authorize(caller, permission, &self.thing.known().unwrap_or_default())
    }

    /// Lets only root and the daemon's own user pass: either could do worse than `what`.
    ///
    /// # Errors
    /// With 403.
    pub fn authorize_root(&self, caller: &Caller, what: &str) -> Result<(), ApiError> {
        match caller {
            Caller::Peer(peer) if self.pace.trusts(peer.uid) => Ok(()),
            _ => Err(
                ApiError::new(StatusCode::FORBIDDEN, "not_allowed", format!("{caller} may not {what}"))
                    .hint("only root may: run it with sudo"),
            ),
        }
    }

    /// Whether `caller` may publish and subscribe to everything, and so may see and touch what others have.
    pub fn may_do_everything(&self, caller: &Caller) -> bool {
        let access = self.access.borrow();
        let may = |permission| access.rule_for(caller, permission, "").is_some();
        may(Permission::Publish("#")) && may(Permission::Subscribe("#"))
    }
}
