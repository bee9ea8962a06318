//! The objects in a token, as pkcs11-tool lists them.

/// The class of an object (`CKA_CLASS`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// `CKO_PRIVATE_KEY`
    PrivateKey,
    /// `CKO_PUBLIC_KEY`
    PublicKey,
    /// `CKO_CERTIFICATE`
    Certificate,
}

impl Class {
    /// Returns the name that pkcs11-tool uses.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::PrivateKey => "privkey",
            Self::PublicKey => "pubkey",
            Self::Certificate => "cert",
        }
    }
}

/// An object in a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// The class.
    pub class: Class,
    /// `CKA_LABEL`
    pub label: String,
    /// `CKA_ID` in hexadecimal.
    pub id: String,
    /// Its "Access:" words: "sensitive", "always sensitive", "never extractable", "extractable", "local".
    access: Vec<String>,
}

impl Object {
    /// Returns whether its value cannot be read in plain now (`CKA_SENSITIVE`).
    #[must_use]
    pub fn is_sensitive(&self) -> bool {
        self.has("sensitive")
    }

    /// Returns whether it could never leave the token, not even encrypted (`CKA_NEVER_EXTRACTABLE`).
    #[must_use]
    pub fn is_never_extractable(&self) -> bool {
        self.has("never extractable")
    }

    /// Returns whether it was made inside the token (`CKA_LOCAL`).
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.has("local")
    }

    fn has(&self, word: &str) -> bool {
        self.access.iter().any(|access| access == word)
    }
}

/// Parses the output of `pkcs11-tool --list-objects` (OpenSC 0.23): a line at the margin opens an object, the
/// indented ones below it are its attributes. Objects of kinds that no test uses are skipped.
pub(super) fn parse(listing: &str) -> Vec<Object> {
    let mut objects = Vec::new();
    let mut current: Option<Object> = None;
    for line in listing.lines() {
        if !line.starts_with(' ') {
            objects.extend(current.take());
            current = class(line).map(|class| Object {
                class,
                label: String::new(),
                id: String::new(),
                access: Vec::new(),
            });
        } else if let (Some(object), Some((name, value))) = (&mut current, line.split_once(':')) {
            let value = value.trim();
            match name.trim() {
                "label" => object.label = value.to_owned(),
                "ID" => object.id = value.to_owned(),
                "Access" => object.access = value.split(", ").map(str::to_owned).collect(),
                _ => {}
            }
        }
    }
    objects.extend(current);
    objects
}

fn class(line: &str) -> Option<Class> {
    [
        ("Private Key Object", Class::PrivateKey),
        ("Public Key Object", Class::PublicKey),
        ("Certificate Object", Class::Certificate),
    ]
    .into_iter()
    .find_map(|(heading, class)| line.starts_with(heading).then_some(class))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Output of OpenSC 0.23.0, shortened.
    const LISTING: &str = "\
Public Key Object; EC  EC_POINT 256 bits
  EC_POINT:   0441044f63
  label:      device
  ID:         01
  Usage:      encrypt, verify, derive
  Access:     local
Profile object 12345
  profile_id:          CKP_PUBLIC_CERTIFICATES_TOKEN (4)
Private Key Object; EC
  label:      device: the key
  ID:         0a1b
  Usage:      decrypt, sign, derive
  Access:     sensitive, always sensitive, never extractable, local
";

    #[test]
    fn objects_and_their_attributes() {
        let objects = parse(LISTING);
        let [public, private] = objects.as_slice() else {
            panic!("{objects:?}")
        };
        assert_eq!(
            (public.class, public.label.as_str(), public.id.as_str()),
            (Class::PublicKey, "device", "01")
        );
        assert_eq!(
            (private.class, private.label.as_str(), private.id.as_str()),
            (Class::PrivateKey, "device: the key", "0a1b")
        );
        assert!(private.is_sensitive() && private.is_never_extractable() && private.is_local());
        assert!(!public.is_sensitive() && !public.is_never_extractable() && public.is_local());
    }

    #[test]
    fn nothing_in_it() {
        assert_eq!(parse(""), []);
    }
}
