//! `gatepostd --allow`, the implementation of `gatepost allow`: writes an access rule into a new file in the configuration folder.
//!
//! The rule is checked together with the existing configuration before its file is created. A rule that already exists is not written
//! again.

use std::fs;
use std::path::{Path, PathBuf};

use nix::unistd::{Group, User};

use crate::check_config;
use crate::config::{self, AccessRule, Aliases, Config, DEFAULT_PATH, Draft, Folders, RuleText};
use crate::foreign_text;
use crate::identity;
use crate::local::is_dynamic_user;
use crate::new_file::{self, NewFile};
use crate::problem::{Exit, Fatal, Problem};
use crate::service::{self, Reloaded};
use crate::stdout::print;
use crate::topic;

/// Maximum number of file names to try. If one user has that many files of rules, something else is wrong.
const MAX_NAMES: u32 = 1000;
/// Maximum number of characters of a user's name in a file name.
const LONGEST_NAME: usize = 48;

/// Command-line arguments of `gatepost allow`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowRequest {
    /// The main configuration file; `None` for the one that the service uses.
    pub config: Option<PathBuf>,
    /// The rule.
    pub rule: RuleText,
    /// Whether to show the rule without writing it.
    pub dry_run: bool,
}

/// Writes the rule and reloads the daemon.
///
/// # Errors
/// If the rule is invalid, the configuration is already wrong, or the file cannot be written.
pub fn run(request: &AllowRequest) -> Result<(), Fatal> {
    let AllowRequest { config, rule, dry_run } = request;
    if let faults @ [_, ..] = rule.faults().as_slice() {
        return Err(Fatal::new(Exit::Usage, Problem::configuration(faults.join("\n"))));
    }
    let path = config.clone().or_else(service::config_path);
    let path = path.unwrap_or_else(|| PathBuf::from(DEFAULT_PATH));
    let present = check_config::examine(&path)?;
    if let Some(topic) = rule.publish.iter().find(|topic| is_reserved(topic, &present)) {
        let message = format!(
            "publish: {} is gatepost's own topic, which no rule can grant",
            foreign_text::value(topic)
        );
        return Err(Fatal::new(Exit::Usage, Problem::configuration(message)));
    }
    for warning in warnings(rule) {
        eprintln!("gatepostd: warning: {warning}");
    }
    let missing = match missing(rule, &present.access) {
        Some(missing) => missing,
        None => return print("nothing changed: the rules grant this already\n"),
    };
    let folder = config::drop_in_folder(&path);
    let draft = draft(&folder, &missing)?;
    config::examine_with(&path, Some(&draft), &Folders::from_environment())
        .map_err(|error| Fatal::new(Exit::Configuration, Problem::configuration(error.to_string())))?;
    let shown = |what: &str| format!("{what} {}:\n\n{missing}\n\n", draft.path.display());
    if *dry_run {
        return print(&format!(
            "{}nothing was written (--dry-run)\n",
            shown("this would be written to")
        ));
    }
    let placed = place(&folder, &draft, &missing)?;
    print(&format!("this is now in {}:\n\n{missing}\n\n", placed.display()))?;
    // A configuration named on the command line may belong to another gatepostd, or to none.
    if config.is_some() && std::env::var_os("GATEPOST_SOCKET").is_none() && service::config_path() != *config {
        return print("next: send SIGHUP to the gatepostd that uses this configuration\n");
    }
    print(match service::reload(&present.folders) {
        Reloaded::Done => "gatepostd has loaded it\n",
        Reloaded::NotRunning => "gatepostd is not running; it loads the rule at its next start\n",
        Reloaded::Refused => "next: systemctl reload gatepost\n",
    })
}

/// Returns whether the topic is reserved for gatepost, whatever the rules say.
fn is_reserved(topic: &str, config: &Config) -> bool {
    let presence = config.mqtt.presence_topic.as_deref();
    let own = identity::find_thing_name(&config.identity);
    topic::is_reserved(topic, topic::THING, presence)
        || own.is_some_and(|thing| topic::is_reserved(&topic.replace(topic::THING, &thing), &thing, presence))
}

