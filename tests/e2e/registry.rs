//! Registers certificates directly, as an operator can, so that a test need not wait for just-in-time provisioning.

use std::path::Path;

use cloudlet::{CertificateId, CertificateStatus, Cloudlet, Policy, Thing};

use crate::support::{THING, World, options};

/// Registers a certificate as ACTIVE, for thing `thing`, with this policy.
pub fn register(cloud: &Cloudlet, pem: &str, thing: &str, policy: &Policy) -> CertificateId {
    let id = CertificateId::of_pem(pem).unwrap();
    let registered = cloud.account().change(|account| {
        let ca = account.cas.iter().next().unwrap().id.clone();
        account.certificates.register(id.clone(), ca, CertificateStatus::Active);
        account.registry.put_thing(Thing::new(thing))?;
        account.attach_thing(&id, thing)
    });
    registered.unwrap();
    attach(cloud, &id, policy);
    id
}

/// Attaches another policy to a certificate.
pub fn attach(cloud: &Cloudlet, id: &CertificateId, policy: &Policy) {
    let attached = cloud.account().change(|account| {
        account.policies.put(policy.clone());
        account.attach_policy(id, policy.name())
    });
    attached.unwrap();
}

/// Signs the gateway's request and registers the certificate; it is not installed yet.
pub fn certificate_for(world: &World, csr: &Path) -> (String, CertificateId) {
    certificate_with(world, csr, &options().policy)
}

/// Does the same with another policy.
pub fn certificate_with(world: &World, csr: &Path, policy: &Policy) -> (String, CertificateId) {
    let pem = world.ca.sign_v1(csr).unwrap();
    let id = register(&world.cloud, &pem, THING, policy);
    (pem, id)
}

/// Starts the gateway with a certificate that AWS knows, and waits for session and credentials.
pub fn bring_online_registered(world: &mut World) -> CertificateId {
    let id = start_registered(world);
    world.gateway.wait_online();
    id
}

/// Starts the gateway with a certificate that AWS knows.
pub fn start_registered(world: &mut World) -> CertificateId {
    world.gateway.start();
    let (pem, id) = certificate_for(world, &world.gateway.wait_for_csr());
    world.gateway.install(&pem);
    id
}
