//! Single values as they are written in the files, and the reason where they cannot be used.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::placeholders::check_placeholders;
use crate::foreign_text;
use crate::topic::THING;

/// A path that does not depend on where the daemon was started.
pub(super) fn absolute(text: &str) -> Result<PathBuf, String> {
    let path = Path::new(text);
    match path.is_absolute() {
        true if text.chars().any(char::is_control) => Err("has a control character or a line break in it".to_owned()),
        true => Ok(path.to_owned()),
        // The text is not repeated: where a file's name belongs, people put the PIN itself.
        false => Err("is not an absolute path, which begins with \"/\"".to_owned()),
    }
}

/// A role alias's name. CreateRoleAlias: 1 to 128 of `[\w=,@-]`.
pub(super) fn alias_name(text: &str) -> Result<String, String> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"_=,@-".contains(&byte);
    match (1..=128).contains(&text.len()) && text.bytes().all(legal) {
        true => Ok(text.to_owned()),
        false => Err(format!(
            "{} is no role alias: AWS allows 1 to 128 letters, digits and _ = , @ -",
            foreign_text::value(text)
        )),
    }
}

/// A systemd unit that processes run in. systemd.unit(5): up to 255 ASCII letters, digits and `:-_.\@`.
pub(super) fn unit_name(text: &str) -> Result<(), String> {
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

/// The name of a user or a group. Directories allow nearly everything (`DOMAIN\user`), so only what cannot be one is refused.
pub(super) fn account_name(text: &str) -> Result<(), String> {
    let is_name = !text.is_empty() && !text.chars().any(char::is_control) && !text.contains(':');
    match is_name && !foreign_text::is_key_material(text) {
        true => Ok(()),
        false => Err(format!("{} is no name of a user or a group", foreign_text::value(text))),
    }
}

/// Where the loopback listener listens: never where another machine could come.
pub(super) fn loopback_address(text: &str) -> Result<SocketAddr, String> {
    let own = |address: &SocketAddr| {
        let ip = address.ip();
        (ip == Ipv4Addr::LOCALHOST || ip == Ipv6Addr::LOCALHOST) && address.port() != 0
    };
    text.parse().ok().filter(own).ok_or_else(|| {
        let value = foreign_text::value(text);
        format!("{value} is neither 127.0.0.1:PORT nor [::1]:PORT")
    })
}

/// A span of time in words, within AWS's bounds.
pub(super) fn duration(text: &str, low: Duration, high: Duration) -> Result<Duration, String> {
    let shown = foreign_text::value(text);
    // What the library says of it quotes a part of the text.
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

/// A number within bounds.
pub(super) fn number(value: u64, range: RangeInclusive<u64>) -> Result<u64, String> {
    match range.contains(&value) {
        true => Ok(value),
        false => Err(format!("{value} is not between {} and {}", range.start(), range.end())),
    }
}

/// Topics that a rule gives, as a filter with `{thing}` in it. Of AWS's own topics only those of this thing can be given.
pub(super) fn granted_topics(text: &str) -> Result<String, String> {
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

/// Whether a rule may give `text` as a topic or a filter.
pub fn may_be_granted(text: &str) -> bool {
    granted_topics(text).is_ok()
}

/// Whether a role alias may have this name.
pub fn is_alias_name(text: &str) -> bool {
    alias_name(text).is_ok()
}

/// Whether a rule may name this user or group.
pub fn is_account_name(text: &str) -> bool {
    account_name(text).is_ok()
}

/// Whether a rule may name this unit.
pub fn is_unit_name(text: &str) -> bool {
    unit_name(text).is_ok()
}

/// A topic with `{thing}` in it; none where it is empty.
pub(super) fn presence_topic(topic: String) -> Result<Option<String>, String> {
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
