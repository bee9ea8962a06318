//! Switches for faults, and for behaviour of AWS that is not known for certain. They can be changed at any time, from any thread, and take
//! effect at once.

mod credentials;
mod fleet_provisioning;
mod rotator;

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::front::limits;
pub use credentials::{Answer, CredentialSwitches, Date, Lifetime};
pub use fleet_provisioning::{FleetProvisioningSwitches, IssuedSubject};
pub use rotator::{RotatorFault, RotatorSwitches, RotatorVersion};

/// The handling of connections whose certificate is not provisioned yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FirstContact {
    /// CONNECT is read, then the connection is closed without CONNACK (re:Post JITP article).
    #[default]
    Drop,
    /// CONNECT is read, then nothing happens (amazon-freertos issue 687).
    Hang,
    /// Like `Drop`, but the certificate is never provisioned.
    Never,
}

/// The stage at which a certificate that may not connect is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BadCertificate {
    /// After the handshake and CONNECT, by closing (aws-iot-device-sdk-embedded-C issue 1920).
    #[default]
    CloseAfterHandshake,
    /// In the handshake, by an alert (aws-iot-device-sdk-python issue 76).
    TlsAlert,
}

/// The response to an MQTT 3.1.1 SUBSCRIBE that a policy denies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DeniedSubscribe {
    /// The connection is closed (aws-iot-device-sdk-js issues 125 and 191).
    #[default]
    Close,
    /// SUBACK with 0x80 (developer guide, diagnosing-connectivity-issues).
    Suback,
}

/// The response to an MQTT 3.1.1 CONNECT that a policy denies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DeniedConnect {
    /// The connection is closed, without CONNACK (paho.mqtt.rust issue 119, mongoose-os issue 178).
    #[default]
    Close,
    /// CONNACK with return code 5, not authorized (MQTT 3.1.1, 3.2.2.3).
    Connack,
}

/// The reaction of SendDirectMessage to a PUBACK that reports a failure. The developer guide (direct-messaging) mentions PUBACK only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RefusedDirectMessage {
    /// It is not a confirmation: 504 after the timeout.
    #[default]
    Unconfirmed,
    /// It is a confirmation like any PUBACK.
    Confirmed,
}

/// The TLS versions that are offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TlsVersions {
    /// 1.2 and 1.3, as IoTSecurityPolicy_TLS13_1_2_2022_10 does.
    #[default]
    Both,
    /// 1.2 only, as older endpoints do.
    Only12,
    /// 1.3 only.
    Only13,
}

