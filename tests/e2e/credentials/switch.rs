//! The switches of the credentials provider.

use cloudlet::Cloudlet;
use cloudlet::switches::CredentialSwitches;

/// Changes them.
pub(super) fn switch(cloud: &Cloudlet, change: impl FnOnce(&mut CredentialSwitches)) {
    cloud.switches().set(|switches| change(&mut switches.credentials));
}
