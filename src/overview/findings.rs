//! Collects the findings about all parts.

mod access_to_aws;
mod device;

pub(super) use device::validity;

use super::finding::Finding;
use super::snapshot::Snapshot;

/// Returns all findings, the worst first. Among equals, causes come before their consequences.
pub(super) fn collect(snapshot: &Snapshot) -> Vec<Finding> {
    let mut found = Vec::new();
    device::configuration(snapshot, &mut found);
    device::token(snapshot, &mut found);
    device::identity(snapshot, &mut found);
    device::expiry(snapshot, &mut found);
    device::clock(snapshot, &mut found);
    access_to_aws::network(snapshot, &mut found);
    access_to_aws::provisioning(snapshot, &mut found);
    access_to_aws::session(snapshot, &mut found);
    for alias in &snapshot.aliases {
        access_to_aws::role_alias(alias, snapshot.boot, &mut found);
    }
    for token in &snapshot.web_tokens {
        access_to_aws::web_token(token, &mut found);
    }
    device::messages(snapshot, &mut found);
    device::loopback(snapshot, &mut found);
    device::local_mqtt(snapshot, &mut found);
    device::accepting(snapshot, &mut found);
    device::credentials_files(snapshot, &mut found);
    // Two parts that report the same problem have one cause.
    let mut findings: Vec<Finding> = Vec::new();
    for finding in found {
        let is_known = findings
            .iter()
            .any(|known| known.problem.message == finding.problem.message && known.role_alias == finding.role_alias);
        if !is_known {
            findings.push(finding);
        }
    }
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    findings
}
