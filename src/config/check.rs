//! Checks the content of the files and turns it into a [`Config`]. All faults are reported at once.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use super::credentials_file::check_credentials_files;
use super::endpoints::check_aws;
use super::enrolment::check_enrolment;
use super::file_permissions;
use super::files::Loaded;
pub(super) use super::findings::Fault;
use super::findings::Findings;
use super::mqtt::check_mqtt;
use super::network::check_network;
use super::other_key::check_other_keys;
use super::raw::{RawAccess, RawRoleAlias, RawToken};
use super::subject::check_identity;
use super::values::{
    check_account_name, check_alias_name, check_granted_topics, check_unit_name, parse_absolute_path,
    parse_loopback_address,
};
use super::web_tokens::{check_audience, check_requests};
use super::{
    AccessRule, Aliases, AssignedName, Config, Enrolment, Folders, IdentityConfig, LocalMqtt, RoleAlias, Selectors,
};
use crate::foreign_text;
use crate::token::{Generate, KeyUri, TokenConfig};

/// (uid_t) -1, which means "no change" to chown(2) and setresuid(2), so no process can have it.
const INVALID_ID: u32 = u32::MAX;
const INVALID_ID_REASON: &str = "4294967295 is -1 as the kernel reads it, and no user or group has it";

/// Checks the whole configuration.
///
/// # Errors
/// With all faults, each with file, key and reason.
pub(super) fn check(loaded: Loaded, folders: &Folders, is_only_examined: bool) -> Result<Config, Vec<Fault>> {
    let Loaded { raw, merged } = loaded;
    let mut findings = Findings::new(&merged.sources, is_only_examined);
    let aws = check_aws(raw.aws, &mut findings);
    let certificate = raw.identity.certificate.as_ref();
    let certificate = certificate.map_or_else(|| folders.state.join("device.pem"), PathBuf::from);
    let token = check_token(raw.token, certificate, &mut findings);
    let identity = check_identity(raw.identity, folders, &mut findings);
    let role_aliases = check_role_aliases(raw.role_alias, &mut findings);
    let access = check_access(raw.access, &role_aliases, &mut findings);
    let names: Vec<&str> = role_aliases.iter().map(|alias| alias.name.as_str()).collect();
    let credentials_files = check_credentials_files(raw.credentials_file, &names, folders, &mut findings);
    let mqtt = check_mqtt(raw.mqtt, &mut findings);
    let loopback = findings.parse_optional("loopback.listen", raw.loopback.listen, parse_loopback_address);
    let local_mqtt = LocalMqtt {
        socket: raw.local_mqtt.socket.unwrap_or_default(),
        listen: findings.parse_optional("local-mqtt.listen", raw.local_mqtt.listen, parse_loopback_address),
    };
    check_ports(loopback, local_mqtt.listen, &mut findings);
    let enrolment = check_enrolment(raw.enrolment, &mut findings);
    let network = check_network(raw.network, &mut findings);
    let has_default_alias = role_aliases.iter().any(|alias| alias.default);
    let is_sts_known = aws.as_ref().is_none_or(|aws| aws.sts.is_some());
    check_requests(&access, has_default_alias, is_sts_known, &mut findings);
    if let (Some(token), Some(enrolment)) = (&token, &enrolment) {
        check_other_keys(token, enrolment, &mut findings);
    }
    let module = token.as_ref().map(|token| &token.module);
    let root_ca = aws.as_ref().and_then(|aws| aws.root_ca.as_ref());
    for (key, path) in [("token.module", module), ("aws.root-ca", root_ca)] {
        // The module runs in this process, and the roots decide which server is trusted as AWS.
        findings.check(key, path.map_or(Ok(()), |path| file_permissions::check_named(path)));
    }
    let identity = identity.map(|identity| with_assigned_name(identity, enrolment.as_ref(), folders));
    let (faults, notes) = findings.into_parts();
    match (aws, token, identity, mqtt, enrolment) {
        (Some(aws), Some(token), Some(identity), Some(mqtt), Some(enrolment)) if faults.is_empty() => Ok(Config {
            aws,
            token,
            identity,
            role_aliases,
            access,
            credentials_files,
            mqtt,
            loopback,
            local_mqtt,
            enrolment,
            network,
            folders: folders.clone(),
            notes,
            merged: Arc::new(merged),
        }),
        _ => Err(faults),
    }
}

/// Checks that no two listeners have the same address.
fn check_ports(loopback: Option<SocketAddr>, mqtt: Option<SocketAddr>, findings: &mut Findings) {
    if mqtt.is_some() && mqtt == loopback {
        findings.add_fault(
            "local-mqtt.listen",
            "is the address of loopback.listen; give it another port",
        );
    }
}

