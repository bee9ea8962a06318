//! The customer's certificate authority, created and used with the commands of the AWS article on just-in-time
//! provisioning: <https://repost.aws/knowledge-center/aws-iot-core-jitp-setup>

mod openssl;
mod root;

use std::fs;
use std::path::{self, Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Result, ensure};
use tempfile::TempDir;
use time::OffsetDateTime;
use time::macros::format_description;

use self::openssl::openssl;

const SIGN_CONFIG: &str = include_str!("fleet_ca/sign.cnf");

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The validity period of a certificate.
#[derive(Clone, Copy, Debug)]
pub enum Validity {
    /// Yesterday until a year later.
    Now,
    /// Expired since yesterday.
    Expired,
    /// Valid from tomorrow on.
    NotYet,
    /// The start and the end.
    Between(SystemTime, SystemTime),
}

/// A certificate authority in a temporary folder.
#[derive(Debug)]
pub struct FleetCa {
    folder: TempDir,
}

/// A key pair in a file, for a client without a token, and its signing request.
#[derive(Debug)]
pub struct SoftwareKey {
    folder: TempDir,
}

impl FleetCa {
    /// Creates a CA with the root that all CAs of this process share: an RSA key of 2048 bits, as in the article.
    ///
    /// # Errors
    /// If openssl is missing or fails.
    pub fn new() -> Result<Self> {
        Self::with_root(root::create_shared)
    }

    /// Creates a CA with a root key of its own, and the same name.
    ///
    /// # Errors
    /// If openssl is missing or fails.
    pub fn another() -> Result<Self> {
        Self::with_root(root::create_new)
    }

    fn with_root(create: fn(&Path) -> Result<()>) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("gatepost-fleet-ca-").tempdir()?;
        fs::write(folder.path().join("sign.cnf"), SIGN_CONFIG)?;
        fs::write(folder.path().join("index.txt"), "")?;
        create(folder.path())?;
        Ok(Self { folder })
    }

    /// Returns the path of the root certificate.
    #[must_use]
    pub fn ca_pem_path(&self) -> PathBuf {
        self.folder.path().join(root::CERTIFICATE)
    }

    /// Returns the root certificate.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn ca_pem(&self) -> Result<String> {
        Ok(fs::read_to_string(self.ca_pem_path())?)
    }

    /// Signs a request with the article's command. With OpenSSL before 3.4 (Debian 12) that makes an X.509 version 1
    /// certificate, because the request has no extensions.
    ///
    /// # Errors
    /// If the request is not one.
    pub fn sign_v1(&self, csr: &Path) -> Result<String> {
        self.openssl(
            "x509 -req -CA deviceRootCA.pem -CAkey deviceRootCA.key -CAcreateserial -days 365 -sha256 -in",
            &[&path::absolute(csr)?],
        )
    }

    /// Signs a request as version 3, with the extensions of a TLS client.
    ///
    /// # Errors
    /// If the request is not one.
    pub fn sign_v3(&self, csr: &Path) -> Result<String> {
        self.sign_v3_valid(csr, Validity::Now)
    }

    /// Signs a request as version 3, with the given validity.
    ///
    /// # Errors
    /// If the request is not one.
    pub fn sign_v3_valid(&self, csr: &Path, validity: Validity) -> Result<String> {
        let (from, until) = validity.bounds()?;
        let dates = format!("-startdate {from} -enddate {until}");
        let sign = "ca -config sign.cnf -batch -notext -preserveDN -extensions device \
                    -cert deviceRootCA.pem -keyfile deviceRootCA.key";
        self.openssl(&format!("{sign} {dates} -in"), &[&path::absolute(csr)?])
    }

    /// Signs a request with another hash ("-sha1"), as an old CA does.
    ///
    /// # Errors
    /// If openssl does not know the hash.
    pub fn sign_v3_digest(&self, csr: &Path, digest: &str) -> Result<String> {
        let sign = format!(
            "x509 -req -CA deviceRootCA.pem -CAkey deviceRootCA.key -CAcreateserial -days 365 {digest} -extfile sign.cnf \
             -extensions device -in"
        );
        self.openssl(&sign, &[&path::absolute(csr)?])
    }

    /// Signs a request with a subject ("/C=IN/O=Example/CN=name") other than the requested one, as a careless CA might.
    ///
    /// # Errors
    /// If openssl refuses the subject.
    pub fn sign_as(&self, csr: &Path, subject: &str) -> Result<String> {
        let sign = "x509 -req -CA deviceRootCA.pem -CAkey deviceRootCA.key -CAcreateserial -days 365 -sha256";
        self.openssl(
            &format!("{sign} -in"),
            &[&path::absolute(csr)?, "-subj".as_ref(), subject.as_ref()],
        )
    }

    /// Issues a valid certificate with this subject ("/C=IN/O=Example/CN=name") for a key that is thrown away.
    ///
    /// # Errors
    /// If openssl refuses the subject.
    pub fn for_another_key(&self, subject: &str) -> Result<String> {
        self.sign_v3(&SoftwareKey::new(subject)?.csr_path())
    }

    /// Issues a certificate for a TLS server of this name, with its key.
    ///
    /// # Errors
    /// If openssl refuses the name.
    pub fn server(&self, name: &str) -> Result<(String, SoftwareKey)> {
        let key = SoftwareKey::new(&format!("/CN={name}"))?;
        let extensions = self.folder.path().join("server.ext");
        std::fs::write(
            &extensions,
            format!("subjectAltName=DNS:{name}\nextendedKeyUsage=serverAuth\n"),
        )?;
        let sign = "x509 -req -CA deviceRootCA.pem -CAkey deviceRootCA.key -CAcreateserial -days 365 -sha256";
        let certificate = self.openssl(
            &format!("{sign} -extfile server.ext -in"),
            &[&path::absolute(key.csr_path())?],
        )?;
        Ok((certificate, key))
    }

    /// Runs openssl in the CA's folder.
    fn openssl(&self, words: &str, paths: &[&Path]) -> Result<String> {
        openssl(self.folder.path(), words, paths)
    }
}

