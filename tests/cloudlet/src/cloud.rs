//! State that all endpoints share.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use parking_lot::Mutex;
use ring::signature::RsaKeyPair;

use crate::access_keys::AccessKeys;
use crate::account::{CertificateId, CertificateStatus, SharedAccount, Standing, standing};
use crate::api::Objects;
use crate::events::{Event, Events, JitpStep};
use crate::fleet_provisioning::{DeviceAuthority, KeysAndCertificate, OwnershipTokens};
use crate::front::{ClientRecords, Connections, Lifecycle, ServicePublisher};
use crate::jobs::Jobs;
use crate::policy::{Context, Decision, Request, evaluate};
use crate::provisioning;
use crate::rotator::Rotations;
use crate::shadow::Shadows;
use crate::switches::{FirstContact, SwitchBoard};
use crate::tls::ServerConfigs;
use crate::x509::ParsedCertificate;
use crate::{Endpoint, Error};

/// The endpoints that devices connect to.
#[derive(Debug)]
pub(crate) struct Endpoints {
    pub(crate) host: String,
    pub(crate) mqtt_port: u16,
    pub(crate) credentials_port: u16,
    pub(crate) api: SocketAddr,
}

impl Endpoints {
    /// Returns `HOST:PORT` of the MQTT endpoint.
    pub(crate) fn mqtt(&self) -> String {
        format!("{}:{}", self.host, self.mqtt_port)
    }

    /// Returns `HOST:PORT` of the credentials provider.
    pub(crate) fn credentials(&self) -> String {
        format!("{}:{}", self.host, self.credentials_port)
    }
}

/// State that all endpoints share.
pub(crate) struct Cloud {
    pub(crate) endpoints: Endpoints,
    pub(crate) account: SharedAccount,
    pub(crate) switches: SwitchBoard,
    pub(crate) events: Events,
    pub(crate) connections: Connections,
    pub(crate) client_records: ClientRecords,
    pub(crate) tls: ServerConfigs,
    pub(crate) device_authority: DeviceAuthority,
    pub(crate) ownership_tokens: OwnershipTokens,
    pub(crate) broker_socket: PathBuf,
    pub(crate) rng: Mutex<fastrand::Rng>,
    pub(crate) access_keys: AccessKeys,
    pub(crate) objects: Objects,
    /// The key that signs tokens for services outside AWS.
    pub(crate) web_identity_key: Mutex<Option<Arc<RsaKeyPair>>>,
    pub(crate) credential_requests: Mutex<HashMap<String, u64>>,
    pub(crate) handshakes: Mutex<HashMap<Endpoint, u64>>,
    pub(crate) provisioning: Mutex<HashSet<CertificateId>>,
    pub(crate) lifecycle: Lifecycle,
    pub(crate) publisher: ServicePublisher,
    pub(crate) shadows: Shadows,
    pub(crate) jobs: Jobs,
    pub(crate) rotations: Rotations,
    pub(crate) connection_counts: Mutex<HashMap<String, u64>>,
    pub(crate) last_connect: Mutex<HashMap<String, Instant>>,
}

impl Cloud {
    /// Returns the time of AWS's clock.
    pub(crate) fn now(&self) -> SystemTime {
        let ahead = self.switches.get(|switches| switches.clock_ahead);
        let by = Duration::from_secs(ahead.unsigned_abs());
        let now = SystemTime::now();
        let moved = match ahead < 0 {
            true => now.checked_sub(by),
            false => now.checked_add(by),
        };
        moved.unwrap_or(now)
    }

    pub(crate) fn count_handshake(&self, endpoint: Endpoint) {
        *self.handshakes.lock().entry(endpoint).or_default() += 1;
    }

    /// Counts a client's connection; returns the number of this one, starting at 0.
    pub(crate) fn count_connection(&self, client_id: &str) -> u64 {
        let mut counts = self.connection_counts.lock();
        let count = counts.entry(client_id.to_owned()).or_default();
        *count += 1;
        *count - 1
    }

    pub(crate) fn standing(&self, certificate: &ParsedCertificate) -> Standing {
        self.account
            .read(|account| standing(account, certificate, SystemTime::now()))
    }

