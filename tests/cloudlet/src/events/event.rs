//! The events that a cloudlet reports: connections, messages, registrations, API calls.

use std::net::SocketAddr;

use serde::Serialize;

use crate::Endpoint;
use crate::account::{CertificateId, CertificateStatus};
use crate::policy::Decision;

/// An event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Event {
    /// A TLS handshake succeeded.
    TlsAccepted {
        /// The endpoint.
        endpoint: Endpoint,
        /// The client's address.
        peer: SocketAddr,
        /// The TLS version, for example `TLSv1_3`.
        version: String,
        /// The certificate that the client sent.
        certificate: CertificateId,
        /// The number of certificates that the client sent: 1 if it sent no CA certificate.
        chain: usize,
    },
    /// A TLS handshake failed.
    TlsRefused {
        /// The endpoint.
        endpoint: Endpoint,
        /// The client's address.
        peer: SocketAddr,
        /// The reason.
        reason: String,
    },
    /// A complete CONNECT arrived.
    ConnectReceived {
        /// The client ID in it.
        client_id: String,
        /// The certificate of its connection.
        certificate: CertificateId,
    },
    /// A CONNECT was refused, or not answered.
    ConnectRefused {
        /// The client ID in it.
        client_id: String,
        /// The certificate of its connection.
        certificate: CertificateId,
        /// The reason. The client may see less.
        reason: String,
    },
    /// A CONNACK with success was sent.
    Connected {
        /// The client ID.
        client_id: String,
        /// The certificate of its connection.
        certificate: CertificateId,
        /// 4 (MQTT 3.1.1) or 5.
        protocol: u8,
        /// Whether a session was resumed.
        session_present: bool,
    },
    /// An accepted connection has ended.
    Disconnected {
        /// The client ID.
        client_id: String,
        /// The reason.
        reason: String,
    },
    /// A step of just-in-time provisioning.
    Jitp {
        /// The certificate that is being provisioned.
        certificate: CertificateId,
        /// The step.
        #[serde(flatten)]
        step: JitpStep,
    },
    /// A policy was evaluated.
    Decided {
        /// The caller: a client ID, or the ID of the certificate for the credentials provider.
        who: String,
        /// The answer.
        #[serde(flatten)]
        decision: Decision,
    },
    /// A message was passed to the broker.
    Published {
        /// The client ID.
        client_id: String,
        /// Its topic.
        topic: String,
        /// Its payload's length in bytes.
        length: usize,
    },
    /// The broker has acknowledged a message. Reported only with the switch `report_acknowledgements`.
    Acknowledged {
        /// The client ID of the publisher.
        client_id: String,
        /// Its topic.
        topic: String,
        /// Its payload, in which invalid UTF-8 is replaced by U+FFFD.
        payload: String,
    },
    /// A client has acknowledged a message; reported only with the switch `report_acknowledgements`.
    Delivered {
        /// The client ID.
        client_id: String,
        /// Its topic.
        topic: String,
        /// Its payload, with U+FFFD for what is not UTF-8.
        payload: String,
    },
    /// A service that devices use over MQTT has answered a request.
    ServiceAnswered {
        /// The client ID.
        client_id: String,
        /// The topic of the request.
        topic: String,
        /// Why the request was rejected; `None` if it was carried out.
        rejection: Option<String>,
    },
    /// A message was discarded, because the connection had reached its limit of messages in that second.
    Discarded {
        /// The client ID.
        client_id: String,
        /// Its topic.
        topic: String,
    },
    /// A PUBACK was not sent, because of a switch.
    PubackSwallowed {
        /// The client ID of its recipient.
        client_id: String,
    },
    /// A request was answered by the credentials provider.
    Credentials {
        /// The role alias that was requested.
        alias: String,
        /// The certificate of the connection.
        certificate: CertificateId,
        /// The status sent.
        status: u16,
        /// The error message or the access key's ID.
        detail: String,
    },
    /// A caller of STS has proved its identity.
    CallerIdentified {
        /// The ID of the access key it signed with.
        access_key_id: String,
        /// The ARN of its assumed role.
        arn: String,
    },
    /// An operation of the AWS IoT control plane, of IAM or of S3 was carried out.
    ApiCalled {
        /// The service, for example `iot`.
        service: &'static str,
        /// The operation, for example `RegisterCACertificate`.
        operation: &'static str,
        /// The ARN of the caller.
        caller: String,
        /// The ID of the access key it signed with.
        access_key_id: String,
        /// The name or ID of the resource; empty for a list of all.
        resource: String,
    },
    /// A request to the API was refused.
    CallerRefused {
        /// The service, for example `iot`; `sts` if it is unknown.
        service: &'static str,
        /// The operation, for example `RegisterCACertificate`, if the request named one.
        operation: Option<&'static str>,
        /// The ID of the access key in the request, if there is one.
        access_key_id: Option<String>,
        /// AWS's error code.
        code: String,
        /// AWS's message.
        message: String,
    },
    /// A certificate's status was set manually.
    CertificateStatusSet {
        /// The certificate.
        certificate: CertificateId,
        /// Its new status.
        status: CertificateStatus,
    },
    /// The broker was started, killed or wiped.
    Broker {
        /// The action.
        what: &'static str,
    },
}

/// A step of just-in-time provisioning, in the documented order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "step", rename_all = "kebab-case")]
pub enum JitpStep {
    /// The certificate is PENDING_ACTIVATION.
    Registered,
    /// The thing exists.
    ThingCreated {
        /// Its name.
        thing: String,
    },
    /// The policy exists.
    PolicyCreated {
        /// Its name.
        policy: String,
    },
    /// The policy is attached to the certificate.
    PolicyAttached {
        /// Its name.
        policy: String,
    },
    /// The certificate is attached to the thing.
    ThingAttached {
        /// Its name.
        thing: String,
    },
    /// The certificate has the status that the template specifies, and provisioning is complete.
    StatusSet {
        /// ACTIVE, unless the template specifies another one.
        status: CertificateStatus,
    },
    /// Provisioning failed; the certificate stays PENDING_ACTIVATION.
    Failed {
        /// The reason, as in CloudTrail.
        reason: String,
    },
}
