//! What tpm2-pkcs11 needs around it, and what is missing: the module itself answers CKR_GENERAL_ERROR to all of it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use super::error::TokenError;
use crate::problem::Problem;

/// The module's variables: its store, and the way to the TPM.
const STORE: &str = "TPM2_PKCS11_STORE";
const TCTI: &str = "TPM2_PKCS11_TCTI";
/// A driver may take this long after gatepostd's start to show its TPM. Until then nobody is sent to the firmware's settings.
const DRIVER_PATIENCE: Duration = Duration::from_secs(30);

/// Whether this is the module for a key in a TPM.
fn is_tpm2(module: &Path) -> bool {
    let name = module.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.starts_with("libtpm2_pkcs11.so")
}

/// The device that a TCTI names, where it names one: `device:/dev/tpmrm0`, or the path alone.
fn device(tcti: &str) -> Option<&Path> {
    let path = tcti.strip_prefix("device:").unwrap_or(tcti);
    path.starts_with('/').then(|| Path::new(path))
}

/// Whether the TPM that the unit names is there.
///
/// # Errors
/// When it is not. A driver may come late, and udev then has gatepostd started again (systemd/60-gatepost.rules).
pub(super) fn check_device(module: &Path) -> Result<(), TokenError> {
    static FIRST_LOOK: OnceLock<Instant> = OnceLock::new();
    let tcti = std::env::var(TCTI).unwrap_or_default();
    let Some(path) = device(&tcti).filter(|path| is_tpm2(module) && !path.exists()) else {
        return Ok(());
    };
    let waited = FIRST_LOOK.get_or_init(Instant::now).elapsed();
    Err(TokenError::Absent(absent(path, waited)))
}

fn absent(device: &Path, waited: Duration) -> Problem {
    let device = device.display();
    match waited < DRIVER_PATIENCE {
        true => Problem::wait(format!("this machine's TPM is not there yet ({device})"))
            .next("nothing: gatepost goes on as soon as the kernel shows it"),
        false => Problem::factory(format!("this machine's TPM is not there ({device})"))
            .next("is it enabled in the firmware, or in config.txt on a Raspberry Pi (dtoverlay=tpm-slb9670)?"),
    }
}

/// The fault, if tpm2-pkcs11 has not been told of its store: gatepost-tpm-setup was forgotten.
pub(super) fn missing_setup(module: &Path) -> Option<Problem> {
    setup_problem(module, std::env::var_os(STORE))
}

fn setup_problem(module: &Path, store: Option<OsString>) -> Option<Problem> {
    let store = store.filter(|path| !path.is_empty()).map(PathBuf::from);
    (is_tpm2(module) && store.is_none()).then(|| {
        Problem::factory(format!("the TPM was not made ready for gatepost: {STORE} is not set"))
            .next("sudo gatepost-tpm-setup, then systemctl restart gatepost")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::Remedy;

    const MODULE: &str = "/usr/lib/aarch64-linux-gnu/pkcs11/libtpm2_pkcs11.so";

    #[test]
    fn only_a_tcti_that_names_a_device_has_one() {
        for (tcti, expected) in [
            ("device:/dev/tpmrm0", Some("/dev/tpmrm0")),
            ("/dev/tpm0", Some("/dev/tpm0")),
            ("device:/dev/tpmrm1", Some("/dev/tpmrm1")),
            ("device", None),
            ("device:", None),
            ("tabrmd:bus_type=session", None),
            ("swtpm:host=127.0.0.1,port=2321", None),
            ("cmd:tpm2_send -T device:/dev/tpm0", None),
            ("mssim", None),
            ("", None),
        ] {
            assert_eq!(device(tcti), expected.map(Path::new), "{tcti}");
        }
    }

    #[test]
    fn nobody_is_sent_to_the_firmware_before_a_driver_had_its_time() {
        let early = absent(Path::new("/dev/tpmrm0"), Duration::from_secs(29));
        let late = absent(Path::new("/dev/tpmrm0"), Duration::from_secs(30));
        assert_eq!((early.remedy, late.remedy), (Remedy::Wait, Remedy::Factory));
        assert!(!early.to_string().contains("firmware"), "{early}");
        assert!(late.to_string().contains("firmware"), "{late}");
    }

    #[test]
    fn a_forgotten_set_up_is_one_of_tpm2_pkcs11_alone() {
        for (module, store, forgotten) in [
            (MODULE, None, true),
            (MODULE, Some(""), true),
            (MODULE, Some("/var/lib/gatepost/tpm2-pkcs11"), false),
            ("/usr/lib/x86_64-linux-gnu/pkcs11/libtpm2_pkcs11.so.0", None, true),
            ("/usr/lib/softhsm/libsofthsm2.so", None, false),
            ("/opt/libtpm2_pkcs11.so/vendor.so", None, false),
            ("libtpm2_pkcs11.so", None, true),
            ("/", None, false),
        ] {
            let problem = setup_problem(Path::new(module), store.map(OsString::from));
            assert_eq!(problem.is_some(), forgotten, "{module}, {store:?}");
        }
    }
}
