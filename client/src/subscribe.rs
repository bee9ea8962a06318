//! `gatepost subscribe`: messages from AWS, a line each, for as long as somebody reads.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::exit::{Exit, Failure};
use crate::json::Value;
use crate::subscriptions::Acknowledger;
use crate::words::number;
use crate::{daemon, output, percent};

/// Lines of a durable subscription that are printed before they are acknowledged together: each acknowledgement is a
/// write to the daemon's disk, and after a crash so many come again.
const TOGETHER: u32 = 32;

/// What the command line says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) filter: OsString,
    pub(crate) qos: Option<OsString>,
    /// Of a durable subscription.
    pub(crate) name: Option<OsString>,
    /// Somebody else acknowledges.
    pub(crate) no_ack: bool,
    /// Messages after which it is enough.
    pub(crate) count: Option<OsString>,
}

/// Prints each message as the daemon sends it. What a durable subscription sends is acknowledged once it is printed.
pub(crate) fn run(socket: &Path, wanted: &Wanted) -> Result<Exit, Failure> {
    let count = wanted.count.as_deref();
    let mut left = count
        .map(|word| number::<u64>("--count", word, "messages"))
        .transpose()?;
    if wanted.no_ack && wanted.name.is_none() {
        let message = "--no-ack belongs to --name: nothing else is acknowledged";
        return Err(Failure::new(
            Exit::Usage,
            format!("{message}; see gatepost subscribe --help"),
        ));
    }
    let mut acknowledger = match &wanted.name {
        Some(name) if !wanted.no_ack => Some(Acknowledger::of(socket, name)),
        _ => None,
    };
    let target = percent::with_query(
        format!("/topics/{}", percent::encode(wanted.filter.as_bytes())),
        &[
            ("qos", wanted.qos.as_deref().map(OsStrExt::as_bytes)),
            ("name", wanted.name.as_deref().map(OsStrExt::as_bytes)),
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
        output::print(&line)?;
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
