//! The misbehaviour of real servers, proxies and networks, as switches.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

/// How the body of a successful answer is encoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BodyForm {
    /// Base64 of DER, in one line.
    #[default]
    Base64,
    /// Base64 of DER in lines of 76 characters that end with CR LF, as RFC 2045 has it.
    Lines,
    /// Base64 with blanks, tabs and empty lines strewn in.
    WhiteSpace,
    /// Base64 of BER with indefinite lengths.
    IndefiniteBer,
    /// PEM with the label PKCS7.
    PemPkcs7,
    /// PEM with a CERTIFICATE block for each certificate.
    PemCertificates,
    /// DER without base64.
    Binary,
    /// Base64 with a character that is none of its alphabet in the middle.
    BrokenBase64,
    /// The first half of the base64, as a complete answer.
    Truncated,
    /// A PKCS#7 without any certificate.
    NoCertificates,
    /// Nothing.
    Empty,
    /// A web page, as a captive portal answers.
    Html,
}

/// The order of the certificates in an answer to an enrolment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CertificateOrder {
    /// The new certificate alone, as RFC 7030 has it.
    #[default]
    LeafOnly,
    /// The new certificate, then its CA's.
    LeafFirst,
    /// The CA's certificates, then the new one.
    LeafLast,
    /// Between the CA's certificate and an unrelated one.
    LeafBetween,
}

/// What is wrong with the certificate that is issued.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CertificateFault {
    /// Nothing.
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
    /// An unknown CA with the same name has signed it.
    OtherCa,
    /// It is a CA certificate.
    IsCa,
    /// It is the certificate that is being renewed once more.
    Unchanged,
}

/// What happens instead of an answer, or to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AnswerFault {
    /// 202 with this Retry-After, or without one.
    Wait(Option<String>),
    /// This status with a short text.
    Status(u16),
    /// 302 to this URL.
    Redirect(String),
    /// The certificate is issued, a one-time secret is consumed, and then the connection is closed.
    LostAfterIssue,
    /// The connection is closed before anything is done.
    Closed,
    /// The connection is closed in the middle of the body.
    CutBody,
    /// 200 with 5 MB.
    HugeBody,
    /// The body comes byte by byte with this pause.
    SlowBody(Duration),
    /// No answer, and the connection stays open.
    Hang,
}

/// A fault of the answers, and how often it happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The fault.
    pub kind: AnswerFault,
    /// To so many answers; `None` for ever.
    pub times: Option<u32>,
}

/// The switches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Switches {
    /// How the body of a successful answer is encoded.
    pub body: BodyForm,
    /// The order of the certificates in an answer to an enrolment.
    pub order: CertificateOrder,
    /// What is wrong with the certificate that is issued.
    pub certificate: CertificateFault,
    /// Whether a successful enrolment is answered by 201 instead of 200.
    pub created: bool,
    /// A Content-Type in the place of the right one.
    pub content_type: Option<String>,
    /// What happens to the answers to enrolments, one fault after the other.
    pub enrolment_faults: VecDeque<Fault>,
    /// The same for cacerts and csrattrs.
    pub other_faults: VecDeque<Fault>,
}

impl AnswerFault {
    /// So many times.
    #[must_use]
    pub fn times(self, times: u32) -> Fault {
        Fault {
            kind: self,
            times: Some(times),
        }
    }

    /// Again and again.
    #[must_use]
    pub fn forever(self) -> Fault {
        Fault {
            kind: self,
            times: None,
        }
    }
}

/// The switches while the server runs.
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

    /// Takes the fault of the next answer, and counts it.
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
