//! Tokens: all kinds of tokens, keys and TLS versions; the handling of keys, requests and certificates; and recovery of a lost token.

mod certificates;
mod existing_keys;
mod late_or_lost;
mod matrix;
mod prepare;
mod quirks;
mod request;
mod same_key;
mod slow_tpm;

use std::path::Path;
use std::sync::Arc;

use cloudlet::{CertificateId, Endpoint, Event};
use rig::command;
use rig::token::{Class, Object, SoftHsm, Token, Tpm};

use crate::support::{Gateway, PIN, SOON, THING, World};

/// Creates an empty token.
type Empty = fn() -> Box<dyn Token>;

/// Shares a token between the test and its world.
fn shared<T: Token + 'static>(token: T) -> (Arc<T>, Box<dyn Token>) {
    let token = Arc::new(token);
    (token.clone(), Box::new(token))
}

fn soft_hsm() -> Box<dyn Token> {
    Box::new(SoftHsm::new("gateway", PIN).unwrap())
}

fn tpm() -> Box<dyn Token> {
    Box::new(Tpm::new(PIN).unwrap())
}

/// Returns the private keys in the token, as pkcs11-tool lists them.
fn private_keys(token: &dyn Token) -> Vec<Object> {
    let mut keys = token.objects().unwrap();
    keys.retain(|object| object.class == Class::PrivateKey);
    keys
}

/// Returns the public key in a signing request, as the DER of its SubjectPublicKeyInfo.
fn public_key_of(csr: &Path) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let (pem, der) = (folder.path().join("key.pem"), folder.path().join("key.der"));
    let mut extract = command::command("openssl");
    extract.args(["req", "-noout", "-pubkey", "-in"]).arg(csr);
    std::fs::write(&pem, command::run(&mut extract, "openssl").unwrap()).unwrap();
    let mut convert = command::command("openssl");
    convert.args(["pkey", "-pubin", "-outform", "DER", "-in"]).arg(&pem);
    command::run(convert.arg("-out").arg(&der), "openssl").unwrap();
    std::fs::read(der).unwrap()
}

/// Returns OpenSSL's text of a signing request, after verifying its signature.
fn verified(csr: &Path, args: &[&str]) -> String {
    let mut verify = command::command("openssl");
    let said = command::output(
        verify.args(["req", "-verify", "-noout"]).args(args).arg("-in").arg(csr),
        "openssl",
    );
    let said = said.unwrap();
    let err = String::from_utf8_lossy(&said.stderr);
    assert!(said.status.success() && err.contains("verify OK"), "{err}");
    String::from_utf8(said.stdout).unwrap()
}

/// Returns the number of signatures since the start of the daemon, according to its status.
fn signatures(gateway: &Gateway) -> u64 {
    gateway.status()["token"]["signatures"].as_u64().unwrap()
}

/// Returns the number of handshakes so far, on both endpoints.
fn handshakes(world: &World) -> u64 {
    world.cloud.handshakes(Endpoint::Mqtt) + world.cloud.handshakes(Endpoint::Credentials)
}

/// Waits for a CONNACK to this certificate after the first `seen` events.
fn wait_for_session(world: &World, seen: usize, id: &CertificateId) {
    world
        .cloud
        .wait_for_after(
            seen,
            SOON,
            |event| matches!(event, Event::Connected { client_id, certificate, .. } if client_id == THING && certificate == id),
        )
        .unwrap_or_else(|error| panic!("no session: {error}\n{}", world.gateway.log()));
}
