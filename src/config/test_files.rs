//! A minimal configuration, and a function that loads one in tests.

use std::fs;

use super::{Config, Folders, load as load_config};

pub(super) const MINIMUM: &str = r#"
[aws]
mqtt-endpoint = "a1-ats.iot.us-east-2.amazonaws.com"
credentials-endpoint = "c4.credentials.iot.us-east-2.amazonaws.com"
[token]
module = "/usr/lib/softhsm/libsofthsm2.so"
key = "pkcs11:token=gateway;object=device"
[identity.subject]
common-name = "gw-1"
"#;

/// Loads `main` as gatepost.toml, with the files `dropped` in conf.d. The temporary folder is removed from error messages.
pub(super) fn load(main: &str, dropped: &[(&str, &str)]) -> Result<Config, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gatepost.toml");
    fs::write(&path, main).unwrap();
    fs::create_dir(folder.path().join("conf.d")).unwrap();
    for (name, text) in dropped {
        fs::write(folder.path().join("conf.d").join(name), text).unwrap();
    }
    let folders = Folders {
        state: "/var/lib/gatepost".into(),
        runtime: "/run/gatepost".into(),
        credentials: None,
    };
    let prefix = format!("{}/", folder.path().display());
    load_config(&path, &folders).map_err(|error| error.to_string().replace(&prefix, ""))
}
