//! The root of a fleet CA: its key and its certificate.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use anyhow::Result;

use super::openssl::openssl;

/// The article's deviceRootCA_openssl.conf without the defaults of the prompts, because `-subj` sets the subject.
const CONFIG: &str = "\
[ req ]
distinguished_name = req_distinguished_name
extensions         = v3_ca
req_extensions     = v3_ca

[ v3_ca ]
basicConstraints   = CA:TRUE

[ req_distinguished_name ]
countryName        = Country Name (2 letter code)
organizationName   = Organization Name (eg, company)
";

/// The article's values.
const SUBJECT: &str = "/C=IN/O=AMZ";

/// The article's names of files.
const KEY: &str = "deviceRootCA.key";
pub(super) const CERTIFICATE: &str = "deviceRootCA.pem";

/// The key and the certificate of a root CA (PEM).
struct Root {
    key: String,
    certificate: String,
}

/// Puts a root with a key of its own into the folder.
pub(super) fn create_new(folder: &Path) -> Result<()> {
    Root::create(folder).map(drop)
}

/// Puts the root into the folder that all CAs of this process share, because it costs more to find the primes of an RSA key than
/// most tests need for everything else.
pub(super) fn create_shared(folder: &Path) -> Result<()> {
    static SHARED: Mutex<Option<Root>> = Mutex::new(None);

    // Poisoning does not matter: it is complete or absent.
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(root) = &*shared {
        return root.write(folder);
    }
    *shared = Some(Root::create(folder)?);
    Ok(())
}

impl Root {
    /// Creates a root CA with the article's commands, in the folder of the CA.
    fn create(folder: &Path) -> Result<Self> {
        fs::write(folder.join("deviceRootCA_openssl.conf"), CONFIG)?;
        openssl(folder, "genrsa -out deviceRootCA.key 2048", &[])?;
        openssl(
            folder,
            "req -new -sha256 -key deviceRootCA.key -nodes -out deviceRootCA.csr -config deviceRootCA_openssl.conf",
            &["-subj".as_ref(), SUBJECT.as_ref()],
        )?;
        openssl(
            folder,
            "x509 -req -days 3650 -extfile deviceRootCA_openssl.conf -extensions v3_ca -in deviceRootCA.csr \
             -signkey deviceRootCA.key -out deviceRootCA.pem",
            &[],
        )?;
        Ok(Self {
            key: fs::read_to_string(folder.join(KEY))?,
            certificate: fs::read_to_string(folder.join(CERTIFICATE))?,
        })
    }

    fn write(&self, folder: &Path) -> Result<()> {
        let mut key = OpenOptions::new();
        let mut key = key.write(true).create_new(true).mode(0o600).open(folder.join(KEY))?;
        key.write_all(self.key.as_bytes())?;
        Ok(fs::write(folder.join(CERTIFICATE), &self.certificate)?)
    }
}
