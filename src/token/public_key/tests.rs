//! Tests of key objects with few attributes, and of points in every form.

use super::*;

/// Creates a modulus with this many bits.
fn modulus(bits: usize) -> Vec<u8> {
    let mut modulus = vec![0xff; bits / 8];
    modulus.insert(0, 0);
    modulus
}

#[test]
fn even_a_part_of_the_public_attributes_is_checked() {
    let (rsa, ec, edwards) = (Some(KeyType::RSA), Some(KeyType::EC), Some(KeyType::EC_EDWARDS));
    let exponent = Some(vec![1, 0, 1]);
    let point = |length: usize| {
        let mut point = vec![7; length];
        point[0] = 4;
        Some(point)
    };
    let p521 = vec![0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x23];
    let attributes = |kind, parameters: Option<Vec<u8>>, point, modulus, exponent| PublicAttributes {
        kind,
        parameters,
        point,
        modulus,
        exponent,
    };
    let elliptic = |parameters: &[u8], point| attributes(ec, Some(parameters.to_vec()), point, None, None);
    for (name, attributes, outcome) in [
        (
            "RSA-2048",
            attributes(rsa, None, None, Some(modulus(2048)), exponent.clone()),
            Ok(true),
        ),
        (
            "RSA-1024",
            attributes(rsa, None, None, Some(modulus(1024)), exponent.clone()),
            Err("RSA with 1024 bits"),
        ),
        (
            "RSA-1024 without its exponent",
            attributes(rsa, None, None, Some(modulus(1024)), None),
            Err("RSA with 1024 bits"),
        ),
        (
            "RSA-512",
            attributes(rsa, None, None, Some(modulus(512)), exponent.clone()),
            Err("RSA with 512 bits"),
        ),
        (
            "RSA-16384",
            attributes(rsa, None, None, Some(modulus(16384)), exponent.clone()),
            Err("RSA with 16384 bits"),
        ),
        (
            "RSA-2048 without its exponent",
            attributes(rsa, None, None, Some(modulus(2048)), None),
            Ok(false),
        ),
        (
            "RSA without its modulus",
            attributes(rsa, None, None, None, exponent.clone()),
            Ok(false),
        ),
        (
            "RSA with an empty modulus",
            attributes(rsa, None, None, Some(Vec::new()), exponent),
            Ok(false),
        ),
        ("P-256", elliptic(&P256_PARAMETERS, point(65)), Ok(true)),
        ("P-256 without its point", elliptic(&P256_PARAMETERS, None), Ok(false)),
        (
            "P-256 with an empty point",
            elliptic(&P256_PARAMETERS, Some(Vec::new())),
            Ok(false),
        ),
        ("P-384", elliptic(&P384_PARAMETERS, point(97)), Ok(true)),
        (
            "P-256 with a point of P-384",
            elliptic(&P256_PARAMETERS, point(97)),
            Err("not in uncompressed form"),
        ),
        ("P-521", elliptic(&p521, point(133)), Err("is on a curve other than")),
        (
            "P-521 without its point",
            elliptic(&p521, None),
            Err("is on a curve other than"),
        ),
        (
            "EC without its curve",
            attributes(ec, None, point(65), None, None),
            Ok(false),
        ),
        (
            "Ed25519",
            attributes(edwards, None, None, None, None),
            Err("is neither EC nor RSA"),
        ),
        ("nothing at all", attributes(None, None, None, None, None), Ok(false)),
    ] {
        match (attributes.to_key(), outcome) {
            (Ok(key), Ok(is_whole)) => assert_eq!(key.is_some(), is_whole, "{name}"),
            (Err(error), Err(words)) => {
                assert!(error.problem().message.contains(words), "{name}: {}", error.problem());
            }
            (found, _) => panic!("{name}: {found:?}"),
        }
    }
}

#[test]
fn a_point_is_read_bare_and_wrapped() {
    for (parameters, length) in [(&P256_PARAMETERS[..], 65_u8), (&P384_PARAMETERS, 97)] {
        for byte in 0..=u8::MAX {
            let mut bare = vec![byte; usize::from(length)];
            bare[0] = 4;
            let wrapped = [&[0x04, length][..], &bare].concat();
            for form in [&bare, &wrapped] {
                let key = PublicKey::elliptic(parameters, form).map(|key| key.bits);
                assert_eq!(key.ok().as_ref(), Some(&bare), "{form:02x?}");
            }
            // Compressed, of an odd length, and wrapped twice.
            let compressed = [&[0x02][..], &bare[1..33]].concat();
            let twice = [&[0x04, length + 2][..], &wrapped].concat();
            for form in [&compressed, &bare[1..].to_vec(), &twice] {
                assert!(PublicKey::elliptic(parameters, form).is_err(), "{form:02x?}");
            }
        }
    }
}
