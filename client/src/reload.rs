//! `gatepost reload`: has the daemon reload its configuration, and reports the outcome.

use std::path::Path;

use crate::command_line::Matches;
use crate::exit::{Exit, Failure};
use crate::http::Request;
use crate::json::Value;
use crate::{daemon, output};

/// Prints what has changed, and what takes effect only after a restart.
pub(crate) fn run(socket: &Path, _: &Matches) -> Result<Exit, Failure> {
    let document = daemon::ask_document(socket, Request::post_json("/v1/reload", "{}"), daemon::DISK)?;
    output::print(text(&document).as_bytes())
}

fn text(document: &Value) -> String {
    let names = |key: &str| -> Vec<String> {
        let items = document.get(key).items().iter();
        items.filter_map(|name| name.text().map(str::to_owned)).collect()
    };
    let mut text = match names("changed").as_slice() {
        [] => "reloaded; no changed key takes effect by a reload\n".to_owned(),
        changed => format!("reloaded; in use now: {}\n", changed.join(", ")),
    };
    let waiting = names("takes_effect_at_restart");
    if !waiting.is_empty() {
        text.push_str(&format!(
            "changed, takes effect at a restart: {}\nnext: systemctl restart gatepost\n",
            waiting.join(", ")
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_in_use_and_keys_that_need_a_restart_are_named() {
        for (document, said) in [
            (
                r#"{"changed":[],"takes_effect_at_restart":[]}"#,
                "reloaded; no changed key takes effect by a reload\n",
            ),
            (
                r#"{"changed":["access","role-alias"],"takes_effect_at_restart":[]}"#,
                "reloaded; in use now: access, role-alias\n",
            ),
            (
                r#"{"changed":["access"],"takes_effect_at_restart":["aws.credentials-endpoint"]}"#,
                "reloaded; in use now: access\nchanged, takes effect at a restart: aws.credentials-endpoint\nnext: systemctl restart gatepost\n",
            ),
            ("{}", "reloaded; no changed key takes effect by a reload\n"),
        ] {
            assert_eq!(text(&Value::parse(document.as_bytes()).unwrap()), said);
        }
    }
}