impl SoftwareKey {
    /// Generates a P-256 key and a signing request with this subject ("/C=IN/O=Example/CN=name").
    ///
    /// # Errors
    /// If openssl is missing or refuses the subject.
    pub fn new(subject: &str) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("gatepost-key-").tempdir()?;
        openssl(
            folder.path(),
            "ecparam -name prime256v1 -genkey -noout -out device.key",
            &[],
        )?;
        openssl(
            folder.path(),
            "req -new -sha256 -key device.key -out device.csr -subj",
            &[subject.as_ref()],
        )?;
        Ok(Self { folder })
    }

    /// Returns the path of the private key (PEM).
    #[must_use]
    pub fn key_path(&self) -> PathBuf {
        self.folder.path().join("device.key")
    }

    /// Returns the path of the signing request (PEM).
    #[must_use]
    pub fn csr_path(&self) -> PathBuf {
        self.folder.path().join("device.csr")
    }
}

impl Validity {
    /// Formats the times for `openssl ca`: YYYYMMDDHHMMSSZ.
    fn bounds(self) -> Result<(String, String)> {
        let now = SystemTime::now();
        let (from, until) = match self {
            Self::Now => (now - DAY, now + 365 * DAY),
            Self::Expired => (now - 2 * DAY, now - DAY),
            Self::NotYet => (now + DAY, now + 365 * DAY),
            Self::Between(from, until) => (from, until),
        };
        ensure!(from < until, "a certificate cannot end before it begins");
        let text =
            |time| OffsetDateTime::from(time).format(format_description!("[year][month][day][hour][minute][second]Z"));
        Ok((text(from)?, text(until)?))
    }
}
