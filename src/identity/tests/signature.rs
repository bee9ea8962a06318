//! Signatures and keys that ring makes none of: certificates by `openssl req -x509`, whose keys were thrown away.

use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer as _;

use crate::identity::signature::{Proof, refused_by_aws, verify};
use crate::identity::usage;
use crate::pem_file;

#[test]
fn a_hash_in_the_parameters_and_a_small_key_are_looked_at() {
    for (name, pem, refused, proof, is_small) in [
        (
            "RSA-1024 with SHA-384",
            include_str!("certificates/small-ca-sha384.pem"),
            None,
            Proof::Unknown,
            true,
        ),
        (
            "PSS with SHA-1",
            include_str!("certificates/pss-sha1.pem"),
            Some("RSASSA-PSS with SHA-1"),
            Proof::Unknown,
            false,
        ),
        (
            "PSS with SHA-256",
            include_str!("certificates/pss-sha256.pem"),
            None,
            Proof::Signed,
            false,
        ),
        (
            "RSA with SHA-256",
            include_str!("certificates/rsa-sha256.pem"),
            None,
            Proof::Signed,
            false,
        ),
    ] {
        let file = pem_file::parse(pem.as_bytes()).unwrap();
        let (_, certificate) = X509Certificate::from_der(&file.certificates[0]).unwrap();
        assert_eq!(refused_by_aws(&certificate), refused, "{name}");
        assert_eq!(verify(&certificate, &certificate), proof, "{name}");
        let warnings = usage::of_ca(&certificate, None);
        let says_small = warnings
            .iter()
            .any(|warning| warning.message.contains("RSA key of 1024 bits"));
        assert_eq!(says_small, is_small, "{name}: {warnings:?}");
    }
}
