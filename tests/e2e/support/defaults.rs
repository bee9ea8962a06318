//! Names, options and time limits that most tests share.

use std::time::Duration;

use cloudlet::{Cloudlet, Options, Policy};
use rig::shell::Shell;

/// The time limit for short waits, generous for a slow machine. No test measures it.
pub const SOON: Duration = Duration::from_secs(60);
/// The gateway's thing name.
pub const THING: &str = "gw-1";
/// The token's user PIN.
pub const PIN: &str = "correct-horse-battery";

/// Returns the options of the cloud in most tests.
pub fn options() -> Options {
    let quick = Options::quick();
    Options {
        policy: Policy::seed_with_credentials(&quick.account, &quick.region),
        ..quick
    }
}

/// Returns a user's shell with the AWS CLI configured as `cloudlet run` describes.
pub fn shell(cloud: &Cloudlet) -> Shell {
    let administrator = cloud.administrator();
    Shell::new([
        ("AWS_ENDPOINT_URL", cloud.api_endpoint()),
        ("AWS_ACCESS_KEY_ID", administrator.access_key_id),
        ("AWS_SECRET_ACCESS_KEY", administrator.secret_access_key),
        ("AWS_DEFAULT_REGION", "us-east-1".to_owned()),
    ])
    .unwrap()
}
