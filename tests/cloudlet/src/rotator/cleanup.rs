//! The function that runs at the end of a job: it deactivates and deletes the certificate that is no longer needed.

use super::records::{PROGRESS, Rotation};
use crate::Error;
use crate::account::{CertificateId, CertificateStatus};
use crate::cloud::Cloud;
use crate::jobs::Status;
use crate::switches::RotatorVersion;

/// Cleans up after a rotation of this thing whose job has ended.
pub(crate) fn look_for_ended_jobs(cloud: &Cloud, thing: &str) {
    let Some(version) = cloud.switches.get(|switches| switches.rotator.version) else {
        return;
    };
    let known = cloud.rotations.0.lock().get(thing).cloned();
    let Some(rotation) = known else { return };
    let Some((status, details)) = cloud.jobs.status(thing, &rotation.job) else {
        return;
    };
    if !status.is_terminal() {
        return;
    }
    cloud.rotations.0.lock().remove(thing);
    // The rule passes an event on only if the details have this name.
    let name = match version {
        RotatorVersion::StatusDetails => PROGRESS,
        RotatorVersion::Shadow => "CertificateRotator",
    };
    let unneeded = unneeded(&rotation, status).filter(|_| details.contains_key(name));
    if let Some(certificate) = unneeded {
        let _ = cloud.set_certificate_status(certificate, CertificateStatus::Inactive);
        // Certificates that were detached or deleted meanwhile need nothing.
        let _ = delete(cloud, thing, certificate);
    }
}

fn unneeded(rotation: &Rotation, status: Status) -> Option<&CertificateId> {
    match (status, rotation.is_committed) {
        (Status::Succeeded, true) => Some(&rotation.old),
        (Status::Failed | Status::TimedOut, false) => Some(&rotation.new),
        _ => None,
    }
}

fn delete(cloud: &Cloud, thing: &str, certificate: &CertificateId) -> Result<(), Error> {
    cloud.account.change(|account| {
        account.certificates.detach_thing(certificate, thing)?;
        let policies = account
            .certificates
            .get(certificate)
            .map(|known| known.policies.clone())
            .unwrap_or_default();
        for policy in &policies {
            account.detach_policy(certificate, policy)?;
        }
        account.certificates.delete(certificate, false)
    })
}
