//! Programs with published SDKs, on a gateway that is set up as docs/programs.md says.

mod aws_files;
mod containers;
mod examples;
mod files;
mod page;
mod refusals;
mod rotations;
mod skew;
mod table;
mod windows;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use cloudlet::Event;
use cloudlet::switches::Lifetime;
use rig::executable;
use rig::process::Process;
use rig::{command, user, wait};
use tempfile::TempDir;

use crate::loopback;
use crate::support::{Gateway, World};

const REPOSITORY: &str = env!("CARGO_MANIFEST_DIR");
/// The time limit for programs: the slowest SDKs take seconds of CPU time to start, and many of them start at the same time.
const PATIENCE: Duration = Duration::from_secs(600);
/// The Region of the page's profile.
const REGION: &str = "us-east-2";

/// An environment in which the command is /usr/bin/gatepost and the socket /run/gatepost/gatepost.sock, visible to its programs only: each
/// has its own mount namespace.
struct Machine {
    world: World,
    /// The programs' home and working folder.
    home: TempDir,
    /// The folder that is mounted over /usr/bin.
    bin: TempDir,
}

impl Machine {
    /// Creates a gateway that is online and has the loopback listener, with credentials of this lifetime in seconds.
    fn new(lifetime: i64) -> Self {
        Self::with(lifetime, |_| {})
    }

    /// Creates a machine with a changed configuration.
    fn with(lifetime: i64, configure: impl FnOnce(&mut Gateway)) -> Self {
        let mut world = World::new();
        world
            .cloud
            .switches()
            .set(|switches| switches.credentials.lifetime = Lifetime::Seconds(lifetime));
        loopback::switch_on(&mut world.gateway);
        configure(&mut world.gateway);
        world.gateway.start();
        world.certify();
        world.gateway.wait_for_text("role_aliases.0.phase", "valid");
        world.gateway.wait_for_text("loopback.phase", "listening");
        let folder = || tempfile::Builder::new().prefix("gatepost-programs-").tempdir().unwrap();
        let (home, bin) = (folder(), folder());
        executable::copy(&world.gateway.client(), &bin.path().join("gatepost")).unwrap();
        Self { world, home, bin }
    }

    /// Returns a bash command in the programs' folder. PATH is the only variable of this process in its environment.
    fn bash(&self, script: &str) -> Command {
        let mut command = command::command("unshare");
        if !user::is_root() {
            command.args(["--user", "--map-root-user"]);
        }
        let enter = "mount -t tmpfs tmpfs /run; mkdir /run/gatepost; mount --bind \"$1\" /run/gatepost; \
                     mount -t overlay overlay -o lowerdir=\"$2\":/usr/bin /usr/bin; \
                     exec bash -euo pipefail -c \"$3\"";
        command.args(["--mount", "sh", "-euc", enter, "sh"]);
        command.arg(self.world.gateway.socket().parent().unwrap());
        command.arg(self.bin.path()).arg(script);
        let home = self.home.path().display().to_string();
        command.env_clear().current_dir(&home).envs([
            ("PATH", command::search_path()),
            ("HOME", home),
            ("AWS_ENDPOINT_URL", self.world.cloud.api_endpoint()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        ]);
        command
    }

    /// Runs a step that must succeed; returns its output.
    fn step(&self, script: &str) -> String {
        command::run(&mut self.bash(script), "util-linux")
            .unwrap_or_else(|error| panic!("{error:#}\n{}", self.world.gateway.log()))
    }

    /// Creates the profile as the page says.
    fn set_up_profile(&self) {
        self.step(&format!("gatepost setup-profile telemetry --region {REGION}"));
    }

    fn file(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// Lets programs in JavaScript find the SDK, wherever they are in the programs' folder.
    fn install_javascript(&self) {
        let modules = Path::new(REPOSITORY).join("target/programs/javascript/node_modules");
        assert!(
            modules.join("@aws-sdk/client-s3").exists(),
            "the AWS SDK for JavaScript is missing: run `make setup-test`"
        );
        std::os::unix::fs::symlink(modules, self.file("node_modules")).unwrap();
    }

    /// Returns the requests to S3 for a bucket: operation, key and access key.
    fn calls(&self, bucket: &str) -> Vec<(&'static str, String, String)> {
        let call = |event| match event {
            Event::ApiCalled {
                service: "s3",
                operation,
                access_key_id,
                resource,
                ..
            } => {
                let (named, key) = resource.split_once('/')?;
                (named == bucket).then(|| (operation, key.to_owned(), access_key_id))
            }
            _ => None,
        };
        self.world.cloud.events().into_iter().filter_map(call).collect()
    }

    /// Returns the access keys with which S3 was called for a bucket: one for each set of credentials.
    fn access_keys(&self, bucket: &str) -> BTreeSet<String> {
        let calls = self.calls(bucket).into_iter();
        calls.map(|(_, _, access_key)| access_key).collect()
    }

    /// Waits until each program has called S3 with this number of sets of credentials, or has ended; then tells all to stop. A program's
    /// name is its bucket.
    fn run_until(&self, sets: usize, patience: Duration, running: &mut [(String, Process)]) {
        for (bucket, program) in running {
            wait::until(patience, bucket, || {
                self.access_keys(bucket).len() >= sets || program.wait(Duration::ZERO).is_ok()
            })
            .unwrap();
        }
        fs::write(self.file("stop"), "").unwrap();
    }

    /// Returns all refused requests.
    fn refusals(&self) -> Vec<Event> {
        let refused = |event: &Event| matches!(event, Event::CallerRefused { .. });
        self.world.cloud.events().into_iter().filter(refused).collect()
    }
}

/// Creates the profile, and copies the long-running programs beside it.
fn copy_programs(machine: &Machine) {
    machine.set_up_profile();
    machine.install_javascript();
    for (from, to) in [
        ("long_running.py", "long_running.py"),
        ("javascript/long-running.js", "long-running.mjs"),
    ] {
        fs::copy(format!("{REPOSITORY}/tests/sdks/{from}"), machine.file(to)).unwrap();
    }
}

/// Returns a program in Rust, which `make test` builds.
fn rust_program(name: &str) -> PathBuf {
    let path = Path::new(REPOSITORY).join("target/programs/rust/debug").join(name);
    assert!(
        path.exists(),
        "{} is missing: `make test` builds it first",
        path.display()
    );
    path
}

/// Returns the long-running programs of the SDKs that `make test` builds only if their toolchains are installed: language and command.
fn optional_programs() -> Vec<(&'static str, String)> {
    let folder = Path::new(REPOSITORY).join("target/programs");
    let go = folder.join("go/programs").display().to_string();
    let java = folder.join("java");
    let java_command = format!("java -cp '{0}/lib/*:{0}/classes' LongRunning", java.display());
    let all = [
        ("go", go.clone(), Path::new(&go).exists()),
        ("java", java_command, java.join("classes/LongRunning.class").exists()),
    ];
    let there = all.into_iter().filter(|(language, _, is_there)| {
        if !is_there {
            eprintln!("NOT TESTED: {language}, which tests/sdks/build has not built");
        }
        *is_there
    });
    there.map(|(language, command, _)| (language, command)).collect()
}

/// The two ways in which an SDK gets credentials, as lines before the program.
const WAYS: [(&str, &str); 2] = [
    ("profile", "export AWS_PROFILE=telemetry"),
    (
        "loopback",
        "eval \"$(gatepost env telemetry)\"; export AWS_REGION=us-east-2",
    ),
];