/// Adds the thing name that AWS has assigned in fleet provisioning, and that is kept in the state folder.
fn with_assigned_name(identity: IdentityConfig, enrolment: Option<&Enrolment>, folders: &Folders) -> IdentityConfig {
    let is_assigned = enrolment.is_some_and(|enrolment| enrolment.claim().is_some());
    IdentityConfig {
        assigned_name: is_assigned.then(|| AssignedName::new(folders.state.join("thing-name.json"))),
        ..identity
    }
}

fn check_token(raw: RawToken, certificate: PathBuf, findings: &mut Findings) -> Option<TokenConfig> {
    let module = findings.parse_required("token.module", raw.module, parse_absolute_path);
    let key: Option<KeyUri> = findings.parse_required("token.key", raw.key, |text| {
        text.parse::<KeyUri>().map_err(|error| error.to_string())
    });
    let pin_file = findings.parse_optional("token.pin-file", raw.pin_file, parse_absolute_path);
    let generate = match raw.generate {
        None => Some(Generate::default()),
        Some(text) => findings.check("token.generate", text.parse()),
    };
    if let (Some(key), Some(Generate::Key(_))) = (&key, generate)
        && key.object().is_none()
    {
        findings.add_fault(
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

fn check_role_aliases(raw: Vec<RawRoleAlias>, findings: &mut Findings) -> Vec<RoleAlias> {
    let is_only_one = raw.len() == 1;
    let mut aliases: Vec<RoleAlias> = Vec::new();
    for (index, item) in raw.into_iter().enumerate() {
        let key = format!("role-alias[{index}]");
        let Some(name) = findings.parse_required(&format!("{key}.name"), item.name, check_alias_name) else {
            continue;
        };
        if aliases.iter().any(|earlier| earlier.name == name) {
            findings.add_fault(&key, format!("a second role alias named \"{name}\""));
        }
        let default = item.default.unwrap_or(is_only_one);
        if default && aliases.iter().any(|earlier| earlier.default) {
            findings.add_fault(
                &key,
                format!("\"{name}\" is a second default; only one role alias can be the default"),
            );
        }
        aliases.push(RoleAlias { name, default });
    }
    aliases
}

fn check_access(raw: Vec<RawAccess>, aliases: &[RoleAlias], findings: &mut Findings) -> Vec<AccessRule> {
    let mut rules: Vec<AccessRule> = Vec::new();
    for (index, item) in raw.into_iter().enumerate() {
        let key = format!("access[{index}]");
        let unit = item.unit;
        if let Some(unit) = &unit {
            findings.check(&format!("{key}.unit"), check_unit_name(unit));
        }
        for (name, id) in [("uid", item.uid), ("gid", item.gid)] {
            if id == Some(INVALID_ID) {
                findings.add_fault(&format!("{key}.{name}"), INVALID_ID_REASON);
            }
        }
        for (name, value) in [("user", &item.user), ("group", &item.group)] {
            if let Some(value) = value {
                findings.check(&format!("{key}.{name}"), check_account_name(value));
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
            findings.add_fault(&key, "selects nobody: it needs user, group, uid, gid or unit");
        }
        for name in &item.role_aliases {
            if name != "*" && !aliases.iter().any(|alias| alias.name == *name) {
                findings.add_fault(
                    &format!("{key}.role-aliases"),
                    format!("no [[role-alias]] is named {}", foreign_text::value(name)),
                );
            }
        }
        let role_aliases = match item.role_aliases.iter().any(|name| name == "*") {
            true => Aliases::All,
            false => Aliases::These(item.role_aliases),
        };
        let publish = check_topics(item.publish, &format!("{key}.publish"), findings);
        let subscribe = check_topics(item.subscribe, &format!("{key}.subscribe"), findings);
        let tokens = item.tokens.iter();
        let tokens = tokens
            .filter_map(|text| findings.check(&format!("{key}.tokens"), check_audience(text)))
            .collect();
        let token_file = findings.parse_optional(&format!("{key}.token-file"), item.token_file, parse_absolute_path);
        let conflicts =
            |rule: &&AccessRule| rule.who == who && rule.token_file.is_some() && rule.token_file != token_file;
        if let (Some(_), Some(other)) = (&token_file, rules.iter().find(conflicts)) {
            let why = format!(
                "differs from the one in {}, which selects the same programs: they share one token",
                other.place
            );
            findings.add_fault(&format!("{key}.token-file"), why);
        }
        let place = format!("{key} of {}", findings.file_of(&key));
        rules.push(AccessRule {
            place,
            who,
            role_aliases,
            publish,
            subscribe,
            tokens,
            token_file,
        });
    }
    rules
}

/// Returns the topics of a rule that can be used, and reports the others.
fn check_topics(filters: Vec<String>, key: &str, findings: &mut Findings) -> Vec<String> {
    let checked = filters.into_iter().map(|text| check_granted_topics(&text));
    checked.filter_map(|filter| findings.check(key, filter)).collect()
}
