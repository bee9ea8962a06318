//! Checks the configured credentials files while no daemon writes them.

use super::account::{Account, Reader};
use super::file::{self, Found};
use super::folder;
use super::problems::{occupied, of_entry, unwritable};
use super::record::Record;
use crate::config::{Config, CredentialsFile, default_folder};
use crate::problem::Problem;

/// Returns a problem for each file whose owner does not exist. The other files are not affected, and a package may create the account
/// after gatepost was configured.
pub fn find_files_for_nobody(files: &[CredentialsFile]) -> Vec<Problem> {
    let problem = |file: &CredentialsFile| Some(of_entry(Reader::look_up(&file.owner).err()?, file));
    files.iter().filter_map(problem).collect()
}

/// Returns a problem for each file that the daemon could not write, except those for nobody. It must run as the user of the service,
/// because owners and modes are judged for whoever writes the file.
pub fn examine_credentials_files(config: &Config) -> Vec<Problem> {
    let (writer, record) = (Account::current(), Record::read(&config.folders.runtime));
    let problem = |file: &CredentialsFile| {
        let problem = examine(file, config, &writer, &record).err()?;
        Some(of_entry(problem, file))
    };
    config.credentials_files.iter().filter_map(problem).collect()
}

fn examine(file: &CredentialsFile, config: &Config, writer: &Account, record: &Record) -> Result<(), Problem> {
    let Ok(reader) = Reader::look_up(&file.owner) else {
        return Ok(());
    };
    let default = default_folder(&config.folders.runtime);
    let (Some(parent), Some(name)) = (file.path.parent(), file.path.file_name()) else {
        return Ok(());
    };
    // gatepost makes its own folder when it starts.
    if parent == default && !default.exists() {
        return Ok(());
    }
    let opened = folder::open(parent, writer, &default)?;
    folder::check_entry(parent, &reader)?;
    match file::find(&opened, name, writer, reader.uid, record.contains(&file.path)) {
        Ok(Found::Own | Found::Nothing) => Ok(()),
        Ok(other) => Err(occupied(&file.path, other)),
        Err(error) => Err(unwritable(&file.path, &error)),
    }
}
