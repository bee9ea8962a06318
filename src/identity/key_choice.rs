//! Chooses the key that a certificate is for, where the device has two. Names prove nothing, so public keys are compared.

use std::path::Path;

use rustls::pki_types::CertificateDer;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer as _;

use crate::pem_file;
use crate::token::FoundKey;

/// Returns the key of the certificate in the file at `path`; of two certificates the one that ends last decides. Without a
/// certificate for one of the keys it is the first key; `None` if there are no keys.
pub fn choose_key<'a>(path: &Path, keys: &'a [FoundKey]) -> Option<&'a FoundKey> {
    let infos: Vec<Vec<u8>> = keys.iter().map(|key| key.public.subject_public_key_info()).collect();
    let place = find_key(path, &infos).unwrap_or_default();
    keys.get(place)
}

/// Returns the first key that one of the certificates is for.
pub fn find_certified<'a>(certificates: &[CertificateDer], keys: &'a [FoundKey]) -> Option<&'a FoundKey> {
    let is_for = |der: &CertificateDer, info: &[u8]| {
        X509Certificate::from_der(der).is_ok_and(|(_, certificate)| certificate.public_key().raw == info)
    };
    keys.iter().find(|key| {
        let info = key.public.subject_public_key_info();
        certificates.iter().any(|der| is_for(der, &info))
    })
}

/// Returns whether the file at `path` has a certificate for the key with this SubjectPublicKeyInfo.
pub fn has_certificate_for(path: &Path, key_info: &[u8]) -> bool {
    find_key(path, &[key_info.to_vec()]).is_some()
}

/// Returns which of the keys has the certificate in the file that ends last.
fn find_key(path: &Path, infos: &[Vec<u8>]) -> Option<usize> {
    let file = pem_file::read(path).ok()?;
    let found = file.certificates.iter().filter_map(|der| {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let place = infos.iter().position(|info| info == certificate.public_key().raw)?;
        Some((certificate.validity().not_after.timestamp(), place))
    });
    found.max_by_key(|(end, _)| *end).map(|(_, place)| place)
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, PublicKeyData as _, date_time_ymd};

    use super::*;

    fn certificate(key: &KeyPair, year: i32) -> String {
        let mut params = CertificateParams::default();
        params.not_after = date_time_ymd(year, 1, 1);
        params.self_signed(key).unwrap().pem()
    }

    #[test]
    fn the_certificate_decides_which_key_is_in_use() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("device.pem");
        let [first, second, other] = [(); 3].map(|()| KeyPair::generate().unwrap());
        let infos = [first.subject_public_key_info(), second.subject_public_key_info()];
        for (content, expected) in [
            (String::new(), None),
            ("no certificate".to_owned(), None),
            (certificate(&other, 2030), None),
            (certificate(&first, 2030), Some(0)),
            (certificate(&second, 2030), Some(1)),
            (
                format!("{}{}", certificate(&second, 2030), certificate(&other, 2040)),
                Some(1),
            ),
            (
                format!("{}{}", certificate(&other, 2030), certificate(&first, 2020)),
                Some(0),
            ),
            (
                format!("{}{}", certificate(&first, 2030), certificate(&second, 2031)),
                Some(1),
            ),
            (
                format!("{}{}", certificate(&second, 2030), certificate(&first, 2031)),
                Some(0),
            ),
            (
                format!("{}{}", certificate(&second, 2000), certificate(&other, 2031)),
                Some(1),
            ),
        ] {
            std::fs::write(&path, &content).unwrap();
            assert_eq!(find_key(&path, &infos), expected, "{content}");
        }
        std::fs::write(&path, certificate(&second, 2030)).unwrap();
        assert!(has_certificate_for(&path, &infos[1]) && !has_certificate_for(&path, &infos[0]));
        std::fs::remove_file(&path).unwrap();
        assert_eq!(find_key(&path, &infos), None);
        assert_eq!(choose_key(&path, &[]), None);
    }
}
