//! The folders of a running cloudlet.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::Error;

/// The folders of a running cloudlet. Temporary ones are removed when this is dropped.
#[derive(Debug)]
pub(crate) struct Folders {
    data: PathBuf,
    _temporary_data: Option<TempDir>,
    runtime: TempDir,
}

impl Folders {
    /// Creates the folders. Without a folder of the caller's, the data is lost with the process.
    pub(crate) fn create(dir: Option<&Path>) -> Result<Self, Error> {
        let (data, temporary_data) = match dir {
            Some(data) => (data.to_owned(), None),
            None => {
                let temporary = temporary_folder()?;
                (temporary.path().to_owned(), Some(temporary))
            }
        };
        std::fs::create_dir_all(&data).map_err(Error::io(format!("creating {}", data.display())))?;
        Ok(Self {
            data,
            _temporary_data: temporary_data,
            runtime: temporary_folder()?,
        })
    }

    /// Returns the folder of the account, the root CA and the broker's database.
    pub(crate) fn data(&self) -> &Path {
        &self.data
    }

    /// Returns the folder of the broker's socket. A socket's path has 108 bytes at most (unix(7)), so it is not in the caller's folder.
    pub(crate) fn runtime(&self) -> &Path {
        self.runtime.path()
    }
}

fn temporary_folder() -> Result<TempDir, Error> {
    let folder = std::env::temp_dir();
    tempfile::Builder::new()
        .prefix("cloudlet-")
        .tempdir_in(&folder)
        .map_err(Error::io(format!("creating a folder in {}", folder.display())))
}
