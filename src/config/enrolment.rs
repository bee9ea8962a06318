//! `[enrolment]`: its types and its checks.

use std::path::PathBuf;

use super::bootstrap_pair::{BootstrapPair, EST_CERTIFICATE, EST_KEY, parse_other_key};
use super::claim::{ClaimConfig, check_claim};
use super::est_url::EstUrl;
use super::findings::Findings;
use super::raw::{RawClaim, RawEnrolment, RawEst};
use super::values::{check_basic_user, parse_absolute_path};
use crate::foreign_text;
use crate::token::NamedKey;

/// `[enrolment]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enrolment {
    /// How the certificate is obtained.
    pub method: EnrolmentMethod,
    /// Whether jobs of AWS IoT may have the certificate rotated.
    pub rotation_jobs: bool,
    /// Which key a renewed certificate has.
    pub renew_key: RenewKey,
    /// `[enrolment.est]`, which may be configured while another method is in use.
    pub(super) est: Option<EstConfig>,
    /// `[enrolment.claim]`, likewise.
    pub(super) claim: Option<ClaimConfig>,
}

/// Which key a renewed certificate has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RenewKey {
    /// The key of the certificate before it.
    #[default]
    Keep,
    /// A new key, made in the token.
    New,
}

/// How the certificate is obtained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnrolmentMethod {
    /// Someone else puts the file in place.
    File,
    /// An EST server issues the certificate.
    Est,
    /// The operator's enrolment program asks for it.
    Helper,
    /// AWS IoT issues the certificate by fleet provisioning.
    Claim,
}

/// `[enrolment.est]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EstConfig {
    /// The server's URL.
    pub url: EstUrl,
    /// The roots (PEM) that verify the server's TLS certificate.
    pub server_ca: PathBuf,
    /// The user name for the secret; `None` for the requested common name.
    pub user: Option<String>,
    /// The file with the secret; `None` for the systemd credential `enrolment-secret`.
    pub secret_file: Option<PathBuf>,
    /// The bootstrap certificate, whose key is in the token.
    pub bootstrap: Option<BootstrapPair>,
}

impl EstConfig {
    /// Returns the bootstrap certificate's key, as the token thread looks for it.
    pub fn bootstrap_key(&self) -> Option<NamedKey> {
        let pair = self.bootstrap.as_ref()?;
        Some(pair.named_key(EST_KEY, EST_CERTIFICATE))
    }
}

impl EnrolmentMethod {
    /// Returns the name of the method in the configuration and in the status.
    pub fn name(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Est => "est",
            Self::Helper => "helper",
            Self::Claim => "claim",
        }
    }
}

impl Enrolment {
    /// Returns the method's name in the configuration; `None` where a person brings the certificate.
    pub fn automatic_method(&self) -> Option<&'static str> {
        (self.method != EnrolmentMethod::File).then(|| self.method.name())
    }

    /// Returns the settings of EST if that is the method in use.
    pub fn est(&self) -> Option<&EstConfig> {
        self.est.as_ref().filter(|_| self.method == EnrolmentMethod::Est)
    }

    /// Returns the settings of fleet provisioning if that is the method in use.
    pub fn claim(&self) -> Option<&ClaimConfig> {
        self.claim.as_ref().filter(|_| self.method == EnrolmentMethod::Claim)
    }
}

fn parse_method(text: Option<&str>) -> Result<EnrolmentMethod, String> {
    match text {
        None | Some("file") => Ok(EnrolmentMethod::File),
        Some("est") => Ok(EnrolmentMethod::Est),
        Some("helper") => Ok(EnrolmentMethod::Helper),
        Some("claim") => Ok(EnrolmentMethod::Claim),
        Some(other) => Err(format!(
            "{} is none of \"file\", \"est\", \"helper\" and \"claim\"",
            foreign_text::value(other)
        )),
    }
}

fn parse_renew_key(text: Option<&str>) -> Result<RenewKey, String> {
    match text {
        None | Some("keep") => Ok(RenewKey::Keep),
        Some("new") => Ok(RenewKey::New),
        Some(other) => Err(format!(
            "{} is neither \"keep\" nor \"new\"",
            foreign_text::value(other)
        )),
    }
}

/// Checks `[enrolment]`.
pub(super) fn check_enrolment(raw: RawEnrolment, findings: &mut Findings) -> Option<Enrolment> {
    let method = findings.check("enrolment.method", parse_method(raw.method.as_deref()));
    let renew_key = findings.check("enrolment.renew-key", parse_renew_key(raw.renew_key.as_deref()));
    if renew_key == Some(RenewKey::New) && method == Some(EnrolmentMethod::File) && raw.rotation_jobs != Some(true) {
        findings.add_note(
            "enrolment.renew-key",
            "is not used, because enrolment.method is \"file\" and enrolment.rotation-jobs is not set",
        );
    }
    let has_table = raw.est != RawEst::default();
    let has_claim = raw.claim != RawClaim::default();
    if has_table && method.is_some_and(|method| method != EnrolmentMethod::Est) {
        findings.add_note("enrolment.est", "is not used, because enrolment.method is not \"est\"");
    }
    let needs_est = has_table || method == Some(EnrolmentMethod::Est);
    let est = needs_est.then(|| check_est(raw.est, findings));
    if has_claim && method.is_some_and(|method| method != EnrolmentMethod::Claim) {
        findings.add_note(
            "enrolment.claim",
            "is not used, because enrolment.method is not \"claim\"",
        );
    }
    let needs_claim = has_claim || method == Some(EnrolmentMethod::Claim);
    let claim = needs_claim.then(|| check_claim(raw.claim, findings));
    // Only now may a fault end the check: all of them are reported together.
    Some(Enrolment {
        method: method?,
        rotation_jobs: raw.rotation_jobs.unwrap_or(false),
        renew_key: renew_key?,
        est: est.map_or(Some(None), |est| est.map(Some))?,
        claim: claim.map_or(Some(None), |claim| claim.map(Some))?,
    })
}

