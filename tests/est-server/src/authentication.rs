//! Authenticates clients: by a client certificate of this CA or of a bootstrap CA, or by a secret.

use std::collections::HashMap;

use parking_lot::Mutex;
use subtle::ConstantTimeEq as _;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::ParsedExtension;
use x509_parser::prelude::FromDer as _;

use crate::base64_text;
use crate::ca::Cas;
use crate::options::User;
use crate::pkcs10::verify;
use crate::x509::oid;

/// A client certificate that TLS has verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ClientCertificate {
    /// The certificate.
    pub(crate) der: Vec<u8>,
    /// The subject as DER.
    pub(crate) subject: Vec<u8>,
    /// The value of its subjectAltName.
    pub(crate) subject_alt_name: Option<Vec<u8>>,
    /// The subject as text.
    pub(crate) name: String,
    /// Whether one of this server's CAs has issued it, not a bootstrap CA.
    pub(crate) is_own: bool,
}

impl ClientCertificate {
    pub(crate) fn new(der: &[u8], cas: &Cas) -> Option<Self> {
        let (_, parsed) = X509Certificate::from_der(der).ok()?;
        let is_own = cas.all().any(|ca| {
            ca.subject == parsed.issuer().as_raw()
                && X509Certificate::from_der(&ca.certificate).is_ok_and(|(_, issuer)| {
                    let signature = parsed.signature_value.data.as_ref();
                    let signed = parsed.tbs_certificate.as_ref();
                    verify(issuer.public_key(), &parsed.signature_algorithm, signed, signature).is_ok()
                })
        });
        let mut extensions = parsed.extensions().iter();
        let alternative = extensions.find(|extension| {
            extension.oid.as_bytes() == oid::SUBJECT_ALT_NAME
                && matches!(extension.parsed_extension(), ParsedExtension::SubjectAlternativeName(_))
        });
        Some(Self {
            subject: parsed.subject().as_raw().to_vec(),
            subject_alt_name: alternative.map(|extension| extension.value.to_vec()),
            name: parsed.subject().to_string(),
            is_own,
            der: der.to_vec(),
        })
    }
}

/// The users, and the one-time secrets that are used up.
#[derive(Debug)]
pub(crate) struct Users {
    users: Vec<User>,
    /// By user name: the request that used the secret up, and the certificate that it got.
    used: Mutex<HashMap<String, Used>>,
}

/// A secret that was used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Used {
    pub(crate) request: Vec<u8>,
    pub(crate) certificate: Vec<u8>,
}

/// A user who has presented the right secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Authenticated {
    pub(crate) name: String,
    pub(crate) one_time: bool,
    /// The earlier use of the secret, if any.
    pub(crate) used: Option<Used>,
}

impl Users {
    pub(crate) fn new(users: Vec<User>) -> Self {
        Self {
            users,
            used: Mutex::default(),
        }
    }

    /// Checks an Authorization header.
    pub(crate) fn authenticate(&self, header: &[u8]) -> Option<Authenticated> {
        let (scheme, rest) = header.split_at_checked(6)?;
        if !scheme.eq_ignore_ascii_case(b"basic ") {
            return None;
        }
        let text = String::from_utf8(base64_text::decode(rest)?).ok()?;
        let (name, secret) = text.split_once(':')?;
        let user = self
            .users
            .iter()
            .find(|user| user.name == name && bool::from(user.secret.as_bytes().ct_eq(secret.as_bytes())))?;
        let used = self.used.lock().get(name).filter(|_| user.one_time).cloned();
        Some(Authenticated {
            name: user.name.clone(),
            one_time: user.one_time,
            used,
        })
    }

    /// Records that a one-time secret was used.
    pub(crate) fn use_up(&self, name: &str, used: Used) {
        self.used.lock().insert(name.to_owned(), used);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_secret_in_basic_form_counts() {
        let user = |name: &str, secret: &str, one_time| User {
            name: name.to_owned(),
            secret: secret.to_owned(),
            one_time,
        };
        let users = Users::new(vec![user("gw", "pa:ss", false), user("once", "1", true)]);
        let basic = |text: &str| format!("Basic {}", base64_text::encode(text.as_bytes()));
        for (header, expected) in [
            (basic("gw:pa:ss"), Some("gw")),
            (basic("gw:pa:ss").replace("Basic", "bAsIc"), Some("gw")),
            (basic("once:1"), Some("once")),
            (basic("gw:pa"), None),
            (basic("gw:"), None),
            (basic("gw"), None),
            (basic("other:pa:ss"), None),
            (basic("once:pa:ss"), None),
            ("Bearer Z3c6cGE6c3M=".to_owned(), None),
            ("Basic".to_owned(), None),
            ("Basic %%%".to_owned(), None),
            (String::new(), None),
        ] {
            let found = users.authenticate(header.as_bytes()).map(|user| user.name);
            assert_eq!(found.as_deref(), expected, "{header}");
        }
        let used = Used {
            request: vec![1],
            certificate: vec![2],
        };
        users.use_up("once", used.clone());
        assert_eq!(users.authenticate(basic("once:1").as_bytes()).unwrap().used, Some(used));
    }
}
