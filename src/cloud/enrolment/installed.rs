//! The installed certificate as enrolment needs it, whether or not it has expired.

use std::time::{Duration, SystemTime};

use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

use super::CurrentCertificate;
use super::schedule::Validity;
use crate::config::IdentityConfig;
use crate::identity::certificate_id;
use crate::pem_file;

/// The installed device certificate for the token's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct InstalledCertificate {
    /// Its certificate ID, as used by AWS and the identity.
    pub(super) id: String,
    /// The name that determines when the renewal is due, so that a fleet's renewals are spread.
    name: String,
    pub(super) validity: Validity,
}

impl InstalledCertificate {
    pub(super) fn as_current(&self) -> CurrentCertificate<'_> {
        CurrentCertificate {
            id: &self.id,
            thing_name: &self.name,
            validity: self.validity,
        }
    }
}

/// Reads the certificate for this key that expires last; `None` if the file contains none.
pub(super) fn installed(config: &IdentityConfig, key_info: &[u8]) -> Option<InstalledCertificate> {
    let file = pem_file::read(&config.certificate).ok()?;
    let found = file.certificates.iter().filter_map(|der| {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let validity = Validity {
            not_before: moment(certificate.validity().not_before.timestamp()),
            not_after: moment(certificate.validity().not_after.timestamp()),
        };
        (certificate.public_key().raw == key_info).then_some((der, validity))
    });
    let (der, validity) = found.max_by_key(|(_, validity)| validity.not_after)?;
    Some(InstalledCertificate {
        id: certificate_id(der),
        name: config
            .own_thing_name()
            .unwrap_or_else(|| config.subject.common_name.clone()),
        validity,
    })
}

/// Converts seconds since 1970 to a time. Times before 1970 count as 1970.
fn moment(unix_seconds: i64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(unix_seconds).unwrap_or(0))
}