/// Returns a warning for each part of a valid rule that may not be intended.
fn warnings(rule: &RuleText) -> Vec<String> {
    let mut warnings = Vec::new();
    if let Some(name) = &rule.who.user
        && let Ok(None) = User::from_name(name)
    {
        warnings.push(format!("there is no user {} yet", foreign_text::value(name)));
    }
    if let Some(name) = &rule.who.group
        && let Ok(None) = Group::from_name(name)
    {
        warnings.push(format!("there is no group {} yet", foreign_text::value(name)));
    }
    let user = rule
        .who
        .user
        .as_deref()
        .and_then(|name| User::from_name(name).ok().flatten());
    let uid = rule.who.uid.or(user.map(|user| user.uid.as_raw()));
    if rule.who.unit.is_none() && uid.is_some_and(is_dynamic_user) {
        warnings.push("systemd gives this user to another service later; name the service's unit (--unit)".to_owned());
    }
    warnings
}

/// Returns the part of `rule` that no existing rule for the same selectors grants; `None` if everything is granted already.
fn missing(rule: &RuleText, present: &[AccessRule]) -> Option<RuleText> {
    let alike: Vec<&AccessRule> = present.iter().filter(|other| other.who == rule.who).collect();
    let gives_alias = |name: &String| {
        alike.iter().any(|other| match &other.role_aliases {
            Aliases::All => true,
            Aliases::These(names) => names.contains(name),
        })
    };
    let covered = |given: fn(&AccessRule) -> &[String], wanted: &String| {
        alike
            .iter()
            .flat_map(|other| given(other))
            .any(|filter| topic::covers(filter, wanted))
    };
    let without = |wanted: &[String], is_given: &dyn Fn(&String) -> bool| {
        let mut left: Vec<String> = Vec::new();
        for value in wanted {
            if !is_given(value) && !left.contains(value) {
                left.push(value.clone());
            }
        }
        left
    };
    let left = RuleText {
        who: rule.who.clone(),
        role_aliases: without(&rule.role_aliases, &gives_alias),
        publish: without(&rule.publish, &|topic| covered(|rule| &rule.publish, topic)),
        subscribe: without(&rule.subscribe, &|filter| covered(|rule| &rule.subscribe, filter)),
        tokens: without(&rule.tokens, &|audience| {
            alike.iter().any(|other| other.tokens.contains(audience))
        }),
    };
    (!left.is_empty()).then_some(left)
}

/// Drafts the file with the rule, under a name that is still free.
fn draft(folder: &Path, rule: &RuleText) -> Result<Draft, Fatal> {
    let names = (1..=MAX_NAMES).map(|number| folder.join(file_name(rule, number)));
    let free = names.into_iter().find(|path| fs::symlink_metadata(path).is_err());
    let path = free.ok_or_else(|| unwritable(folder, &format!("has {MAX_NAMES} rules of this name already")))?;
    Ok(Draft {
        path,
        text: format!("# Written by gatepost allow.\n{rule}\n"),
    })
}

/// Returns a file name such as `allow-user-app.toml` or `allow-user-app-2.toml`. Unusual characters are left out.
fn file_name(rule: &RuleText, number: u32) -> String {
    let who = rule.who.to_string();
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "_.".contains(letter);
    let words = who.split(|letter| !plain(letter)).filter(|word| !word.is_empty());
    let name: String = words.collect::<Vec<_>>().join("-").chars().take(LONGEST_NAME).collect();
    match number {
        1 => format!("allow-{name}.toml"),
        _ => format!("allow-{name}-{number}.toml"),
    }
}

/// Creates the file. If somebody has created a file of that name meanwhile, chooses another name.
fn place(folder: &Path, draft: &Draft, rule: &RuleText) -> Result<PathBuf, Fatal> {
    if let Err(error) = new_file::make_folder(folder) {
        return Err(unwritable(folder, &foreign_text::clean(error)));
    }
    let file = NewFile::write(folder, draft.text.as_bytes(), new_file::Owner::default())
        .map_err(|error| unwritable(folder, &foreign_text::clean(error)))?;
    let later = (1..=MAX_NAMES).map(|number| folder.join(file_name(rule, number)));
    for path in [draft.path.clone()].into_iter().chain(later) {
        match file.place_beside_others(&path) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(unwritable(&path, &foreign_text::clean(error))),
        }
    }
    Err(unwritable(folder, "has too many rules of this name already"))
}

fn unwritable(path: &Path, why: &str) -> Fatal {
    let step = match rustix::process::geteuid().is_root() {
        true => "fix that; nothing was changed",
        false => "run it as root; nothing was changed",
    };
    let message = format!("{}: cannot be written: {why}", path.display());
    Fatal::new(Exit::CannotCreate, Problem::configuration(message).next(step))
}

#[cfg(test)]
mod tests;
