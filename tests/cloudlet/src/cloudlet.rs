//! A running cloudlet, as tests and the command hold it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::access_keys::LongTerm;
use crate::account::{Account, SharedAccount};
use crate::api::Objects;
use crate::cloud::{Cloud, Endpoints};
use crate::events::Events;
use crate::front::{Connections, Lifecycle};
use crate::listener::Listener;
use crate::switches::SwitchBoard;
use crate::tls::{Authority, ServerConfigs};
use crate::{
    AccessKeys, Broker, CaId, Certificate, CertificateId, CertificateStatus, Connection, Endpoint, Error, Event,
    Minted, Options, Policy, Role, RoleAlias, Template, Thing, api, credentials, front,
};

/// AWS IoT Core, on loopback unless told otherwise, until it is dropped.
pub struct Cloudlet {
    // Dropped in this order: the endpoints, the broker, the folders.
    runtime: Option<Runtime>,
    broker: Broker,
    cloud: Arc<Cloud>,
    authority: Authority,
    policy: Policy,
    api_address: SocketAddr,
    _folders: (Option<TempDir>, TempDir),
}

impl Cloudlet {
    /// Starts one; returns once all its endpoints take connections. Blocks, so not for the inside of a runtime.
    pub fn start(options: Options) -> Result<Self, Error> {
        // The socket's path has 108 bytes at most (unix(7)), so it never lies under a folder of the caller's.
        let runtime_folder = temporary_folder()?;
        let (folder, own_folder) = match &options.dir {
            Some(folder) => (folder.clone(), None),
            None => {
                let own = temporary_folder()?;
                (own.path().to_owned(), Some(own))
            }
        };
        std::fs::create_dir_all(&folder).map_err(Error::io(format!("creating {}", folder.display())))?;
        let account = open_account(&options, &folder)?;
        let switches = SwitchBoard::new(options.switches);
        let events = Events::new(options.observer);
        let authority = Authority::open(&folder)?;
        let tls = ServerConfigs::new(&authority, &options.host, &account, &switches)?;
        let broker = Broker::start_in(&folder.join("broker"), runtime_folder.path(), &events)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("cloudlet")
            .enable_all()
            .build()
            .map_err(Error::io("starting the runtime"))?;
        let mqtt = Listener::bind(&runtime, "MQTT", options.listen, options.mqtt_port)?;
        let provider = Listener::bind(
            &runtime,
            "the credentials provider",
            options.listen,
            options.credentials_port,
        )?;
        let api = Listener::bind(&runtime, "the API", options.listen, options.api_port)?;
        let (lifecycle, lifecycle_queue) = Lifecycle::new();
        let access_keys = AccessKeys::new();
        account.read(|account| access_keys.add_administrator(account.administrator()));
        let cloud = Arc::new(Cloud {
            account,
            switches,
            events,
            connections: Connections::default(),
            tls,
            broker_socket: broker.socket().to_owned(),
            rng: Mutex::new(fastrand::Rng::with_seed(options.seed)),
            access_keys,
            objects: Objects::default(),
            endpoints: Endpoints {
                host: options.host.clone(),
                mqtt_port: mqtt.port,
                credentials_port: provider.port,
            },
            credential_requests: Mutex::default(),
            handshakes: Mutex::default(),
            provisioning: Mutex::default(),
            lifecycle,
            connection_counts: Mutex::default(),
            last_connect: Mutex::new(HashMap::new()),
        });
        let api_address = SocketAddr::new(options.listen, api.port);
        runtime.spawn(front::serve(cloud.clone(), mqtt));
        runtime.spawn(credentials::serve(cloud.clone(), provider));
        runtime.spawn(front::publish_lifecycle(cloud.clone(), lifecycle_queue));
        runtime.spawn(api::serve(cloud.clone(), api));
        Ok(Self {
            runtime: Some(runtime),
            broker,
            cloud,
            authority,
            policy: options.policy,
            api_address,
            _folders: (own_folder, runtime_folder),
        })
    }

    /// `HOST:PORT` of the MQTT endpoint.
    pub fn mqtt_endpoint(&self) -> String {
        self.cloud.endpoints.mqtt()
    }

    /// `HOST:PORT` of the credentials provider.
    pub fn credentials_endpoint(&self) -> String {
        self.cloud.endpoints.credentials()
    }

    /// The URL of STS, IAM and the AWS IoT control plane, as `aws --endpoint-url` and AWS_ENDPOINT_URL take it.
    pub fn api_endpoint(&self) -> String {
        format!("http://{}", self.api_address)
    }

    /// The root that clients must trust, in the place of Amazon's roots.
    pub fn root_ca_pem(&self) -> &str {
        self.authority.pem()
    }

    /// The same as a file.
    pub fn root_ca_path(&self) -> &Path {
        self.authority.path()
    }

    /// What AWS knows: to look at and to change directly.
    pub fn account(&self) -> &SharedAccount {
        &self.cloud.account
    }

