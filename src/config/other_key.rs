//! Checks of all keys in the token together.

use super::bootstrap_pair::{BootstrapPair, EST_CERTIFICATE, EST_KEY};
use super::enrolment::{Enrolment, RenewKey};
use super::findings::Findings;
use crate::token::{Generate, TokenConfig};

/// Checks that a new key can be made for each certificate, where that is wanted.
fn check_renew_key(token: &TokenConfig, enrolment: &Enrolment, findings: &mut Findings) {
    if enrolment.renew_key == RenewKey::Keep {
        return;
    }
    let fault = match (token.key.second_key(), token.generate) {
        (None, _) => {
            "is \"new\", and token.key names its key by no label, from which that of the second key would be made; add object=NAME"
        }
        (Some(_), Generate::Never) => {
            "is \"new\", and token.generate is \"never\": gatepost may make no key; change one of them"
        }
        (Some(_), Generate::Key(_)) => return,
    };
    findings.add_fault("enrolment.renew-key", fault);
}

/// Checks that all keys can be in the one token that gatepost opens.
pub(super) fn check_other_keys(token: &TokenConfig, enrolment: &Enrolment, findings: &mut Findings) {
    check_renew_key(token, enrolment, findings);
    let est = enrolment.est.as_ref().and_then(|est| est.bootstrap.as_ref());
    let claim = enrolment.claim.as_ref().and_then(|claim| claim.key.as_ref());
    let keys = [(EST_KEY, est.map(|pair| &pair.key)), ("enrolment.claim.key", claim)];
    for (setting, uri) in keys {
        if let Some(attribute) = uri.and_then(|uri| uri.find_other_token(&token.key)) {
            findings.add_fault(
                setting,
                format!("names another token than token.key by its attribute \"{attribute}\"; gatepost opens one token, which must have both keys"),
            );
        }
    }
    let is_device_certificate = |pair: &&BootstrapPair| pair.certificate == token.certificate;
    if enrolment
        .est
        .as_ref()
        .and_then(|est| est.bootstrap.as_ref())
        .filter(is_device_certificate)
        .is_some()
    {
        findings.add_fault(
            EST_CERTIFICATE,
            "is the file of identity.certificate, which enrolment replaces; give it a file of its own",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::test_files::{self, MINIMUM};

    const EST: &str =
        "[enrolment]\nmethod = \"est\"\n[enrolment.est]\nurl = \"https://est.example\"\nserver-ca = \"/ca.pem\"\n";
    const CERTIFICATE: &str = "bootstrap-certificate = \"/etc/gatepost/idevid.pem\"\n";

    fn load(token_key: &str, table: &str) -> Result<crate::config::Config, String> {
        let drop_in = format!("[token]\nkey = \"{token_key}\"\n");
        test_files::load(&format!("{MINIMUM}{table}"), &[("key.toml", &drop_in)])
    }

    #[test]
    fn a_bootstrap_key_is_named_and_may_repeat_the_tokens_attributes() {
        for (token_key, key, fault) in [
            ("pkcs11:token=gw;object=device", "pkcs11:object=idevid", None),
            ("pkcs11:token=gw;object=device", "pkcs11:token=gw;object=idevid", None),
            ("pkcs11:token=gw;object=device", "pkcs11:token=gw%20%20;id=%01", None),
            ("pkcs11:token=gw;object=device", "pkcs11:token=gw;object=device", None),
            ("pkcs11:object=device", "pkcs11:token=gw;object=idevid", None),
            (
                "pkcs11:token=gw;object=device",
                "pkcs11:model=TPM;type=private;object=idevid",
                None,
            ),
            (
                "pkcs11:token=gw;object=device",
                "pkcs11:token=other;object=idevid",
                Some("another token"),
            ),
            (
                "pkcs11:serial=1;object=device",
                "pkcs11:serial=2;object=idevid",
                Some("another token"),
            ),
            (
                "pkcs11:slot-id=1;object=device",
                "pkcs11:slot-id=2;object=idevid",
                Some("another token"),
            ),
            ("pkcs11:token=gw;object=device", "pkcs11:token=gw", Some("names no key")),
            ("pkcs11:token=gw;object=device", "pkcs11:", Some("names no key")),
            (
                "pkcs11:token=gw;object=device",
                "pkcs11:token=gw;object=",
                Some("names no key"),
            ),
            (
                "pkcs11:token=gw;object=device",
                "pkcs11:object=idevid;type=public",
                Some("other than \\\"private\\\""),
            ),
            (
                "pkcs11:token=gw;object=device",
                "pkcs11:object=idevid?pin-value=hunter2",
                Some("token.pin-file"),
            ),
            (
                "pkcs11:token=gw;object=device",
                "pkcs11:object=idevid;pin-value=hunter2",
                Some("token.pin-file"),
            ),
            (
                "pkcs11:token=gw;object=device",
                "/etc/gatepost/idevid.key",
                Some("does not begin with"),
            ),
            ("pkcs11:token=gw;object=device", "", Some("does not begin with")),
        ] {
            for (setting, table) in [
                (EST_KEY, format!("{EST}{CERTIFICATE}bootstrap-key = \"{key}\"\n")),
                (
                    "enrolment.claim.key",
                    format!(
                        "[enrolment]\nmethod = \"claim\"\n[enrolment.claim]\ntemplate = \"t\"\ncertificate = \"/c.pem\"\nkey = \"{key}\"\n"
                    ),
                ),
            ] {
                match (load(token_key, &table), fault) {
                    (Ok(_), None) => {}
                    (Err(why), Some(part)) => {
                        let part = part.replace('\\', "");
                        assert!(why.contains(&part) && why.contains(setting), "{key}: {why}");
                        assert!(!why.contains("hunter2"), "{why}");
                    }
                    (outcome, _) => panic!("{setting} {token_key} {key}: {:?}", outcome.map(|_| ())),
                }
            }
        }
    }

    #[test]
    fn a_new_key_needs_a_label_and_the_right_to_make_keys() {
        let new = "[enrolment]\nrenew-key = \"new\"\n";
        for (token, table, part) in [
            ("key = \"pkcs11:token=gw;object=device\"", new, None),
            ("key = \"pkcs11:token=gw;object=device;id=%01\"", new, None),
            (
                "key = \"pkcs11:token=gw;object=device\"",
                "[enrolment]\nrenew-key = \"keep\"\n",
                None,
            ),
            (
                "key = \"pkcs11:token=gw;id=%01\"\ngenerate = \"never\"",
                new,
                Some("by no label"),
            ),
            (
                "key = \"pkcs11:token=gw;object=device\"\ngenerate = \"never\"",
                new,
                Some("may make no key"),
            ),
            (
                "key = \"pkcs11:token=gw;object=device\"",
                "[enrolment]\nrenew-key = \"always\"\n",
                Some("neither \"keep\" nor \"new\""),
            ),
            (
                "key = \"pkcs11:token=gw;object=device\"",
                "[enrolment]\nrenew-key = true\n",
                Some("renew-key"),
            ),
        ] {
            let drop_in = format!("[token]\n{token}\n");
            let loaded = test_files::load(&format!("{MINIMUM}{table}"), &[("key.toml", &drop_in)]);
            match (loaded, part) {
                (Ok(_), None) => {}
                (Err(why), Some(part)) => assert!(why.contains(part), "{token} {table}: {why}"),
                (outcome, _) => panic!("{token} {table}: {:?}", outcome.map(|_| ())),
            }
        }
    }

    #[test]
    fn a_bootstrap_certificate_and_its_key_belong_together() {
        let device = "pkcs11:token=gw;object=device";
        let key = "bootstrap-key = \"pkcs11:object=idevid\"\n";
        for (more, part) in [
            (CERTIFICATE.to_owned(), "enrolment.est.bootstrap-key"),
            (key.to_owned(), "enrolment.est.bootstrap-certificate"),
            (
                format!("bootstrap-certificate = \"idevid.pem\"\n{key}"),
                "absolute path",
            ),
            (
                format!("bootstrap-certificate = \"/var/lib/gatepost/device.pem\"\n{key}"),
                "identity.certificate",
            ),
        ] {
            let why = load(device, &format!("{EST}{more}")).map(|_| ()).unwrap_err();
            assert!(why.contains(part), "{more}: {why}");
        }
        let config = load(device, &format!("{EST}{CERTIFICATE}{key}")).unwrap();
        let pair = config.enrolment.est().unwrap().bootstrap.clone().unwrap();
        assert_eq!(pair.key.to_string(), "pkcs11:object=idevid");
        let claim = "[enrolment]\nmethod = \"claim\"\n[enrolment.claim]\ntemplate = \"t\"\ncertificate = \"/c.pem\"\n\
                     key = \"pkcs11:object=claim\"\nkey-file = \"/claim.key\"\n";
        let config = load(device, claim).unwrap();
        let claim = config.enrolment.claim().unwrap();
        assert!(claim.named_key().is_some() && claim.key_path(&config.folders).is_none());
        assert!(
            config
                .notes
                .iter()
                .any(|note| note.contains("enrolment.claim.key-file")),
            "{:?}",
            config.notes
        );
    }
}