    /// Returns whether this client ID may connect again already. If so, records this CONNECT.
    pub(crate) fn may_connect_now(&self, client_id: &str) -> bool {
        let interval = self.switches.get(|switches| switches.connect_interval);
        let now = Instant::now();
        let mut last_connect = self.last_connect.lock();
        let allowed = last_connect
            .get(client_id)
            .is_none_or(|last| now.duration_since(*last) >= interval);
        if allowed {
            last_connect.insert(client_id.to_owned(), now);
        }
        allowed
    }

    /// Evaluates the policies attached to a certificate, and reports the decision as an event.
    pub(crate) fn decide(
        &self,
        who: &str,
        certificate: &CertificateId,
        context: &Context,
        action: &str,
        (kind, name): (&str, &str),
    ) -> Decision {
        let decision = self.account.read(|account| {
            let resource = account.iot_arn(kind, name);
            evaluate(
                &account.policies_of(certificate),
                Request {
                    action,
                    resource: &resource,
                },
                context,
            )
        });
        self.events.push(Event::Decided {
            who: who.to_owned(),
            decision: decision.clone(),
        });
        decision
    }

    /// Registers a certificate that connects for the first time, and provisions it after a while. A certificate that is still pending is
    /// provisioned again (likely, though no source says so; a switch).
    pub(crate) fn first_contact(self: &Arc<Self>, id: &CertificateId, certificate: &Arc<ParsedCertificate>) {
        let Standing::ToProvision { ca, plan } = self.standing(certificate) else {
            return;
        };
        let new = self.account.read(|account| account.certificates.get(id).is_none());
        if new {
            let registered = self.account.change(|account| {
                account.certificates.register_pending(certificate, ca);
                Ok(())
            });
            let step = match registered {
                Ok(()) => JitpStep::Registered,
                Err(error) => JitpStep::Failed {
                    reason: error.to_string(),
                },
            };
            self.events.push(Event::Jitp {
                certificate: id.clone(),
                step,
            });
        }
        let (first_contact, delay) = self
            .switches
            .get(|switches| (switches.first_contact, switches.jitp_delay.clone()));
        let may_run = new || self.switches.get(|switches| switches.jitp_again);
        if first_contact == FirstContact::Never || !may_run || !self.provisioning.lock().insert(id.clone()) {
            return;
        }
        let delay = self.draw(&delay);
        let (cloud, id, certificate) = (self.clone(), id.clone(), certificate.clone());
        tokio::spawn(async move {
            tokio::time::sleep(delay).await;
            provisioning::provision(&cloud.account, &cloud.events, &plan, &id, &certificate);
            cloud.provisioning.lock().remove(&id);
        });
    }

    /// Sets a certificate's status, and closes its connections if it may no longer connect.
    pub(crate) fn set_certificate_status(&self, id: &CertificateId, status: CertificateStatus) -> Result<(), Error> {
        self.account
            .change(|account| account.certificates.set_status(id, status))?;
        self.events.push(Event::CertificateStatusSet {
            certificate: id.clone(),
            status,
        });
        if status != CertificateStatus::Active {
            self.connections.cut_certificate(id);
        }
        Ok(())
    }

    /// CreateKeysAndCertificate.
    pub(crate) fn create_keys_and_certificate(&self, is_active: bool) -> Result<KeysAndCertificate, Error> {
        let fleet = self.switches.get(|switches| switches.fleet.clone());
        let (certificate, private_key) = self.device_authority.create_keys(&fleet)?;
        let status = match is_active {
            true => CertificateStatus::Active,
            false => CertificateStatus::Inactive,
        };
        let id = self
            .account
            .change(|account| account.register_certificate(&certificate, status, false))?;
        Ok(KeysAndCertificate {
            id,
            certificate,
            private_key,
        })
    }

    fn draw(&self, range: &RangeInclusive<Duration>) -> Duration {
        range.start().saturating_add(
            range
                .end()
                .saturating_sub(*range.start())
                .mul_f64(self.rng.lock().f64()),
        )
    }

    pub(crate) fn random_uuid(&self) -> uuid::Uuid {
        uuid::Builder::from_random_bytes(self.rng.lock().u128(..).to_be_bytes()).into_uuid()
    }
}
