//! Real SDKs on a machine whose clock is wrong by 20 min. AWS's clock is moved instead, which is the same for them.

use cloudlet::Event;
use rig::command;
use serde_json::Value;

use super::{Machine, WAYS, copy_programs, rust_program};

/// Error codes for a signature that is dated too early or too late: SDKs date it with the machine's clock.
const DATED_WRONGLY: [&str; 3] = ["SignatureDoesNotMatch", "RequestTimeTooSkewed", "RequestExpired"];

/// Creates a machine whose clock is this many seconds ahead of AWS's. Its credentials are valid for an hour.
fn machine(ahead: i64) -> Machine {
    let mut machine = Machine::new(3600);
    machine
        .world
        .cloud
        .switches()
        .set(|switches| switches.clock_ahead = -ahead);
    // The earlier credentials had AWS's right time.
    machine.world.gateway.stop();
    machine.world.gateway.start();
    machine.world.gateway.wait_for_text("role_aliases.0.phase", "valid");
    machine.world.gateway.wait_for_text("loopback.phase", "listening");
    let is_near = |skew: &Value| skew.as_i64().is_some_and(|skew| (skew - ahead).abs() < 60);
    machine.world.gateway.wait_for("clock.skew_seconds", is_near);
    copy_programs(&machine);
    machine
}

#[test]
fn promise_14_sdks_under_a_clock_20_min_off_never_use_expired_credentials() {
    let rust = format!("{} BUCKET stop", rust_program("programs").display());
    for ahead in [1200, -1200] {
        let machine = machine(ahead);
        for (way, setting) in WAYS {
            for (language, program) in [
                ("cli", "aws s3 cp long_running.py s3://BUCKET/"),
                ("python", "python3 long_running.py BUCKET stop"),
                ("javascript", "node long-running.mjs BUCKET stop"),
                ("rust", rust.as_str()),
            ] {
                let bucket = format!("{language}-{way}");
                // Nobody creates the file that ends it: a program whose requests are accepted is ended by timeout(1).
                let script = format!("{setting}\ntimeout 30 {}", program.replace("BUCKET", &bucket));
                let output = command::output(&mut machine.bash(&script), "util-linux").unwrap();
                let said = String::from_utf8_lossy(&output.stderr).into_owned();
                // The credentials themselves are never the cause: the SDK has them, and they are valid.
                assert!(
                    output.status.success()
                        || output.status.code() == Some(124)
                        || DATED_WRONGLY.iter().any(|code| said.contains(code)),
                    "{ahead} {bucket}: {said}"
                );
            }
        }
        for refusal in machine.refusals() {
            let Event::CallerRefused { code, message, .. } = &refusal else {
                continue;
            };
            let is_about_the_date =
                message.starts_with("Signature expired") || message.starts_with("Signature not yet current");
            assert!(
                DATED_WRONGLY.contains(&code.as_str()) && is_about_the_date || code == "RequestTimeTooSkewed",
                "{ahead}: {refusal:?}"
            );
        }
    }
}
