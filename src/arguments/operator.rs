//! The command lines of what gatepostd does in the place of the command `gatepost`, each with options of its own.

use std::path::PathBuf;

use lexopt::prelude::*;
use lexopt::{Error, Parser};

use crate::allow::AllowRequest;
use crate::config::Selectors;
use crate::install_certificate::InstallRequest;

/// The words after `--allow`.
pub(super) fn allow(mut parser: Parser, config: Option<PathBuf>) -> Result<AllowRequest, Error> {
    let mut request = AllowRequest {
        config,
        ..AllowRequest::default()
    };
    while let Some(word) = parser.next()? {
        let rule = &mut request.rule;
        match word {
            Long("config") => request.config = Some(parser.value()?.into()),
            Long("user") => rule.who.user = Some(parser.value()?.string()?),
            Long("group") => rule.who.group = Some(parser.value()?.string()?),
            Long("uid") => rule.who.uid = Some(parser.value()?.parse()?),
            Long("gid") => rule.who.gid = Some(parser.value()?.parse()?),
            Long("unit") => rule.who.unit = Some(parser.value()?.string()?),
            Long("role-alias") => rule.role_aliases.push(parser.value()?.string()?),
            Long("publish") => rule.publish.push(parser.value()?.string()?),
            Long("subscribe") => rule.subscribe.push(parser.value()?.string()?),
            Long("dry-run") => request.dry_run = true,
            other => return Err(other.unexpected()),
        }
    }
    if request.rule.who == Selectors::default() {
        return Err("say whom to allow it: --user, --group, --uid, --gid or --unit".into());
    }
    if request.rule.is_empty() {
        return Err("say what to allow: --role-alias, --publish or --subscribe".into());
    }
    Ok(request)
}

/// The value of `--install-certificate`, and the words after it.
pub(super) fn install_certificate(mut parser: Parser, config: Option<PathBuf>) -> Result<InstallRequest, Error> {
    let file = PathBuf::from(parser.value()?);
    let mut request = InstallRequest {
        config,
        file,
        from_stdin: false,
    };
    while let Some(word) = parser.next()? {
        match word {
            Long("config") => request.config = Some(parser.value()?.into()),
            Long("stdin") => request.from_stdin = true,
            other => return Err(other.unexpected()),
        }
    }
    Ok(request)
}

/// The words after `--support`: the configuration's main file.
pub(super) fn support(mut parser: Parser, mut config: Option<PathBuf>) -> Result<Option<PathBuf>, Error> {
    while let Some(word) = parser.next()? {
        match word {
            Long("config") => config = Some(parser.value()?.into()),
            other => return Err(other.unexpected()),
        }
    }
    Ok(config)
}
