//! `[enrolment.claim]`: its type and its checks.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::bootstrap_pair::{BootstrapPair, parse_other_key};
use super::findings::Findings;
use super::folders::Folders;
use super::placeholders::check_placeholders;
use super::raw::RawClaim;
use super::values::parse_absolute_path;
use crate::foreign_text;
use crate::token::{KeyUri, NamedKey};

/// The placeholder for the common name of the signing request.
pub const COMMON_NAME: &str = "{common-name}";

/// The name under which systemd hands the claim certificate's key over.
const SYSTEMD_CREDENTIAL: &str = "enrolment-claim-key";

/// `[enrolment.claim]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimConfig {
    /// The provisioning template at AWS.
    pub template: String,
    /// The claim certificate (PEM).
    pub certificate: PathBuf,
    /// The URI of its private key, if that is in the token.
    pub key: Option<KeyUri>,
    /// The file with its private key (PEM); `None` for the systemd credential `enrolment-claim-key`, or a key in the token.
    pub key_file: Option<PathBuf>,
    /// The template's parameters, in which [`COMMON_NAME`] is not replaced yet.
    pub parameters: BTreeMap<String, String>,
}

impl ClaimConfig {
    /// Returns the key as the token thread looks for it, if it is in the token.
    pub fn named_key(&self) -> Option<NamedKey> {
        let pair = BootstrapPair {
            certificate: self.certificate.clone(),
            key: self.key.clone()?,
        };
        Some(pair.named_key("enrolment.claim.key", "enrolment.claim.certificate"))
    }

    /// Returns the file with the private key; `None` if nothing names one, or the key is in the token.
    pub fn key_path(&self, folders: &Folders) -> Option<PathBuf> {
        if self.key.is_some() {
            return None;
        }
        let credential = || {
            folders
                .credentials
                .as_ref()
                .map(|folder| folder.join(SYSTEMD_CREDENTIAL))
        };
        self.key_file.clone().or_else(credential)
    }
}

/// Checks `[enrolment.claim]`.
pub(super) fn check_claim(raw: RawClaim, findings: &mut Findings) -> Option<ClaimConfig> {
    let template = findings.parse_required("enrolment.claim.template", raw.template, check_template);
    let certificate = findings.parse_required("enrolment.claim.certificate", raw.certificate, parse_absolute_path);
    let key_file = findings.parse_optional("enrolment.claim.key-file", raw.key_file, parse_absolute_path);
    let key = findings.parse_optional("enrolment.claim.key", raw.key, parse_other_key);
    if key.is_some() && key_file.is_some() {
        findings.add_note(
            "enrolment.claim.key-file",
            "is not used, because enrolment.claim.key names the private key",
        );
    }
    for (name, value) in &raw.parameters {
        findings.check("enrolment.claim.parameters", check_parameter(name, value));
    }
    Some(ClaimConfig {
        template: template?,
        certificate: certificate?,
        key,
        key_file,
        parameters: raw.parameters,
    })
}

/// Checks the name of a template (API reference, CreateProvisioningTemplate).
fn check_template(text: &str) -> Result<String, String> {
    let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    match (1..=36).contains(&text.len()) && text.bytes().all(is_legal) {
        true => Ok(text.to_owned()),
        false => Err(format!(
            "{} cannot be a provisioning template: AWS allows 1 to 36 letters, digits, _ and -",
            foreign_text::value(text)
        )),
    }
}

fn check_parameter(name: &str, value: &str) -> Result<(), String> {
    let shown = foreign_text::value(name);
    if name.is_empty() || name.chars().any(char::is_control) {
        return Err("has a parameter without a name, or with control characters in it".to_owned());
    }
    if name.starts_with("AWS::") {
        return Err(format!("{shown} is set by AWS itself"));
    }
    if value.is_empty() || value.chars().any(char::is_control) {
        return Err(format!("the value of {shown} is empty or has control characters"));
    }
    if foreign_text::is_key_material(value) {
        return Err(format!(
            "the value of {shown} looks like key material, and would be sent to AWS"
        ));
    }
    check_placeholders(value, &[COMMON_NAME]).map_err(|why| format!("{shown}: {why}"))
}

#[cfg(test)]
mod tests {
    use crate::config::EnrolmentMethod;
    use crate::config::test_files::{self, MINIMUM};

    const CLAIM: &str = "[enrolment]\nmethod = \"claim\"\n[enrolment.claim]\ntemplate = \"gateways\"\n\
                         certificate = \"/etc/gatepost/claim.pem\"\n";

    #[test]
    fn a_claim_names_template_certificate_and_parameters() {
        let whole = format!(
            "{MINIMUM}{CLAIM}key-file = \"/etc/gatepost/claim.key\"\n\
             parameters = {{ SerialNumber = \"{{common-name}}\", Site = \"Pune 1\" }}\n"
        );
        let config = test_files::load(&whole, &[]).unwrap();
        assert_eq!(config.enrolment.method, EnrolmentMethod::Claim);
        let claim = config.enrolment.claim().unwrap();
        assert_eq!((claim.template.as_str(), claim.parameters.len()), ("gateways", 2));
        assert_eq!(claim.key_file.as_deref(), Some("/etc/gatepost/claim.key".as_ref()));
        assert!(config.identity.assigned_name.is_some());
        let without = format!(
            "{MINIMUM}[enrolment]\nmethod = \"file\"\n[enrolment.claim]\ntemplate = \"t\"\ncertificate = \"/c\"\n"
        );
        let config = test_files::load(&without, &[]).unwrap();
        assert!(config.enrolment.claim().is_none() && config.identity.assigned_name.is_none());
        assert!(
            config.notes.iter().any(|note| note.contains("enrolment.claim")),
            "{:?}",
            config.notes
        );
    }

    #[test]
    fn mistakes_are_named() {
        let parameter = |text: &str| format!("{CLAIM}parameters = {{ {text} }}\n");
        for (table, part) in [
            (
                "[enrolment]\nmethod = \"claim\"\n".to_owned(),
                "enrolment.claim.template",
            ),
            (
                CLAIM.replace("gateways", "fleet provisioning"),
                "cannot be a provisioning template",
            ),
            (
                CLAIM.replace("gateways", &"t".repeat(37)),
                "cannot be a provisioning template",
            ),
            (
                CLAIM.replace("\"gateways\"", "\"\""),
                "cannot be a provisioning template",
            ),
            (CLAIM.replace("/etc/gatepost/claim.pem", "claim.pem"), "absolute path"),
            (format!("{CLAIM}key-file = \"claim.key\"\n"), "absolute path"),
            (format!("{CLAIM}key = \"hunter2\"\n"), "enrolment.claim.key"),
            (parameter("Serial = \"\""), "empty"),
            (parameter("Serial = \"a\\nb\""), "control characters"),
            (parameter("\"\" = \"a\""), "without a name"),
            (parameter("\"AWS::IoT::Certificate::Id\" = \"a\""), "set by AWS itself"),
            (parameter("Serial = \"{serial}\""), "{serial}"),
            (parameter("Serial = 7"), "parameters"),
        ] {
            let why = test_files::load(&format!("{MINIMUM}{table}"), &[])
                .map(|_| ())
                .unwrap_err();
            assert!(why.contains(part) && !why.contains("hunter2"), "{table}: {why}");
        }
    }
}
