//! Promises 3 and 4 as programs see them: credentials are replaced under a running program, which never notices.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rig::process::{Process, Signal};
use rig::wait;

use super::{Machine, PATIENCE, WAYS, copy_programs, optional_programs, rust_program};

/// Lifetime of credentials in seconds. They are handed out until 20 s after their issue, and replaced before. An SDK that keeps them until
/// shortly before their end (Rust's) uses each set for a minute.
const LIFETIME: i64 = 80;
/// Credentials are not handed out in the last seconds of their lifetime.
const MARGIN: i64 = 60;
/// The interval at which the gateway is asked for credentials.
const LOOK: Duration = Duration::from_millis(50);
/// The time for which a program sleeps after each call.
const SLEEP: Duration = Duration::from_millis(500);
/// Number of sets for three rotations.
const SETS: usize = 4;

/// A refresh takes seconds on a busy machine, and the shortest lifetime leaves seven. If the machine was too busy for that, the programs run
/// again with a longer lifetime, of which the gateway uses the same share; a fault of gatepost occurs with each of them.
#[test]
fn promise_4_running_programs_of_every_sdk_cross_three_rotations() {
    let window = LIFETIME - MARGIN;
    let mut lifetimes = [1, 3, 6].into_iter().map(|times| MARGIN + times * window);
    assert!(
        lifetimes.any(cross_three_rotations),
        "credentials were missing or expired, with the longest lifetime as well"
    );
}

/// Runs every program until it has used four sets of credentials, and checks that it has lost no call. Returns `false` if the machine was too
/// busy to tell: the gateway had no credentials to hand out for a while, or a call arrived after the end of its credentials.
fn cross_three_rotations(lifetime: i64) -> bool {
    let machine = Machine::new(lifetime);
    // One upload each second: enough for the AWS CLI to see that many sets.
    let uploads = usize::try_from((lifetime - MARGIN) * 9 / 2).unwrap();
    let mut running = start_programs(&machine, uploads);
    let is_over = AtomicBool::new(false);
    let was_without = thread::scope(|scope| {
        let watch = scope.spawn(|| {
            let mut was_without = false;
            while !is_over.load(Ordering::Relaxed) && !was_without {
                was_without = machine.world.gateway.credentials().status != 200;
                thread::sleep(LOOK);
            }
            was_without
        });
        machine.run_until(SETS, PATIENCE, &mut running);
        is_over.store(true, Ordering::Relaxed);
        watch.join().unwrap()
    });
    if was_without {
        eprintln!("credentials of {lifetime} s were replaced too late: the machine is busy");
        return false;
    }
    for (bucket, mut program) in running {
        let status = program.wait(PATIENCE).unwrap();
        // The SDK for Go uses a set until its last moment, so a call that a busy machine sends late arrives after that.
        if bucket.starts_with("go-") && program.log().contains("ExpiredToken") {
            eprintln!("{bucket}: a call of the last moment arrived too late: the machine is busy");
            return false;
        }
        let (calls, sets) = (machine.calls(&bucket).len(), machine.access_keys(&bucket).len());
        assert!(
            status.success(),
            "{bucket}: {status} after {calls} calls\n{}",
            program.log()
        );
        assert!(sets >= SETS, "{bucket}: {calls} calls with {sets} sets of credentials");
        match bucket.starts_with("cli") {
            true => assert_eq!(calls, uploads, "{bucket}: a call was lost or made twice"),
            false => assert_eq!(
                // Messages of a program's libraries come before it.
                program.log().lines().last(),
                Some(calls.to_string().as_str()),
                "{bucket}: a call was lost or made twice"
            ),
        }
    }
    assert_eq!(machine.refusals(), [], "a call was signed with what was no good");
    true
}

/// Starts the programs of all SDKs, each with both ways to get credentials; the AWS CLI uploads this many files in one run.
fn start_programs(machine: &Machine, uploads: usize) -> Vec<(String, Process)> {
    copy_programs(machine);
    machine.step(&format!(
        "mkdir uploads; for n in {{1..{uploads}}}; do head -c 1024 /dev/zero >uploads/$n; done
        for section in default profile.telemetry; do
            aws configure set $section.s3.max_bandwidth 1KB/s
            aws configure set $section.s3.max_concurrent_requests 1
        done"
    ));
    let rust = rust_program("programs");
    let rust = rust.display();
    let mut programs = vec![
        ("python", "python3 long_running.py $BUCKET $PWD/stop".to_owned()),
        ("javascript", "node long-running.mjs $BUCKET $PWD/stop".to_owned()),
        ("rust", format!("{rust} $BUCKET $PWD/stop")),
        (
            "cli",
            "env AWS_MAX_ATTEMPTS=1 aws s3 cp --recursive --only-show-errors uploads s3://$BUCKET/".to_owned(),
        ),
    ];
    let optional = optional_programs().into_iter();
    programs.extend(optional.map(|(language, program)| (language, format!("{program} $BUCKET $PWD/stop"))));
    let mut running = Vec::new();
    for (way, setting) in WAYS {
        for (language, program) in &programs {
            let bucket = format!("{language}-{way}");
            let script = format!("{setting}; BUCKET={bucket}; exec {program}");
            let program = Process::spawn(&mut machine.bash(&script), "util-linux").unwrap();
            running.push((bucket, program));
        }
    }
    running
}

