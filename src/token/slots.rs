//! Finds the token that the URI selects, by its label and other attributes, never by the order of slots.

use cryptoki::context::Pkcs11;
use cryptoki::error::{Error, RvError};
use cryptoki::session::Session;
use cryptoki::slot::{Slot, TokenInfo};

use super::config::TokenConfig;
use super::error::TokenError;
use super::names::{list, show, show_label, trim_padding};
use super::tpm;
use super::uri::KeyUri;
use crate::problem::{Problem, quoted, with_causes};

/// The highest number of tokens that a message names.
const NAMED: usize = 8;

/// The slots of a module and their tokens.
#[derive(Default)]
struct Slots {
    tokens: Vec<(Slot, TokenInfo)>,
    /// The labels of all tokens.
    labels: Vec<String>,
    /// The slots with an uninitialised token.
    uninitialised: Vec<u64>,
    /// The slots that returned an error, with its name.
    failing: Vec<String>,
}

/// Finds the one token that the URI selects.
pub(super) fn find_token(context: &Pkcs11, config: &TokenConfig) -> Result<(Slot, TokenInfo), TokenError> {
    let slots = list_slots(context)?;
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

/// Lists all slots. A slot that returns an error, such as a reader without its card, must not hide the others.
fn list_slots(context: &Pkcs11) -> Result<Slots, TokenError> {
    let mut slots = Slots::default();
    let all = context
        .get_slots_with_token()
        .map_err(|error| TokenError::from_module("listing the tokens", &error))?;
    for slot in all {
        match context.get_token_info(slot) {
            Ok(info) if info.token_initialized() => {
                slots.labels.push(show_label(info.label().as_bytes()));
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

/// Opens a session, which is read-only if the token is write-protected.
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
        tpm::find_missing_token(&config.module).filter(|_| slots.labels.is_empty() && slots.failing.is_empty())
    {
        return TokenError::Absent(problem);
    }
    let module = config.module.display();
    let mut message = match slots.labels.as_slice() {
        [] => format!("no initialised token is visible in {module}"),
        labels => format!(
            "none of the tokens in {module} ({}) matches {}",
            list(labels, NAMED),
            config.key
        ),
    };
    if !slots.failing.is_empty() {
        message.push_str(&format!("; {}", list(&slots.failing, NAMED)));
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

/// Returns whether a token has the attributes of a token in the URI.
pub(super) fn matches(context: &Pkcs11, slot: Slot, token: &TokenInfo, uri: &KeyUri) -> bool {
    let is = |attribute: &str, actual: &str| {
        uri.text(attribute)
            .is_none_or(|wanted| trim_padding(wanted) == trim_padding(actual))
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

/// The attributes of a token that a URI can match.
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
            label: trim_padding(info.label()).to_owned(),
            serial: trim_padding(info.serial_number()).to_owned(),
            model: trim_padding(info.model()).to_owned(),
            manufacturer: trim_padding(info.manufacturer_id()).to_owned(),
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
                show_label(token.label.as_bytes()),
                show(&token.serial),
                token.slot
            )
        })
        .collect();
    let message = format!(
        "{} tokens match {uri}: {}",
        tokens.len(),
        list(&named, NAMED).replacen(", ", " and ", usize::from(named.len() == 2))
    );
    TokenError::configuration(Problem::configuration(message).next(advise_on_distinction(tokens)))
}

/// Advises on an attribute by which a URI can select one of `tokens`.
fn advise_on_distinction(tokens: &[TokenNames]) -> String {
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
        // A serial number of zeros means that the token has none.
        let is_meaningful = all.iter().all(|text| text.bytes().any(|byte| byte != b'0'));
        is_meaningful && all.windows(2).all(|pair| matches!(pair, [one, other] if one != other))
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
    fn the_advice_names_an_attribute_in_which_the_tokens_differ() {
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
            let said = advise_on_distinction(&tokens);
            assert!(said.contains(advice), "{tokens:?}: {said}");
        }
    }
}
