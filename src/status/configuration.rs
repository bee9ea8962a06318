//! Status of the configuration: whether the configuration in use is the one in the files.

use std::path::PathBuf;

use serde::Serialize;

use super::details::Details;
use super::phases::phases;
use super::reporter::Part;

phases! {
    /// The configuration's state.
    ConfigurationPhase {
        /// The configuration in use is the one in the files.
        Loaded = "loaded", ConfigurationLoaded;
        /// The files differ, and were not loaded.
        Differs = "differs", ConfigurationDiffers;
        /// A change that was loaded takes effect only at a restart.
        RestartNeeded = "restart-needed", ConfigurationRestartNeeded;
        /// The files are wrong, and the previous configuration is in use.
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
    /// When the configuration in use was loaded, RFC 3339.
    pub loaded: String,
    /// When the last good configuration was saved, RFC 3339; `None` unless it is in use.
    pub last_good_of: Option<String>,
    /// The keys in which the files differ from the configuration in use.
    pub differs: Vec<&'static str>,
    /// The keys among them that take effect at a restart.
    pub takes_effect_at_restart: Vec<&'static str>,
    /// Role aliases that are in the files, but not in the configuration in use.
    #[serde(skip)]
    pub new_role_aliases: Vec<String>,
}

impl Details for ConfigurationDetails {}

/// The status of the configuration.
pub type ConfigurationPart = Part<ConfigurationPhase, ConfigurationDetails>;

/// The result of a reload.
#[derive(Clone, Debug)]
pub enum ReloadOutcome {
    /// The configuration was loaded.
    Loaded(Loaded),
    /// The files are wrong; has a line for each fault.
    Refused(String),
}

/// The changes made by a reload, and those that need a restart.
#[derive(Clone, Debug, Serialize)]
pub struct Loaded {
    /// The keys whose change is in use now.
    pub changed: Vec<&'static str>,
    /// The keys whose change takes effect at a restart.
    pub takes_effect_at_restart: Vec<&'static str>,
}
