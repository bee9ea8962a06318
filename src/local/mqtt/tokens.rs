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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::clock::SharedClock;
    use crate::clock::manual::ManualClock;
    use crate::config::AccessRule;
    use crate::local::loopback::Inherited;
    use crate::local::testing::{OTHER_USER, USER, rule};
    use crate::status::StatusHub;

    const SECRET: &str = "0123456789abcdef0123456789abcdef";

    #[tokio::test]
    async fn a_secret_of_the_administrator_identifies_the_user_of_its_rule() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secret");
        let clock: SharedClock = ManualClock::at(1_893_456_000);
        let no_loopback = LoopbackSlot::new(None, folder.path().into(), StatusHub::new(clock), Inherited::default());
        let with_file = AccessRule {
            token_file: Some(file.clone()),
            ..rule(USER)
        };
        let access = RefCell::new(AccessRules::new(&[rule(OTHER_USER), with_file]));
        let tokens = MqttTokens::default();
        assert!(
            tokens.holder_of(SECRET.as_bytes(), &no_loopback).is_none(),
            "nothing was read"
        );
        for (content, mode, is_accepted) in [
            (None, 0, false),
            (Some("too short"), 0o600, false),
            (Some(SECRET), 0o644, false),
            (Some(SECRET), 0o600, true),
        ] {
            if let Some(content) = content {
                std::fs::write(&file, content).unwrap();
                std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
            }
            let problem = tokens.read(&access).await;
            assert_eq!(problem.is_none(), is_accepted, "{content:?} {mode:o}: {problem:?}");
            let holder = tokens.holder_of(SECRET.as_bytes(), &no_loopback);
            assert_eq!(holder.is_some(), is_accepted, "{content:?} {mode:o}");
            assert!(holder.is_none_or(|holder| holder.selectors.uid == Some(USER)));
            for wrong in [&b""[..], b"0", b"0123456789abcdef0123456789abcdeF"] {
                assert!(tokens.holder_of(wrong, &no_loopback).is_none());
            }
        }
    }
}
