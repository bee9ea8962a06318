//! docs/programs.md says how a program gets its credentials. Its instructions are followed here unchanged.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use cloudlet::Event;
use rig::command;
use rig::process::Process;

use super::{Machine, REPOSITORY, optional_programs, rust_program};
use crate::dashboard::Dashboard;
use crate::support::{SOON, THING};

const READING: &str = "{\"temperature\": 21.5}\n";

/// A fenced block of the page.
struct Block {
    section: String,
    language: String,
    text: String,
}

fn blocks() -> Vec<Block> {
    let page = fs::read_to_string(format!("{REPOSITORY}/docs/programs.md")).unwrap();
    let mut blocks = Vec::new();
    for section in page.split("\n#").map(|section| section.trim_start_matches('#')) {
        let (title, text) = section.split_once('\n').unwrap();
        let mut parts = text.split("```");
        parts.next();
        while let (Some(fenced), Some(_)) = (parts.next(), parts.next()) {
            let (language, text) = fenced.split_once('\n').unwrap();
            blocks.push(Block {
                section: title.trim().to_owned(),
                language: language.to_owned(),
                text: text.to_owned(),
            });
        }
    }
    blocks
}

/// Returns the line with which the page runs a container.
pub fn containers_line() -> String {
    let mut lines = blocks().into_iter().filter(|block| block.text.contains("podman"));
    lines.next().expect("the page runs a container").text
}

/// Lets curl find the local cloud under AWS's names, through a server that adds TLS.
pub(super) fn answer_for_aws(machine: &Machine) -> Process {
    const NAMES: [&str; 2] = [
        "sts.us-east-2.amazonaws.com",
        "example-bucket.s3.us-east-2.amazonaws.com",
    ];
    let names = NAMES.map(|name| format!("DNS:{name}")).join(",");
    machine.step(&format!(
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=aws \
         -addext subjectAltName={names} -keyout aws.key -out aws.pem 2>/dev/null"
    ));
    let cloud = machine.world.cloud.api_endpoint();
    let (_, port) = cloud.rsplit_once(':').unwrap();
    let mut front = command::command(command::python());
    front.arg(format!("{REPOSITORY}/tests/sdks/tls_front.py"));
    front.args([machine.file("aws.pem"), machine.file("aws.key")]).arg(port);
    let front = Process::spawn(&mut front, "python3").unwrap();
    let port = front.wait_for_line(SOON, |_| true).unwrap();
    let connect = NAMES.map(|name| format!("connect-to = \"{name}:443:127.0.0.1:{port}\"\n"));
    let pem = machine.file("aws.pem");
    let settings = format!("cacert = \"{}\"\n{}", pem.display(), connect.concat());
    fs::write(machine.file(".curlrc"), settings).unwrap();
    front
}

/// Waits for this number of further messages about the camera's state at AWS.
fn wait_for_messages(machine: &Machine, before: &mut usize, more: usize, name: &str) {
    let arrived = || {
        let state =
            |event: &&Event| matches!(event, Event::Published { topic, .. } if topic.ends_with("/camera/state"));
        machine.world.cloud.events().iter().filter(state).count()
    };
    rig::wait::until(SOON, "the page's messages at AWS", || arrived() >= *before + more).unwrap();
    assert_eq!(arrived(), *before + more, "{name}");
    *before += more;
}

/// Runs a step that waits for a message, and sends it one.
fn run_with_command_from_aws(machine: &Machine, text: &str) -> String {
    let dashboard = Dashboard::start(&machine.world);
    let step = machine.bash(text).stdout(Stdio::piped()).spawn().unwrap();
    let filter = |event: &Event| {
        matches!(event, Event::Decided { decision, .. }
            if decision.action == "iot:Subscribe" && decision.resource.ends_with("/camera/commands/+"))
    };
    machine.world.cloud.wait_for(SOON, filter).unwrap();
    dashboard.publish(&format!("{THING}/camera/commands/go"), "go", &[]);
    let step = step.wait_with_output().unwrap();
    let step = String::from_utf8(step.stdout).unwrap();
    assert_eq!(step, "go\n");
    step
}

