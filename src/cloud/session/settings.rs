//! The settings of `[mqtt]`, which a reload may change while the session goes on.

use super::Session;
use crate::config::Mqtt;

/// Effect of a change of the settings on the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Consequence {
    /// They hold from now on.
    Nothing,
    /// They are agreed on in CONNECT and CONNACK, so the connection must be made anew.
    NewConnection,
}

impl Consequence {
    fn of(old: &Mqtt, new: &Mqtt) -> Self {
        let agreed = |mqtt: &Mqtt| (mqtt.keep_alive, mqtt.session_expiry, mqtt.presence_topic.clone());
        match agreed(old) == agreed(new) {
            true => Self::Nothing,
            false => Self::NewConnection,
        }
    }
}

impl Session {
    /// Returns the effect of the settings that were loaded last, compared with those in use.
    pub(super) fn consequence_of_settings(&self) -> Consequence {
        Consequence::of(&self.mqtt, &self.inputs.settings.borrow())
    }

    /// Uses the settings that were loaded last.
    pub(super) fn take_settings(&mut self) {
        let new = self.inputs.settings.borrow_and_update().clone();
        if new.publish_rate != self.mqtt.publish_rate {
            self.traffic.publisher.set_rate(new.publish_rate);
        }
        self.traffic
            .presence
            .configure(new.presence_topic.clone(), new.report_interval);
        self.mqtt = new;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::messages::Bounds;

    #[test]
    fn only_what_is_agreed_on_needs_a_new_connection() {
        let usual = Mqtt {
            keep_alive: Duration::from_secs(60),
            session_expiry: Duration::from_secs(3600),
            presence_topic: Some("{thing}/presence".to_owned()),
            report_interval: Some(Duration::from_secs(300)),
            publish_rate: 100,
            bounds: Bounds::default(),
        };
        type Change = fn(&mut Mqtt);
        let changes: [(Change, Consequence); 8] = [
            (|_| {}, Consequence::Nothing),
            (|mqtt| mqtt.keep_alive *= 2, Consequence::NewConnection),
            (|mqtt| mqtt.session_expiry *= 2, Consequence::NewConnection),
            (|mqtt| mqtt.presence_topic = None, Consequence::NewConnection),
            (
                |mqtt| mqtt.presence_topic = Some("a".to_owned()),
                Consequence::NewConnection,
            ),
            (|mqtt| mqtt.report_interval = None, Consequence::Nothing),
            (|mqtt| mqtt.publish_rate = 1, Consequence::Nothing),
            (|mqtt| mqtt.bounds.max_messages = 1, Consequence::Nothing),
        ];
        for (number, (change, consequence)) in changes.into_iter().enumerate() {
            let mut new = usual.clone();
            change(&mut new);
            assert_eq!(Consequence::of(&usual, &new), consequence, "{number}");
        }
    }
}
