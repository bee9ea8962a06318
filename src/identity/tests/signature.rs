//! Tests of signatures and keys that ring cannot create, with certificates made by openssl, whose keys were deleted.

use std::fs;

use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer as _;

use crate::clock::manual::ManualClock;
use crate::identity::signature::{SignatureStatus, find_refused_algorithm, verify};
use crate::identity::{Certificate, Loaded, Source, usage};
use crate::pem_file;
use crate::problem::Remedy;

#[test]
fn the_hash_in_the_parameters_and_the_size_of_the_key_are_checked() {
    for (name, pem, refused, proof, is_small) in [
        (
            "RSA-1024 with SHA-384",
            include_str!("certificates/small-ca-sha384.pem"),
            None,
            SignatureStatus::Unknown,
            true,
        ),
        (
            "PSS with SHA-1",
            include_str!("certificates/pss-sha1.pem"),
            Some("RSASSA-PSS with SHA-1"),
            SignatureStatus::Unknown,
            false,
        ),
        (
            "PSS with SHA-256",
            include_str!("certificates/pss-sha256.pem"),
            None,
            SignatureStatus::Signed,
            false,
        ),
        (
            "RSA with SHA-256",
            include_str!("certificates/rsa-sha256.pem"),
            None,
            SignatureStatus::Signed,
            false,
        ),
    ] {
        let file = pem_file::parse(pem.as_bytes()).unwrap();
        let (_, certificate) = X509Certificate::from_der(&file.certificates[0]).unwrap();
        assert_eq!(find_refused_algorithm(&certificate), refused, "{name}");
        assert_eq!(verify(&certificate, &certificate), proof, "{name}");
        let warnings = usage::check_ca(&certificate, None);
        let says_small = warnings
            .iter()
            .any(|warning| warning.message.contains("RSA key of 1024 bits"));
        assert_eq!(says_small, is_small, "{name}: {warnings:?}");
    }
}

/// A CA and a device certificate that it has issued, both in one file.
struct Issued {
    name: &'static str,
    pem: &'static str,
    proof: SignatureStatus,
    /// The description of the signature and the key, if it cannot be verified.
    words: Option<&'static str>,
}

const ISSUED: [Issued; 11] = [
    Issued {
        name: "EC P-521",
        pem: include_str!("certificates/issued-p521.pem"),
        proof: SignatureStatus::Unknown,
        words: Some("ECDSA with SHA-512, by an EC P-521 key"),
    },
    Issued {
        name: "SHA-512 on P-256",
        pem: include_str!("certificates/issued-p256-512.pem"),
        proof: SignatureStatus::Unknown,
        words: Some("ECDSA with SHA-512, by an EC P-256 key"),
    },
    Issued {
        name: "PSS with a salt of 20",
        pem: include_str!("certificates/issued-pss20.pem"),
        proof: SignatureStatus::Unknown,
        words: Some("RSASSA-PSS, by an RSA key of 2048 bits"),
    },
    Issued {
        name: "secp256k1, whose keys are as long as those of P-256",
        pem: include_str!("certificates/issued-k1.pem"),
        proof: SignatureStatus::Unknown,
        words: Some("ECDSA with SHA-256, by an EC key on another curve"),
    },
    Issued {
        name: "brainpoolP256r1",
        pem: include_str!("certificates/issued-bp.pem"),
        proof: SignatureStatus::Unknown,
        words: Some("ECDSA with SHA-256, by an EC key on another curve"),
    },
    Issued {
        name: "RSA-1024 with SHA-384",
        pem: include_str!("certificates/issued-r1024.pem"),
        proof: SignatureStatus::Unknown,
        words: Some("RSA with SHA-384, by an RSA key of 1024 bits"),
    },
    Issued {
        name: "DSA",
        pem: include_str!("certificates/issued-dsa.pem"),
        proof: SignatureStatus::Unknown,
        words: Some("DSA with SHA-256, by a key of another kind"),
    },
    Issued {
        name: "PSS with the usual salt",
        pem: include_str!("certificates/issued-pss32.pem"),
        proof: SignatureStatus::Signed,
        words: None,
    },
    Issued {
        name: "PSS with SHA-384",
        pem: include_str!("certificates/issued-pss48.pem"),
        proof: SignatureStatus::Signed,
        words: None,
    },
    Issued {
        name: "a key for PSS alone",
        pem: include_str!("certificates/issued-psskey.pem"),
        proof: SignatureStatus::Signed,
        words: None,
    },
    Issued {
        name: "RSA with SHA-512",
        pem: include_str!("certificates/issued-rsa512.pem"),
        proof: SignatureStatus::Signed,
        words: None,
    },
];

