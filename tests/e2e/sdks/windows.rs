//! The refresh window of each SDK: a program requests credentials once until that window before the expiration begins.

use std::fs;
use std::time::Duration;

use rig::process::{Process, Signal};
use rig::wait;

use super::{Machine, PATIENCE, WAYS, copy_programs, rust_program};

/// botocore refreshes from a quarter of an hour before the end on (botocore, credentials.py: advisory refresh timeout).
const WINDOW: Duration = Duration::from_secs(15 * 60);

/// Returns the number of credential requests through this interface. The count is read through the other one, which does not change it.
fn asked(machine: &Machine, way: &str) -> u32 {
    let (listener, look) = match way {
        "loopback" => (
            "loopback",
            "curl -sf --unix-socket /run/gatepost/gatepost.sock http://x/metrics",
        ),
        _ => (
            "socket",
            "eval \"$(gatepost env)\"; curl -sf ${AWS_CONTAINER_CREDENTIALS_FULL_URI%/v1/*}/metrics",
        ),
    };
    let metrics = machine.step(look);
    let name = format!("gatepost_requests_total{{code=\"200\",listener=\"{listener}\"}} ");
    let line = metrics.lines().find_map(|line| line.strip_prefix(&name));
    line.map_or(0, |number| number.parse().unwrap())
}

/// Starts a program that makes requests until the file `stop` exists.
fn start(machine: &Machine, setting: &str, bucket: &str, program: &str) -> Process {
    let _ = fs::remove_file(machine.file("stop"));
    let script = format!("{setting}\nexec {program} {bucket} $PWD/stop");
    Process::spawn(&mut machine.bash(&script), "util-linux").unwrap()
}

fn stop(machine: &Machine, mut program: Process) {
    fs::write(machine.file("stop"), "").unwrap();
    let status = program.wait(PATIENCE).unwrap();
    assert!(status.success(), "{}", program.log());
}

fn wait_for_calls(machine: &Machine, bucket: &str, calls: usize) {
    wait::until(PATIENCE, &format!("{calls} calls of {bucket}"), || {
        machine.calls(bucket).len() >= calls
    })
    .unwrap();
}

#[test]
fn promise_4_with_the_usual_hour_a_program_asks_once() {
    let machine = Machine::new(3600);
    copy_programs(&machine);
    let rust = rust_program("programs").display().to_string();
    for (way, setting) in WAYS {
        for (language, program) in [
            ("python", "python3 long_running.py"),
            ("javascript", "node long-running.mjs"),
            ("rust", rust.as_str()),
        ] {
            // `gatepost env` is itself a request.
            let setting = machine.step(&format!("{setting} >&2; export -p | grep AWS_"));
            let bucket = format!("{language}-{way}");
            let before = asked(&machine, way);
            let program = start(&machine, &setting, &bucket, program);
            wait_for_calls(&machine, &bucket, 10);
            stop(&machine, program);
            // Reading the count is a request too (`gatepost env`), if it uses the loopback interface.
            let looking = u32::from(way == "profile");
            assert_eq!(asked(&machine, way) - before - looking, 1, "{bucket}");
        }
    }
}

/// Starts a program with botocore, on a gateway whose credentials have this lifetime.
fn start_botocore(lifetime: Duration) -> (Machine, Process) {
    let machine = Machine::new(i64::try_from(lifetime.as_secs()).unwrap());
    copy_programs(&machine);
    let setting = machine.step("eval \"$(gatepost env)\"; export AWS_REGION=us-east-2; export -p | grep AWS_");
    let program = start(&machine, &setting, "bucket", "python3 long_running.py");
    (machine, program)
}

#[test]
fn promise_4_botocore_requests_credentials_as_often_as_its_window_requires() {
    // Both lifetimes are minutes away from the edge of the window, so the speed of this machine does not matter.
    let (machine, program) = start_botocore(WINDOW + Duration::from_secs(600));
    wait_for_calls(&machine, "bucket", 4);
    stop(&machine, program);
    assert_eq!(asked(&machine, "loopback"), 1, "outside of the window");

    let (machine, mut program) = start_botocore(WINDOW - Duration::from_secs(60));
    wait_for_calls(&machine, "bucket", 1);
    // The program pauses while both are counted.
    program.signal(Signal::STOP).unwrap();
    let (calls, times) = (machine.calls("bucket").len(), asked(&machine, "loopback"));
    program.signal(Signal::CONT).unwrap();
    wait_for_calls(&machine, "bucket", calls + 5);
    stop(&machine, program);
    let (calls, times) = (
        machine.calls("bucket").len() - calls,
        asked(&machine, "loopback") - times,
    );
    let times = usize::try_from(times).unwrap();
    // A request that was already under way may be counted too.
    assert!(
        times.abs_diff(calls) <= 1,
        "{calls} calls within the window, and {times} questions"
    );
}
