//! From what the files say to what the daemon can rely on: every value checked, every fault reported at once.

use super::load::{Loaded, Sources};
use super::mqtt::mqtt;
use super::raw::{RawAccess, RawAws, RawIdentity, RawRoleAlias, RawSubject, RawToken};
use super::values::{absolute, alias_name, granted_topics, loopback_address, unit_name};
use super::{AccessRule, Aliases, Aws, Config, Endpoint, Folders, IdentityConfig, RoleAlias, Selectors, Subject};
use crate::foreign_text;
use crate::token::{Generate, KeyUri, TokenConfig};

/// Collects what is wrong while the checks go on.
pub(super) struct Findings<'a> {
    sources: &'a Sources,
    messages: Vec<String>,
}

impl Findings<'_> {
    pub(super) fn wrong(&mut self, key: &str, reason: impl std::fmt::Display) {
        let message = format!("{}: {key}: {reason}", self.sources.file_of(key).display());
        self.messages.push(foreign_text::one_line(&message));
    }

    pub(super) fn keep<T>(&mut self, key: &str, outcome: Result<T, String>) -> Option<T> {
        outcome.map_err(|reason| self.wrong(key, reason)).ok()
    }

    fn required<T>(
        &mut self,
        key: &str,
        value: Option<String>,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        match value {
            Some(text) => self.keep(key, parse(&text)),
            None => {
                self.wrong(key, "is not set, and has no default");
                None
            }
        }
    }

    fn optional<T>(
        &mut self,
        key: &str,
        value: Option<String>,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        value.and_then(|text| self.keep(key, parse(&text)))
    }
}

/// Checks everything; all findings are returned, each naming file, key and reason.
pub(super) fn check(loaded: Loaded, folders: &Folders) -> Result<Config, Vec<String>> {
    let Loaded { raw, sources } = loaded;
    let mut findings = Findings {
        sources: &sources,
        messages: Vec::new(),
    };
    let aws = aws(raw.aws, &mut findings);
    let token = token(raw.token, &mut findings);
    let identity = identity(raw.identity, folders, &mut findings);
    let role_aliases = role_aliases(raw.role_alias, &mut findings);
    let access = access(raw.access, &role_aliases, &mut findings);
    let mqtt = mqtt(raw.mqtt, &mut findings);
    let loopback = findings.optional("loopback.listen", raw.loopback.listen, loopback_address);
    match (aws, token, identity, mqtt) {
        (Some(aws), Some(token), Some(identity), Some(mqtt)) if findings.messages.is_empty() => Ok(Config {
            aws,
            token,
            identity,
            role_aliases,
            access,
            mqtt,
            loopback,
            folders: folders.clone(),
        }),
        _ => Err(findings.messages),
    }
}

fn aws(raw: RawAws, findings: &mut Findings) -> Option<Aws> {
    let mqtt = findings.required("aws.mqtt-endpoint", raw.mqtt_endpoint, |text| {
        endpoint(text, 8883, "iot:Data-ATS")
    });
    let credentials = findings.required("aws.credentials-endpoint", raw.credentials_endpoint, |text| {
        endpoint(text, 443, "iot:CredentialProvider")
    });
    let root_ca = findings.optional("aws.root-ca", raw.root_ca, absolute);
    Some(Aws {
        mqtt_endpoint: mqtt?,
        credentials_endpoint: credentials?,
        root_ca,
    })
}

/// The sample's PREFIX and REGION would make a host name like any other.
fn endpoint(text: &str, default_port: u16, kind: &str) -> Result<Endpoint, String> {
    match text.split(['.', '-']).any(|word| matches!(word, "PREFIX" | "REGION")) {
        true => Err(format!(
            "{} is the sample's placeholder; `aws iot describe-endpoint --endpoint-type {kind}` prints yours",
            foreign_text::value(text)
        )),
        false => Endpoint::parse(text, default_port),
    }
}

fn token(raw: RawToken, findings: &mut Findings) -> Option<TokenConfig> {
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
    })
}

fn identity(raw: RawIdentity, folders: &Folders, findings: &mut Findings) -> Option<IdentityConfig> {
    let certificate = findings
        .optional("identity.certificate", raw.certificate, absolute)
        .unwrap_or_else(|| folders.state.join("device.pem"));
    let ca_chain = findings.optional("identity.ca-chain", raw.ca_chain, absolute);
    let subject = subject(raw.subject, findings);
    Some(IdentityConfig {
        certificate,
        ca_chain,
        subject: subject?,
    })
}

fn subject(raw: RawSubject, findings: &mut Findings) -> Option<Subject> {
    let common_name = raw.common_name.unwrap_or_else(|| "gw-{machine-id}".to_owned());
    let common_name = findings.keep("identity.subject.common-name", super::subject::thing_name(&common_name));
    if let Some(country) = &raw.country
        && !(country.len() == 2 && country.bytes().all(|byte| byte.is_ascii_uppercase()))
    {
        findings.wrong(
            "identity.subject.country",
            format!(
                "{} is not a two-letter country code like \"IN\"",
                foreign_text::value(country)
            ),
        );
    }
    let others = [
        ("country", raw.country),
        ("state", raw.state),
        ("locality", raw.locality),
        ("organization", raw.organization),
        ("organizational-unit", raw.organizational_unit),
        ("serial-number", raw.serial_number),
        ("dn-qualifier", raw.dn_qualifier),
    ];
    let mut attributes = Vec::new();
    for (name, value) in others {
        let Some(value) = value else { continue };
        let key = format!("identity.subject.{name}");
        if value.trim().is_empty() || value.chars().any(char::is_control) {
            findings.wrong(&key, "is empty or has control characters");
        }
        attributes.push((name, value));
    }
    Some(Subject {
        common_name: common_name?,
        attributes,
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
    let mut rules = Vec::new();
    for (index, item) in raw.into_iter().enumerate() {
        let key = format!("access[{index}]");
        let unit = item.unit;
        if let Some(unit) = &unit {
            findings.keep(&format!("{key}.unit"), unit_name(unit));
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
        let place = format!("{key} of {}", findings.sources.file_of(&key).display());
        rules.push(AccessRule {
            place,
            who,
            role_aliases,
            publish,
            subscribe,
        });
    }
    rules
}

/// The topics of a rule: those that can be used; the others are reported.
fn topics(filters: Vec<String>, key: &str, findings: &mut Findings) -> Vec<String> {
    let checked = filters.into_iter().map(|text| granted_topics(&text));
    checked.filter_map(|filter| findings.keep(key, filter)).collect()
}
