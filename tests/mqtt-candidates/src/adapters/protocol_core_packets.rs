//! What goes in and out of mqtt-protocol-core, as the adapter needs it.

use mqtt_protocol_core::mqtt::{
    Connection, Version,
    connection::{ConnectionOptions, TimerKind},
    packet::{Property, Qos, SessionExpiryInterval, WillDelayInterval, v5_0},
    result_code::MqttError,
    role,
};

use crate::candidate::*;

pub type Core = Connection<role::Client>;

pub fn core() -> Core {
    let options = ConnectionOptions::new()
        .maximum_packet_size_recv(MAXIMUM_PACKET)
        .receive_maximum(RECEIVE_MAXIMUM);
    Core::with_options(Version::V5_0, options)
}

pub fn connect() -> Result<v5_0::Connect, MqttError> {
    v5_0::Connect::builder()
        .client_id(CLIENT_ID)?
        .clean_start(false)
        .keep_alive(KEEP_ALIVE)
        .will_message(WILL_TOPIC, "offline", Qos::AtLeastOnce, false)?
        .will_props(vec![Property::WillDelayInterval(WillDelayInterval::new(WILL_DELAY)?)])
        .props(vec![Property::SessionExpiryInterval(SessionExpiryInterval::new(
            SESSION_EXPIRY,
        )?)])
        .build()
}

pub fn granted(connack: &v5_0::Connack) -> Connack {
    let mut granted = Connack {
        session_present: connack.session_present(),
        reason: reason(&connack.props),
        ..Connack::default()
    };
    for property in &connack.props {
        match property {
            Property::SessionExpiryInterval(value) => granted.session_expiry = Some(value.val()),
            Property::ReceiveMaximum(value) => granted.receive_maximum = Some(value.val()),
            Property::MaximumPacketSize(value) => granted.maximum_packet_size = Some(value.val()),
            Property::ServerKeepAlive(value) => granted.server_keep_alive = Some(value.val()),
            _ => {}
        }
    }
    granted
}

pub fn reason(properties: &[Property]) -> Option<String> {
    properties.iter().find_map(|property| match property {
        Property::ReasonString(text) => Some(text.val().to_owned()),
        _ => None,
    })
}

pub fn name(kind: TimerKind) -> &'static str {
    match kind {
        TimerKind::PingreqSend => "send",
        TimerKind::PingreqRecv => "server",
        TimerKind::PingrespRecv => "receive",
    }
}

pub fn protocol(error: MqttError) -> Failure {
    Failure::Protocol(format!("{error:?}"))
}
