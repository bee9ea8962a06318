//! The administrator's configuration: `gatepost.toml` and `conf.d/*.toml` beside it.
//!
//! `files` reads and merges the files into `raw`, and `check` turns that into the types of `settings`. A value of these types
//! needs no further checks anywhere.

mod access_rule;
mod assigned_name;
mod aws_name;
mod bootstrap_pair;
mod check;
mod claim;
mod credentials_file;
mod endpoint;
mod endpoints;
mod enrolment;
mod error;
mod est_url;
mod file_permissions;
mod files;
mod findings;
mod folders;
mod keys;
mod known_keys;
pub mod last_good;
mod lenient;
mod load;
mod lookalike;
mod merged;
mod mqtt;
mod network;
mod origin;
mod other_key;
mod placeholders;
mod raw;
mod rule_text;
mod settings;
mod shown;
mod spelling;
mod sts_endpoint;
mod subject;
mod thing_name;
mod toml_fault;
mod toml_words;
mod values;
mod web_tokens;

pub use access_rule::{AccessRule, Aliases, Selectors};
pub use assigned_name::AssignedName;
pub use aws_name::{AwsName, Partition, Service};
pub use bootstrap_pair::BootstrapPair;
pub use claim::{COMMON_NAME, ClaimConfig};
pub use credentials_file::{CredentialsFile, FileFormat, FileOwner, default_folder};
pub use endpoint::Endpoint;
pub use enrolment::{Enrolment, EnrolmentMethod, EstConfig, RenewKey};
pub use error::ConfigError;
pub use est_url::EstUrl;
pub use files::{DEFAULT_PATH, Draft, drop_in_folder, list_files};
pub use folders::{Folders, RUNTIME_FOLDER, STATE_FOLDER};
pub use keys::{Changes, KEYS, Key, TakesEffect};
pub use load::{examine, examine_with, load};
pub use network::{HostPattern, Network, Proxy, ProxyAddress};
pub use origin::Origin;
pub use rule_text::RuleText;
pub use settings::{Aws, Config, IdentityConfig, LocalMqtt, Mqtt, RoleAlias, Subject};
pub use shown::show;
pub use sts_endpoint::StsEndpoint;
pub use thing_name::check_thing_name;
pub use values::{is_account_name, is_alias_name, is_unit_name, may_be_granted};
pub use web_tokens::may_be_audience;

#[cfg(test)]
mod all_faults_tests;
#[cfg(test)]
mod test_files;
#[cfg(test)]
mod tests;
