//! The functions that answer the messages of a device.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Value, json};

use super::records::{PROGRESS, Rotation};
use crate::Error;
use crate::account::{CertificateId, CertificateStatus};
use crate::cloud::Cloud;
use crate::events::Event;
use crate::front::ServiceMessage;
use crate::mqtt::{Properties, QoS};
use crate::switches::{RotatorFault, RotatorVersion};
use crate::x509::SigningRequest;

/// The answer of the backend to everything that it does not accept.
const REFUSED: &str = "Pre-conditions not met";

/// A message of a device, as the rules pass it to the functions.
pub(crate) struct Message {
    pub(crate) client_id: String,
    pub(crate) certificate: CertificateId,
    pub(crate) topic: String,
    pub(crate) payload: Bytes,
}

/// Answers a message, if the account has the backend and the message is for it.
pub(crate) fn receive(cloud: &Arc<Cloud>, message: &Message) {
    let switches = cloud.switches.get(|switches| switches.rotator);
    let (Some(version), Some((thing, step))) = (switches.version, step_of(&message.topic)) else {
        return;
    };
    let outcome = match (step, switches.fault) {
        ("create", Some(RotatorFault::IgnoresCreate)) | ("commit", Some(RotatorFault::IgnoresCommit)) => return,
        ("create", Some(RotatorFault::RejectsCreate)) | ("commit", Some(RotatorFault::RejectsCommit)) => {
            Err(REFUSED.to_owned())
        }
        ("create", fault) => create(cloud, version, fault, thing, message),
        _ => commit(cloud, version, thing, message),
    };
    cloud.events.push(Event::ServiceAnswered {
        client_id: message.client_id.clone(),
        topic: message.topic.clone(),
        rejection: outcome.as_ref().err().cloned(),
    });
    let is_lost = matches!(
        (step, switches.fault),
        ("create", Some(RotatorFault::LosesCreated)) | ("commit", Some(RotatorFault::LosesCommitted))
    );
    if is_lost && outcome.is_ok() {
        return;
    }
    let (verdict, payload) = match outcome {
        Ok(payload) => ("accepted", payload),
        Err(reason) => ("rejected", json!({ "errorMsg": reason })),
    };
    cloud.publisher.publish(ServiceMessage {
        topic: format!("{}/{verdict}", message.topic),
        payload: payload.to_string().into(),
        qos: QoS::AtMostOnce,
        retain: false,
        properties: Properties::default(),
    });
}

fn step_of(topic: &str) -> Option<(&str, &str)> {
    match topic.split('/').collect::<Vec<_>>().as_slice() {
        ["awslabs", "things", thing, "certificate", step @ ("create" | "commit")] => Some((thing, step)),
        _ => None,
    }
}

fn member(payload: &[u8], name: &str) -> Option<String> {
    let document: Value = serde_json::from_slice(payload).ok()?;
    Some(document.get(name)?.as_str()?.to_owned())
}

/// The status details of a job that is in progress and asks for a rotation.
fn details(cloud: &Cloud, thing: &str, job: &str) -> Option<BTreeMap<String, String>> {
    let (document, details) = cloud.jobs.in_progress(thing, job)?;
    (document == json!({ "operation": "ROTATE_CERTIFICATE" })).then_some(details)
}

fn create(
    cloud: &Arc<Cloud>,
    version: RotatorVersion,
    fault: Option<RotatorFault>,
    thing: &str,
    message: &Message,
) -> Result<Value, String> {
    let refuse = || REFUSED.to_owned();
    let job = member(&message.payload, "jobId").ok_or_else(refuse)?;
    let csr = member(&message.payload, "csr").ok_or_else(refuse)?;
    let details = details(cloud, thing, &job).ok_or_else(refuse)?;
    let started = BTreeMap::from([(PROGRESS.to_owned(), "started".to_owned())]);
    let of_thing = cloud.account.read(|account| {
        let attached = account.certificates.iter().filter(|known| known.things.contains(thing));
        attached.map(|known| known.id.clone()).collect::<Vec<_>>()
    });
    let may_begin = version == RotatorVersion::Shadow || details == started;
    if !may_begin || of_thing != [message.certificate.clone()] || !message.client_id.starts_with(thing) {
        return Err(refuse());
    }
    let made = issue(cloud, fault, thing, &csr, &message.certificate);
    let (pem, new) = made.map_err(|error| format!("Failed to create certificate from CSR: {error}"))?;
    if version == RotatorVersion::StatusDetails {
        let names = [
            (PROGRESS, "created"),
            ("oldCertificateId", message.certificate.as_str()),
            ("newCertificateId", new.as_str()),
        ];
        cloud.jobs.set_details(
            thing,
            &job,
            &names.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        );
    }
    let rotation = Rotation {
        job,
        old: message.certificate.clone(),
        new,
        is_committed: false,
    };
    cloud.rotations.0.lock().insert(thing.to_owned(), rotation);
    match fault {
        Some(RotatorFault::SendsNonsense) => Ok(json!({ "certificatePem": "-----BEGIN NONSENSE-----" })),
        _ => Ok(json!({ "certificatePem": pem })),
    }
}

/// Issues an ACTIVE certificate with the policies of the old one, attached to the thing.
fn issue(
    cloud: &Cloud,
    fault: Option<RotatorFault>,
    thing: &str,
    csr: &str,
    old: &CertificateId,
) -> Result<(String, CertificateId), Error> {
    let fleet = cloud.switches.get(|switches| switches.fleet.clone());
    let pem = match fault {
        Some(RotatorFault::CertifiesAnotherKey) => cloud.device_authority.create_keys(&fleet)?.0,
        _ => cloud.device_authority.sign(&SigningRequest::from_pem(csr)?, &fleet)?,
    };
    let new = cloud.account.change(|account| {
        let new = account.register_certificate(&pem, CertificateStatus::Active, false)?;
        let policies = account
            .certificates
            .get(old)
            .map(|known| known.policies.clone())
            .unwrap_or_default();
        for policy in policies
            .iter()
            .filter(|_| fault != Some(RotatorFault::AttachesNoPolicy))
        {
            account.attach_policy(&new, policy)?;
        }
        account.attach_thing(&new, thing)?;
        Ok(new)
    })?;
    Ok((pem, new))
}

fn commit(cloud: &Arc<Cloud>, version: RotatorVersion, thing: &str, message: &Message) -> Result<Value, String> {
    let refuse = || REFUSED.to_owned();
    let job = member(&message.payload, "jobId").ok_or_else(refuse)?;
    let mut details = details(cloud, thing, &job).ok_or_else(refuse)?;
    let mut rotations = cloud.rotations.0.lock();
    let rotation = rotations
        .get_mut(thing)
        .filter(|rotation| rotation.job == job)
        .ok_or_else(refuse)?;
    let is_created = match version {
        RotatorVersion::StatusDetails => {
            details.len() == 3 && details.get(PROGRESS).is_some_and(|progress| progress == "created")
        }
        RotatorVersion::Shadow => !rotation.is_committed,
    };
    if !is_created || rotation.new != message.certificate || message.client_id != thing {
        return Err(refuse());
    }
    rotation.is_committed = true;
    drop(rotations);
    if version == RotatorVersion::StatusDetails {
        details.insert(PROGRESS.to_owned(), "committed".to_owned());
        cloud.jobs.set_details(thing, &job, &details);
    }
    Ok(json!({}))
}
