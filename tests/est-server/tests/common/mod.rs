//! A client that consists of curl and openssl.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test support: fails loudly, and each test uses another part"
)]

use std::path::Path;
use std::process::Command;

use est_server::EstServer;

/// A client with its folder of files.
pub struct Client {
    folder: tempfile::TempDir,
    url: String,
}

/// The response of the server.
#[derive(Debug)]
pub struct Answer {
    /// The status; 0 without a response.
    pub status: u16,
    /// The header lines.
    pub headers: String,
    /// The body.
    pub body: Vec<u8>,
}

impl Client {
    /// Creates a client that trusts this server.
    pub fn new(server: &EstServer) -> Self {
        Self::of(&server.url(), server.server_ca_pem())
    }

    /// Creates a client that trusts the server with this URL and root.
    pub fn of(url: &str, server_ca_pem: &str) -> Self {
        let client = Self {
            folder: tempfile::tempdir().unwrap(),
            url: url.to_owned(),
        };
        client.write("server-ca.pem", server_ca_pem);
        client
    }

    /// Returns the server's URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns the folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file in the folder.
    pub fn write(&self, name: &str, content: &str) {
        std::fs::write(self.folder.path().join(name), content).unwrap();
    }

    /// Creates key.pem if it is missing, and request.b64 with this common name.
    pub fn write_request(&self, name: &str) {
        openssl(
            self,
            &format!(
                "[ -e key.pem ] || openssl ecparam -genkey -name prime256v1 -noout -out key.pem
                 openssl req -new -key key.pem -subj '/CN={name}' -outform DER | base64 -w0 > request.b64"
            ),
        );
    }

    /// Enrols with request.b64 and options for curl.
    pub fn enrol(&self, options: &[&str]) -> Answer {
        self.post("simpleenroll", options)
    }

    /// Posts request.b64.
    pub fn post(&self, operation: &str, options: &[&str]) -> Answer {
        let mut all = vec!["--data-binary", "@request.b64"];
        if !options.iter().any(|option| option.starts_with("Content-Type")) {
            all.extend(["-H", "Content-Type: application/pkcs10"]);
        }
        all.extend(options);
        self.curl(operation, &all)
    }

    /// Sends a GET request.
    pub fn get(&self, operation: &str) -> Answer {
        self.curl(operation, &[])
    }

    fn curl(&self, operation: &str, options: &[&str]) -> Answer {
        for file in ["headers", "body"] {
            let _ = std::fs::remove_file(self.folder().join(file));
        }
        let output = Command::new("curl")
            .current_dir(self.folder())
            .args([
                "-s",
                "--cacert",
                "server-ca.pem",
                "-D",
                "headers",
                "-o",
                "body",
                "-w",
                "%{http_code}",
            ])
            .args(options)
            .arg(format!("{}/{operation}", self.url))
            .output()
            .expect("curl (Debian package curl)");
        let read = |name: &str| std::fs::read(self.folder().join(name)).unwrap_or_default();
        Answer {
            status: String::from_utf8_lossy(&output.stdout).parse().unwrap_or(0),
            headers: String::from_utf8_lossy(&read("headers")).into_owned(),
            body: read("body"),
        }
    }

    /// Returns the certificates of a PKCS#7 as openssl prints them, whatever its encoding.
    pub fn read_pkcs7(&self, body: &[u8]) -> String {
        std::fs::write(self.folder().join("p7"), body).unwrap();
        openssl(
            self,
            "if grep -q BEGIN p7; then cp p7 p7.pem; openssl pkcs7 -in p7.pem -print_certs
             elif base64 -di p7 > p7.der 2>/dev/null && [ \"$(head -c1 p7.der | od -An -tx1 | tr -d ' ')\" = 30 ]; then openssl pkcs7 -inform DER -in p7.der -print_certs
             else openssl pkcs7 -inform DER -in p7 -print_certs; fi",
        )
    }
}

/// Runs a shell script in the client's folder and returns what it prints.
pub fn openssl(client: &Client, script: &str) -> String {
    let output = Command::new("sh")
        .current_dir(client.folder())
        .args(["-ec", script])
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script}: {error}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}
