//! `gatepost subscribe`: prints messages from AWS, a line each, for as long as the reader accepts them.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::command_line::Matches;
use crate::exit::{Exit, Failure};
use crate::json::Value;
use crate::printable::printable_json;
use crate::subscriptions::Acknowledger;
use crate::words::number;
use crate::{daemon, output, percent};

/// Maximum number of lines of a durable subscription that are acknowledged together. Each acknowledgement is a write to the daemon's disk,
/// and up to this many messages are repeated after a crash.
const TOGETHER: u32 = 32;

/// Prints each message as the daemon sends it. A message of a durable subscription is acknowledged once it is printed.
pub(crate) fn run(socket: &Path, matches: &Matches) -> Result<Exit, Failure> {
    let mut left = matches
        .value("--count")
        .map(|word| number::<u64>("--count", word, "messages"))
        .transpose()?;
    let (name, no_ack) = (matches.value("--name"), matches.flag("--no-ack"));
    if no_ack && name.is_none() {
        return Err(matches.usage_error("--no-ack belongs to --name: nothing else is acknowledged"));
    }
    let mut acknowledger = name.filter(|_| !no_ack).map(|name| Acknowledger::new(socket, name));
    let target = percent::with_query(
        format!("/topics/{}", percent::encode(matches.required(0).as_bytes())),
        &[
            ("qos", matches.value("--qos").map(OsStrExt::as_bytes)),
            ("name", name.map(OsStrExt::as_bytes)),
        ],
    );
    let mut lines = daemon::stream(socket, &target)?;
    let mut printed = 0;
    while left != Some(0) {
        let Some(line) = daemon::next_line(&mut lines)? else {
            return Err(daemon::stream_end(&Value::Null));
        };
        let message = Value::parse(&line).map_err(daemon::not_gatepost)?;
        if message.get("topic").text().is_none() {
            return Err(daemon::stream_end(&message));
        }
        output::print(&printable_json(&line))?;
        left = left.map(|left| left - 1);
        printed += 1;
        if let Some(acknowledger) = &mut acknowledger
            && (printed >= TOGETHER || left == Some(0) || !lines.more_is_here())
        {
            let id = message.get("id").whole_number();
            acknowledger.acknowledge(id.ok_or_else(|| daemon::not_gatepost("a message without an id"))?)?;
            printed = 0;
        }
    }
    Ok(Exit::Ok)
}