/// Builds a program of the page whose toolchain may be missing, and returns the command that runs it.
fn documented_program(machine: &Machine, language: &str, text: &str) -> Option<String> {
    optional_programs().into_iter().find(|(known, _)| *known == language)?;
    let programs = Path::new(REPOSITORY).join("target/programs");
    if language == "java" {
        let file = machine.file("Program.java");
        fs::write(&file, text).unwrap();
        return Some(format!(
            "java -cp '{}/java/lib/*' {}",
            programs.display(),
            file.display()
        ));
    }
    let folder = programs.join("go/documented");
    fs::create_dir_all(&folder).unwrap();
    for name in ["go.mod", "go.sum"] {
        fs::copy(format!("{REPOSITORY}/tests/sdks/go/{name}"), folder.join(name)).unwrap();
    }
    fs::write(folder.join("main.go"), text).unwrap();
    let program = machine.file("documented-go");
    let mut build = command::command("go");
    build
        .current_dir(&folder)
        .env("GOTOOLCHAIN", "local")
        .args(["build", "-o"])
        .arg(&program)
        .arg(".");
    command::run(&mut build, "golang-go").unwrap();
    Some(program.display().to_string())
}

#[test]
fn the_commands_in_the_page_on_programs_work() {
    let machine = Machine::with(3600, |gateway| {
        gateway.configure(
            "role-aliases = [\"*\"]",
            "role-aliases = [\"*\"]\npublish = [\"{thing}/camera/#\"]\nsubscribe = [\"{thing}/camera/commands/+\"]",
        );
    });
    machine.install_javascript();
    let front = answer_for_aws(&machine);
    fs::write(machine.file("reading.json"), READING).unwrap();
    let mut states = 0;
    for block in blocks() {
        let Block {
            section,
            language,
            text,
            ..
        } = &block;
        let name = format!("{section}: {language}\n{text}");
        let before = machine.calls("example-bucket").len();
        let printed = match language.as_str() {
            // tests/samples.rs loads the blocks of gatepost's configuration; containers.rs runs the container.
            "toml" => continue,
            "sh" if text.contains("podman") => continue,
            "sh" if text.contains("gatepost subscribe") => run_with_command_from_aws(&machine, text),
            "sh" => machine.step(text),
            "python" => {
                fs::write(machine.file("program.py"), text).unwrap();
                let environment = if section == "Messages" {
                    "eval \"$(gatepost env telemetry)\"; "
                } else {
                    ""
                };
                machine.step(&format!("{environment}python3 program.py"))
            }
            "js" => {
                fs::write(machine.file("program.mjs"), text).unwrap();
                machine.step("node program.mjs")
            }
            "rust" => machine.step(&rust_program("documented").display().to_string()),
            "go" | "java" => match documented_program(&machine, language, text) {
                Some(command) => machine.step(&command),
                None => continue,
            },
            other => panic!("{other} is not tested"),
        };
        if section == "Messages" {
            wait_for_messages(&machine, &mut states, text.matches("camera/state").count(), &name);
            continue;
        }
        let calls = machine.calls("example-bucket").split_off(before);
        let calls: Vec<(&str, &str)> = calls.iter().map(|(call, key, _)| (*call, key.as_str())).collect();
        let reading = "gw-1/reading.json";
        if text.contains("GetCallerIdentity") {
            assert!(printed.contains("assumed-role/telemetry/"), "{name}: {printed}");
        } else if text.contains("/v1/credentials/") {
            assert!(printed.contains("\"SecretAccessKey\""), "{name}: {printed}");
        } else if text.contains("setup-profile") {
            assert!(
                printed.contains("/usr/bin/gatepost credentials telemetry"),
                "{name}: {printed}"
            );
        } else if (text.contains("curl") && !text.contains("upload")) || language == "java" {
            assert_eq!(calls, [("GetObject", reading)], "{name}");
            assert_eq!(printed, READING, "{name}");
        } else {
            assert_eq!(calls, [("PutObject", reading)], "{name}");
        }
    }
    assert_eq!(machine.refusals(), []);
    drop(front);
}
