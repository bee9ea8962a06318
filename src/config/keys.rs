//! Defines for each key whether a change takes effect at a reload or only at a restart.
//!
//! The daemon uses this table, and tests compare it with docs/configuration.md.

use super::{AccessRule, ClaimConfig, Config, CredentialsFile, EstConfig, Proxy};

/// When a changed value takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TakesEffect {
    /// At `systemctl reload gatepost`.
    AtReload,
    /// At `systemctl restart gatepost`, because objects that depend on the value are created once, at the start.
    AtRestart,
}

/// A key of the configuration, or a list of tables.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// The full name, such as `aws.mqtt-endpoint`.
    pub name: &'static str,
    /// When a change takes effect.
    pub takes_effect: TakesEffect,
    differs: fn(&Config, &Config) -> bool,
}

/// The keys in which two configurations differ.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// The keys that a reload puts into effect.
    pub at_reload: Vec<&'static str>,
    /// The keys that wait for a restart.
    pub at_restart: Vec<&'static str>,
}

macro_rules! keys {
    ($($name:literal, $takes_effect:ident, $value:expr;)+) => {
        &[$(Key {
            name: $name,
            takes_effect: TakesEffect::$takes_effect,
            differs: |old, new| {
                let value = $value;
                value(old) != value(new)
            },
        },)+]
    };
}

/// Gives a closure the type that the table needs.
fn part<T>(value: fn(&Config) -> T) -> fn(&Config) -> T {
    value
}

/// Returns a setting of EST.
fn est<T>(config: &Config, value: impl FnOnce(&EstConfig) -> T) -> Option<T> {
    config.enrolment.est.as_ref().map(value)
}

/// Returns a setting of the proxy.
fn proxy<T>(config: &Config, value: impl FnOnce(&Proxy) -> T) -> Option<T> {
    config.network.proxy.as_ref().map(value)
}

/// Returns a setting of fleet provisioning.
fn claim<T>(config: &Config, value: impl FnOnce(&ClaimConfig) -> T) -> Option<T> {
    config.enrolment.claim.as_ref().map(value)
}

fn attribute(config: &Config, name: &str) -> Option<String> {
    let mut attributes = config.identity.subject.attributes.iter();
    attributes.find(|(key, _)| *key == name).map(|(_, value)| value.clone())
}

/// Returns a rule without its place, which changes when a rule before it is removed.
fn without_place(rule: &AccessRule) -> AccessRule {
    AccessRule {
        place: String::new(),
        ..rule.clone()
    }
}

/// Returns an entry without its place, which changes when one before it is removed.
fn file_without_place(file: &CredentialsFile) -> CredentialsFile {
    CredentialsFile {
        place: String::new(),
        ..file.clone()
    }
}

