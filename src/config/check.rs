//! From what the files say to what the daemon can rely on: every value checked, every fault reported at once.

use std::path::PathBuf;
use std::sync::Arc;

use super::endpoints::aws;
use super::enrolment::enrolment;
pub(super) use super::findings::Fault;
use super::findings::Findings;
use super::load::Loaded;
use super::mqtt::mqtt;
use super::open_files;
use super::raw::{RawAccess, RawRoleAlias, RawToken};
use super::subject::identity;
use super::values::{absolute, account_name, alias_name, granted_topics, loopback_address, unit_name};
use super::{AccessRule, Aliases, Config, Folders, RoleAlias, Selectors};
use crate::foreign_text;
use crate::token::{Generate, KeyUri, TokenConfig};

/// (uid_t) -1, which chown(2) and setresuid(2) take for "no change": no process has it.
const NOBODYS_ID: u32 = u32::MAX;
const NOBODYS_ID_REASON: &str = "4294967295 is -1 as the kernel reads it, and no user or group has it";

/// Checks everything; all faults are returned, each naming file, key and reason.
pub(super) fn check(loaded: Loaded, folders: &Folders, is_only_examined: bool) -> Result<Config, Vec<Fault>> {
    let Loaded { raw, merged } = loaded;
    let mut findings = Findings::new(&merged.sources, is_only_examined);
    let aws = aws(raw.aws, &mut findings);
    let certificate = raw.identity.certificate.as_ref();
    let certificate = certificate.map_or_else(|| folders.state.join("device.pem"), PathBuf::from);
    let token = token(raw.token, certificate, &mut findings);
    let identity = identity(raw.identity, folders, &mut findings);
    let role_aliases = role_aliases(raw.role_alias, &mut findings);
    let access = access(raw.access, &role_aliases, &mut findings);
    let mqtt = mqtt(raw.mqtt, &mut findings);
    let loopback = findings.optional("loopback.listen", raw.loopback.listen, loopback_address);
    let enrolment = enrolment(raw.enrolment, &mut findings);
    let module = token.as_ref().map(|token| &token.module);
    let root_ca = aws.as_ref().and_then(|aws| aws.root_ca.as_ref());
    for (key, path) in [("token.module", module), ("aws.root-ca", root_ca)] {
        // The one is run in this process, the other says who is AWS.
        findings.keep(key, path.map_or(Ok(()), |path| open_files::check_named(path)));
    }
    let (faults, notes) = findings.into_parts();
    match (aws, token, identity, mqtt, enrolment) {
        (Some(aws), Some(token), Some(identity), Some(mqtt), Some(enrolment)) if faults.is_empty() => Ok(Config {
            aws,
            token,
            identity,
            role_aliases,
            access,
            mqtt,
            loopback,
            enrolment,
            folders: folders.clone(),
            notes,
            merged: Arc::new(merged),
        }),
        _ => Err(faults),
    }
}

fn token(raw: RawToken, certificate: PathBuf, findings: &mut Findings) -> Option<TokenConfig> {
    let module = findings.required("token.module", raw.module, absolute);
    let key: Option<KeyUri> = findings.required("token.key", raw.key, |text| {
        text.parse::<KeyUri>().map_err(|error| error.to_string())
    });
    let pin_file = findings.optional("token.pin-file", raw.pin_file, absolute);
    let generate = match raw.generate {
        None => Some(Generate::default()),
        Some(text) => findings.keep("token.generate", text.parse()),
    };
    if let (Some(key), Some(Generate::Key(_))) = (&key, generate)
        && key.object().is_none()
    {
        findings.wrong(
            "token.key",
            "names no object, so a generated key would have no label; add object=NAME, or set token.generate to \"never\"",
        );
    }
    Some(TokenConfig {
        module: module?,
        key: key?,
        pin_file,
        generate: generate?,
        certificate,
    })
}

fn role_aliases(raw: Vec<RawRoleAlias>, findings: &mut Findings) -> Vec<RoleAlias> {
    let only = raw.len() == 1;
    let mut aliases: Vec<RoleAlias> = Vec::new();
    for (index, item) in raw.into_iter().enumerate() {
        let key = format!("role-alias[{index}]");
        let Some(name) = findings.required(&format!("{key}.name"), item.name, alias_name) else {
            continue;
        };
        if aliases.iter().any(|earlier| earlier.name == name) {
            findings.wrong(&key, format!("a second role alias named \"{name}\""));
        }
        let default = item.default.unwrap_or(only);
        if default && aliases.iter().any(|earlier| earlier.default) {
            findings.wrong(
                &key,
                format!("\"{name}\" is a second default; only one role alias can be the default"),
            );
        }
        aliases.push(RoleAlias { name, default });
    }
    aliases
}

fn access(raw: Vec<RawAccess>, aliases: &[RoleAlias], findings: &mut Findings) -> Vec<AccessRule> {
    let mut rules: Vec<AccessRule> = Vec::new();
    for (index, item) in raw.into_iter().enumerate() {
        let key = format!("access[{index}]");
        let unit = item.unit;
        if let Some(unit) = &unit {
            findings.keep(&format!("{key}.unit"), unit_name(unit));
        }
        for (name, id) in [("uid", item.uid), ("gid", item.gid)] {
            if id == Some(NOBODYS_ID) {
                findings.wrong(&format!("{key}.{name}"), NOBODYS_ID_REASON);
            }
        }
        for (name, value) in [("user", &item.user), ("group", &item.group)] {
            if let Some(value) = value {
                findings.keep(&format!("{key}.{name}"), account_name(value));
            }
        }
        let who = Selectors {
            user: item.user,
            group: item.group,
            uid: item.uid,
            gid: item.gid,
            unit,
        };
        if who == Selectors::default() {
            findings.wrong(&key, "says nobody: it needs user, group, uid, gid or unit");
        }
        for name in &item.role_aliases {
            if name != "*" && !aliases.iter().any(|alias| alias.name == *name) {
                findings.wrong(
                    &format!("{key}.role-aliases"),
                    format!("no [[role-alias]] is named {}", foreign_text::value(name)),
                );
            }
        }
        let role_aliases = match item.role_aliases.iter().any(|name| name == "*") {
            true => Aliases::All,
            false => Aliases::These(item.role_aliases),
        };
        let publish = topics(item.publish, &format!("{key}.publish"), findings);
        let subscribe = topics(item.subscribe, &format!("{key}.subscribe"), findings);
        let token_file = findings.optional(&format!("{key}.token-file"), item.token_file, absolute);
        let alike = |rule: &&AccessRule| rule.who == who && rule.token_file.is_some() && rule.token_file != token_file;
        if let (Some(_), Some(other)) = (&token_file, rules.iter().find(alike)) {
            let why = format!(
                "is another than in {}, which is for the same: one token is for both",
                other.place
            );
            findings.wrong(&format!("{key}.token-file"), why);
        }
        let place = format!("{key} of {}", findings.file_of(&key));
        rules.push(AccessRule {
            place,
            who,
            role_aliases,
            publish,
            subscribe,
            token_file,
        });
    }
    rules
}

/// The topics of a rule: those that can be used; the others are reported.
fn topics(filters: Vec<String>, key: &str, findings: &mut Findings) -> Vec<String> {
    let checked = filters.into_iter().map(|text| granted_topics(&text));
    checked.filter_map(|filter| findings.keep(key, filter)).collect()
}
