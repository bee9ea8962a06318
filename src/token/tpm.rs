//! Checks the prerequisites of tpm2-pkcs11, because the module itself answers CKR_GENERAL_ERROR whichever of them is missing.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use super::error::TokenError;
use crate::problem::Problem;

/// The environment variables of the module: its store, and the connection to the TPM.
const STORE: &str = "TPM2_PKCS11_STORE";
const TCTI: &str = "TPM2_PKCS11_TCTI";
/// The database in the store, and the folder of the system-wide store (tpm2-pkcs11, docs/INITIALIZING.md).
const DATABASE: &str = "tpm2_pkcs11.sqlite3";
const SYSTEM_STORE: &str = "/etc/tpm2_pkcs11";
/// How long a driver may take after gatepostd's start to show its TPM. Until then the advice is to wait.
const DRIVER_TIMEOUT: Duration = Duration::from_secs(30);

/// Returns whether the module is tpm2-pkcs11.
fn is_tpm2(module: &Path) -> bool {
    let name = module.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.starts_with("libtpm2_pkcs11.so")
}

/// Extracts the device from a TCTI that names one: `device:/dev/tpmrm0`, or the path alone.
fn find_device(tcti: &str) -> Option<&Path> {
    let path = tcti.strip_prefix("device:").unwrap_or(tcti);
    path.starts_with('/').then(|| Path::new(path))
}

/// Checks that the configured TPM exists.
///
/// # Errors
/// If it does not exist. A driver may be late, and udev then restarts gatepostd (systemd/60-gatepost.rules).
pub(super) fn check_device(module: &Path) -> Result<(), TokenError> {
    static FIRST_LOOK: OnceLock<Instant> = OnceLock::new();
    let tcti = std::env::var(TCTI).unwrap_or_default();
    let Some(path) = find_device(&tcti).filter(|path| is_tpm2(module) && !path.exists()) else {
        return Ok(());
    };
    let waited = FIRST_LOOK.get_or_init(Instant::now).elapsed();
    Err(TokenError::Absent(absent(path, waited)))
}

fn absent(device: &Path, waited: Duration) -> Problem {
    let device = device.display();
    match waited < DRIVER_TIMEOUT {
        true => Problem::wait(format!("this machine's TPM is not there yet ({device})"))
            .next("nothing: gatepost continues as soon as the kernel shows it"),
        false => Problem::factory(format!("this machine's TPM is not there ({device})"))
            .next("is it enabled in the firmware, or in config.txt on a Raspberry Pi (dtoverlay=tpm-slb9670)?"),
    }
}

/// Returns a problem if tpm2-pkcs11 has no store, which means that gatepost-tpm-setup was not run.
pub(super) fn find_missing_setup(module: &Path) -> Option<Problem> {
    check_store(module, std::env::var_os(STORE), Path::new(SYSTEM_STORE))
}

fn check_store(module: &Path, store: Option<OsString>, system_store: &Path) -> Option<Problem> {
    if !is_tpm2(module) {
        return None;
    }
    let has_store = |folder: &Path| folder.join(DATABASE).exists();
    let why = match store.filter(|path| !path.is_empty()).map(PathBuf::from) {
        None if has_store(system_store) => return None,
        None => format!("{STORE} is not set"),
        Some(folder) if has_store(&folder) => return None,
        // A folder that cannot be read may have a store.
        Some(folder) if !matches!(folder.join(DATABASE).try_exists(), Ok(false)) => return None,
        Some(folder) => format!("{STORE} names {}, which has no {DATABASE}", folder.display()),
    };
    Some(not_ready(&why))
}

/// Returns the problem of a store without a token, if the module is tpm2-pkcs11.
pub(super) fn find_missing_token(module: &Path) -> Option<Problem> {
    find_missing_setup(module).or_else(|| is_tpm2(module).then(|| not_ready("its store has no token")))
}

fn not_ready(why: &str) -> Problem {
    Problem::factory(format!("the TPM was not set up for gatepost: {why}"))
        .next("sudo gatepost-tpm-setup, then systemctl restart gatepost")
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
            assert_eq!(find_device(tcti), expected.map(Path::new), "{tcti}");
        }
    }

    #[test]
    fn the_firmware_is_suspected_only_after_the_driver_had_time() {
        let early = absent(Path::new("/dev/tpmrm0"), Duration::from_secs(29));
        let late = absent(Path::new("/dev/tpmrm0"), Duration::from_secs(30));
        assert_eq!((early.remedy, late.remedy), (Remedy::Wait, Remedy::Factory));
        assert!(!early.to_string().contains("firmware"), "{early}");
        assert!(late.to_string().contains("firmware"), "{late}");
    }

    #[test]
    fn only_tpm2_pkcs11_can_lack_its_setup() {
        let folder = tempfile::tempdir().unwrap();
        let [made, empty, gone] = ["made", "empty", "gone"].map(|name| folder.path().join(name).display().to_string());
        for made in [&made, &empty] {
            std::fs::create_dir(made).unwrap();
        }
        std::fs::write(Path::new(&made).join(DATABASE), "").unwrap();
        for (module, store, forgotten) in [
            (MODULE, None, true),
            (MODULE, Some(""), true),
            (MODULE, Some(made.as_str()), false),
            (MODULE, Some(&empty), true),
            (MODULE, Some(&gone), true),
            ("/usr/lib/softhsm/libsofthsm2.so", Some(&empty), false),
            ("/usr/lib/x86_64-linux-gnu/pkcs11/libtpm2_pkcs11.so.0", None, true),
            ("/usr/lib/softhsm/libsofthsm2.so", None, false),
            ("/opt/libtpm2_pkcs11.so/vendor.so", None, false),
            ("libtpm2_pkcs11.so", None, true),
            ("/", None, false),
        ] {
            let problem = check_store(Path::new(module), store.map(OsString::from), Path::new(&gone));
            assert_eq!(problem.is_some(), forgotten, "{module}, {store:?}");
            let step = problem.and_then(|problem| problem.next_step).unwrap_or_default();
            assert_eq!(step.starts_with("sudo gatepost-tpm-setup"), forgotten, "{step}");
        }
        // The system-wide store is used if no other one is named.
        assert_eq!(check_store(Path::new(MODULE), None, Path::new(&made)), None);
        let lacks_token = find_missing_token(Path::new(MODULE)).unwrap();
        assert_eq!(lacks_token.remedy, Remedy::Factory);
        assert_eq!(find_missing_token(Path::new("/usr/lib/softhsm/libsofthsm2.so")), None);
    }
}
