//! Decides whether a CONNECT with an ACTIVE certificate is accepted, and which of its requests are granted.

use std::net::SocketAddr;
use std::time::Duration;

use super::connections::Connection;
use super::limits;
use crate::account::CertificateId;
use crate::cloud::Cloud;
use crate::mqtt::{Connack, Connect, Properties, Protocol, QoS, Value, property, reason};
use crate::policy::{ConnectAttributes, Context};
use crate::x509::ParsedCertificate;

/// The refusal of a CONNECT.
pub(super) struct Refusal {
    /// The reason code of MQTT 5.
    pub(super) code: u8,
    pub(super) reason: String,
    pub(super) protocol: Protocol,
}

/// An accepted CONNECT.
pub(super) struct Admitted {
    pub(super) connection: Connection,
    pub(super) protocol: Protocol,
    pub(super) context: Context,
    /// The CONNECT for the broker.
    pub(super) connect: Connect,
    /// The CONNACK for the client, once the broker has reported whether a session is present.
    pub(super) connack: Connack,
    /// The time after which a silent client is disconnected.
    pub(super) silence: Duration,
    /// Maximum session expiry that DISCONNECT may request.
    pub(super) session_expiry_limit: u32,
}

pub(super) fn admit(
    cloud: &Cloud,
    id: &CertificateId,
    certificate: &ParsedCertificate,
    peer: SocketAddr,
    mut connect: Connect,
    assigned: bool,
) -> Result<Admitted, Refusal> {
    let protocol = connect.protocol;
    let refuse = |code, reason: &str| Refusal {
        code,
        reason: reason.to_owned(),
        protocol,
    };
    let client_id = connect.client_id.clone();
    if client_id.len() > limits::MAX_CLIENT_ID_BYTES || client_id.starts_with('$') {
        return Err(refuse(
            reason::CLIENT_IDENTIFIER_NOT_VALID,
            "client ID longer than 128 bytes or begun by $",
        ));
    }
    if connect.properties.get(property::AUTHENTICATION_METHOD).is_some() {
        return Err(refuse(
            reason::UNSPECIFIED_ERROR,
            "enhanced authentication is not supported",
        ));
    }
    // The thing with the same name as the client ID, if the certificate is attached to it (developer guide, thing-policy-variables).
    let thing = cloud.account.read(|account| {
        let attached = account.certificates.get(id)?.things.contains(&client_id);
        attached.then(|| account.registry.thing(&client_id).cloned()).flatten()
    });
    let context = Context::of_connection(certificate, &client_id, thing, peer.ip());
    let decide = |action, resource| cloud.decide(&client_id, id, &context, action, resource);
    let will_topic = connect.will.as_ref().map(|will| will.topic.as_str());
    let connecting = context.connecting(ConnectAttributes {
        persistent: connect.is_persistent(),
        will_topic: will_topic.map(|topic| cloud.account.read(|account| account.iot_arn("topic", topic))),
    });
    let decision = cloud.decide(&client_id, id, &connecting, "iot:Connect", ("client", &client_id));
    if !decision.allowed {
        return Err(refuse(reason::NOT_AUTHORIZED, &decision.to_string()));
    }
    if let Some(will) = &connect.will {
        if will.qos == QoS::ExactlyOnce {
            return Err(refuse(reason::QOS_NOT_SUPPORTED, "will with QoS 2"));
        }
        if !limits::topic_fits(&will.topic) {
            return Err(refuse(reason::TOPIC_NAME_INVALID, "will topic beyond the limits"));
        }
        // developer guide, life-cycle-events: connecting fails without permission for the will topic.
        let retained = if will.retain { Some("iot:RetainPublish") } else { None };
        for action in std::iter::once("iot:Publish").chain(retained) {
            let decision = decide(action, ("topic", will.topic.as_str()));
            if !decision.allowed {
                return Err(refuse(reason::NOT_AUTHORIZED, &decision.to_string()));
            }
        }
    }

    let keep_alive = limits::clamp_keep_alive(connect.keep_alive);
    let limit = cloud.switches.get(|switches| switches.session_expiry_limit).as_secs();
    let session_expiry_limit = u32::try_from(limit).unwrap_or(u32::MAX);
    let connack = connack(&connect, keep_alive, session_expiry_limit, assigned);
    rewrite_for_broker(&mut connect, keep_alive, session_expiry_limit);
    Ok(Admitted {
        connection: Connection {
            thing: context.thing_name().map(str::to_owned),
            client_id,
            certificate: id.clone(),
            peer,
            protocol: protocol as u8,
        },
        protocol,
        context,
        connect,
        connack,
        // developer guide and quotas: a client is disconnected after one and a half keep-alives without a packet.
        silence: Duration::from_secs(u64::from(keep_alive)) * 3 / 2,
        session_expiry_limit,
    })
}

