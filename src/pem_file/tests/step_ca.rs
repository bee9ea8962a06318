//! Tests of certificates of step-ca, whose extension about the provisioner resembles an EC private key.

use rcgen::{CertificateParams, CustomExtension, KeyPair};

use super::*;

/// step-ca's 1.3.6.1.4.1.37476.9000.64.1.
const PROVISIONER: &[u64] = &[1, 3, 6, 1, 4, 1, 37476, 9000, 64, 1];
const OCTET_STRING: u8 = 4;

fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u8::try_from(content.len()).unwrap();
    let head = if length < 0x80 {
        vec![tag, length]
    } else {
        vec![tag, 0x81, length]
    };
    [head, content.to_vec()].concat()
}

/// The extension: the type of the provisioner, its name, the ID of its credential, and perhaps more.
fn provisioner(kind: u8, name: &str, credential: &str, more: &[u8]) -> Vec<u8> {
    let kind = element(2, &[kind]);
    let (name, credential) = (
        element(OCTET_STRING, name.as_bytes()),
        element(OCTET_STRING, credential.as_bytes()),
    );
    element(0x30, &[kind, name, credential, more.to_vec()].concat())
}

#[test]
fn a_provisioner_of_step_ca_is_no_private_key() {
    let id = "+IqGgxYWO6C7SLhiNHrdyvYZUgojGE9wgMagc3yamytg";
    let pairs = element(0x30, &[element(0x0c, b"a"), element(0x0c, b"b")].concat());
    for (kind, name, credential, more) in [
        (1, "gateways", id, &[][..]),
        (1, "gateways", id, pairs.as_slice()),
        (1, "admin@example.com", id, &[]),
        (1, "a provisioner with 32 characters", id, &[]),
        (1, "a provisioner with a very long name, 48 characters", id, &[]),
        (1, "gateways", "", &[]),
        (0, "gateways", id, &[]),
        (6, "acme-of-the-fleet", "", &[]),
        (8, "sshpop-of-the-fleet", "", pairs.as_slice()),
        (10, "scep", "", &[]),
    ] {
        let extension = provisioner(kind, name, credential, more);
        let mut params = CertificateParams::default();
        let custom = CustomExtension::from_oid_content(PROVISIONER, extension.clone());
        params.custom_extensions.push(custom);
        let pem = params.self_signed(&KeyPair::generate().unwrap()).unwrap().pem();
        let found = parse(pem.as_bytes()).unwrap();
        assert!(!found.has_private_key, "{kind} {name} {credential}");
        // Where the line breaks of the base64 fall depends on what is before it.
        for padding in 0..3 {
            let bytes = [vec![0x30; padding], extension.clone()].concat();
            assert!(!der::has_private_key(&bytes), "{kind} {name} {credential}");
        }
    }
}

#[test]
fn an_ec_private_key_is_found_with_and_without_its_optional_elements() {
    let secret = element(OCTET_STRING, &[0x5a; 32]);
    let curve = element(0xa0, &[6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7]);
    let public = element(0xa1, &element(3, &[[0, 4].as_slice(), &[0x5a; 64]].concat()));
    let long = element(OCTET_STRING, &[0x5a; 66]);
    for parts in [
        [secret.clone(), curve.clone(), public.clone()].concat(),
        [secret.clone(), curve.clone()].concat(),
        [secret.clone(), public.clone()].concat(),
        [long.clone(), curve].concat(),
        [long, public].concat(),
        element(OCTET_STRING, &[0x5a; 48]),
    ] {
        let key = element(0x30, &[element(2, &[1]), parts].concat());
        assert!(der::is_private_key(&key) && der::has_private_key(&key));
        assert!(der::has_private_key(&[vec![1, 2, 3], key].concat()));
    }
}
