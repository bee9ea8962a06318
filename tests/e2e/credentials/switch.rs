//! The switches of the credentials provider.

use cloudlet::Cloudlet;
use cloudlet::switches::CredentialSwitches;

/// Sets them.
pub(super) fn switch(cloud: &Cloudlet, change: impl FnOnce(&mut CredentialSwitches)) {
    cloud.switches().set(|switches| change(&mut switches.credentials));
}
