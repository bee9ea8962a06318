//! Logs in, and decides whether the PIN may be tried. A token locks itself after a few wrong PINs, and some modules report a
//! wrong PIN as another error.

use cryptoki::error::{Error, RvError};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::TokenInfo;

use super::error::{TokenError, describe_failure};
use super::pin::PinSource;
use crate::problem::Problem;

/// The reason why a token's flags forbid a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PinBlock {
    /// The PIN is locked.
    Locked,
    /// The next wrong PIN locks the token.
    FinalTry,
}

/// Checks whether the PIN may be tried now. gatepost never uses the last try.
pub(super) fn may_try(info: &TokenInfo) -> Result<(), PinBlock> {
    PinFlags::from(info).check()
}

/// The token's flags about its PIN.
#[derive(Clone, Copy, Debug, Default)]
struct PinFlags {
    /// A wrong PIN was tried since the last successful login (`CKF_USER_PIN_COUNT_LOW`).
    count_low: bool,
    /// The next wrong PIN locks the token (`CKF_USER_PIN_FINAL_TRY`).
    final_try: bool,
    /// `CKF_USER_PIN_LOCKED`
    locked: bool,
}

impl From<&TokenInfo> for PinFlags {
    fn from(info: &TokenInfo) -> Self {
        Self {
            count_low: info.user_pin_count_low(),
            final_try: info.user_pin_final_try(),
            locked: info.user_pin_locked(),
        }
    }
}

impl PinFlags {
    fn check(self) -> Result<(), PinBlock> {
        match (self.locked, self.final_try) {
            (true, _) => Err(PinBlock::Locked),
            (false, true) => Err(PinBlock::FinalTry),
            (false, false) => Ok(()),
        }
    }
}

/// Performs all logins of the daemon.
///
/// The two kinds of login are tracked separately, because a PIN that is right for the user may be wrong for a signature.
#[derive(Debug, Default)]
pub(super) struct Logins {
    user: LoginPolicy,
    operation: LoginPolicy,
    /// The number of successful user logins.
    successes: u64,
}

impl Logins {
    /// Logs the user in.
    pub(super) fn log_in(&mut self, session: &Session, info: &TokenInfo, pin: &PinSource) -> Result<(), TokenError> {
        self.user.log_in_as(UserType::User, session, info, pin)?;
        self.successes = self.successes.saturating_add(1);
        Ok(())
    }

    /// Returns the number of successful user logins.
    pub(super) fn successes(&self) -> u64 {
        self.successes
    }

    /// Logs in for the operation that was started in `session`, which a key with `CKA_ALWAYS_AUTHENTICATE` requires.
    pub(super) fn authenticate(
        &mut self,
        session: &Session,
        info: &TokenInfo,
        pin: &PinSource,
    ) -> Result<(), TokenError> {
        self.operation.log_in_as(UserType::ContextSpecific, session, info, pin)
    }
}

/// Decides whether the PIN may be tried.
///
/// A PIN that was reported wrong is never tried again. Any other failure (`CKR_GENERAL_ERROR`, `CKR_FUNCTION_FAILED`) may mean
/// a wrong PIN as well, or a driver that has lost its state. The module is then reloaded and the PIN tried once more, unless
/// the token has counted the failure. The last try before the token locks itself is never used.
#[derive(Debug, Default)]
struct LoginPolicy {
    /// The description of the last login failure, if it did not name the PIN. A successful login clears it.
    unexplained: Option<String>,
}

impl LoginPolicy {
    fn log_in_as(
        &mut self,
        user: UserType,
        session: &Session,
        info: &TokenInfo,
        pin: &PinSource,
    ) -> Result<(), TokenError> {
        self.check(info.into())?;
        // With a protected path the PIN is typed into the reader, and C_Login must be called without one.
        let outcome = match info.protected_authentication_path() {
            true => session.login(user, None),
            false => session.login(user, Some(&pin.read()?)),
        };
        self.judge(outcome)
    }

    /// Checks whether the PIN may be tried now.
    fn check(&self, flags: PinFlags) -> Result<(), TokenError> {
        flags.check().map_err(|block| match block {
            PinBlock::Locked => TokenError::pin_locked(),
            PinBlock::FinalTry => TokenError::pin(
                "the token says that one more wrong PIN locks it; gatepost never uses the last try",
                "make sure that the PIN is right, log in once by hand with it, which resets the token's count \
                 (pkcs11-tool --login --list-objects), then start gatepost again",
            ),
        })?;
        match &self.unexplained {
            Some(said) if flags.count_low => Err(TokenError::pin(
                format!("{said}, and the token has counted that as a wrong PIN; the PIN is not tried again"),
                RIGHT_PIN,
            )),
            _ => Ok(()),
        }
    }

    /// Interprets the result of a login.
    fn judge(&mut self, outcome: Result<(), Error>) -> Result<(), TokenError> {
        let error = match outcome {
            Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => {
                self.unexplained = None;
                return Ok(());
            }
            Err(error) => error,
        };
        match &error {
            Error::Pkcs11(RvError::PinIncorrect | RvError::PinInvalid | RvError::PinLenRange, _) => {
                Err(TokenError::pin_rejected())
            }
            Error::Pkcs11(RvError::PinLocked, _) => Err(TokenError::pin_locked()),
            Error::Pkcs11(RvError::PinExpired, _) => Err(TokenError::pin(
                "the token's PIN has expired".to_owned(),
                "change it (pkcs11-tool --change-pin), put the new one into token.pin-file or the systemd credential \
                 \"pin\", then start gatepost again",
            )),
            Error::Pkcs11(RvError::UserPinNotInitialized, _) => Err(TokenError::pin(
                "the token has no user PIN yet".to_owned(),
                "set one with the SO PIN (pkcs11-tool --init-pin), then start gatepost again",
            )),
            error => Err(self.record_unexplained_failure(describe_failure("login", error))),
        }
    }

