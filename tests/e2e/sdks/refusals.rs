//! Programs without permission: what their SDKs print of gatepost's message.

use rig::command;

use super::{Machine, copy_programs, rust_program};
use crate::command::contains_all;

/// Words that say what to do.
const RULE: &str = "no [[access]] rule grants";
/// The SDK for JavaScript does not show the reason; the page says so.
const JAVASCRIPT: &str = "Could not load credentials from any providers";

#[test]
fn promise_7_a_refused_program_learns_why() {
    // There is a token for this user, with other permissions.
    let machine = Machine::with(3600, |gateway| {
        gateway.configure("role-aliases = [\"*\"]", "role-aliases = [\"video\"]");
        gateway.config.push_str("[[role-alias]]\nname = \"video\"\n");
    });
    copy_programs(&machine);
    let by_profile = "export AWS_PROFILE=telemetry";
    let by_loopback = "eval \"$(gatepost env video)\"
        export AWS_CONTAINER_CREDENTIALS_FULL_URI=${AWS_CONTAINER_CREDENTIALS_FULL_URI/video/telemetry}
        export AWS_REGION=us-east-2";
    let rust = format!("{} refused stop", rust_program("programs").display());
    let cli = "aws s3 cp long_running.py s3://refused/";
    let python = "python3 long_running.py refused stop";
    let javascript = "node long-running.mjs refused stop";
    for (program, setting, words) in [
        (cli, by_profile, RULE),
        (python, by_profile, RULE),
        (javascript, by_profile, JAVASCRIPT),
        (&rust, by_profile, RULE),
        (cli, by_loopback, RULE),
        (python, by_loopback, RULE),
        (javascript, by_loopback, JAVASCRIPT),
        (&rust, by_loopback, "StatusCode(403)"),
    ] {
        let script = format!("{setting}\n{program}");
        let output = command::output(&mut machine.bash(&script), "util-linux").unwrap();
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(!output.status.success(), "{script}: {said}");
        assert!(said.contains(words), "{script}: {said}");
    }
    assert_eq!(machine.calls("refused"), []);
    contains_all(
        &machine.world.gateway.log(),
        &[
            "was refused role alias telemetry because no rule grants it",
            "the holder of the token for uid",
        ],
    );
}
