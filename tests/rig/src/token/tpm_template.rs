//! The files of a software TPM with an empty token, which are made once and copied for each test.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use anyhow::Result;

/// The files of one folder: names and contents.
type Files = Vec<(OsString, Vec<u8>)>;

/// A TPM in which a token has been initialised, with the user PIN that was given then.
pub(super) struct TpmTemplate {
    pin: String,
    /// The TPM's own state (`swtpm`).
    state: Files,
    /// The database of tpm2-pkcs11.
    store: Files,
}

/// The templates of this process, one for each PIN, because tpm2_ptool (Python) takes longer than most tests of a TPM.
static TEMPLATES: Mutex<Vec<TpmTemplate>> = Mutex::new(Vec::new());

impl TpmTemplate {
    /// Fills both folders with a TPM whose token has this PIN. `make` makes the first one, in these folders.
    ///
    /// # Errors
    /// If `make` fails, or a folder cannot be read or written.
    pub(super) fn fill(pin: &str, state: &Path, store: &Path, make: impl FnOnce() -> Result<()>) -> Result<()> {
        // Other tests wait here while the first one makes it. Poisoning does not matter: a template is complete or absent.
        let mut templates = TEMPLATES.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(template) = templates.iter().find(|template| template.pin == pin) {
            write(&template.state, state)?;
            return write(&template.store, store);
        }
        make()?;
        templates.push(Self {
            pin: pin.to_owned(),
            state: read(state)?,
            store: read(store)?,
        });
        Ok(())
    }
}

fn read(folder: &Path) -> Result<Files> {
    let files = fs::read_dir(folder)?.map(|file| {
        let file = file?;
        Ok((file.file_name(), fs::read(file.path())?))
    });
    files.collect()
}

fn write(files: &Files, folder: &Path) -> Result<()> {
    for (name, content) in files {
        fs::write(folder.join(name), content)?;
    }
    Ok(())
}