fn check_est(raw: RawEst, findings: &mut Findings) -> Option<EstConfig> {
    let url = findings.parse_required("enrolment.est.url", raw.url, EstUrl::parse);
    let server_ca = findings.parse_required("enrolment.est.server-ca", raw.server_ca, parse_absolute_path);
    let user = findings.parse_optional("enrolment.est.user", raw.user, check_basic_user);
    let secret_file = findings.parse_optional("enrolment.est.secret-file", raw.secret_file, parse_absolute_path);
    let certificate = findings.parse_optional(EST_CERTIFICATE, raw.bootstrap_certificate.clone(), parse_absolute_path);
    let key = findings.parse_optional(EST_KEY, raw.bootstrap_key.clone(), parse_other_key);
    match (&raw.bootstrap_certificate, &raw.bootstrap_key) {
        (Some(_), None) => findings.add_fault(EST_KEY, "is missing: the bootstrap certificate needs its key"),
        (None, Some(_)) => findings.add_fault(EST_CERTIFICATE, "is missing: the bootstrap key needs its certificate"),
        _ => {}
    }
    Some(EstConfig {
        bootstrap: certificate
            .zip(key)
            .map(|(certificate, key)| BootstrapPair { certificate, key }),
        url: url?,
        server_ca: server_ca?,
        user,
        secret_file,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::test_files::{self, MINIMUM};

    fn load(table: &str) -> Result<Enrolment, String> {
        test_files::load(&format!("{MINIMUM}{table}"), &[]).map(|config| config.enrolment)
    }

    #[test]
    fn rotation_by_jobs_is_off_unless_configured() {
        for (table, expected) in [
            ("", false),
            ("[enrolment]\n", false),
            ("[enrolment]\nrotation-jobs = false\n", false),
            ("[enrolment]\nrotation-jobs = true\n", true),
        ] {
            assert_eq!(load(table).unwrap().rotation_jobs, expected, "{table}");
        }
        assert!(load("[enrolment]\nrotation-jobs = \"yes\"\n").is_err());
    }

    #[test]
    fn methods_have_the_keys_that_they_need_and_no_others() {
        let est = "[enrolment]\nmethod = \"est\"\n[enrolment.est]\nurl = \"https://est.example\"\nserver-ca = \"/etc/ca.pem\"\n";
        for (table, part) in [
            (
                "[enrolment]\nmethod = \"scep\"\n".to_owned(),
                "none of \"file\", \"est\"",
            ),
            ("[enrolment]\nmethod = \"est\"\n".to_owned(), "enrolment.est.url"),
            (
                "[enrolment.est]\nurl = \"https://est.example\"\n".to_owned(),
                "enrolment.est.server-ca",
            ),
            (est.replace("https", "http"), "begin with https://"),
            (est.replace("/etc/ca.pem", "ca.pem"), "absolute path"),
            (
                est.replace("server-ca = \"/etc/ca.pem\"", ""),
                "enrolment.est.server-ca",
            ),
            (format!("{est}user = \"a:b\"\n"), "no colon"),
            (format!("{est}user = \"\"\n"), "1 to 255 characters"),
            (format!("{est}secret-file = \"hunter2\"\n"), "absolute path"),
            (format!("{est}secret = \"hunter2\"\n"), "secret"),
        ] {
            let why = load(&table).unwrap_err();
            assert!(why.contains(part) && !why.contains("hunter2"), "{table}: {why}");
        }
        for file in [
            String::new(),
            "[enrolment]\nmethod = \"file\"\n".to_owned(),
            est.replace("\"est\"", "\"file\""),
        ] {
            let enrolment = load(&file).unwrap();
            assert_eq!(
                (enrolment.method, enrolment.est()),
                (EnrolmentMethod::File, None),
                "{file}"
            );
        }
        let full = load(&format!("{est}user = \"gw\"\nsecret-file = \"/etc/gatepost/secret\"\n")).unwrap();
        let full = full.est().unwrap().clone();
        assert_eq!(full.url.to_string(), "https://est.example:443/.well-known/est");
        assert_eq!(
            (full.user.as_deref(), full.secret_file),
            (Some("gw"), Some("/etc/gatepost/secret".into()))
        );
    }
}
