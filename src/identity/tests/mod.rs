//! Tests of certificates and chains, correct and faulty, without a token.

mod chain;
mod extensions;
mod name;
mod name_constraints;
mod roots;
mod signature;
mod usage;

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use rcgen::string::{BmpString, Ia5String, PrintableString, TeletexString, UniversalString};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, DnValue, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, PublicKeyData,
};
use rustls::pki_types::CertificateDer;

use super::{Certificate, CertificateError, Loaded, Source};
use crate::clock::manual::ManualClock;
use crate::problem::Problem;

/// 2027-01-15T08:00:00Z
const NOW: u64 = 1_800_000_000;

/// A CA or a device with its certificate.
struct Party {
    params: CertificateParams,
    key: KeyPair,
    certificate: rcgen::Certificate,
}

fn named(name: impl Into<DnValue>) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(2040, 1, 1);
    params
}

fn ca_params(name: &str) -> CertificateParams {
    let mut params = named(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
}

impl Party {
    fn root(params: CertificateParams) -> Self {
        let key = KeyPair::generate().unwrap();
        Self::with_key(params, key)
    }

    fn with_key(params: CertificateParams, key: KeyPair) -> Self {
        let certificate = params.self_signed(&key).unwrap();
        Self {
            params,
            key,
            certificate,
        }
    }

    fn under(params: CertificateParams, issuer: &Self) -> Self {
        let key = KeyPair::generate().unwrap();
        let certificate = issuer.sign(&params, &key);
        Self {
            params,
            key,
            certificate,
        }
    }

    fn sign(&self, params: &CertificateParams, key: &impl PublicKeyData) -> rcgen::Certificate {
        let issuer = Issuer::from_params(&self.params, &self.key);
        params.signed_by(key, &issuer).unwrap()
    }

    fn pem(&self) -> String {
        self.certificate.pem()
    }
}

/// Loads a device certificate and CA certificates from files with this content.
fn load_named(
    device: &str,
    ca_chain: Option<&str>,
    key: &KeyPair,
    thing_name: Option<&str>,
) -> Result<Loaded, CertificateError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("device.pem");
    let chain: PathBuf = folder.path().join("ca.pem");
    fs::write(&path, device).unwrap();
    fs::write(&chain, ca_chain.unwrap_or_default()).unwrap();
    let source = Source {
        content: None,
        path: &path,
        ca_chain: ca_chain.map(|_| chain.as_path()),
        thing_name: thing_name.map(str::to_owned),
    };
    let clock: Arc<ManualClock> = ManualClock::at(NOW);
    Certificate::load(&source, Some(&key.subject_public_key_info()), &*clock)
}

fn load(device: &str, ca_chain: Option<&str>, key: &KeyPair) -> Result<Loaded, CertificateError> {
    load_named(device, ca_chain, key, None)
}

fn refusal(outcome: Result<Loaded, CertificateError>, name: &str) -> Problem {
    match outcome {
        Err(CertificateError::Unusable(problem)) => problem,
        other => panic!("{name}: {other:?}"),
    }
}

fn ders(parties: &[&Party]) -> Vec<CertificateDer<'static>> {
    parties.iter().map(|party| party.certificate.der().clone()).collect()
}
