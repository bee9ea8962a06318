//! Promise 7 for systemd units and containers: the kernel identifies the calling process, and callers cannot forge that.

use std::fs;
use std::io::{BufRead, BufReader, Lines, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use rig::process::Signal;
use rig::unit::Unit;
use rig::{command, user};

use crate::command::{client, contains_all, run};
use crate::support::World;

/// Returns a unit name that no other test and no machine uses.
fn name(unit: &str) -> String {
    format!("gatepost-test-{}-{unit}", std::process::id())
}

/// Creates a gateway that grants everything to the processes of a unit, and nothing to anybody else.
fn world_for(unit: &str) -> World {
    let mut world = World::new();
    let own = format!("uid = {}\n", rustix::process::getuid().as_raw());
    world.gateway.configure(&own, &format!("unit = \"{unit}\"\n"));
    world.gateway.start();
    world.certify();
    world.gateway.wait_for_text("state", "ready");
    world
}

#[test]
fn promise_7_a_unit_is_identified_by_its_control_group() {
    if !user::is_root() {
        eprintln!("NOT TESTED: access by unit, because only root may make control groups");
        return;
    }
    let unit = name("camera.service");
    let world = world_for(&unit);
    let ask = |path: &str| {
        let group = Unit::new(path).unwrap();
        let mut ask = group.command(&world.gateway.client());
        run(ask.env("GATEPOST_SOCKET", world.gateway.socket()).arg("credentials"))
    };
    for (path, allowed) in [
        (format!("system.slice/{unit}"), true),
        (format!("system.slice/system-{unit}.slice/{unit}/worker"), true),
        (format!("system.slice/{}", name("camera.scope")), false),
        (format!("system.slice/other-{unit}"), false),
        (
            format!("user.slice/user-1.slice/user@1.service/app.slice/{unit}"),
            false,
        ),
        (format!("{}/{unit}", name("payload")), false),
    ] {
        let (code, out, reason) = ask(&path);
        assert_eq!(
            (code, out.is_empty()),
            if allowed { (0, false) } else { (77, true) },
            "{path}: {reason}"
        );
    }
    let (code, _, reason) = run(&mut client(&world.gateway, &["credentials"]));
    assert_eq!(code, 77, "without a unit: {reason}");
    let (_, _, reason) = ask(&format!("system.slice/other-{unit}"));
    contains_all(&reason, &[&format!("other-{unit}) the role alias \"telemetry\"")]);
    contains_all(
        &world.gateway.log(),
        &[
            &format!("{unit}) was allowed role alias telemetry by access[0] of"),
            &format!("(unit {unit})"),
            "was refused role alias telemetry because no rule grants it",
        ],
    );
}

/// Sends two requests on one persistent connection, and reconnects only if it was closed meanwhile.
const ASK_TWICE: &str = r#"
import http.client, socket, sys
class Connection(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(sys.argv[1])
connection = Connection("localhost")
def ask():
    for _ in range(2):
        try:
            connection.request("GET", "/v1/credentials")
            response = connection.getresponse()
            response.read()
            return response.status
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
            connection.close()
print(ask(), flush=True)
sys.stdin.readline()
print(ask(), flush=True)
"#;

#[test]
fn the_first_rule_about_a_unit_reaches_connections_that_are_open() {
    if !user::is_root() {
        eprintln!("NOT TESTED: access by unit, because only root may make control groups");
        return;
    }
    let unit = name("late.service");
    let mut world = World::new();
    let own = format!("uid = {}\n", rustix::process::getuid().as_raw());
    world.gateway.configure(&own, "uid = 61001\n");
    world.gateway.start();
    world.certify();
    world.gateway.wait_for_text("state", "ready");
    let group = Unit::new(&format!("system.slice/{unit}")).unwrap();
    let mut caller = group.command(Path::new("python3"));
    caller.args(["-c", ASK_TWICE]).arg(world.gateway.socket());
    let mut caller = caller.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(caller.stdout.take().unwrap()).lines();
    assert_eq!(said.next().unwrap().unwrap(), "403");
    let drop_ins = world.gateway.folder.path().join("conf.d");
    fs::create_dir(&drop_ins).unwrap();
    let rule = format!("[[access]]\nunit = \"{unit}\"\nrole-aliases = [\"*\"]\n");
    fs::write(drop_ins.join("unit.toml"), rule).unwrap();
    world.gateway.process().signal(Signal::HUP).unwrap();
    world.gateway.wait_for_log("configuration: read again");
    caller.stdin.take().unwrap().write_all(b"\n").unwrap();
    assert_eq!(said.next().unwrap().unwrap(), "200");
    caller.wait().unwrap();
}

/// Connects, leaves the connection to its child and ends; the child sends a request when it is told to.
const LEAVE_THE_CONNECTION: &str = r#"
import os, socket, sys
connection = socket.socket(socket.AF_UNIX)
connection.connect(sys.argv[1])
pid = os.getpid()
if os.fork():
    os._exit(0)
print(pid, flush=True)
sys.stdin.readline()
connection.sendall(b"GET /v1/credentials HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
print(connection.recv(12).decode(), flush=True)
"#;

/// A connection whose process has ended; its child holds it, and sends a request when it is told to.
struct LeftConnection {
    /// The ID of the process that has ended.
    pid: u32,
    go: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
}

impl LeftConnection {
    fn new(socket: &Path) -> Self {
        let mut caller = command::command("python3");
        caller
            .args(["-c", LEAVE_THE_CONNECTION])
            .arg(socket)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut caller = caller.spawn().unwrap();
        let mut lines = BufReader::new(caller.stdout.take().unwrap()).lines();
        let pid = lines.next().unwrap().unwrap().parse().unwrap();
        let go = caller.stdin.take().unwrap();
        caller.wait().unwrap();
        Self { pid, go, lines }
    }

    /// Returns the first bytes of the response.
    fn ask(mut self) -> String {
        writeln!(self.go).unwrap();
        self.lines.next().unwrap().unwrap()
    }
}

/// Creates a process of `unit` with the process ID `pid`; `None` if another process has it meanwhile.
fn reuse(pid: u32, unit: &Unit) -> Option<Child> {
    fs::write("/proc/sys/kernel/ns_last_pid", (pid - 1).to_string()).unwrap();
    let mut process = unit.command(Path::new("sleep")).arg("600").spawn().unwrap();
    if process.id() == pid {
        return Some(process);
    }
    process.kill().unwrap();
    process.wait().unwrap();
    None
}

#[test]
fn promise_7_a_reused_process_number_gains_nothing() {
    if !user::is_root() {
        eprintln!("NOT TESTED: reuse of a process number, because only root may choose the next one");
        return;
    }
    let unit = name("reuse.service");
    let mut world = world_for(&unit);
    let group = Unit::new(&format!("system.slice/{unit}")).unwrap();
    for before_it_is_let_in in [true, false] {
        // All programs on the machine use process IDs, so the wanted one may be in use.
        let mut rounds = (0..200).map(|_| {
            if before_it_is_let_in {
                world.gateway.process().signal(Signal::STOP).unwrap();
            }
            let left = LeftConnection::new(&world.gateway.socket());
            if !before_it_is_let_in {
                // It answers other callers, so it has accepted that connection.
                world.gateway.status();
            }
            let reused = reuse(left.pid, &group);
            if before_it_is_let_in {
                world.gateway.process().signal(Signal::CONT).unwrap();
            }
            reused.map(|reused| (left, reused))
        });
        let (left, mut reused) = rounds
            .find_map(|round| round)
            .expect("none of 200 numbers was to be had");
        assert_eq!(left.ask(), "HTTP/1.1 403", "reused before: {before_it_is_let_in}");
        reused.kill().unwrap();
        reused.wait().unwrap();
    }
}

#[test]
fn a_container_is_identified_by_the_user_that_its_user_is_mapped_to() {
    if !user::is_root() {
        eprintln!("NOT TESTED: the socket in a container, because only root may act as the container's owner");
        return;
    }
    let mut world = World::new();
    let own = format!("uid = {}\n", rustix::process::getuid().as_raw());
    world.gateway.configure(&own, "uid = 61007\n");
    world.gateway.start();
    world.certify();
    world.gateway.wait_for_text("state", "ready");
    let folder = world.gateway.folder.path();
    fs::set_permissions(folder, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    // Does the same as a rootless container runtime: it creates namespaces, maps their root to the user who started it, and bind-mounts the
    // socket's folder.
    let inside = "mount --bind \"$1\" /mnt && id -u && curl -s -o /dev/null -w '%{http_code}\\n' --unix-socket /mnt/gatepost.sock http://x/v1/credentials";
    let contained = |uid: u32| {
        let mut container = Command::new("unshare");
        container
            .args([
                "--user",
                "--map-root-user",
                "--mount",
                "--pid",
                "--fork",
                "sh",
                "-c",
                inside,
                "sh",
            ])
            .arg(folder.join("run"))
            .uid(uid)
            .gid(uid);
        command::run(&mut container, "util-linux").unwrap()
    };
    assert_eq!(contained(61007), "0\n200\n", "root inside is uid 61007 outside");
    assert_eq!(contained(61008), "0\n403\n");
    contains_all(&world.gateway.log(), &["uid 61008"]);
}
