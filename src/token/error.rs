//! What a token can answer, sorted by CK_RV, never by text.

use cryptoki::error::{Error, RvError};

use crate::problem::{Exit, Problem, quoted, with_causes};

/// Why the token did not do what it was asked.
#[derive(Clone, Debug)]
pub enum TokenError {
    /// Trying again would be useless or harmful. At start this ends the daemon with the given code.
    Final(Exit, Problem),
    /// Not there yet: look again later.
    Absent(Problem),
    /// The device or its driver lost its state: everything must be opened anew.
    Device(Problem),
}

impl TokenError {
    /// What to tell people.
    pub fn problem(&self) -> &Problem {
        match self {
            Self::Final(_, problem) | Self::Absent(problem) | Self::Device(problem) => problem,
        }
    }

    /// A fault of the configuration.
    pub(super) fn configuration(problem: Problem) -> Self {
        Self::Final(Exit::Configuration, problem)
    }

    /// A rejected PIN: each further try would bring the token closer to locking itself.
    pub(super) fn pin_rejected() -> Self {
        let message =
            "the token rejected the PIN; it is not tried again, because tokens lock themselves after a few wrong ones";
        Self::pin(
            message,
            "put the right PIN into token.pin-file or the systemd credential \"pin\", then start gatepost again",
        )
    }

    /// A PIN that the token does not take even if it is right.
    pub(super) fn pin_locked() -> Self {
        Self::pin(
            "the token's PIN is locked",
            "unlock it with the SO PIN (a TPM: tpm2_dictionarylockout --clear-lockout), then start gatepost again",
        )
    }

    /// Another reason not to try the PIN again.
    pub(super) fn pin(message: impl Into<String>, step: &str) -> Self {
        Self::Final(Exit::Pin, Problem::factory(message).next(step))
    }

    /// Sorts what the module answered when `what` was tried.
    pub(super) fn from_module(what: &str, error: &Error) -> Self {
        let message = || what_the_module_said(what, error);
        match error {
            Error::Pkcs11(rv, _) => match rv {
                RvError::PinIncorrect | RvError::PinInvalid | RvError::PinLenRange => Self::pin_rejected(),
                RvError::PinLocked => Self::pin_locked(),
                RvError::MechanismInvalid
                | RvError::MechanismParamInvalid
                | RvError::FunctionNotSupported
                | RvError::CurveNotSupported
                | RvError::KeySizeRange
                | RvError::KeyFunctionNotPermitted
                | RvError::KeyTypeInconsistent
                | RvError::TokenWriteProtected
                | RvError::TemplateInconsistent
                | RvError::AttributeValueInvalid
                | RvError::AttributeTypeInvalid => Self::configuration(
                    Problem::configuration(message())
                        .next("check what this token supports: pkcs11-tool --list-mechanisms"),
                ),
                RvError::TokenNotPresent | RvError::TokenNotRecognized | RvError::SlotIdInvalid => {
                    Self::Absent(Problem::wait(message()))
                }
                // Everything else is the device, its driver or handles that went stale with it.
                _ => Self::Device(Problem::wait(message()).next("gatepost opens the token anew by itself")),
            },
            Error::NotSupported | Error::NullFunctionPointer => Self::configuration(Problem::configuration(message())),
            _ => Self::Device(Problem::wait(message())),
        }
    }
}

/// That `what` failed, with the name of the code: people look it up, and cryptoki's sentences for them say less.
pub(super) fn what_the_module_said(what: &str, error: &Error) -> String {
    match error {
        Error::Pkcs11(rv, function) => format!("{what} failed: the module answered {rv:?} to C_{function:?}"),
        other => format!("{what} failed in the token: {}", quoted(with_causes(other))),
    }
}

#[cfg(test)]
mod tests {
    use cryptoki::context::Function;

    use super::*;

    #[test]
    fn every_answer_is_sorted_by_what_can_be_done() {
        let sort = |rv| TokenError::from_module("signing", &Error::Pkcs11(rv, Function::Sign));
        assert!(matches!(sort(RvError::PinIncorrect), TokenError::Final(Exit::Pin, _)));
        assert!(matches!(sort(RvError::PinLocked), TokenError::Final(Exit::Pin, _)));
        assert!(matches!(
            sort(RvError::MechanismInvalid),
            TokenError::Final(Exit::Configuration, _)
        ));
        assert!(matches!(sort(RvError::TokenNotPresent), TokenError::Absent(_)));
        for rv in [
            RvError::GeneralError,
            RvError::DeviceRemoved,
            RvError::SessionHandleInvalid,
            RvError::KeyHandleInvalid,
        ] {
            assert!(matches!(sort(rv), TokenError::Device(_)), "{rv:?}");
        }
    }
}
