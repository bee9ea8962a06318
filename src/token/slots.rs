//! Which of a module's tokens the URI means: found by label and the like, never by slot order.

use cryptoki::context::Pkcs11;
use cryptoki::error::{Error, RvError};
use cryptoki::session::Session;
use cryptoki::slot::{Slot, TokenInfo};

use super::error::TokenError;
use super::names::{listed, shown, shown_label, trimmed};
use super::uri::KeyUri;
use super::{TokenConfig, tpm};
use crate::problem::{Problem, quoted, with_causes};

/// More tokens than this are not named in a message.
const NAMED: usize = 8;

/// A module's tokens as they were found.
#[derive(Default)]
struct Slots {
    tokens: Vec<(Slot, TokenInfo)>,
    /// Labels of all tokens.
    labels: Vec<String>,
    /// Slots whose token has no label and no PIN yet.
    uninitialised: Vec<u64>,
    /// Slots that did not answer, with what they said instead.
    failing: Vec<String>,
}

/// The one token that the URI means.
pub(super) fn find_token(context: &Pkcs11, config: &TokenConfig) -> Result<(Slot, TokenInfo), TokenError> {
    let slots = look(context)?;
    let mut matching: Vec<_> = slots
        .tokens
        .iter()
        .filter(|(slot, info)| matches(context, *slot, info, &config.key))
        .cloned()
        .collect();
    match (matching.len(), matching.pop()) {
        (1, Some(found)) => Ok(found),
        (_, None) => Err(absent(config, &slots)),
        (_, Some(last)) => {
            matching.push(last);
            let tokens: Vec<TokenNames> = matching.iter().map(TokenNames::of).collect();
            Err(ambiguous(&config.key, &tokens))
        }
    }
}

/// A slot that answers with an error must not hide the others: a reader without its card does that.
fn look(context: &Pkcs11) -> Result<Slots, TokenError> {
    let mut slots = Slots::default();
    let all = context
        .get_slots_with_token()
        .map_err(|error| TokenError::from_module("listing the tokens", &error))?;
    for slot in all {
        match context.get_token_info(slot) {
            Ok(info) if info.token_initialized() => {
                slots.labels.push(shown_label(info.label().as_bytes()));
                slots.tokens.push((slot, info));
            }
            Ok(_) => slots.uninitialised.push(slot.id()),
            Err(error) => slots
                .failing
                .push(format!("slot {} answers {}", slot.id(), code(&error))),
        }
    }
    Ok(slots)
}

fn code(error: &Error) -> String {
    match error {
        Error::Pkcs11(rv, _) => format!("{rv:?}"),
        other => quoted(with_causes(other)),
    }
}

/// Opens a session to `slot`: a read-only one where the token is write-protected.
pub(super) fn open_session(context: &Pkcs11, slot: Slot, info: &TokenInfo) -> Result<Session, TokenError> {
    let failed = |error: &Error| TokenError::from_module("opening a session", error);
    if !info.write_protected() {
        match context.open_rw_session(slot) {
            Err(Error::Pkcs11(RvError::TokenWriteProtected | RvError::SessionReadOnly, _)) => {}
            outcome => return outcome.map_err(|error| failed(&error)),
        }
    }
    context.open_ro_session(slot).map_err(|error| failed(&error))
}

fn absent(config: &TokenConfig, slots: &Slots) -> TokenError {
    if let Some(problem) =
        tpm::missing_token(&config.module).filter(|_| slots.labels.is_empty() && slots.failing.is_empty())
    {
        return TokenError::Absent(problem);
    }
    let module = config.module.display();
    let mut message = match slots.labels.as_slice() {
        [] => format!("no initialised token is visible in {module}"),
        labels => format!(
            "none of the tokens in {module} ({}) matches {}",
            listed(labels, NAMED),
            config.key
        ),
    };
    if !slots.failing.is_empty() {
        message.push_str(&format!("; {}", listed(&slots.failing, NAMED)));
    }
    let mut step =
        "gatepost looks again every few seconds; check that the token is there and that gatepost's user may \
                    read it"
            .to_owned();
    if let (true, Some(slot)) = (slots.labels.is_empty(), slots.uninitialised.first()) {
        message.push_str(&format!("; the token in slot {slot} is not initialised"));
        step.push_str(
            "; a new token is initialised by gatepost-tpm-setup (a TPM), softhsm2-util --init-token or pkcs11-tool \
             --init-token and --init-pin",
        );
    }
    TokenError::Absent(Problem::wait(message).next(step))
}