#[test]
fn a_signature_that_cannot_be_verified_is_reported() {
    for Issued {
        name,
        pem,
        proof,
        words,
    } in ISSUED
    {
        let file = pem_file::parse(pem.as_bytes()).unwrap();
        let (_, ca) = X509Certificate::from_der(&file.certificates[0]).unwrap();
        let (_, device) = X509Certificate::from_der(&file.certificates[1]).unwrap();
        assert_eq!(verify(&device, &ca), proof, "{name}");
        let warning = load(pem)
            .unwrap_or_else(|refusal| panic!("{name}: {refusal:?}"))
            .warning;
        let said = warning.as_ref().map(|problem| problem.to_string()).unwrap_or_default();
        assert_eq!(
            said.contains("cannot verify the signature of CN=gw-1"),
            words.is_some(),
            "{name}: {said}"
        );
        assert!(said.contains(words.unwrap_or_default()), "{name}: {said}");
    }
}

#[test]
fn a_ca_that_aws_accepts_has_no_warning() {
    let said = load(ISSUED[0].pem).unwrap().warning.unwrap();
    assert_eq!(said.remedy, Remedy::Wait, "{said}");
    assert!(said.next_step.is_some_and(|step| step.contains("openssl verify")));
}

#[test]
fn refused_algorithms_and_a_ca_with_the_same_name_are_refused() {
    for (name, pem, words) in [
        (
            "Ed448",
            include_str!("certificates/issued-ed448.pem"),
            "AWS IoT does not accept",
        ),
        (
            "RSA with SHA-224",
            include_str!("certificates/issued-rsa224.pem"),
            "AWS IoT does not accept",
        ),
        (
            "PSS with the usual salt, by a twin's key",
            include_str!("certificates/issued-pss32-by-a-twin.pem"),
            "which has the issuer's name and another key",
        ),
    ] {
        match load(pem) {
            Err(crate::identity::CertificateError::Unusable(problem)) => {
                assert!(problem.message.contains(words), "{name}: {problem}");
            }
            other => panic!("{name}: {other:?}"),
        }
    }
}

#[test]
fn keys_of_a_ca_that_aws_refuses_are_reported() {
    for (name, is_taken) in [
        ("p521", true),
        ("k1", false),
        ("bp", false),
        ("ed448", false),
        ("psskey", true),
    ] {
        let path = format!(
            "{}/src/identity/tests/certificates/issued-{name}.pem",
            env!("CARGO_MANIFEST_DIR")
        );
        let file = pem_file::parse(&fs::read(path).unwrap()).unwrap();
        let (_, ca) = X509Certificate::from_der(&file.certificates[0]).unwrap();
        let said = usage::check_ca(&ca, None)
            .iter()
            .any(|problem| problem.message.contains("key that AWS IoT"));
        assert_eq!(said, !is_taken, "{name}");
    }
}

/// Loads a file without the token's key, so that the first certificate that is not a CA's is the device's.
fn load(pem: &str) -> Result<Loaded, crate::identity::CertificateError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("device.pem");
    fs::write(&path, pem).unwrap();
    let source = Source {
        path: &path,
        ca_chain: None,
        thing_name: None,
        content: None,
    };
    Certificate::load(&source, None, &*ManualClock::at(super::NOW))
}