/// All keys of the configuration.
pub const KEYS: &[Key] = keys! {
    "aws.mqtt-endpoint", AtRestart, part(|config| config.aws.mqtt_endpoint.clone());
    "aws.credentials-endpoint", AtRestart, part(|config| config.aws.credentials_endpoint.clone());
    "aws.root-ca", AtRestart, part(|config| config.aws.root_ca.clone());
    "aws.mqtt-alpn", AtRestart, part(|config| config.aws.mqtt_alpn);
    "aws.sts-endpoint", AtRestart, part(|config| config.aws.sts.clone());
    "token.module", AtRestart, part(|config| config.token.module.clone());
    "token.key", AtRestart, part(|config| config.token.key.clone());
    "token.pin-file", AtRestart, part(|config| config.token.pin_file.clone());
    "token.generate", AtRestart, part(|config| config.token.generate);
    "identity.certificate", AtRestart, part(|config| config.identity.certificate.clone());
    "identity.ca-chain", AtRestart, part(|config| config.identity.ca_chain.clone());
    "identity.thing-name", AtRestart, part(|config| config.identity.thing_name.clone());
    "identity.subject.common-name", AtRestart, part(|config| config.identity.subject.common_name.clone());
    "identity.subject.country", AtRestart, part(|config| attribute(config, "country"));
    "identity.subject.state", AtRestart, part(|config| attribute(config, "state"));
    "identity.subject.locality", AtRestart, part(|config| attribute(config, "locality"));
    "identity.subject.organization", AtRestart, part(|config| attribute(config, "organization"));
    "identity.subject.organizational-unit", AtRestart, part(|config| attribute(config, "organizational-unit"));
    "identity.subject.serial-number", AtRestart, part(|config| attribute(config, "serial-number"));
    "identity.subject.dn-qualifier", AtRestart, part(|config| attribute(config, "dn-qualifier"));
    "role-alias", AtReload, part(|config| config.role_aliases.clone());
    "access", AtReload, part(|config| config.access.iter().map(without_place).collect::<Vec<_>>());
    "credentials-file", AtReload, part(|config| config.credentials_files.iter().map(file_without_place).collect::<Vec<_>>());
    "loopback.listen", AtReload, part(|config| config.loopback);
    "local-mqtt.socket", AtReload, part(|config| config.local_mqtt.socket);
    "local-mqtt.listen", AtReload, part(|config| config.local_mqtt.listen);
    "mqtt.keep-alive", AtReload, part(|config| config.mqtt.keep_alive);
    "mqtt.session-expiry", AtReload, part(|config| config.mqtt.session_expiry);
    "mqtt.presence-topic", AtReload, part(|config| config.mqtt.presence_topic.clone());
    "mqtt.report-interval", AtReload, part(|config| config.mqtt.report_interval);
    "mqtt.publish-rate", AtReload, part(|config| config.mqtt.publish_rate);
    "mqtt.outbox-max-bytes", AtReload, part(|config| config.mqtt.bounds.max_bytes);
    "mqtt.outbox-max-messages", AtReload, part(|config| config.mqtt.bounds.max_messages);
    "mqtt.outbox-max-age", AtReload, part(|config| config.mqtt.bounds.max_age);
    "mqtt.outbox-when-full", AtReload, part(|config| config.mqtt.bounds.when_full);
    "mqtt.inbox-max-bytes", AtReload, part(|config| config.mqtt.bounds.inbox_max_bytes);
    "mqtt.inbox-max-messages", AtReload, part(|config| config.mqtt.bounds.inbox_max_messages);
    "enrolment.method", AtRestart, part(|config| config.enrolment.method);
    "enrolment.rotation-jobs", AtRestart, part(|config| config.enrolment.rotation_jobs);
    "enrolment.renew-key", AtRestart, part(|config| config.enrolment.renew_key);
    "enrolment.est.url", AtRestart, part(|config| est(config, |est| est.url.clone()));
    "enrolment.est.server-ca", AtRestart, part(|config| est(config, |est| est.server_ca.clone()));
    "enrolment.est.user", AtRestart, part(|config| est(config, |est| est.user.clone()));
    "enrolment.est.secret-file", AtRestart, part(|config| est(config, |est| est.secret_file.clone()));
    "enrolment.est.bootstrap-certificate", AtRestart, part(|config| est(config, |est| est.bootstrap.as_ref().map(|pair| pair.certificate.clone())));
    "enrolment.est.bootstrap-key", AtRestart, part(|config| est(config, |est| est.bootstrap.as_ref().map(|pair| pair.key.clone())));
    "enrolment.claim.template", AtRestart, part(|config| claim(config, |claim| claim.template.clone()));
    "enrolment.claim.certificate", AtRestart, part(|config| claim(config, |claim| claim.certificate.clone()));
    "enrolment.claim.key", AtRestart, part(|config| claim(config, |claim| claim.key.clone()));
    "enrolment.claim.key-file", AtRestart, part(|config| claim(config, |claim| claim.key_file.clone()));
    "enrolment.claim.parameters", AtRestart, part(|config| claim(config, |claim| claim.parameters.clone()));
    "network.proxy", AtRestart, part(|config| proxy(config, |proxy| proxy.address.clone()));
    "network.proxy-user", AtRestart, part(|config| proxy(config, |proxy| proxy.user.clone()));
    "network.proxy-secret-file", AtRestart, part(|config| proxy(config, |proxy| proxy.secret_file.clone()));
    "network.no-proxy", AtRestart, part(|config| proxy(config, |proxy| proxy.no_proxy.clone()));
};

impl Changes {
    /// Finds the keys in which `new` differs from `old`.
    pub fn between(old: &Config, new: &Config) -> Self {
        let mut changes = Self::default();
        for key in KEYS.iter().filter(|key| (key.differs)(old, new)) {
            match key.takes_effect {
                TakesEffect::AtReload => changes.at_reload.push(key.name),
                TakesEffect::AtRestart => changes.at_restart.push(key.name),
            }
        }
        changes
    }

    /// Returns whether nothing differs.
    pub fn is_empty(&self) -> bool {
        self.at_reload.is_empty() && self.at_restart.is_empty()
    }

    /// Returns all names.
    pub fn all(&self) -> Vec<&'static str> {
        [self.at_reload.as_slice(), self.at_restart.as_slice()].concat()
    }
}

#[cfg(test)]
mod tests;