    /// The re:Post article's template with the policy of the options.
    pub fn article_template(&self) -> Template {
        Template::article(self.policy.document())
    }

    /// Registers a CA for just-in-time provisioning by this template.
    pub fn register_ca(&self, pem: &str, template: Template) -> Result<CaId, Error> {
        self.cloud.account.change(|account| account.put_ca(pem, template))
    }

    /// Registers a role alias. Its role need not exist: that is one of the provider's errors.
    pub fn add_role_alias(&self, alias: RoleAlias) -> Result<(), Error> {
        self.cloud.account.change(|account| account.put_role_alias(alias))
    }

    /// Creates an IAM role.
    pub fn add_role(&self, role: Role) -> Result<(), Error> {
        self.cloud.account.change(|account| {
            account.put_role(role);
            Ok(())
        })
    }

    /// Every thing.
    pub fn things(&self) -> Vec<Thing> {
        self.cloud.account.read(|account| account.things().cloned().collect())
    }

    /// A registered device certificate.
    pub fn certificate(&self, id: &CertificateId) -> Option<Certificate> {
        self.cloud.account.read(|account| account.certificate(id).cloned())
    }

    /// Sets a certificate's status, and cuts its connections if it may no longer connect.
    pub fn set_certificate_status(&self, id: &CertificateId, status: CertificateStatus) -> Result<(), Error> {
        self.cloud.set_certificate_status(id, status)
    }

    /// Deletes a certificate: its connections are cut, and its next one is a first contact again.
    pub fn forget_certificate(&self, id: &CertificateId) -> Result<(), Error> {
        self.cloud.account.change(|account| account.forget_certificate(id))?;
        self.cloud.connections.cut_certificate(id);
        Ok(())
    }

    /// The live connections.
    pub fn connections(&self) -> Vec<Connection> {
        self.cloud.connections.snapshot()
    }

    /// Disconnects a client, as AWS does for maintenance; how many connections that were.
    pub fn disconnect(&self, client_id: &str) -> usize {
        self.cloud.connections.disconnect(client_id)
    }

    /// The broker behind the front.
    pub fn broker(&self) -> &Broker {
        &self.broker
    }

    /// What happened so far; of a cloudlet that has run for long, the latest 500,000 events.
    pub fn events(&self) -> Vec<Event> {
        self.cloud.events.snapshot()
    }

    /// The first event ever that is wanted, waiting for it if need be.
    pub fn wait_for(&self, timeout: Duration, wanted: impl FnMut(&Event) -> bool) -> Result<Event, Error> {
        self.cloud.events.wait_for(0, timeout, wanted)
    }

    /// The first wanted event after the first `seen` of them: `seen` is an earlier `events().len()`.
    pub fn wait_for_after(
        &self,
        seen: usize,
        timeout: Duration,
        wanted: impl FnMut(&Event) -> bool,
    ) -> Result<Event, Error> {
        self.cloud.events.wait_for(seen, timeout, wanted)
    }

    /// Faults, and what evidence leaves open.
    pub fn switches(&self) -> &SwitchBoard {
        &self.cloud.switches
    }

    /// Every set of credentials ever issued, so that a test can look for its secrets where they must not be.
    pub fn minted(&self) -> Vec<Minted> {
        self.cloud.access_keys.minted()
    }

    /// The access key of the account's administrator.
    pub fn administrator(&self) -> LongTerm {
        self.cloud.account.read(|account| account.administrator().clone())
    }

    /// The access keys that AWS knows, to look at and to add to: sts:AssumeRole by hand.
    pub fn access_keys(&self) -> &AccessKeys {
        &self.cloud.access_keys
    }

    /// How often credentials were asked for by this alias.
    pub fn credential_requests(&self, alias: &str) -> u64 {
        self.cloud.credential_requests.lock().get(alias).copied().unwrap_or(0)
    }

    /// How many handshakes an endpoint has completed.
    pub fn handshakes(&self, endpoint: Endpoint) -> u64 {
        self.cloud.handshakes.lock().get(&endpoint).copied().unwrap_or(0)
    }
}

impl Drop for Cloudlet {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
        self.cloud.account.flush();
    }
}

impl std::fmt::Debug for Cloudlet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cloudlet")
            .field("mqtt_endpoint", &self.mqtt_endpoint())
            .field("credentials_endpoint", &self.credentials_endpoint())
            .field("api_endpoint", &self.api_endpoint())
            .finish_non_exhaustive()
    }
}

fn open_account(options: &Options, folder: &Path) -> Result<SharedAccount, Error> {
    let new = Account::new(&options.account, &options.region);
    match options.dir {
        Some(_) => SharedAccount::in_file(folder.join("account.json"), new),
        None => Ok(SharedAccount::in_memory(new)),
    }
}

fn temporary_folder() -> Result<TempDir, Error> {
    let folder: PathBuf = std::env::temp_dir();
    tempfile::Builder::new()
        .prefix("cloudlet-")
        .tempdir_in(&folder)
        .map_err(Error::io(format!("creating a folder in {}", folder.display())))
}
