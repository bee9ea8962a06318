//! Changes of the settings of `[mqtt]`, which a reload may make while the session is connected.

use super::state::Session;
use crate::config::Mqtt;

/// Effect of a change of the settings on the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// The connection goes on, with the new settings.
    SameConnection,
    /// The settings are part of CONNECT, so a new connection is needed.
    NewConnection,
}

impl Effect {
    fn of(old: &Mqtt, new: &Mqtt) -> Self {
        let part_of_connect = |mqtt: &Mqtt| (mqtt.keep_alive, mqtt.session_expiry, mqtt.presence_topic.clone());
        match part_of_connect(old) == part_of_connect(new) {
            true => Self::SameConnection,
            false => Self::NewConnection,
        }
    }
}

/// Returns the effect of the settings that were loaded last, compared with those in use.
pub(super) fn effect(session: &Session) -> Effect {
    Effect::of(&session.mqtt, &session.inputs.settings.borrow())
}

/// Applies the settings that were loaded last.
pub(super) fn apply(session: &mut Session) {
    let new = session.inputs.settings.borrow_and_update().clone();
    let traffic = &mut session.traffic;
    if new.publish_rate != session.mqtt.publish_rate {
        traffic.publisher.set_rate(new.publish_rate);
    }
    traffic
        .presence
        .configure(new.presence_topic.clone(), new.report_interval);
    session.mqtt = new;
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::messages::Bounds;

    #[test]
    fn only_settings_that_are_part_of_connect_need_a_new_connection() {
        let usual = Mqtt {
            keep_alive: Duration::from_secs(60),
            session_expiry: Duration::from_secs(3600),
            presence_topic: Some("{thing}/presence".to_owned()),
            report_interval: Some(Duration::from_secs(300)),
            publish_rate: 100,
            bounds: Bounds::default(),
        };
        type Change = fn(&mut Mqtt);
        let changes: [(Change, Effect); 8] = [
            (|_| {}, Effect::SameConnection),
            (|mqtt| mqtt.keep_alive *= 2, Effect::NewConnection),
            (|mqtt| mqtt.session_expiry *= 2, Effect::NewConnection),
            (|mqtt| mqtt.presence_topic = None, Effect::NewConnection),
            (|mqtt| mqtt.presence_topic = Some("a".to_owned()), Effect::NewConnection),
            (|mqtt| mqtt.report_interval = None, Effect::SameConnection),
            (|mqtt| mqtt.publish_rate = 1, Effect::SameConnection),
            (|mqtt| mqtt.bounds.max_messages = 1, Effect::SameConnection),
        ];
        for (number, (change, effect)) in changes.into_iter().enumerate() {
            let mut new = usual.clone();
            change(&mut new);
            assert_eq!(Effect::of(&usual, &new), effect, "{number}");
        }
    }
}