/// All switches. The defaults are AWS's behaviour.
#[derive(Debug, Clone)]
pub struct Switches {
    /// The handling of the first connection of a certificate that JITP will provision.
    pub first_contact: FirstContact,
    /// The range from which the duration of each provisioning is drawn at random.
    pub jitp_delay: RangeInclusive<Duration>,
    /// Whether JITP runs again for a certificate for which it has failed (likely, though no source says so).
    pub jitp_again: bool,
    /// The stage at which certificates that may not connect are refused.
    pub bad_certificate: BadCertificate,
    /// Whether a handshake without SNI is accepted (the developer guide contradicts itself).
    pub accept_without_sni: bool,
    /// The TLS versions that are offered.
    pub tls_versions: TlsVersions,
    /// Whether ALPN `x-amzn-mqtt-ca` is demanded on any port, as it always is on port 443.
    pub require_alpn: bool,
    /// Whether the account issues tokens for services outside AWS (IAM, EnableOutboundWebIdentityFederation).
    pub web_identity_tokens: bool,
    /// Whether roles may have such tokens. What their policies allow is not evaluated.
    pub allow_web_identity_tokens: bool,
    /// Whether the MQTT endpoint completes handshakes, and then reads and sends nothing.
    pub hang_after_tls: bool,
    /// Minimum time between two CONNECTs with the same client ID. The quota is 1 s, and 10 s has been observed (aws-greengrass-nucleus pull
    /// request 1003).
    pub connect_interval: Duration,
    /// The code with which every CONNECT is refused: a reason code of MQTT 5, a return code of 3.1.1.
    pub refuse_connect: Option<u8>,
    /// The response to a denied MQTT 3.1.1 CONNECT.
    pub denied_connect: DeniedConnect,
    /// The response to a denied MQTT 3.1.1 SUBSCRIBE.
    pub denied_subscribe: DeniedSubscribe,
    /// The reaction of SendDirectMessage to a PUBACK that reports a failure.
    pub refused_direct_message: RefusedDirectMessage,
    /// Maximum session expiry that is granted.
    pub session_expiry_limit: Duration,
    /// Maximum number of messages that a connection may publish per second. AWS's quota is 100; a test that needs many messages in a short
    /// time raises it.
    pub publishes_per_second: u32,
    /// Whether each QoS 1 message that the broker has acknowledged is reported with its payload: from then on AWS must deliver it, whatever
    /// the client sees of it. Each message that a client has acknowledged is reported likewise.
    pub report_acknowledgements: bool,
    /// Delay of every PUBACK to a client.
    pub delay_pubacks: Option<Duration>,
    /// The number of the PUBACK, counted from 1, that is not sent; then this becomes `None` again.
    pub drop_puback: Option<u64>,
    /// Number of packets from the client, not counting CONNECT, after which each connection is closed.
    pub cut_after_packets: Option<u64>,
    /// The end of a topic. The connection of a client that publishes to such a topic is closed without notice.
    pub hang_up_on: Option<String>,
    /// The seconds by which AWS's clock is ahead of this machine's, for credentials, signatures and the Date header. To a gateway on this
    /// machine its own clock then appears to be behind. Certificates are verified with this machine's clock.
    pub clock_ahead: i64,
    /// Length of a minute of the timers of jobs.
    pub job_minute: Duration,
    /// Faults of the credentials provider.
    pub credentials: CredentialSwitches,
    /// Switches of fleet provisioning.
    pub fleet: FleetProvisioningSwitches,
    /// Switches of the backend of AWS's certificate rotator.
    pub rotator: RotatorSwitches,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            first_contact: FirstContact::default(),
            // AWS's value is not known; thin-edge.io's retries suggest a few seconds (thin-edge.io issue 3001).
            jitp_delay: Duration::from_secs(1)..=Duration::from_secs(5),
            jitp_again: true,
            bad_certificate: BadCertificate::default(),
            accept_without_sni: false,
            tls_versions: TlsVersions::default(),
            require_alpn: false,
            web_identity_tokens: false,
            allow_web_identity_tokens: true,
            hang_after_tls: false,
            connect_interval: Duration::from_secs(1),
            refuse_connect: None,
            denied_connect: DeniedConnect::default(),
            denied_subscribe: DeniedSubscribe::default(),
            refused_direct_message: RefusedDirectMessage::default(),
            // developer guide, mqtt: one hour unless the account's limit was raised.
            session_expiry_limit: Duration::from_secs(3600),
            publishes_per_second: limits::MAX_PUBLISHES_PER_SECOND,
            report_acknowledgements: false,
            delay_pubacks: None,
            drop_puback: None,
            cut_after_packets: None,
            hang_up_on: None,
            clock_ahead: 0,
            job_minute: Duration::from_secs(60),
            credentials: CredentialSwitches::default(),
            fleet: FleetProvisioningSwitches::default(),
            rotator: RotatorSwitches::default(),
        }
    }
}

/// The switches, shared by all parts of the cloudlet.
#[derive(Debug, Clone, Default)]
pub struct SwitchBoard(Arc<Mutex<Switches>>);

impl SwitchBoard {
    /// Creates a board with the switches in these positions.
    pub fn new(switches: Switches) -> Self {
        Self(Arc::new(Mutex::new(switches)))
    }

    /// Sets switches.
    pub fn set(&self, set: impl FnOnce(&mut Switches)) {
        set(&mut self.0.lock());
    }

    /// Reads switches.
    pub fn get<T>(&self, look: impl FnOnce(&Switches) -> T) -> T {
        look(&self.0.lock())
    }

    /// Counts a PUBACK; returns whether it must not be sent.
    pub(crate) fn swallow_puback(&self) -> bool {
        let mut switches = self.0.lock();
        match switches.drop_puback {
            Some(0 | 1) => {
                switches.drop_puback = None;
                true
            }
            Some(n) => {
                switches.drop_puback = Some(n - 1);
                false
            }
            None => false,
        }
    }
}
