//! Parses and checks single values. The error of each function is a reason that completes a sentence about the value.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::placeholders::check_placeholders;
use crate::foreign_text;
use crate::topic::THING;

/// Parses an absolute path, which does not depend on the current folder of the daemon.
pub(super) fn parse_absolute_path(text: &str) -> Result<PathBuf, String> {
    let path = Path::new(text);
    match path.is_absolute() {
        true if text.chars().any(char::is_control) => Err("has a control character or a line break in it".to_owned()),
        true => Ok(path.to_owned()),
        // The value is not repeated, because some people write the PIN where its file's name belongs.
        false => Err("is not an absolute path, which begins with \"/\"".to_owned()),
    }
}

/// Checks the name of a role alias. CreateRoleAlias accepts 1 to 128 of `[\w=,@-]`.
pub(super) fn check_alias_name(text: &str) -> Result<String, String> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"_=,@-".contains(&byte);
    match (1..=128).contains(&text.len()) && text.bytes().all(legal) {
        true => Ok(text.to_owned()),
        false => Err(format!(
            "{} is not a role alias: AWS allows 1 to 128 letters, digits and _ = , @ -",
            foreign_text::value(text)
        )),
    }
}

/// Checks the name of a service or scope. systemd.unit(5) allows up to 255 ASCII letters, digits and `:-_.\@`.
pub(super) fn check_unit_name(text: &str) -> Result<(), String> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b":-_.\\@".contains(&byte);
    let kind = text
        .rsplit_once('.')
        .filter(|(name, _)| !name.is_empty() && !name.ends_with('@'));
    match kind {
        Some((_, "service" | "scope")) if text.len() <= 255 && text.bytes().all(legal) => Ok(()),
        _ => Err(format!(
            "{} is not the whole name of a service or scope, like \"camera.service\"",
            foreign_text::value(text)
        )),
    }
}

/// Checks the name of a user or a group. Directory services allow nearly everything (`DOMAIN\user`), so only impossible names are
/// refused.
pub(super) fn check_account_name(text: &str) -> Result<(), String> {
    let is_name = !text.is_empty() && !text.chars().any(char::is_control) && !text.contains(':');
    match is_name && !foreign_text::is_key_material(text) {
        true => Ok(()),
        false => Err(format!(
            "{} is not a name of a user or a group",
            foreign_text::value(text)
        )),
    }
}

/// Parses the address of the loopback listener, which no other machine may reach.
pub(super) fn parse_loopback_address(text: &str) -> Result<SocketAddr, String> {
    let is_loopback = |address: &SocketAddr| {
        let ip = address.ip();
        (ip == Ipv4Addr::LOCALHOST || ip == Ipv6Addr::LOCALHOST) && address.port() != 0
    };
    text.parse().ok().filter(is_loopback).ok_or_else(|| {
        let value = foreign_text::value(text);
        format!("{value} is neither 127.0.0.1:PORT nor [::1]:PORT")
    })
}

/// RFC 7617 sets no limit, but servers accept a few hundred characters at most.
const MAX_USER: usize = 255;

/// Checks a user name of HTTP Basic. A colon would end it in the header (RFC 7617, 2).
pub(super) fn check_basic_user(text: &str) -> Result<String, String> {
    let is_legal = (1..=MAX_USER).contains(&text.len()) && !text.contains(':') && !text.contains(char::is_control);
    match is_legal {
        true => Ok(text.to_owned()),
        false => Err("must have 1 to 255 characters, and no colon or control character".to_owned()),
    }
}

/// Parses a duration such as "60s", and checks that it is between `low` and `high`.
pub(super) fn parse_duration(text: &str, low: Duration, high: Duration) -> Result<Duration, String> {
    let shown = foreign_text::value(text);
    // The library's error is not shown, because it quotes a part of the text.
    let value =
        humantime::parse_duration(text).map_err(|_| format!("{shown} is not a duration like \"60s\" or \"7days\""))?;
    let range = || {
        format!(
            "{} to {}",
            humantime::format_duration(low),
            humantime::format_duration(high)
        )
    };
    match (low..=high).contains(&value) {
        true => Ok(value),
        false => Err(format!("{shown} is outside of what can be used: {}", range())),
    }
}

/// Checks that a number is in `range`.
pub(super) fn check_range(value: u64, range: RangeInclusive<u64>) -> Result<u64, String> {
    match range.contains(&value) {
        true => Ok(value),
        false => Err(format!("{value} is not between {} and {}", range.start(), range.end())),
    }
}

/// Checks the topics that a rule grants, which are a filter that may contain `{thing}`. AWS's reserved topics can be granted only
/// for this thing.
pub(super) fn check_granted_topics(text: &str) -> Result<String, String> {
    const OWN: &str = "$aws/things/{thing}/";
    if foreign_text::has_armour(text) {
        return Err("is key material, not a topic".to_owned());
    }
    crate::topic::check_filter(&text.replace(THING, "t"))
        .map_err(|why| format!("{}: {why}", foreign_text::value(text)))?;
    check_placeholders(text, &[THING])?;
    match text.starts_with('$') && !text.starts_with(OWN) {
        true => Err(format!(
            "{} is a reserved topic that is not this thing's: only {OWN}... can be given",
            foreign_text::value(text)
        )),
        false => Ok(text.to_owned()),
    }
}

/// Returns whether a rule may grant `text` as a topic or a filter.
pub fn may_be_granted(text: &str) -> bool {
    check_granted_topics(text).is_ok()
}

/// Returns whether a role alias may have this name.
pub fn is_alias_name(text: &str) -> bool {
    check_alias_name(text).is_ok()
}

/// Returns whether a rule may name this user or group.
pub fn is_account_name(text: &str) -> bool {
    check_account_name(text).is_ok()
}

/// Returns whether a rule may name this unit.
pub fn is_unit_name(text: &str) -> bool {
    check_unit_name(text).is_ok()
}

/// Parses the presence topic, which may contain `{thing}`; `None` if it is empty.
pub(super) fn parse_presence_topic(topic: String) -> Result<Option<String>, String> {
    match topic.as_str() {
        "" => Ok(None),
        text if foreign_text::has_armour(text) => Err("is key material, not a topic".to_owned()),
        text => {
            crate::topic::check_publish(&text.replace("{thing}", "t"))?;
            check_placeholders(text, &[THING])?;
            Ok(Some(topic))
        }
    }
}
