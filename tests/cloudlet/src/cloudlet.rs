//! A running cloudlet: the handle that tests and the command use.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::runtime::Runtime;

use crate::access_keys::LongTerm;
use crate::account::{Account, SharedAccount};
use crate::api::Objects;
use crate::cloud::{Cloud, Endpoints};
use crate::events::Events;
use crate::fleet_provisioning::{DeviceAuthority, OwnershipTokens};
use crate::folders::Folders;
use crate::front::{ClientRecords, Connections, Lifecycle, ServicePublisher};
use crate::jobs::{Jobs, JobsHandle};
use crate::listener::Listener;
use crate::rotator::Rotations;
use crate::shadow::Shadows;
use crate::switches::SwitchBoard;
use crate::tls::{Authority, ServerConfigs};
use crate::{
    AccessKeys, Broker, CaId, Certificate, CertificateId, CertificateStatus, Connection, Endpoint, Error, Event,
    KeysAndCertificate, Minted, Options, Policy, Role, RoleAlias, Template, Thing, api, credentials, front,
};

/// A local AWS IoT Core. It listens on loopback unless the options say otherwise, and stops when it is dropped.
pub struct Cloudlet {
    // The fields are dropped in this order: the endpoints, the broker, the folders.
    runtime: Option<Runtime>,
    broker: Broker,
    cloud: Arc<Cloud>,
    authority: Authority,
    policy: Policy,
    _folders: Folders,
}

impl Cloudlet {
    /// Starts a cloudlet; returns when its endpoints accept connections. It blocks, so it must not be called in a runtime.
    pub fn start(options: Options) -> Result<Self, Error> {
        let folders = Folders::create(options.dir.as_deref())?;
        let account = open_account(&options, folders.data())?;
        let switches = SwitchBoard::new(options.switches);
        let events = Events::new(options.observer);
        let authority = Authority::open(folders.data())?;
        let tls = ServerConfigs::new(&authority, &options.host, &account, &switches)?;
        let saves_seldom = options.broker_saves_seldom;
        let broker_folder = folders.data().join("broker");
        let broker = Broker::start_in(&broker_folder, folders.runtime(), saves_seldom, &events)?;
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
        let (publisher, service_queue) = ServicePublisher::new();
        let access_keys = AccessKeys::new();
        account.read(|account| access_keys.add_administrator(account.administrator()));
        let cloud = Arc::new(Cloud {
            account,
            switches,
            events,
            connections: Connections::default(),
            client_records: ClientRecords::default(),
            tls,
            device_authority: DeviceAuthority::new()?,
            ownership_tokens: OwnershipTokens::default(),
            broker_socket: broker.socket().to_owned(),
            rng: Mutex::new(fastrand::Rng::with_seed(options.seed)),
            access_keys,
            objects: Objects::default(),
            web_identity_key: Mutex::default(),
            endpoints: Endpoints {
                host: options.host.clone(),
                mqtt_port: mqtt.port,
                credentials_port: provider.port,
                api: SocketAddr::new(options.listen, api.port),
            },
            credential_requests: Mutex::default(),
            handshakes: Mutex::default(),
            provisioning: Mutex::default(),
            lifecycle: Lifecycle::new(publisher.clone()),
            publisher,
            shadows: Shadows::default(),
            jobs: Jobs::default(),
            rotations: Rotations::default(),
            connection_counts: Mutex::default(),
            last_connect: Mutex::default(),
        });
        runtime.spawn(front::serve(cloud.clone(), mqtt));
        runtime.spawn(credentials::serve(cloud.clone(), provider));
        runtime.spawn(front::run_service_publisher(cloud.broker_socket.clone(), service_queue));
        runtime.spawn(api::serve(cloud.clone(), api));
        Ok(Self {
            runtime: Some(runtime),
            broker,
            cloud,
            authority,
            policy: options.policy,
            _folders: folders,
        })
    }

    /// Returns `HOST:PORT` of the MQTT endpoint.
    pub fn mqtt_endpoint(&self) -> String {
        self.cloud.endpoints.mqtt()
    }

    /// Returns `HOST:PORT` of the credentials provider.
    pub fn credentials_endpoint(&self) -> String {
        self.cloud.endpoints.credentials()
    }

    /// Returns the URL of STS, IAM and the AWS IoT control plane, as `aws --endpoint-url` and AWS_ENDPOINT_URL take it.
    pub fn api_endpoint(&self) -> String {
        format!("http://{}", self.cloud.endpoints.api)
    }

    /// Returns the root certificate that clients must trust in place of Amazon's.
    pub fn root_ca_pem(&self) -> &str {
        self.authority.pem()
    }

