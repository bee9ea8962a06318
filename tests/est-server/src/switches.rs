//! Switches for the misbehaviour of real servers, proxies and networks.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

/// The encoding of the body of a successful response.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BodyForm {
    /// Base64 of DER, in one line.
    #[default]
    Base64,
    /// Base64 of DER in lines of 76 characters that end with CR LF, as in RFC 2045.
    Lines,
    /// Base64 with blanks, tabs and empty lines inside.
    WhiteSpace,
    /// Base64 of BER with indefinite lengths.
    IndefiniteBer,
    /// PEM with the label PKCS7.
    PemPkcs7,
    /// PEM with a CERTIFICATE block for each certificate.
    PemCertificates,
    /// DER without base64.
    Binary,
    /// Base64 with an invalid character in the middle.
    BrokenBase64,
    /// The first half of the base64, as a complete response.
    Truncated,
    /// A PKCS#7 without any certificate.
    NoCertificates,
    /// An empty body.
    Empty,
    /// A web page, as from a captive portal.
    Html,
}

/// The order of the certificates in a response to an enrolment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CertificateOrder {
    /// The new certificate alone, as RFC 7030 requires.
    #[default]
    LeafOnly,
    /// The new certificate, then its CA's.
    LeafFirst,
    /// The CA's certificates, then the new one.
    LeafLast,
    /// The new certificate between the CA's and an unrelated one.
    LeafBetween,
}

/// A fault of the issued certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CertificateFault {
    /// No fault.
    #[default]
    None,
    /// It is for another key.
    OtherKey,
    /// It has another common name.
    OtherName,
    /// It has expired.
    Expired,
    /// It will be valid in a year.
    NotYetValid,
    /// Its extended key usage is serverAuth, without clientAuth.
    WithoutClientAuth,
    /// It was signed by an unknown CA with the same name.
    OtherCa,
    /// It is a CA certificate.
    IsCa,
    /// It is the certificate that is being renewed, unchanged.
    Unchanged,
}

/// A fault of a response, or in place of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AnswerFault {
    /// 202 with this Retry-After, or without one.
    Wait(Option<String>),
    /// This status with a short text.
    Status(u16),
    /// 302 to this URL.
    Redirect(String),
    /// The certificate is issued, a one-time secret is used up, and then the connection is closed.
    LostAfterIssue,
    /// The connection is closed before anything is done.
    Closed,
    /// The connection is closed in the middle of the body.
    CutBody,
    /// Status 200 with a body of 5 MB.
    HugeBody,
    /// The body is sent byte by byte with this pause.
    SlowBody(Duration),
    /// There is no response, and the connection stays open.
    Hang,
}

/// A fault of responses, and how often it occurs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The fault.
    pub kind: AnswerFault,
    /// The number of responses; `None` for all.
    pub times: Option<u32>,
}

/// The switches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Switches {
    /// The encoding of the body of a successful response.
    pub body: BodyForm,
    /// The order of the certificates in a response to an enrolment.
    pub order: CertificateOrder,
    /// The fault of issued certificates.
    pub certificate: CertificateFault,
    /// Whether a successful enrolment is answered with 201 instead of 200.
    pub created: bool,
    /// A Content-Type in place of the right one.
    pub content_type: Option<String>,
    /// The faults of the next responses to enrolments, in order.
    pub enrolment_faults: VecDeque<Fault>,
    /// The same for cacerts and csrattrs.
    pub other_faults: VecDeque<Fault>,
}

impl AnswerFault {
    /// Creates a fault that occurs this many times.
    #[must_use]
    pub fn times(self, times: u32) -> Fault {
        Fault {
            kind: self,
            times: Some(times),
        }
    }

    /// Creates a fault that occurs every time.
    #[must_use]
    pub fn forever(self) -> Fault {
        Fault {
            kind: self,
            times: None,
        }
    }
}

/// The switches of a running server.
#[derive(Clone, Debug)]
pub(crate) struct SwitchBoard(Arc<Mutex<Switches>>);

impl SwitchBoard {
    pub(crate) fn new(first: Switches) -> Self {
        Self(Arc::new(Mutex::new(first)))
    }

    pub(crate) fn set(&self, change: impl FnOnce(&mut Switches)) {
        change(&mut self.0.lock());
    }

    pub(crate) fn get(&self) -> Switches {
        self.0.lock().clone()
    }

    /// Returns the fault of the next response, and counts it.
    pub(crate) fn next_fault(&self, is_enrolment: bool) -> Option<AnswerFault> {
        let mut switches = self.0.lock();
        let faults = match is_enrolment {
            true => &mut switches.enrolment_faults,
            false => &mut switches.other_faults,
        };
        while let Some(fault) = faults.front_mut() {
            match &mut fault.times {
                None => return Some(fault.kind.clone()),
                Some(0) => {
                    faults.pop_front();
                }
                Some(times) => {
                    *times -= 1;
                    return Some(fault.kind.clone());
                }
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_follow_each_other_and_end() {
        let board = SwitchBoard::new(Switches::default());
        assert_eq!(board.next_fault(true), None);
        board.set(|switches| {
            switches.enrolment_faults = [
                AnswerFault::Status(500).times(2),
                AnswerFault::Closed.times(0),
                AnswerFault::Hang.times(1),
            ]
            .into();
            switches.other_faults = [AnswerFault::Status(404).forever()].into();
        });
        let next: Vec<_> = (0..4).map(|_| board.next_fault(true)).collect();
        let status = Some(AnswerFault::Status(500));
        assert_eq!(next, [status.clone(), status, Some(AnswerFault::Hang), None]);
        assert!((0..5).all(|_| board.next_fault(false) == Some(AnswerFault::Status(404))));
    }
}
