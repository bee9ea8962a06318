//! Loads, initialises and finalizes a PKCS#11 module.

use std::path::{Path, PathBuf};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};

use super::error::TokenError;
use super::tpm;
use crate::problem::{Problem, quoted, with_causes};

/// Loads and initialises the module.
pub(super) fn load(path: &Path) -> Result<Pkcs11, TokenError> {
    let context = load_uninitialised(path)?;
    match context.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
        Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => Ok(context),
        Err(error) => {
            let what = format!("initialising {}", path.display());
            let problem = TokenError::from_module(&what, &error).problem().clone();
            if let Some(lost) = find_lost_files(&problem.message).or_else(|| tpm::find_missing_setup(path)) {
                return Err(TokenError::Device(lost));
            }
            // Most modules answer GeneralError when they cannot read what they need.
            Err(TokenError::Device(problem.next(
                "gatepost tries again by itself; check that its user may read the module's own files (SoftHSM: \
                 SOFTHSM2_CONF, tpm2-pkcs11: TPM2_PKCS11_STORE)",
            )))
        }
    }
}

/// Recognises that the files of a module are missing, to which modules answer GeneralError. The keys are lost with them.
fn find_lost_files(message: &str) -> Option<Problem> {
    let (variable, path) = ["TPM2_PKCS11_STORE", "SOFTHSM2_CONF"]
        .into_iter()
        .filter_map(|variable| Some((variable, PathBuf::from(std::env::var_os(variable)?))))
        .find(|(_, path)| matches!(path.try_exists(), Ok(false)))?;
    let message = format!("{message}, and {variable} names {}, which is not there", path.display());
    Some(Problem::factory(message).next(match variable {
        "TPM2_PKCS11_STORE" => {
            "put the folder back; if it is lost, the key is lost with it: gatepost-tpm-setup makes a new one, which \
             needs a new certificate"
        }
        _ => "put the file back, or correct the variable in the unit",
    }))
}

/// Loads the library and finds its functions, without touching a token.
pub(super) fn load_uninitialised(path: &Path) -> Result<Pkcs11, TokenError> {
    let name = path.display();
    let describe = |why: String| {
        Problem::configuration(format!("the PKCS#11 module {name} cannot be loaded: {why}"))
            .next("install the module's package, or correct token.module")
    };
    let unusable = |why: String| TokenError::configuration(describe(why));
    // Loading a pipe would block until there is a writer.
    if std::fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        return Err(unusable("it is not a regular file".to_owned()));
    }
    // The loader's error does not tell whether this process may read the file.
    if let Err(error) = std::fs::File::open(path)
        && error.kind() == std::io::ErrorKind::PermissionDenied
    {
        let problem = describe(quoted(&error)).caused_by(&error);
        return Err(TokenError::configuration(problem));
    }
    Pkcs11::new(path).map_err(|error| match &error {
        Error::LibraryLoading(cause) => unusable(with_causes(cause)),
        Error::MissingSymbol(symbol) => unusable(format!("it is not a PKCS#11 module (it has no {symbol})")),
        other => unusable(with_causes(other)),
    })
}

/// Finalizes the module. The library is unloaded with the last reference to it.
pub(super) fn finalize(context: Pkcs11) {
    if let Err(error) = context.finalize() {
        log::debug!("token: C_Finalize: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_regular_file_is_loaded() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("module.so");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        for path in [pipe.as_path(), folder.path(), Path::new("/dev/null")] {
            let error = load_uninitialised(path).expect_err("it is not a module");
            assert!(
                error.problem().message.ends_with("it is not a regular file"),
                "{error:?}"
            );
        }
    }
}
