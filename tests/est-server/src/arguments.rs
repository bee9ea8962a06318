//! The command line.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Duration;

use est_server::{BodyForm, CaSource, CertificateFault, CertificateOrder, Options, RequestAttributes};
use lexopt::prelude::*;

use crate::values::{choose, fault, read, user};

pub(crate) const USAGE: &str = "\
est-server: an EST server (RFC 7030) for tests and trials

usage: est-server run [OPTION]...

  --dir DIR                  keep CA, server root and keys there, and go on from there (default: nothing is kept)
  --host NAME                the server's host name (localhost)
  --listen ADDRESS           where it listens (127.0.0.1)
  --port N                   the port (8443); 0 takes a free one
  --label LABEL              an additional path /.well-known/est/LABEL
  --lifetime SECONDS         how long certificates live (7776000, which is 90 days)

The CA (default: made in DIR as ca.pem and ca.key; SIGUSR1 replaces it by a new one):
  --ca-certificate FILE      the CA's certificate, then those of its issuers (PEM)
  --ca-key FILE|URI          its key: a PEM file, or pkcs11:token=LABEL;object=LABEL
  --pkcs11-module FILE       the module for such a URI
  --pin-file FILE            the PIN for it

Who may enrol (default: nobody); a renewal always needs the certificate that is renewed:
  --user NAME:FILE           whoever knows the secret in FILE (may be repeated)
  --one-time NAME:FILE       the same, for one certificate
  --repeat-same-request      a used-up secret still works for the very request that used it up
  --bootstrap-ca FILE        holders of a certificate of this CA (PEM)
  --require-certificate      TLS demands a client certificate, also where a secret would do
  --open                     anybody

Misbehaviour:
  --csrattrs none|empty|challenge-password
                             the answer to csrattrs: 404, 204, or a demand (none)
  --body FORM                base64, lines, white-space, ber (indefinite length), pem, pem-certificates, binary,
                             broken-base64, truncated, no-certificates, empty, html (base64)
  --order ORDER              leaf-only, leaf-first, leaf-last, leaf-between (leaf-only)
  --certificate FAULT        other-key, other-name, expired, not-yet-valid, without-client-auth, other-ca, is-ca,
                             unchanged (a renewal gives the old certificate again)
  --created                  201 instead of 200
  --content-type TYPE        another Content-Type than application/pkcs7-mime
  --fault FAULT[xN]          the next N answers to enrolments, without N all of them (may be repeated):
                             wait, wait=SECONDS (202), status=CODE, redirect=URL, lost (issued, then closed), closed,
                             cut, huge (5 MB), slow=MILLISECONDS a byte, hang
  --other-fault FAULT[xN]    the same for cacerts and csrattrs

  -h, --help                 this text
  -V, --version              the version";

/// The result of parsing the command line.
#[derive(Debug)]
pub(crate) enum Command {
    /// Run the server.
    Run(Box<Options>),
    /// Print this.
    Print(String),
}

/// The options that describe the CA, which must be given together.
#[derive(Debug, Default)]
struct CaOptions {
    certificates: Option<PathBuf>,
    key: Option<String>,
    module: Option<PathBuf>,
    pin_file: Option<PathBuf>,
}

impl Command {
    pub(crate) fn parse(mut parser: lexopt::Parser) -> Result<Self, Box<dyn Error>> {
        let mut options = Options {
            port: 8443,
            ..Options::default()
        };
        let mut ca = CaOptions::default();
        let mut run = false;
        while let Some(argument) = parser.next()? {
            match argument {
                Value(word) if word == "run" && !run => run = true,
                Short('h') | Long("help") => return Ok(Self::Print(USAGE.to_owned())),
                Short('V') | Long("version") => {
                    return Ok(Self::Print(format!("est-server {}", env!("CARGO_PKG_VERSION"))));
                }
                Long(name) => {
                    let name = name.to_owned();
                    take(&mut options, &mut ca, &name, &mut parser)?;
                }
                _ => return Err(format!("{}; est-server --help lists the options", argument.unexpected()).into()),
            }
        }
        options.ca = ca.source()?;
        match run {
            true => Ok(Self::Run(Box::new(options))),
            false => Err("nothing to do: `est-server run` starts it, `est-server --help` lists the options".into()),
        }
    }
}

impl CaOptions {
    fn source(self) -> Result<CaSource, Box<dyn Error>> {
        let (certificates, key) = match (self.certificates, self.key) {
            (None, None) => return Ok(CaSource::Folder),
            (Some(certificates), Some(key)) => (read(&certificates)?, key),
            _ => return Err("--ca-certificate and --ca-key belong together".into()),
        };
        if !key.starts_with("pkcs11:") {
            let key = read(Path::new(&key))?;
            return Ok(CaSource::File { certificates, key });
        }
        let missing = "a key in a token needs --pkcs11-module and --pin-file";
        Ok(CaSource::Token {
            certificates,
            module: self.module.ok_or(missing)?,
            uri: key,
            pin: read(&self.pin_file.ok_or(missing)?)?
                .trim_end_matches(['\r', '\n'])
                .to_owned(),
        })
    }
}

