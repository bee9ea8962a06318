//! Issues a certificate for a request, correctly or with the fault that is switched on.

use std::time::{Duration, SystemTime};

use crate::ca::{Ca, CaKey};
use crate::error::Error;
use crate::pkcs10::Pkcs10;
use crate::switches::{CertificateFault, CertificateOrder};
use crate::x509::{self, Extension, Unsigned, oid};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// A certificate that was issued.
pub(crate) struct Issued {
    pub(crate) certificate: Vec<u8>,
    pub(crate) serial: String,
}

/// Issues a certificate for `request`.
pub(crate) fn issue_certificate(
    ca: &Ca,
    request: &Pkcs10,
    lifetime: Duration,
    fault: CertificateFault,
) -> Result<Issued, Error> {
    let other_pair = || rcgen::KeyPair::generate().map_err(|error| Error::Ca(error.to_string()));
    let other_ca;
    let signer: &Ca = match fault {
        CertificateFault::OtherCa => {
            other_ca = Ca::self_signed(&ca.common_name)?;
            &other_ca
        }
        _ => ca,
    };
    let key_info = match fault {
        CertificateFault::OtherKey => CaKey::software(other_pair()?)?.key_info().to_vec(),
        _ => request.key_info.clone(),
    };
    let subject = match fault {
        CertificateFault::OtherName => x509::common_name(&format!("not-{}", request.common_name)),
        _ => request.subject.clone(),
    };
    let now = SystemTime::now();
    let not_before = match fault {
        CertificateFault::Expired => now - lifetime - DAY,
        CertificateFault::NotYetValid => now + 365 * DAY,
        _ => now,
    };
    let is_ca = fault == CertificateFault::IsCa;
    let purpose = match fault {
        CertificateFault::WithoutClientAuth => oid::SERVER_AUTH,
        _ => oid::CLIENT_AUTH,
    };
    let mut extensions = vec![
        Extension::basic_constraints(is_ca),
        Extension::key_usage(is_ca),
        Extension::extended_key_usage(purpose),
        Extension::subject_key_id(&x509::key_id(&key_info)),
    ];
    // With the name of the true CA, so that only the signature differs.
    extensions.extend(ca.authority_key_id());
    extensions.extend(request.subject_alt_name.clone().map(Extension::subject_alt_name));
    let unsigned = Unsigned {
        issuer: &ca.subject,
        subject: &subject,
        key_info: &key_info,
        not_before,
        not_after: not_before + lifetime,
        extensions,
    };
    let (certificate, serial) = unsigned.sign(signer.key.signature_algorithm(), |message| signer.key.sign(message))?;
    Ok(Issued { certificate, serial })
}

/// Orders the certificates of a response.
pub(crate) fn arrange(leaf: Vec<u8>, ca: &Ca, order: CertificateOrder) -> Result<Vec<Vec<u8>>, Error> {
    let mut issuers = vec![ca.certificate.clone()];
    issuers.extend(ca.issuers.iter().cloned());
    Ok(match order {
        CertificateOrder::LeafOnly => vec![leaf],
        CertificateOrder::LeafFirst => std::iter::once(leaf).chain(issuers).collect(),
        CertificateOrder::LeafLast => issuers.into_iter().chain([leaf]).collect(),
        CertificateOrder::LeafBetween => {
            let unrelated = Ca::self_signed("An Unrelated CA")?.certificate;
            issuers.into_iter().chain([leaf, unrelated]).collect()
        }
    })
}
