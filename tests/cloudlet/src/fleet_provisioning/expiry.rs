//! The end of ownership tokens that were not used.

use crate::cloud::Cloud;

/// Deletes certificates that were not registered in time (developer guide, provision-wo-cert).
pub(super) fn expire_tokens(cloud: &Cloud) {
    let lifetime = cloud.switches.get(|switches| switches.fleet.ownership_token_lifetime);
    for certificate in cloud.ownership_tokens.expire(lifetime) {
        // It may have been deleted by the control plane.
        let _ = cloud.account.change(|account| account.forget_certificate(&certificate));
    }
}
