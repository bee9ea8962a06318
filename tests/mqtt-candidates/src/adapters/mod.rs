//! One file per candidate; here, what the two that speak rumqttc-v5-next's types share.

pub mod own_session;
pub mod pipe;
pub mod protocol_core;
mod protocol_core_packets;
pub mod rumqttc;
pub mod rumqttc_next;
mod rumqttc_next_session;

use ::rumqttc_next::mqttbytes::v5::{ConnAck, ConnectProperties, ConnectReturnCode, LastWillProperties};

use crate::candidate::{Connack, MAXIMUM_PACKET, RECEIVE_MAXIMUM, SESSION_EXPIRY, WILL_DELAY};

pub fn connect_properties_next() -> ConnectProperties {
    let mut properties = ConnectProperties::new();
    properties.session_expiry_interval = Some(SESSION_EXPIRY);
    properties.receive_maximum = Some(RECEIVE_MAXIMUM);
    properties.max_packet_size = Some(MAXIMUM_PACKET);
    properties
}

pub fn will_properties_next() -> LastWillProperties {
    LastWillProperties {
        delay_interval: Some(WILL_DELAY),
        payload_format_indicator: None,
        message_expiry_interval: None,
        content_type: None,
        response_topic: None,
        correlation_data: None,
        user_properties: Vec::new(),
    }
}

pub fn connack_next(connack: &ConnAck) -> Connack {
    let granted = connack.properties.as_ref();
    Connack {
        session_present: connack.session_present,
        session_expiry: granted.and_then(|granted| granted.session_expiry_interval),
        receive_maximum: granted.and_then(|granted| granted.receive_max),
        maximum_packet_size: granted.and_then(|granted| granted.max_packet_size),
        server_keep_alive: granted.and_then(|granted| granted.server_keep_alive),
        reason: granted.and_then(|granted| granted.reason_string.clone()),
    }
}

/// The crate has the numbers, but keeps them to itself. Only those that the cases use.
pub fn refusal_next(code: ConnectReturnCode) -> u8 {
    match code {
        ConnectReturnCode::Success => 0x00,
        ConnectReturnCode::NotAuthorized => 0x87,
        _ => 0x80,
    }
}

pub mod reason_next {
    use ::rumqttc_next::mqttbytes::v5::{PubAckReason, SubscribeReasonCode};

    pub fn puback(reason: PubAckReason) -> u8 {
        reason as u8
    }

    pub fn suback(reason: &SubscribeReasonCode) -> u8 {
        match reason {
            SubscribeReasonCode::Success(qos) => *qos as u8,
            SubscribeReasonCode::NotAuthorized => 0x87,
            _ => 0x80,
        }
    }
}
