//! Configuration part of the status: whether the configuration in use is the one in the files.

use std::path::PathBuf;

use serde::Serialize;

use super::Part;
use super::details::Details;
use super::phases::phases;

phases! {
    /// The configuration's state.
    ConfigurationPhase {
        /// The configuration in use is the one in the files.
        Loaded = "loaded", ConfigurationLoaded;
        /// The files say something else, and were not loaded.
        Differs = "differs", ConfigurationDiffers;
        /// Something that was loaded takes effect only at a restart.
        RestartNeeded = "restart-needed", ConfigurationRestartNeeded;
        /// The files are wrong, and what they said before is in use.
        Wrong = "wrong", ConfigurationWrong;
        /// The files were wrong at the start, and the last good configuration is in use.
        LastGood = "last-good", ConfigurationLastGood;
    }
}

/// Status fields of the configuration besides its phase.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ConfigurationDetails {
    /// The main file.
    pub path: PathBuf,
    /// When what is in use was loaded, RFC 3339.
    pub loaded: String,
    /// When the last good configuration was saved, RFC 3339, while that is in use.
    pub last_good_of: Option<String>,
    /// The keys in which the files differ from what is in use.
    pub differs: Vec<&'static str>,
    /// Those among them that take effect at a restart.
    pub takes_effect_at_restart: Vec<&'static str>,
    /// Role aliases that are in the files and not in use.
    #[serde(skip)]
    pub new_role_aliases: Vec<String>,
}

impl Details for ConfigurationDetails {}

/// The configuration's part.
pub type ConfigurationPart = Part<ConfigurationPhase, ConfigurationDetails>;

/// Result of reading the configuration again.
#[derive(Clone, Debug)]
pub enum ReloadOutcome {
    /// It was loaded.
    Loaded(Loaded),
    /// The files are wrong, with a line for each fault.
    Refused(String),
}

/// Changes made by a reload, and those that need a restart.
#[derive(Clone, Debug, Serialize)]
pub struct Loaded {
    /// The keys whose change is in use now.
    pub changed: Vec<&'static str>,
    /// The keys whose change takes effect at a restart.
    pub takes_effect_at_restart: Vec<&'static str>,
}
