//! The record of requests and responses.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use crate::error::Error;

/// An operation of EST.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// `GET /cacerts`.
    CaCertificates,
    /// `GET /csrattrs`.
    RequestAttributes,
    /// `POST /simpleenroll`.
    Enrol,
    /// `POST /simplereenroll`.
    Reenrol,
}

/// An event.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A TLS handshake failed.
    TlsRefused {
        /// The reason.
        reason: String,
    },
    /// A request was answered.
    Answered {
        /// The operation; `None` for anything but EST.
        operation: Option<Operation>,
        /// The user or the certificate's subject that authenticated it.
        client: Option<String>,
        /// The status code; 0 if the connection was closed or kept waiting instead.
        status: u16,
        /// The reason of a refusal, or the fault that was switched on.
        note: String,
    },
    /// A certificate was issued. This event precedes the response, which may be lost.
    Issued {
        /// The common name.
        common_name: String,
        /// The serial number in hexadecimal.
        serial: String,
        /// Whether an earlier certificate was renewed.
        renewal: bool,
    },
    /// The CA was replaced.
    RolledOver {
        /// The new CA's common name.
        common_name: String,
    },
}

/// Called for each event as it happens.
pub type Observer = Arc<dyn Fn(&Event) + Send + Sync>;

/// The events so far.
#[derive(Clone)]
pub(crate) struct Events {
    shared: Arc<(Mutex<Vec<Event>>, Condvar)>,
    observer: Option<Observer>,
}

impl Events {
    pub(crate) fn new(observer: Option<Observer>) -> Self {
        Self {
            shared: Arc::default(),
            observer,
        }
    }

    pub(crate) fn push(&self, event: Event) {
        if let Some(observer) = &self.observer {
            observer(&event);
        }
        let (events, changed) = &*self.shared;
        events.lock().push(event);
        changed.notify_all();
    }

    pub(crate) fn all(&self) -> Vec<Event> {
        self.shared.0.lock().clone()
    }

    /// Waits until `count` events satisfy `is_wanted`.
    pub(crate) fn wait_for(
        &self,
        count: usize,
        patience: Duration,
        is_wanted: impl Fn(&Event) -> bool,
    ) -> Result<(), Error> {
        let deadline = Instant::now() + patience;
        let (events, changed) = &*self.shared;
        let mut events = events.lock();
        while events.iter().filter(|event| is_wanted(event)).count() < count {
            if changed.wait_until(&mut events, deadline).timed_out() {
                return Err(Error::TimedOut(patience));
            }
        }
        Ok(())
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CaCertificates => "cacerts",
            Self::RequestAttributes => "csrattrs",
            Self::Enrol => "simpleenroll",
            Self::Reenrol => "simplereenroll",
        })
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TlsRefused { reason } => write!(f, "TLS handshake failed: {reason}"),
            Self::Answered {
                operation,
                client,
                status,
                note,
            } => {
                match operation {
                    Some(operation) => write!(f, "{operation}")?,
                    None => f.write_str("request")?,
                }
                if let Some(client) = client {
                    write!(f, " by {client}")?;
                }
                match status {
                    0 => f.write_str(": no answer")?,
                    status => write!(f, ": {status}")?,
                }
                match note.is_empty() {
                    true => Ok(()),
                    false => write!(f, " ({note})"),
                }
            }
            Self::Issued {
                common_name,
                serial,
                renewal,
            } => {
                let what = if *renewal { "renewed" } else { "issued" };
                write!(f, "{what} certificate {serial} for {common_name}")
            }
            Self::RolledOver { common_name } => write!(f, "the CA is now {common_name}"),
        }
    }
}