    fn record_unexplained_failure(&mut self, said: String) -> TokenError {
        match self.unexplained.replace(said.clone()) {
            // The caller reloads the module before it tries again.
            None => TokenError::Absent(
                Problem::wait(said)
                    .next("gatepost reloads the module and tries once more; if that fails as well, check the PIN"),
            ),
            Some(_) => TokenError::pin(
                format!(
                    "{said} twice, the second time with the module reloaded; the PIN may be wrong, so it is not tried \
                     again"
                ),
                "check the PIN in token.pin-file or the systemd credential \"pin\", then the token and its driver; then \
                 start gatepost again",
            ),
        }
    }
}

const RIGHT_PIN: &str =
    "put the right PIN into token.pin-file or the systemd credential \"pin\", then start gatepost again";

#[cfg(test)]
mod tests {
    use cryptoki::context::Function;

    use super::*;
    use crate::problem::Exit;

    const GOOD: PinFlags = PinFlags {
        count_low: false,
        final_try: false,
        locked: false,
    };
    const LOW: PinFlags = PinFlags {
        count_low: true,
        ..GOOD
    };

    fn answer(rv: RvError) -> Result<(), Error> {
        Err(Error::Pkcs11(rv, Function::Login))
    }

    /// Counts how often a policy tries a PIN if the module always answers `rv` and the token has `flags` before each try.
    fn tries(rv: RvError, flags: &[PinFlags]) -> (usize, TokenError) {
        let mut policy = LoginPolicy::default();
        for (tried, flags) in flags.iter().enumerate() {
            if let Err(error) = policy.check(*flags) {
                return (tried, error);
            }
            match policy.judge(answer(rv)).unwrap_err() {
                TokenError::Absent(_) => {}
                error => return (tried + 1, error),
            }
        }
        panic!("it would go on after {} tries", flags.len());
    }

    #[test]
    fn a_wrong_pin_is_tried_at_most_twice_whatever_the_module_answers() {
        let good = [GOOD; 5];
        for (rv, count, words) in [
            (RvError::PinIncorrect, 1, "rejected the PIN"),
            (RvError::PinInvalid, 1, "rejected the PIN"),
            (RvError::PinLenRange, 1, "rejected the PIN"),
            (RvError::PinLocked, 1, "is locked"),
            (RvError::PinExpired, 1, "has expired"),
            (RvError::UserPinNotInitialized, 1, "no user PIN"),
            (RvError::GeneralError, 2, "may be wrong"),
            (RvError::FunctionFailed, 2, "may be wrong"),
            (RvError::DeviceError, 2, "may be wrong"),
            (RvError::ArgumentsBad, 2, "may be wrong"),
            (RvError::FunctionCanceled, 2, "may be wrong"),
            (RvError::UserTypeInvalid, 2, "may be wrong"),
            (RvError::SessionHandleInvalid, 2, "may be wrong"),
            (RvError::TokenNotPresent, 2, "may be wrong"),
            (RvError::HostMemory, 2, "may be wrong"),
            (RvError::VendorDefined(0x8000_0001), 2, "may be wrong"),
        ] {
            let (tried, error) = tries(rv, &good);
            assert_eq!(tried, count, "{rv:?}");
            assert!(matches!(&error, TokenError::Final(Exit::Pin, _)), "{rv:?}: {error:?}");
            assert!(error.problem().message.contains(words), "{rv:?}: {error:?}");
        }
    }

    #[test]
    fn the_flags_are_checked_before_each_try() {
        let last = PinFlags { final_try: true, ..LOW };
        let locked = PinFlags { locked: true, ..last };
        for (flags, count, words) in [
            (vec![GOOD, LOW], 1, "has counted that as a wrong PIN"),
            (vec![LOW, LOW], 1, "has counted that as a wrong PIN"),
            (vec![GOOD, last], 1, "never uses the last try"),
            (vec![last], 0, "never uses the last try"),
            (vec![locked], 0, "is locked"),
            (vec![GOOD, locked], 1, "is locked"),
            (vec![LOW, GOOD, GOOD], 2, "may be wrong"),
        ] {
            let (tried, error) = tries(RvError::GeneralError, &flags);
            assert_eq!(tried, count, "{flags:?}");
            assert!(error.problem().message.contains(words), "{flags:?}: {error:?}");
        }
    }

    #[test]
    fn a_successful_login_clears_earlier_failures() {
        for success in [Ok(()), answer(RvError::UserAlreadyLoggedIn)] {
            let mut policy = LoginPolicy::default();
            assert!(policy.judge(answer(RvError::GeneralError)).is_err());
            assert!(policy.judge(success).is_ok());
            assert!(policy.check(LOW).is_ok());
            assert!(matches!(
                policy.judge(answer(RvError::GeneralError)),
                Err(TokenError::Absent(_))
            ));
        }
    }
}