/// The tokens of the loopback listener are new after a restart, and programs have read the old ones.
#[test]
fn promise_4_running_programs_outlive_a_restart_of_gatepost() {
    let mut machine = Machine::new(LIFETIME);
    copy_programs(&machine);
    let rust = rust_program("programs");
    let settings: Vec<String> = WAYS
        .map(|(_, setting)| machine.step(&format!("{setting} >&2; export -p | grep AWS_")))
        .into();
    let mut running = Vec::new();
    let mut programs = vec![
        ("python", "python3 long_running.py".to_owned()),
        ("javascript", "node long-running.mjs".to_owned()),
        ("rust", rust.display().to_string()),
    ];
    programs.extend(optional_programs());
    for (language, program) in programs {
        for ((way, _), setting) in WAYS.iter().zip(&settings) {
            let bucket = format!("{language}-{way}");
            let script = format!("{setting}\nexec {program} {bucket} $PWD/stop");
            running.push((
                bucket,
                Process::spawn(&mut machine.bash(&script), "util-linux").unwrap(),
            ));
        }
    }
    restart_under(&mut machine, running);
}

/// Restarts gatepost while programs run, and asserts that each of them goes on with new credentials and loses no call.
fn restart_under(machine: &mut Machine, mut running: Vec<(String, Process)>) {
    for (bucket, _) in &running {
        // All of them start at the same time, and a Java program alone takes seconds of CPU time.
        wait::until(PATIENCE, bucket, || machine.calls(bucket).len() > 1).unwrap();
    }
    // The programs pause meanwhile, because a request during the restart is refused and would have to be repeated.
    for (bucket, program) in &mut running {
        stop_between_calls(machine, bucket, program);
    }
    let before: BTreeSet<String> = machine
        .world
        .cloud
        .minted()
        .into_iter()
        .map(|set| set.access_key_id)
        .collect();
    machine.world.gateway.stop();
    machine.world.gateway.start();
    machine.world.gateway.wait_for_text("role_aliases.0.phase", "valid");
    machine.world.gateway.wait_for_text("loopback.phase", "listening");
    running
        .iter_mut()
        .for_each(|(_, program)| program.signal(Signal::CONT).unwrap());
    for (bucket, program) in &mut running {
        let new = || machine.calls(bucket).iter().any(|(_, _, key)| !before.contains(key));
        wait::until(PATIENCE, bucket, || new() || program.wait(Duration::ZERO).is_ok()).unwrap();
    }
    fs::write(machine.file("stop"), "").unwrap();
    for (bucket, mut program) in running {
        let status = program.wait(PATIENCE).unwrap();
        assert!(status.success(), "{bucket}: {status}\n{}", program.log());
    }
    assert_eq!(machine.refusals(), []);
}

/// Stops a program between two calls. One that is stopped in a request for credentials may have read its token already, and would present
/// the old token after the restart.
fn stop_between_calls(machine: &Machine, bucket: &str, program: &mut Process) {
    let mut last = (Instant::now(), machine.calls(bucket).len());
    wait::until(PATIENCE, bucket, || {
        let (looked, known) = last;
        last = (Instant::now(), machine.calls(bucket).len());
        if last.1 == known {
            return false;
        }
        program.signal(Signal::STOP).unwrap();
        // The last call came after `looked`, and the program sleeps after it.
        let is_asleep = looked.elapsed() < SLEEP;
        if !is_asleep {
            program.signal(Signal::CONT).unwrap();
        }
        is_asleep
    })
    .unwrap();
}

/// A token in a variable cannot be read again, so only that of the administrator's file lasts.
#[test]
fn promise_4_a_token_in_a_variable_outlives_a_restart_of_gatepost() {
    let mut machine = Machine::with(LIFETIME, |gateway| {
        let path = gateway.folder.path().join("own.token");
        fs::write(&path, "0123456789abcdef0123456789ABCDEF").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let rule = format!("role-aliases = [\"*\"]\ntoken-file = \"{}\"", path.display());
        gateway.configure("role-aliases = [\"*\"]", &rule);
    });
    copy_programs(&machine);
    let setting = "eval \"$(gatepost env telemetry --token)\"; export AWS_REGION=us-east-2";
    let script = format!("{setting}; exec python3 long_running.py python-token $PWD/stop");
    let program = Process::spawn(&mut machine.bash(&script), "util-linux").unwrap();
    restart_under(&mut machine, vec![("python-token".to_owned(), program)]);
}
