//! Command lines of the modes in which `gatepost` runs gatepostd for an operator.

use std::path::PathBuf;

use super::given::Given;
use crate::allow::AllowRequest;
use crate::config::Selectors;
use crate::install_certificate::InstallRequest;

/// Reads the options of `--allow`.
pub(super) fn allow(given: &Given, config: Option<PathBuf>) -> Result<AllowRequest, String> {
    let mut request = AllowRequest {
        config,
        dry_run: given.has("--dry-run"),
        ..AllowRequest::default()
    };
    let rule = &mut request.rule;
    rule.who.user = given.text("--user")?;
    rule.who.group = given.text("--group")?;
    rule.who.uid = given.number("--uid")?;
    rule.who.gid = given.number("--gid")?;
    rule.who.unit = given.text("--unit")?;
    rule.role_aliases = given.texts("--role-alias")?;
    rule.publish = given.texts("--publish")?;
    rule.subscribe = given.texts("--subscribe")?;
    rule.tokens = given.texts("--audience")?;
    if rule.who == Selectors::default() {
        return Err("name who is to be allowed: --user, --group, --uid, --gid or --unit".to_owned());
    }
    if rule.is_empty() {
        return Err("name what to allow: --role-alias, --publish, --subscribe or --audience".to_owned());
    }
    Ok(request)
}

/// Reads the options of `--install-certificate`.
pub(super) fn install_certificate(given: &Given, config: Option<PathBuf>) -> InstallRequest {
    InstallRequest {
        config,
        file: given.value("--install-certificate").unwrap_or_default().into(),
        from_stdin: given.has("--stdin"),
    }
}
