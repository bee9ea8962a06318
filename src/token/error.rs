//! The errors of a token, classified by CK_RV and never by text.

use cryptoki::error::{Error, RvError};

use crate::problem::{Exit, Problem, quoted, with_causes};

/// An error of the token, classified by what can be done.
#[derive(Clone, Debug)]
pub enum TokenError {
    /// A retry would be useless or harmful. At the start this ends the daemon with the given exit code.
    Final(Exit, Problem),
    /// The token or the key is not there yet. It is tried again later.
    Absent(Problem),
    /// The device or its driver has lost its state. The token must be reopened.
    Device(Problem),
}

impl TokenError {
    /// Returns the problem.
    pub fn problem(&self) -> &Problem {
        match self {
            Self::Final(_, problem) | Self::Absent(problem) | Self::Device(problem) => problem,
        }
    }

    /// Creates an error of the configuration.
    pub(super) fn configuration(problem: Problem) -> Self {
        Self::Final(Exit::Configuration, problem)
    }

    /// Creates the error of a rejected PIN, which is final because each further try brings the token closer to locking itself.
    pub(super) fn pin_rejected() -> Self {
        let message =
            "the token rejected the PIN; it is not tried again, because tokens lock themselves after a few wrong ones";
        Self::pin(
            message,
            "put the right PIN into token.pin-file or the systemd credential \"pin\", then start gatepost again",
        )
    }

    /// Creates the error of a locked PIN.
    pub(super) fn pin_locked() -> Self {
        Self::pin(
            "the token's PIN is locked",
            "unlock it with the SO PIN (a TPM: tpm2_dictionarylockout --clear-lockout), then start gatepost again",
        )
    }

    /// Creates an error with another reason not to try the PIN again.
    pub(super) fn pin(message: impl Into<String>, step: &str) -> Self {
        Self::Final(Exit::Pin, Problem::factory(message).next(step))
    }

    /// Classifies the error that the module returned to `what`.
    pub(super) fn from_module(what: &str, error: &Error) -> Self {
        let message = || describe_failure(what, error);
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
                // Any other error concerns the device, its driver or handles that have become invalid.
                _ => Self::Device(Problem::wait(message()).next("gatepost reopens the token by itself")),
            },
            Error::NotSupported | Error::NullFunctionPointer => Self::configuration(Problem::configuration(message())),
            _ => Self::Device(Problem::wait(message())),
        }
    }
}

/// Describes the failure of `what` with the name of the return code, which is easier to look up than cryptoki's description.
pub(super) fn describe_failure(what: &str, error: &Error) -> String {
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
    fn every_error_is_classified_by_what_can_be_done() {
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
