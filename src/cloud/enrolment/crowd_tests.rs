//! A thousand gateways that enrol at once over real connections, with the client of the method EST.

use std::sync::Arc;
use std::time::{Duration, Instant};

use est_server::{EstServer, Event, Options, User};
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, PublicKeyData as _};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::client::{EstClient, Shown, answer};
use super::credential::CredentialKind;
use super::est::{Operation, Reply, interpret};
use super::failure::Failure;
use crate::clock::SystemClock;
use crate::cloud::connector::Connector;
use crate::config::EstUrl;
use crate::identity::server_config;
use crate::secret::SecretString;

const GATEWAYS: usize = 1000;
const TIME_LIMIT: Duration = Duration::from_secs(300);

fn secret(number: usize) -> String {
    format!("secret-of-{number}")
}

/// Sends the requests of one gateway, in the order of the method. Returns whether the certificate is for its key and its name.
async fn enrol(client: &EstClient, number: usize, key: &KeyPair) -> Result<bool, Failure> {
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name = DistinguishedName::new();
    parameters
        .distinguished_name
        .push(DnType::CommonName, format!("gw-{number}"));
    let csr = parameters.serialize_request(key).unwrap();
    client.get(Operation::RequestAttributes).await?;
    client.get(Operation::CaCertificates).await?;
    let response = client.post(Operation::Enrol, csr.der()).await?;
    match interpret(
        Operation::Enrol,
        CredentialKind::Secret,
        "the server",
        &answer(&response),
    ) {
        Reply::Certificates(certificates) => Ok(certificates.iter().any(|der| {
            let (_, one) = X509Certificate::from_der(der).unwrap();
            let has_name = one.subject().to_string() == format!("CN=gw-{number}");
            has_name && one.public_key().raw == key.subject_public_key_info()
        })),
        Reply::Wait(_) => Ok(false),
        Reply::Failed(failure) => Err(failure),
    }
}

#[test]
#[ignore = "3,000 handshakes: some seconds of both cores"]
fn a_thousand_gateways_enrol_at_once_over_real_connections() {
    let most = raise_open_files();
    let user = |number| User {
        name: format!("gw-{number}"),
        secret: secret(number),
        one_time: true,
    };
    let server = EstServer::start(Options {
        users: (0..GATEWAYS).map(user).collect(),
        ..Options::default()
    })
    .unwrap();
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(server.server_ca_pem().as_bytes()).unwrap())
        .unwrap();
    let tls = server_config(Arc::new(roots), Arc::new(SystemClock::default())).unwrap();
    let url = EstUrl::parse(&server.url()).unwrap();
    // Each connection has two ends in this process.
    let at_once = GATEWAYS.min(usize::try_from(most / 2).unwrap_or(GATEWAYS) - 100);
    let places = Arc::new(tokio::sync::Semaphore::new(at_once));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let entered = runtime.enter();
    let start = Instant::now();
    let mut all = tokio::task::JoinSet::new();
    for number in 0..GATEWAYS {
        let secret = SecretString::from(secret(number));
        let client = EstClient::new(
            &Connector::default(),
            &url,
            tls.clone(),
            &Shown::Secret(&format!("gw-{number}"), &secret),
        )
        .unwrap();
        let places = places.clone();
        all.spawn(async move {
            let key = KeyPair::generate().unwrap();
            let _place = places.acquire().await;
            let mut attempts = 0;
            // Does the same as the method, but without the waits between the attempts.
            while attempts < 10 {
                attempts += 1;
                if let Ok(is_ours) = enrol(&client, number, &key).await {
                    assert!(is_ours, "{number}");
                    break;
                }
            }
            attempts
        });
    }
    drop(entered);
    let attempts = runtime.block_on(async { tokio::time::timeout(TIME_LIMIT, all.join_all()).await });
    let attempts = attempts.expect("all enrolled");
    let issued = server
        .events()
        .iter()
        .filter(|event| matches!(event, Event::Issued { .. }))
        .count();
    assert_eq!(issued, GATEWAYS, "one certificate each, for secrets that work once");
    eprintln!(
        "{GATEWAYS} gateways, {at_once} at once: {} attempts in {:.1} s",
        attempts.iter().sum::<usize>(),
        start.elapsed().as_secs_f64()
    );
}

/// Raises the limit of open files, and returns it.
fn raise_open_files() -> u64 {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let known = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: known.maximum,
        maximum: known.maximum,
    };
    let limit = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => known.maximum,
        Err(_) => known.current,
    };
    limit.unwrap_or(u64::MAX)
}
