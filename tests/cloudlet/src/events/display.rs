//! Formats each event as one readable line.

use std::fmt;

use super::{Event, JitpStep};
use crate::account::CertificateId;

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TlsAccepted {
                endpoint,
                peer,
                version,
                certificate,
                chain,
            } => {
                let with_chain = if *chain > 1 { " with its chain" } else { "" };
                write!(
                    f,
                    "TLS   {endpoint}: {version} with {peer}, certificate {}{with_chain}",
                    short(certificate)
                )
            }
            Self::TlsRefused { endpoint, peer, reason } => {
                write!(f, "TLS   {endpoint}: handshake with {peer} failed: {reason}")
            }
            Self::ConnectReceived { client_id, certificate } => {
                write!(f, "MQTT  {client_id}: CONNECT, certificate {}", short(certificate))
            }
            Self::ConnectRefused { client_id, reason, .. } => write!(f, "MQTT  {client_id}: not connected: {reason}"),
            Self::Connected {
                client_id,
                protocol,
                session_present,
                ..
            } => {
                let protocol = if *protocol == 5 { "5" } else { "3.1.1" };
                let session = if *session_present { "resumed" } else { "new" };
                write!(
                    f,
                    "MQTT  {client_id}: connected with MQTT {protocol}, session {session}"
                )
            }
            Self::Disconnected { client_id, reason } => write!(f, "MQTT  {client_id}: disconnected: {reason}"),
            Self::Jitp { certificate, step } => write!(f, "JITP  certificate {}: {step}", short(certificate)),
            Self::Decided { who, decision } => write!(f, "RULE  {}: {decision}", who.get(..16).unwrap_or(who)),
            Self::Published {
                client_id,
                topic,
                length,
            } => write!(f, "MQTT  {client_id}: {length} bytes to {topic}"),
            Self::Acknowledged { client_id, topic, .. } => {
                write!(f, "MQTT  {client_id}: acknowledged by the broker: {topic}")
            }
            Self::Delivered { client_id, topic, .. } => {
                write!(f, "MQTT  {client_id}: the client acknowledged {topic}")
            }
            Self::ServiceAnswered {
                client_id,
                topic,
                rejection,
            } => match rejection {
                None => write!(f, "MQTT  {client_id}: {topic}: accepted"),
                Some(why) => write!(f, "MQTT  {client_id}: {topic}: rejected: {why}"),
            },
            Self::Discarded { client_id, topic } => {
                write!(
                    f,
                    "MQTT  {client_id}: discarded, too many messages in a second: {topic}"
                )
            }
            Self::PubackSwallowed { client_id } => write!(f, "MQTT  {client_id}: PUBACK swallowed by a switch"),
            Self::Credentials {
                alias, status, detail, ..
            } => write!(f, "CREDS {alias}: {status} {detail}"),
            Self::CallerIdentified { access_key_id, arn } => {
                write!(f, "API   sts:GetCallerIdentity: {access_key_id} is {arn}")
            }
            Self::ApiCalled {
                service,
                operation,
                caller,
                resource,
                ..
            } => {
                let resource = if resource.is_empty() {
                    String::new()
                } else {
                    format!(" {resource}")
                };
                let caller = caller.split_once('/').map_or(caller.as_str(), |(_, name)| name);
                write!(f, "API   {service}:{operation}{resource} by {caller}")
            }
            Self::CallerRefused {
                service,
                operation,
                access_key_id,
                code,
                message,
            } => {
                let who = access_key_id.as_deref().unwrap_or("nobody");
                let operation = operation.map_or_else(String::new, |operation| format!(":{operation}"));
                write!(f, "API   {service}{operation} refused to {who}: {code}: {message}")
            }
            Self::CertificateStatusSet { certificate, status } => {
                write!(f, "IOT   certificate {}: set {status}", short(certificate))
            }
            Self::Broker { what } => write!(f, "MQTT  broker {what}"),
        }
    }
}

impl fmt::Display for JitpStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Registered => write!(f, "registered, PENDING_ACTIVATION"),
            Self::ThingCreated { thing } => write!(f, "thing {thing} created"),
            Self::PolicyCreated { policy } => write!(f, "policy {policy} created"),
            Self::PolicyAttached { policy } => write!(f, "policy {policy} attached"),
            Self::ThingAttached { thing } => write!(f, "attached to thing {thing}"),
            Self::StatusSet { status } => write!(f, "{status}, provisioning done"),
            Self::Failed { reason } => write!(f, "stays PENDING_ACTIVATION: {reason}"),
        }
    }
}

/// Returns the beginning of a certificate's ID, which is enough to tell certificates apart on a screen.
fn short(certificate: &CertificateId) -> &str {
    certificate.as_str().get(..12).unwrap_or(certificate.as_str())
}
