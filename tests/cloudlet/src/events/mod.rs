//! What happened, in order: kept for tests, passed on to an observer as it happens.

mod display;

use std::collections::VecDeque;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use serde::Serialize;

use crate::account::{CertificateId, CertificateStatus};
use crate::policy::Decision;
use crate::{Endpoint, Error};

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Event {
    /// A TLS handshake ended well.
    TlsAccepted {
        /// Where.
        endpoint: Endpoint,
        /// From where.
        peer: SocketAddr,
        /// As in `TLSv1_3`.
        version: String,
        /// The certificate shown.
        certificate: CertificateId,
        /// How many certificates were shown: 1 is the device's alone.
        chain: usize,
    },
    /// A TLS handshake failed.
    TlsRefused {
        /// Where.
        endpoint: Endpoint,
        /// From where.
        peer: SocketAddr,
        /// Why.
        reason: String,
    },
    /// A CONNECT arrived whole.
    ConnectReceived {
        /// The client ID in it.
        client_id: String,
        /// The certificate of its connection.
        certificate: CertificateId,
    },
    /// A CONNECT was not answered with success.
    ConnectRefused {
        /// The client ID in it.
        client_id: String,
        /// The certificate of its connection.
        certificate: CertificateId,
        /// Why; what the client saw is another matter.
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
    /// A connection that had been accepted is over.
    Disconnected {
        /// The client ID.
        client_id: String,
        /// Why.
        reason: String,
    },
    /// A step of just-in-time provisioning.
    Jitp {
        /// The certificate that is provisioned.
        certificate: CertificateId,
        /// The step.
        #[serde(flatten)]
        step: JitpStep,
    },
    /// A policy was asked.
    Decided {
        /// Who asked: a client ID, or the certificate's ID for the credentials provider.
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
    /// The broker has acknowledged a message; told where the switch `tell_acknowledged` asks for it.
    Acknowledged {
        /// The client ID of the publisher.
        client_id: String,
        /// Its topic.
        topic: String,
        /// Its payload, with U+FFFD for what is not UTF-8.
        payload: String,
    },
    /// A message was discarded: the connection had published all it may in that second.
    Discarded {
        /// The client ID.
        client_id: String,
        /// Its topic.
        topic: String,
    },
    /// A PUBACK was swallowed, as a switch demanded.
    PubackSwallowed {
        /// The client ID it was for.
        client_id: String,
    },
    /// A request was answered by the credentials provider.
    Credentials {
        /// The role alias asked for.
        alias: String,
        /// The certificate of the connection.
        certificate: CertificateId,
        /// The status sent.
        status: u16,
        /// The error message or the access key's ID.
        detail: String,
    },
    /// A caller of STS proved who it is.
    CallerIdentified {
        /// The ID of the access key it signed with.
        access_key_id: String,
        /// The assumed role it is.
        arn: String,
    },
    /// An operation of the AWS IoT control plane, of IAM or of S3 was carried out.
    ApiCalled {
        /// As in `iot`.
        service: &'static str,
        /// As in `RegisterCACertificate`.
        operation: &'static str,
        /// The ARN of whoever called it.
        caller: String,
        /// The ID of the access key it signed with.
        access_key_id: String,
        /// What it was about: a name, an ID; empty for a list of everything.
        resource: String,
    },
    /// A request to the API was refused.
    CallerRefused {
        /// As in `iot`; `sts` too where it could not be told.
        service: &'static str,
        /// As in `RegisterCACertificate`, if it got as far as naming one.
        operation: Option<&'static str>,
        /// The ID of the access key it claims, if it got as far as claiming one.
        access_key_id: Option<String>,
        /// AWS's error code.
        code: String,
        /// AWS's message.
        message: String,
    },
    /// A certificate's status was set by hand.
    CertificateStatusSet {
        /// The certificate.
        certificate: CertificateId,
        /// Its new status.
        status: CertificateStatus,
    },
    /// The broker was started, killed or wiped.
    Broker {
        /// Which of these.
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
    /// The certificate has the status the template gives it; provisioning is done.
    StatusSet {
        /// ACTIVE, unless the template says otherwise.
        status: CertificateStatus,
    },
    /// Provisioning failed; the certificate stays PENDING_ACTIVATION.
    Failed {
        /// Why: what CloudTrail would show.
        reason: String,
    },
}

/// Told of every event as it happens, on the thread where it happens.
pub type Observer = Arc<dyn Fn(&Event) + Send + Sync>;

/// The events so far.
#[derive(Clone)]
pub(crate) struct Events(Arc<Inner>);

/// So many are kept, the latest: more than a test causes, and a bound for a cloudlet that runs for months.
const KEPT: usize = 500_000;

struct Inner {
    events: Mutex<Kept>,
    grown: Condvar,
    observer: Option<Observer>,
}

/// The latest events, numbered from the first that ever happened.
#[derive(Default)]
struct Kept {
    latest: VecDeque<Event>,
    /// How many earlier ones are kept no more.
    forgotten: usize,
}

impl Kept {
    fn push(&mut self, event: Event, most: usize) {
        if self.latest.len() >= most {
            self.latest.pop_front();
            self.forgotten += 1;
        }
        self.latest.push_back(event);
    }

    /// How many there were in all.
    fn count(&self) -> usize {
        self.forgotten + self.latest.len()
    }

    fn since(&self, number: usize) -> impl Iterator<Item = &Event> {
        self.latest.iter().skip(number.saturating_sub(self.forgotten))
    }
}

impl Events {
    pub(crate) fn new(observer: Option<Observer>) -> Self {
        Self(Arc::new(Inner {
            events: Mutex::default(),
            grown: Condvar::new(),
            observer,
        }))
    }

    pub(crate) fn push(&self, event: Event) {
        if let Some(observer) = &self.0.observer {
            observer(&event);
        }
        self.0.events.lock().push(event, KEPT);
        self.0.grown.notify_all();
    }

    pub(crate) fn snapshot(&self) -> Vec<Event> {
        self.0.events.lock().latest.iter().cloned().collect()
    }

    /// The first event from position `from` on that is wanted, waiting for it if need be.
    pub(crate) fn wait_for(
        &self,
        from: usize,
        timeout: Duration,
        mut wanted: impl FnMut(&Event) -> bool,
    ) -> Result<Event, Error> {
        let deadline = Instant::now() + timeout;
        let mut events = self.0.events.lock();
        let mut seen = from;
        loop {
            if let Some(event) = events.since(seen).find(|event| wanted(event)) {
                return Ok(event.clone());
            }
            seen = events.count().max(from);
            if self.0.grown.wait_until(&mut events, deadline).timed_out() && events.count() <= seen {
                return Err(Error::TimedOut(timeout));
            }
        }
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.events.lock().latest.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_are_kept_under_the_numbers_they_had() {
        let event = |what| Event::Broker { what };
        let mut kept = Kept::default();
        for what in ["a", "b", "c", "d", "e"] {
            kept.push(event(what), 3);
        }
        assert_eq!((kept.count(), kept.latest.len()), (5, 3));
        let since = |number| kept.since(number).cloned().collect::<Vec<_>>();
        assert_eq!(since(0), [event("c"), event("d"), event("e")]);
        assert_eq!(since(3), [event("d"), event("e")]);
        assert_eq!(since(5), []);
    }
}
