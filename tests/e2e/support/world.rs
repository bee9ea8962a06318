//! The token, the fleet CA, the cloud and the gateway of one test.

use cloudlet::{Cloudlet, Options, Role, RoleAlias, Template};
use rig::fleet_ca::FleetCa;
use rig::token::{SoftHsm, Token};

use super::defaults::{PIN, options};
use super::gateway::Gateway;

/// The environment of one test. All of it ends when this is dropped.
pub struct World {
    pub gateway: Gateway,
    pub cloud: Cloudlet,
    pub ca: FleetCa,
    pub token: Box<dyn Token>,
}

impl World {
    /// Creates a world with an empty SoftHSM token and a cloud that provisions at once.
    pub fn new() -> Self {
        Self::with(Box::new(SoftHsm::new("gateway", PIN).unwrap()), options())
    }

    /// Creates a world with this token and this cloud: the fleet CA is registered, the role alias `telemetry` exists.
    pub fn with(token: Box<dyn Token>, options: Options) -> Self {
        Self::with_template(token, options, Cloudlet::article_template)
    }

    /// Creates a world with another provisioning template.
    pub fn with_template(token: Box<dyn Token>, options: Options, template: fn(&Cloudlet) -> Template) -> Self {
        let ca = FleetCa::new().unwrap();
        let cloud = Cloudlet::start(options).unwrap();
        cloud.register_ca(&ca.ca_pem().unwrap(), template(&cloud)).unwrap();
        let role = "arn:aws:iam::123456789012:role/telemetry";
        cloud.add_role(Role::trusting(role)).unwrap();
        cloud.add_role_alias(RoleAlias::new("telemetry", role)).unwrap();
        let gateway = Gateway::new(&cloud, &*token, &ca.ca_pem_path());
        Self {
            gateway,
            cloud,
            ca,
            token,
        }
    }

    /// Starts the daemon, installs a certificate, and waits for an open session and valid credentials.
    pub fn bring_online(&mut self) {
        self.gateway.start();
        self.certify();
        self.gateway.wait_online();
    }

    /// Signs the request that the daemon has written (X.509 v1, as in the AWS article) and installs the certificate.
    pub fn certify(&self) {
        let csr = self.gateway.wait_for_csr();
        self.gateway.install(&self.ca.sign_v1(&csr).unwrap());
    }

    /// Returns the certificate ID, once the daemon has read a certificate.
    pub fn certificate_id(&self) -> cloudlet::CertificateId {
        let id = self.gateway.wait_for("identity.certificate_id", |id| id.is_string());
        let known = self.cloud.account().read(|account| {
            account
                .certificates
                .iter()
                .find(|known| known.id.to_string() == id)
                .map(|known| known.id.clone())
        });
        known.unwrap_or_else(|| panic!("the cloud does not know certificate {id}"))
    }
}
