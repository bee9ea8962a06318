//! Tests of the tokens, on SoftHSM and on a software TPM.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a helper of tests may fail as loudly as they do"
)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rig::command::{command, run};
use rig::token::{Class, KeyKind, Login, SoftHsm, Token, Tpm};

const PIN: &str = "1234";

/// Asserts that a key pair is created inside, listed, never leaves the token, signs, and can be deleted.
fn holds_its_keys(token: &dyn Token) {
    assert_eq!(token.objects().unwrap(), []);
    token.generate(KeyKind::EcP256, "device", "01").unwrap();
    token.generate(KeyKind::Rsa2048, "other", "02").unwrap();

    let private: Vec<_> = token
        .objects()
        .unwrap()
        .into_iter()
        .filter(|o| o.class == Class::PrivateKey)
        .collect();
    assert_eq!(private.len(), 2, "{private:?}");
    for (label, id) in [("device", "01"), ("other", "02")] {
        let key = private
            .iter()
            .find(|key| key.label == label && key.id == id)
            .expect(label);
        assert!(
            key.is_sensitive() && key.is_never_extractable() && key.is_local(),
            "{key:?}"
        );
    }
    signs(token);
    assert_eq!(
        token.uri("device"),
        format!("pkcs11:token={};object=device", token.label())
    );
    assert_eq!(fs::read_to_string(token.pin_file()).unwrap(), format!("{PIN}\n"));
    assert_eq!(
        fs::metadata(token.pin_file()).unwrap().permissions().mode() & 0o777,
        0o600
    );

    token.delete_all().unwrap();
    assert_eq!(token.objects().unwrap(), []);
}

/// Asserts that OpenSSL verifies what key 01 signs.
fn signs(token: &dyn Token) {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("message"), "between you, me and the gatepost").unwrap();
    fs::write(path("public.der"), token.public_key("01").unwrap()).unwrap();
    fs::write(
        path("signature.der"),
        der(&token.sign_ecdsa("01", &path("message")).unwrap()),
    )
    .unwrap();
    let mut verify = command("openssl");
    verify
        .args(["dgst", "-sha256", "-keyform", "DER", "-verify"])
        .arg(path("public.der"));
    verify.arg("-signature").arg(path("signature.der")).arg(path("message"));
    assert!(run(&mut verify, "openssl").unwrap().contains("Verified OK"));
}

/// Encodes r and s (32 bytes each) as the ECDSA-Sig-Value of RFC 3279.
fn der(signature: &[u8]) -> Vec<u8> {
    let integer = |bytes: &[u8]| {
        let digits: Vec<u8> = bytes.iter().copied().skip_while(|&byte| byte == 0).collect();
        let sign = if digits[0] >= 0x80 { vec![0] } else { vec![] };
        [vec![2, (sign.len() + digits.len()) as u8], sign, digits].concat()
    };
    let (r, s) = signature.split_at(32);
    let body = [integer(r), integer(s)].concat();
    [vec![0x30, body.len() as u8], body].concat()
}

#[test]
fn softhsm_holds_its_keys() {
    holds_its_keys(&SoftHsm::new("gateway", PIN).unwrap());
}

#[test]
fn tpm_holds_its_keys() {
    holds_its_keys(&Tpm::new(PIN).unwrap());
}

#[test]
fn softhsm_has_several_tokens_until_they_are_removed() {
    let token = SoftHsm::new("gateway", PIN).unwrap();
    token.add_token("gateway").unwrap();
    token.add_token("other").unwrap();
    let slots = || {
        let mut tool = command("pkcs11-tool");
        let listing = run(
            tool.envs(token.env())
                .arg("--module")
                .arg(token.module())
                .arg("--list-slots"),
            "opensc",
        );
        let listing = listing.unwrap();
        ["gateway", "other"].map(|label| {
            listing
                .lines()
                .filter(|line| line.contains("token label") && line.ends_with(&format!(": {label}")))
                .count()
        })
    };
    assert_eq!(slots(), [2, 1]);
    token.remove_tokens().unwrap();
    assert_eq!(slots(), [0, 0]);
}

#[test]
fn softhsm_counts_no_wrong_pins() {
    let token = SoftHsm::new("gateway", PIN).unwrap();
    for _ in 0..12 {
        assert_eq!(token.login("wrong").unwrap(), Login::Incorrect);
    }
    assert_eq!(token.login(PIN).unwrap(), Login::Accepted);
}

#[test]
fn a_reset_tpm_keeps_its_key() {
    let token = Tpm::new(PIN).unwrap();
    token.generate(KeyKind::EcP256, "device", "01").unwrap();
    token.reset().unwrap();
    signs(&token);
}

#[test]
fn a_tpm_locks_and_unlocks() {
    let token = Tpm::new(PIN).unwrap();
    token.count_wrong_pins().unwrap();
    assert_eq!(token.wrong_pins().unwrap(), 0);
    assert_eq!(token.login("wrong").unwrap(), Login::Incorrect);
    assert_eq!(token.wrong_pins().unwrap(), 1);
    assert_eq!(token.login(PIN).unwrap(), Login::Accepted);
    token.lock().unwrap();
    token.unlock().unwrap();
    assert_eq!(token.login(PIN).unwrap(), Login::Accepted);
}

#[test]
fn two_rigs_do_not_meet() {
    let (one, two) = (
        SoftHsm::new("gateway", PIN).unwrap(),
        SoftHsm::new("gateway", PIN).unwrap(),
    );
    one.generate(KeyKind::EcP256, "device", "01").unwrap();
    assert_eq!(two.objects().unwrap(), []);
}

#[test]
fn nothing_is_left_behind() {
    let token = SoftHsm::new("gateway", PIN).unwrap();
    let folder = Path::new(token.pin_file()).parent().unwrap().to_owned();
    drop(token);
    assert!(!folder.exists());
}
