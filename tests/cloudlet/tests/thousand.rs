//! A thousand devices connect for the first time, all at once.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

use std::sync::Arc;
use std::time::Duration;

use cloudlet::{CertificateStatus, Cloudlet, Options};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

const DEVICES: usize = 1000;
/// Generous for a busy machine with two cores and a debug build.
const PATIENCE: Duration = Duration::from_secs(300);
/// File descriptors: each device needs one, and the cloudlet, in the same process, one for the device and one for the broker.
const DESCRIPTORS: u64 = 8192;
/// Pause between a device's attempts.
const PAUSE: Duration = Duration::from_millis(500);

struct Ca {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Ca {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "Fleet");
        params.distinguished_name.push(DnType::CountryName, "IN");
        let pem = params.self_signed(&key).unwrap().pem();
        Self {
            pem,
            issuer: Issuer::new(params, key),
        }
    }

    fn device(&self, name: &str, roots: RootCertStore) -> ClientConfig {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.distinguished_name.push(DnType::CountryName, "IN");
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_client_auth_cert(vec![certificate.der().clone()], key)
            .unwrap()
    }
}

/// Returns a CONNECT of MQTT 3.1.1 with a clean session.
fn connect_packet(client_id: &str) -> Vec<u8> {
    let length = u8::try_from(client_id.len()).unwrap();
    let mut packet = vec![0x10, 12 + length, 0, 4];
    packet.extend_from_slice(b"MQTT\x04\x02\x00\x3c\x00");
    packet.push(length);
    packet.extend_from_slice(client_id.as_bytes());
    packet
}

/// Connects until there is a CONNACK; returns the number of attempts.
async fn come_online(config: Arc<ClientConfig>, port: u16, name: String) -> usize {
    let server = ServerName::try_from("localhost").unwrap();
    for attempt in 1.. {
        let mut connack = [0; 4];
        let connected = async {
            let tcp = TcpStream::connect(("127.0.0.1", port)).await?;
            let mut tls = TlsConnector::from(config.clone()).connect(server.clone(), tcp).await?;
            tls.write_all(&connect_packet(&name)).await?;
            tls.read_exact(&mut connack).await?;
            tls.write_all(&[0xE0, 0x00]).await
        };
        if connected.await.is_ok() {
            assert_eq!(connack, [0x20, 2, 0, 0], "{name}");
            return attempt;
        }
        tokio::time::sleep(PAUSE).await;
    }
    unreachable!()
}

#[test]
fn a_thousand_devices_at_once_are_all_provisioned() {
    let limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.map_or(DESCRIPTORS, |maximum| maximum.min(DESCRIPTORS));
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: Some(most),
            ..limit
        },
    )
    .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let options = || Options {
        dir: Some(folder.path().to_owned()),
        ..Options::quick()
    };
    let cloud = Cloudlet::start(options()).unwrap();
    let ca = Ca::new();
    cloud.register_ca(&ca.pem, cloud.article_template()).unwrap();
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(cloud.root_ca_pem().as_bytes()).unwrap())
        .unwrap();
    let name = |number: usize| format!("gw-{number:04}");
    let devices: Vec<_> = (0..DEVICES)
        .map(|number| Arc::new(ca.device(&name(number), roots.clone())))
        .collect();
    let endpoint = cloud.mqtt_endpoint();
    let port: u16 = endpoint.split_once(':').unwrap().1.parse().unwrap();

    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let attempts: Vec<usize> = runtime.block_on(async {
        let tasks: Vec<_> = devices
            .into_iter()
            .enumerate()
            .map(|(number, config)| tokio::spawn(come_online(config, port, name(number))))
            .collect();
        let all = async {
            let mut attempts = Vec::new();
            for task in tasks {
                attempts.push(task.await.unwrap());
            }
            attempts
        };
        tokio::time::timeout(PATIENCE, all).await.expect("all online")
    });
    assert!(
        attempts.iter().all(|attempts| *attempts > 1),
        "the first connection is always lost"
    );

    let check = |cloud: &Cloudlet| {
        let names: Vec<String> = cloud.things().into_iter().map(|thing| thing.name).collect();
        assert_eq!(names, (0..DEVICES).map(name).collect::<Vec<_>>());
        let active = cloud.account().read(|account| {
            let certificates = account.certificates.iter();
            certificates
                .filter(|certificate| certificate.status == CertificateStatus::Active && certificate.things.len() == 1)
                .count()
        });
        assert_eq!(active, DEVICES);
        assert_eq!(cloud.account().read(|account| account.policies.in_force().count()), 1);
    };
    check(&cloud);
    drop(cloud);
    check(&Cloudlet::start(options()).unwrap());
}
