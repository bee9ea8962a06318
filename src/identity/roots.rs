//! Whom gatepost trusts to be AWS.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::RootCertStore;

use crate::pem_file::{self, Content, ReadError};
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
        Some(path) => add(&mut store, path).map_err(|error| {
            Problem::configuration(format!("aws.root-ca: {} {}", path.display(), error.what())).next(format!(
                "give a PEM file of root certificates, or leave aws.root-ca out to trust Amazon's; {}",
                error.next_step()
            ))
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

fn add(store: &mut RootCertStore, path: &Path) -> Result<(), ReadError> {
    let file = pem_file::read(path)?;
    for (index, certificate) in file.certificates.into_iter().enumerate() {
        store
            .add(certificate)
            .map_err(|_| ReadError::NoCertificates(Content::NotX509(index + 1)))?;
    }
    Ok(())
}
