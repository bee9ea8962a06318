//! Whom gatepost trusts to be AWS.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::foreign_text::clean;
use crate::problem::Problem;

/// Where Debian's ca-certificates keeps single roots.
const DEBIAN_FOLDER: &str = "/etc/ssl/certs";
/// The roots under which AWS IoT's endpoints chain: Amazon's own four, and Starfield's, which cross-signed them (AWS IoT
/// developer guide, "Server authentication"). All are trusted, because AWS moves endpoints between them.
const AMAZON_ROOTS: [&str; 5] = [
    "Amazon_Root_CA_1.pem",
    "Amazon_Root_CA_2.pem",
    "Amazon_Root_CA_3.pem",
    "Amazon_Root_CA_4.pem",
    "Starfield_Services_Root_Certificate_Authority_-_G2.pem",
];

/// The roots in `root_ca`, or Amazon's out of Debian's ca-certificates.
///
/// # Errors
/// When a file has no certificate in it, or the system has no Amazon root.
pub fn load(root_ca: Option<&Path>) -> Result<Arc<RootCertStore>, Problem> {
    let mut store = RootCertStore::empty();
    match root_ca {
        Some(path) => add(&mut store, path).map_err(|why| {
            Problem::configuration(format!("aws.root-ca: {} {why}", path.display()))
                .next("give a PEM file of root certificates, or leave aws.root-ca out to trust Amazon's")
        })?,
        None => {
            for name in AMAZON_ROOTS {
                // One root more or less is Debian's business; only having none at all is ours.
                let _ = add(&mut store, &PathBuf::from(DEBIAN_FOLDER).join(name));
            }
        }
    }
    match store.is_empty() {
        false => Ok(Arc::new(store)),
        true => Err(
            Problem::configuration(format!("aws.root-ca: no Amazon root certificate in {DEBIAN_FOLDER}"))
                .next("install Debian's package ca-certificates, or set aws.root-ca"),
        ),
    }
}

fn add(store: &mut RootCertStore, path: &Path) -> Result<(), String> {
    let text = std::fs::read(path).map_err(|error| format!("cannot be read: {}", clean(error)))?;
    let before = store.len();
    for certificate in CertificateDer::pem_slice_iter(&text) {
        let certificate = certificate.map_err(|_| {
            // The library's error has the damaged line in it, which may be a private key.
            "is no usable PEM file: its BEGIN and END lines or the base64 between them are damaged".to_owned()
        })?;
        store
            .add(certificate)
            .map_err(|_| "has a certificate that cannot be a root: its content is damaged".to_owned())?;
    }
    match store.len() > before {
        true => Ok(()),
        false => Err("has no certificate in it".into()),
    }
}