    /// Returns the path of the root certificate.
    pub fn root_ca_path(&self) -> &Path {
        self.authority.path()
    }

    /// Returns the records of the account, for direct reads and changes.
    pub fn account(&self) -> &SharedAccount {
        &self.cloud.account
    }

    /// Returns the provisioning template of the re:Post article, with the policy of the options.
    pub fn article_template(&self) -> Template {
        Template::article(self.policy.document())
    }

    /// Registers a CA for just-in-time provisioning with this template.
    pub fn register_ca(&self, pem: &str, template: Template) -> Result<CaId, Error> {
        self.cloud.account.change(|account| account.cas.put(pem, template))
    }

    /// Calls CreateKeysAndCertificate: creates an ACTIVE certificate with a key from AWS.
    pub fn create_keys_and_certificate(&self) -> Result<KeysAndCertificate, Error> {
        self.cloud.create_keys_and_certificate(true)
    }

    /// Registers a role alias. Its role need not exist; the credentials provider then returns an error.
    pub fn add_role_alias(&self, alias: RoleAlias) -> Result<(), Error> {
        self.cloud.account.change(|account| account.role_aliases.put(alias))
    }

    /// Creates an IAM role.
    pub fn add_role(&self, role: Role) -> Result<(), Error> {
        self.cloud.account.change(|account| {
            account.roles.put(role);
            Ok(())
        })
    }

    /// Returns the jobs of AWS IoT Jobs.
    pub fn jobs(&self) -> JobsHandle<'_> {
        JobsHandle::new(&self.cloud)
    }

    /// Returns all things.
    pub fn things(&self) -> Vec<Thing> {
        self.cloud
            .account
            .read(|account| account.registry.things().cloned().collect())
    }

    /// Returns a registered device certificate.
    pub fn certificate(&self, id: &CertificateId) -> Option<Certificate> {
        self.cloud.account.read(|account| account.certificates.get(id).cloned())
    }

    /// Sets a certificate's status, and closes its connections if it may no longer connect.
    pub fn set_certificate_status(&self, id: &CertificateId, status: CertificateStatus) -> Result<(), Error> {
        self.cloud.set_certificate_status(id, status)
    }

    /// Deletes a certificate and closes its connections. Its next connection is a first contact again.
    pub fn forget_certificate(&self, id: &CertificateId) -> Result<(), Error> {
        self.cloud.account.change(|account| account.certificates.forget(id))?;
        self.cloud.connections.cut_certificate(id);
        Ok(())
    }

    /// Returns the live connections.
    pub fn connections(&self) -> Vec<Connection> {
        self.cloud.connections.snapshot()
    }

    /// Disconnects a client, as AWS does for maintenance, and returns the number of its connections.
    pub fn disconnect(&self, client_id: &str) -> usize {
        self.cloud.connections.disconnect(client_id)
    }

    /// Returns the broker behind the front.
    pub fn broker(&self) -> &Broker {
        &self.broker
    }

    /// Returns all events so far, at most the latest 500,000.
    pub fn events(&self) -> Vec<Event> {
        self.cloud.events.snapshot()
    }

    /// Waits for an event and returns the first match, from the start of the cloudlet on.
    pub fn wait_for(&self, timeout: Duration, wanted: impl FnMut(&Event) -> bool) -> Result<Event, Error> {
        self.cloud.events.wait_for(0, timeout, wanted)
    }

    /// Waits for an event after the first `seen` ones and returns the first match. `seen` is an earlier `events().len()`.
    pub fn wait_for_after(
        &self,
        seen: usize,
        timeout: Duration,
        wanted: impl FnMut(&Event) -> bool,
    ) -> Result<Event, Error> {
        self.cloud.events.wait_for(seen, timeout, wanted)
    }

    /// Returns the switches: faults, and undocumented behaviour of AWS.
    pub fn switches(&self) -> &SwitchBoard {
        &self.cloud.switches
    }

    /// Returns all credentials that were issued, so that a test can search outputs for their secrets.
    pub fn minted(&self) -> Vec<Minted> {
        self.cloud.access_keys.minted()
    }

    /// Returns the access key of the account's administrator.
    pub fn administrator(&self) -> LongTerm {
        self.cloud.account.read(|account| account.administrator().clone())
    }

    /// Returns the access keys that AWS knows. A test can add some, as sts:AssumeRole does.
    pub fn access_keys(&self) -> &AccessKeys {
        &self.cloud.access_keys
    }

    /// Returns the number of credential requests for this role alias.
    pub fn credential_requests(&self, alias: &str) -> u64 {
        self.cloud.credential_requests.lock().get(alias).copied().unwrap_or(0)
    }

    /// Returns the number of handshakes that an endpoint has completed.
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
