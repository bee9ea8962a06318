//! The configuration as the files have it: every key is optional, and unknown keys are refused.
//!
//! A single file is rarely complete, because a drop-in may set one key only. Missing keys are therefore found by the checks,
//! after the merge.

use std::collections::BTreeMap;

use serde::Deserialize;

/// A whole file, or all files merged.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct Raw {
    pub(super) aws: RawAws,
    pub(super) token: RawToken,
    pub(super) identity: RawIdentity,
    pub(super) role_alias: Vec<RawRoleAlias>,
    pub(super) access: Vec<RawAccess>,
    pub(super) credentials_file: Vec<RawCredentialsFile>,
    pub(super) mqtt: RawMqtt,
    pub(super) loopback: RawLoopback,
    pub(super) local_mqtt: RawLocalMqtt,
    pub(super) enrolment: RawEnrolment,
    pub(super) network: RawNetwork,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct RawNetwork {
    pub(super) proxy: Option<String>,
    pub(super) proxy_user: Option<String>,
    pub(super) proxy_secret_file: Option<String>,
    pub(super) no_proxy: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct RawEnrolment {
    pub(super) method: Option<String>,
    pub(super) rotation_jobs: Option<bool>,
    pub(super) renew_key: Option<String>,
    pub(super) est: RawEst,
    pub(super) claim: RawClaim,
}

#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct RawClaim {
    pub(super) template: Option<String>,
    pub(super) certificate: Option<String>,
    pub(super) key: Option<String>,
    pub(super) key_file: Option<String>,
    pub(super) parameters: BTreeMap<String, String>,
}

#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct RawEst {
    pub(super) url: Option<String>,
    pub(super) server_ca: Option<String>,
    pub(super) user: Option<String>,
    pub(super) secret_file: Option<String>,
    pub(super) bootstrap_certificate: Option<String>,
    pub(super) bootstrap_key: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct RawLoopback {
    pub(super) listen: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct RawLocalMqtt {
    pub(super) socket: Option<bool>,
    pub(super) listen: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct RawAws {
    pub(super) mqtt_endpoint: Option<String>,
    pub(super) credentials_endpoint: Option<String>,
    pub(super) root_ca: Option<String>,
    pub(super) mqtt_alpn: Option<String>,
    pub(super) sts_endpoint: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct RawToken {
    pub(super) module: Option<String>,
    pub(super) key: Option<String>,
    pub(super) pin_file: Option<String>,
    pub(super) generate: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct RawIdentity {
    pub(super) certificate: Option<String>,
    pub(super) ca_chain: Option<String>,
    pub(super) thing_name: Option<String>,
    pub(super) subject: RawSubject,
}

/// The subject's attributes: those that an AWS provisioning template can refer to, and the locality.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct RawSubject {
    pub(super) common_name: Option<String>,
    pub(super) country: Option<String>,
    pub(super) state: Option<String>,
    pub(super) locality: Option<String>,
    pub(super) organization: Option<String>,
    pub(super) organizational_unit: Option<String>,
    pub(super) serial_number: Option<String>,
    pub(super) dn_qualifier: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct RawRoleAlias {
    pub(super) name: Option<String>,
    pub(super) default: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct RawAccess {
    pub(super) user: Option<String>,
    pub(super) group: Option<String>,
    pub(super) uid: Option<u32>,
    pub(super) gid: Option<u32>,
    pub(super) unit: Option<String>,
    pub(super) role_aliases: Vec<String>,
    pub(super) publish: Vec<String>,
    pub(super) subscribe: Vec<String>,
    pub(super) tokens: Vec<String>,
    pub(super) token_file: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct RawCredentialsFile {
    pub(super) path: Option<String>,
    pub(super) role_alias: Option<String>,
    pub(super) owner: Option<String>,
    pub(super) group: Option<String>,
    pub(super) format: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct RawMqtt {
    pub(super) keep_alive: Option<String>,
    pub(super) session_expiry: Option<String>,
    pub(super) presence_topic: Option<String>,
    pub(super) report_interval: Option<String>,
    pub(super) publish_rate: Option<u32>,
    pub(super) outbox_max_bytes: Option<u64>,
    pub(super) outbox_max_messages: Option<u64>,
    pub(super) outbox_max_age: Option<String>,
    pub(super) outbox_when_full: Option<String>,
    pub(super) inbox_max_bytes: Option<u64>,
    pub(super) inbox_max_messages: Option<u64>,
}
