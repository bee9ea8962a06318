//! The expiry of ownership tokens that were not used.

use crate::cloud::Cloud;

/// Deletes certificates that were not claimed in time (developer guide, provision-wo-cert).
pub(super) fn expire_tokens(cloud: &Cloud) {
    let lifetime = cloud.switches.get(|switches| switches.fleet.ownership_token_lifetime);
    for certificate in cloud.ownership_tokens.expire(lifetime) {
        // The control plane may have deleted it already.
        let _ = cloud
            .account
            .change(|account| account.certificates.forget(&certificate));
    }
}