/// Returns the properties of CONNACK (developer guide, mqtt).
fn connack(connect: &Connect, keep_alive: u16, session_expiry_limit: u32, assigned: bool) -> Connack {
    let mut properties = Properties::default();
    if connect.protocol == Protocol::V5 {
        let asked = connect.properties.u32(property::SESSION_EXPIRY_INTERVAL).unwrap_or(0);
        properties.set(
            property::SESSION_EXPIRY_INTERVAL,
            Value::U32(asked.min(session_expiry_limit)),
        );
        properties.set(property::RECEIVE_MAXIMUM, Value::U16(limits::MAX_UNACKNOWLEDGED));
        properties.set(property::MAXIMUM_QOS, Value::Flag(true));
        properties.set(property::RETAIN_AVAILABLE, Value::Flag(true));
        properties.set(property::MAXIMUM_PACKET_SIZE, Value::U32(limits::MAX_PACKET_SIZE));
        properties.set(property::TOPIC_ALIAS_MAXIMUM, Value::U16(limits::MAX_TOPIC_ALIASES));
        properties.set(property::WILDCARD_SUBSCRIPTION_AVAILABLE, Value::Flag(true));
        properties.set(property::SUBSCRIPTION_IDENTIFIER_AVAILABLE, Value::Flag(false));
        properties.set(property::SHARED_SUBSCRIPTION_AVAILABLE, Value::Flag(true));
        if keep_alive != connect.keep_alive {
            properties.set(property::SERVER_KEEP_ALIVE, Value::U16(keep_alive));
        }
        if assigned {
            properties.set(
                property::ASSIGNED_CLIENT_IDENTIFIER,
                Value::Text(connect.client_id.clone()),
            );
        }
    }
    Connack {
        session_present: false,
        code: reason::SUCCESS,
        properties,
    }
}

/// Rewrites CONNECT for the broker to what AWS has granted, without anything that the broker would act upon by itself.
fn rewrite_for_broker(connect: &mut Connect, keep_alive: u16, session_expiry_limit: u32) {
    // AWS takes SDK metrics from the user name, and ignores it for connections with X.509.
    (connect.username, connect.password) = (None, None);
    // The front disconnects silent clients; the broker must not do so first.
    connect.keep_alive = keep_alive.saturating_mul(2);
    let properties = &mut connect.properties;
    if let Some(asked) = properties.u32(property::SESSION_EXPIRY_INTERVAL) {
        properties.set(
            property::SESSION_EXPIRY_INTERVAL,
            Value::U32(asked.min(session_expiry_limit)),
        );
    }
    if connect.protocol == Protocol::V5 {
        let asked = properties.u16(property::RECEIVE_MAXIMUM).unwrap_or(u16::MAX);
        properties.set(
            property::RECEIVE_MAXIMUM,
            Value::U16(asked.min(limits::MAX_UNACKNOWLEDGED)),
        );
    }
    // The front resolves aliases upstream, and needs complete topics downstream to decide about iot:Receive.
    properties.remove(property::TOPIC_ALIAS_MAXIMUM);
    properties.remove(property::USER_PROPERTY);
}
