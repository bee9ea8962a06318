//! The secrets that identify a program on the TCP listener by the password in its CONNECT.

use std::cell::RefCell;
use std::rc::Rc;

use tokio::task::spawn_blocking;

use crate::event::Event;
use crate::foreign_text::clean;
use crate::local::access::AccessRules;
use crate::local::bearer_tokens::{BearerTokens, read_administrator_tokens};
use crate::local::caller::TokenHolder;
use crate::local::loopback::LoopbackSlot;
use crate::problem::Problem;

/// The administrator's own secrets (`token-file`). They are valid here with or without a loopback listener.
#[derive(Debug, Default)]
pub struct MqttTokens(RefCell<Rc<BearerTokens>>);

impl MqttTokens {
    /// Reads the files that the rules name, and returns the problem with those that cannot be used.
    pub async fn read(&self, access: &RefCell<AccessRules>) -> Option<Problem> {
        let recipients: Vec<_> = access.borrow().token_recipients().collect();
        match spawn_blocking(move || read_administrator_tokens(&recipients)).await {
            Ok(read) => {
                self.0.replace(Rc::new(read.tokens));
                Problem::joined(read.problems)
            }
            Err(error) => {
                let problem = Problem::wait(format!("the token files were not read: {}", clean(error)));
                Some(
                    problem
                        .next("systemctl reload gatepost")
                        .about(Event::LoopbackTokenFile),
                )
            }
        }
    }

    /// Finds the holder of a password: a secret of the administrator, or a token of the loopback listener.
    pub fn holder_of(&self, password: &[u8], loopback: &LoopbackSlot) -> Option<TokenHolder> {
        // Both are searched in any case, so that the time does not reveal where the password was found.
        let own = self.0.borrow().holder_of(password);
        let generated = loopback
            .get()
            .and_then(|loopback| loopback.tokens().holder_of(password));
        own.or(generated)
    }
}
