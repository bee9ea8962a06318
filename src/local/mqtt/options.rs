//! Converts subscription options between the protocol and stored sessions.

use crate::messages::SessionFilter;
use crate::mqtt::packet::{RetainHandling, SubscriptionOptions};
use crate::qos::Qos;

/// Converts a subscription to the form in which a session stores it.
pub(super) fn stored_filter(filter: &str, options: SubscriptionOptions, identifier: Option<u32>) -> SessionFilter {
    SessionFilter {
        filter: filter.to_owned(),
        is_qos_1: options.qos > Qos::AtMostOnce,
        no_local: options.no_local,
        retain_as_published: options.retain_as_published,
        retain_handling: match options.retain_handling {
            RetainHandling::Send => 0,
            RetainHandling::SendIfNew => 1,
            RetainHandling::DoNotSend => 2,
        },
        identifier,
    }
}

/// Converts a stored subscription back to its options.
pub(super) fn options_of(stored: &SessionFilter) -> SubscriptionOptions {
    SubscriptionOptions {
        qos: stored.qos(),
        no_local: stored.no_local,
        retain_as_published: stored.retain_as_published,
        retain_handling: match stored.retain_handling {
            0 => RetainHandling::Send,
            1 => RetainHandling::SendIfNew,
            _ => RetainHandling::DoNotSend,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_as_they_were_stored() {
        for retain_handling in [
            RetainHandling::Send,
            RetainHandling::SendIfNew,
            RetainHandling::DoNotSend,
        ] {
            for (qos, flag) in [(Qos::AtMostOnce, true), (Qos::AtLeastOnce, false)] {
                let options = SubscriptionOptions {
                    qos,
                    no_local: flag,
                    retain_as_published: !flag,
                    retain_handling,
                };
                assert_eq!(options_of(&stored_filter("a", options, Some(1))), options);
            }
        }
    }
}