fn take(
    options: &mut Options,
    ca: &mut CaOptions,
    option: &str,
    parser: &mut lexopt::Parser,
) -> Result<(), Box<dyn Error>> {
    let switches = &mut options.switches;
    match option {
        "repeat-same-request" => options.repeat_same_request = true,
        "require-certificate" => options.require_certificate = true,
        "open" => options.open = true,
        "created" => switches.created = true,
        "dir" => options.dir = Some(parser.value()?.into()),
        "host" => options.host = parser.value()?.string()?,
        "listen" => options.listen = parser.value()?.parse()?,
        "port" => options.port = parser.value()?.parse()?,
        "label" => options.label = Some(parser.value()?.string()?),
        "lifetime" => options.lifetime = Duration::from_secs(parser.value()?.parse()?),
        "ca-certificate" => ca.certificates = Some(parser.value()?.into()),
        "ca-key" => ca.key = Some(parser.value()?.string()?),
        "pkcs11-module" => ca.module = Some(parser.value()?.into()),
        "pin-file" => ca.pin_file = Some(parser.value()?.into()),
        "user" | "one-time" => options
            .users
            .push(user(&parser.value()?.string()?, option == "one-time")?),
        "bootstrap-ca" => {
            let pem = read(Path::new(&parser.value()?))?;
            options.bootstrap_cas.get_or_insert_default().push_str(&pem);
        }
        "csrattrs" => options.request_attributes = choose(option, &parser.value()?.string()?, ATTRIBUTES)?,
        "body" => switches.body = choose(option, &parser.value()?.string()?, BODIES)?,
        "order" => switches.order = choose(option, &parser.value()?.string()?, ORDERS)?,
        "certificate" => switches.certificate = choose(option, &parser.value()?.string()?, CERTIFICATES)?,
        "content-type" => switches.content_type = Some(parser.value()?.string()?),
        "fault" => switches.enrolment_faults.push_back(fault(&parser.value()?.string()?)?),
        "other-fault" => switches.other_faults.push_back(fault(&parser.value()?.string()?)?),
        _ => return Err(format!("there is no option --{option}; est-server --help lists the options").into()),
    }
    Ok(())
}

const ATTRIBUTES: &[(&str, RequestAttributes)] = &[
    ("none", RequestAttributes::NotFound),
    ("empty", RequestAttributes::NoContent),
    ("challenge-password", RequestAttributes::ChallengePassword),
];

const BODIES: &[(&str, BodyForm)] = &[
    ("base64", BodyForm::Base64),
    ("lines", BodyForm::Lines),
    ("white-space", BodyForm::WhiteSpace),
    ("ber", BodyForm::IndefiniteBer),
    ("pem", BodyForm::PemPkcs7),
    ("pem-certificates", BodyForm::PemCertificates),
    ("binary", BodyForm::Binary),
    ("broken-base64", BodyForm::BrokenBase64),
    ("truncated", BodyForm::Truncated),
    ("no-certificates", BodyForm::NoCertificates),
    ("empty", BodyForm::Empty),
    ("html", BodyForm::Html),
];

const ORDERS: &[(&str, CertificateOrder)] = &[
    ("leaf-only", CertificateOrder::LeafOnly),
    ("leaf-first", CertificateOrder::LeafFirst),
    ("leaf-last", CertificateOrder::LeafLast),
    ("leaf-between", CertificateOrder::LeafBetween),
];

const CERTIFICATES: &[(&str, CertificateFault)] = &[
    ("right", CertificateFault::None),
    ("other-key", CertificateFault::OtherKey),
    ("other-name", CertificateFault::OtherName),
    ("expired", CertificateFault::Expired),
    ("not-yet-valid", CertificateFault::NotYetValid),
    ("without-client-auth", CertificateFault::WithoutClientAuth),
    ("other-ca", CertificateFault::OtherCa),
    ("is-ca", CertificateFault::IsCa),
    ("unchanged", CertificateFault::Unchanged),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_is_in_the_help() {
        for (name, names) in [
            ("body", BODIES.iter().map(|(name, _)| *name).collect::<Vec<_>>()),
            ("order", ORDERS.iter().map(|(name, _)| *name).collect()),
            (
                "certificate",
                CERTIFICATES.iter().skip(1).map(|(name, _)| *name).collect(),
            ),
            ("csrattrs", ATTRIBUTES.iter().map(|(name, _)| *name).collect()),
        ] {
            assert!(USAGE.contains(&format!("--{name} ")), "{name}");
            for word in names {
                assert!(USAGE.contains(word), "--{name} {word}");
            }
        }
    }
}
