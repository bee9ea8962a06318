//! The AWS CLI for shells: it is loaded once, and each command runs in a fork of that process.
//!
//! A start of the AWS CLI takes about a second of CPU time, most of it for loading Python modules, and a test may have thirty.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::OnceLock;

use crate::{command, executable};

const SERVER: &str = include_str!("aws_cli.py");

/// The command `aws`: passes everything on, and ends with the exit code of the fork, or with 255, as the AWS CLI does after an error of
/// its own.
const CLIENT: &str = r#"import json, os, socket, sys
connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
connection.connect(os.path.join(os.path.dirname(os.path.abspath(__file__)), "socket"))
request = {"folder": os.getcwd(), "environment": dict(os.environ), "arguments": sys.argv[1:]}
socket.send_fds(connection, [json.dumps(request).encode()], [0, 1, 2])
code = connection.recv(1)
sys.exit(code[0] if code else 255)
"#;

/// The process that has loaded the AWS CLI, for as long as this process runs.
struct AwsCli {
    folder: PathBuf,
    /// It ends when this is closed.
    _input: ChildStdin,
}

/// Returns the folder with the command `aws`; `None` if there is only another AWS CLI than that of `make setup-test`.
pub(super) fn folder() -> Option<&'static Path> {
    static SHARED: OnceLock<Option<AwsCli>> = OnceLock::new();
    let shared = SHARED.get_or_init(AwsCli::start);
    shared.as_ref().map(|cli| cli.folder.as_path())
}

impl AwsCli {
    fn start() -> Option<Self> {
        let python = command::python();
        if !python.is_absolute() {
            return None;
        }
        let folder = tempfile::Builder::new().prefix("gatepost-aws-cli-").tempdir().ok()?;
        let server = folder.path().join("server.py");
        std::fs::write(&server, SERVER).ok()?;
        // Isolated from the caller's Python, and without its packages: that takes the shortest time.
        let client = format!("#!{} -IS\n{CLIENT}", python.display());
        executable::write(&folder.path().join("aws"), &client).ok()?;
        // Modules in the caller's folder are not used.
        let mut started = Command::new(python)
            .arg(&server)
            .arg(folder.path())
            .env("PYTHONSAFEPATH", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .ok()?;
        let (input, output) = (started.stdin.take()?, started.stdout.take()?);
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line).ok()?;
        (line == "ready\n").then(|| Self {
            // The process removes it at its end.
            folder: folder.keep(),
            _input: input,
        })
    }
}