fn matches(context: &Pkcs11, slot: Slot, token: &TokenInfo, uri: &KeyUri) -> bool {
    let is = |attribute: &str, actual: &str| {
        uri.text(attribute)
            .is_none_or(|wanted| trimmed(wanted) == trimmed(actual))
    };
    is("token", token.label())
        && is("manufacturer", token.manufacturer_id())
        && is("serial", token.serial_number())
        && is("model", token.model())
        && uri.slot_id().is_none_or(|wanted| wanted == slot.id())
        && context.get_slot_info(slot).is_ok_and(|info| {
            is("slot-manufacturer", info.manufacturer_id()) && is("slot-description", info.slot_description())
        })
        && context.get_library_info().is_ok_and(|info| {
            is("library-manufacturer", info.manufacturer_id())
                && is("library-description", info.library_description())
                && is("library-version", &info.library_version().to_string())
        })
}

/// The attributes of a token that a URI can name.
#[derive(Clone, Debug, Default)]
struct TokenNames {
    label: String,
    serial: String,
    model: String,
    manufacturer: String,
    slot: u64,
}

impl TokenNames {
    fn of((slot, info): &(Slot, TokenInfo)) -> Self {
        Self {
            label: trimmed(info.label()).to_owned(),
            serial: trimmed(info.serial_number()).to_owned(),
            model: trimmed(info.model()).to_owned(),
            manufacturer: trimmed(info.manufacturer_id()).to_owned(),
            slot: slot.id(),
        }
    }
}

fn ambiguous(uri: &KeyUri, tokens: &[TokenNames]) -> TokenError {
    let named: Vec<String> = tokens
        .iter()
        .map(|token| {
            format!(
                "{} serial {} slot-id {}",
                shown_label(token.label.as_bytes()),
                shown(&token.serial),
                token.slot
            )
        })
        .collect();
    let message = format!(
        "{} tokens match {uri}: {}",
        tokens.len(),
        listed(&named, NAMED).replacen(", ", " and ", usize::from(named.len() == 2))
    );
    TokenError::configuration(Problem::configuration(message).next(how_to_tell_apart(tokens)))
}

/// The attribute by which a URI can name one of `tokens`.
fn how_to_tell_apart(tokens: &[TokenNames]) -> String {
    type Name = fn(&TokenNames) -> &str;
    let names: [(&str, &str, Name); 4] = [
        ("serial", "serial=", |token| &token.serial),
        ("label", "token=", |token| &token.label),
        ("model", "model=", |token| &token.model),
        ("manufacturer", "manufacturer=", |token| &token.manufacturer),
    ];
    let found = names.iter().find(|(_, _, name)| {
        let mut all: Vec<&str> = tokens.iter().map(name).collect();
        all.sort_unstable();
        // A serial number of zeros is a token's way to say that it has none.
        let say_something = all.iter().all(|text| text.bytes().any(|byte| byte != b'0'));
        say_something && all.windows(2).all(|pair| matches!(pair, [one, other] if one != other))
    });
    match found {
        Some((name, attribute, _)) => format!("name one of them in token.key by its {name} ({attribute}...)"),
        None => {
            "give one of them a label of its own and name it in token.key (token=...), or name its slot (slot-id=...)"
                .to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(label: &str, serial: &str, model: &str) -> TokenNames {
        TokenNames {
            label: label.into(),
            serial: serial.into(),
            model: model.into(),
            ..TokenNames::default()
        }
    }

    #[test]
    fn the_advice_names_an_attribute_in_which_they_differ() {
        let zeros = "0000000000000000";
        for (tokens, advice) in [
            (vec![token("a", "1", "m"), token("a", "2", "m")], "by its serial"),
            (vec![token("a", "1", "m"), token("b", "2", "m")], "by its serial"),
            (vec![token("a", zeros, "m"), token("b", zeros, "m")], "by its label"),
            (vec![token("a", zeros, "m"), token("b", "1", "m")], "by its label"),
            (vec![token("a", "", "m"), token("b", "1", "m")], "by its label"),
            (vec![token("a", zeros, "m"), token("a", zeros, "n")], "by its model"),
            (vec![token("a", "1", "m"), token("a", "1", "m")], "a label of its own"),
            (vec![token("", "", ""), token("", "", "")], "a label of its own"),
            (
                vec![token("a", "1", "m"), token("a", "2", "m"), token("b", "1", "m")],
                "a label of its own",
            ),
            (
                vec![token("a", "1", "m"), token("b", "2", "m"), token("c", "1", "m")],
                "by its label",
            ),
        ] {
            let said = how_to_tell_apart(&tokens);
            assert!(said.contains(advice), "{tokens:?}: {said}");
        }
    }
}
