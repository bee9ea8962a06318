//! A scripted daemon on a Unix socket of its own, and the real command that talks to it.

mod conversing;

use std::fs::{self, Permissions};
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

pub(crate) use conversing::{Asked, Conversing, Reply, chunk, stream};

pub(crate) const GATEPOST: &str = env!("CARGO_BIN_EXE_gatepost");

/// A folder that everybody may enter, removed when dropped.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> io::Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("gatepost-client-{}-{number}", std::process::id()));
        fs::create_dir(&path)?;
        fs::set_permissions(&path, Permissions::from_mode(0o755))?;
        Ok(Self(path))
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The scripted daemon. It passes the target of each request to the script, which returns the answer.
pub(crate) struct Daemon {
    folder: Folder,
    targets: Arc<Mutex<Vec<String>>>,
}

impl Daemon {
    pub(crate) fn start(script: impl Fn(&mut UnixStream) -> io::Result<()> + Send + 'static) -> io::Result<Self> {
        let folder = Folder::new()?;
        let listener = UnixListener::bind(folder.join("socket"))?;
        fs::set_permissions(folder.join("socket"), Permissions::from_mode(0o666))?;
        let targets = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&targets);
        std::thread::spawn(move || -> io::Result<()> {
            loop {
                let (mut stream, _) = listener.accept()?;
                let target = read_request(&stream)?;
                seen.lock().unwrap_or_else(PoisonError::into_inner).push(target);
                // The command may hang up first; the next connection is still served.
                let _ = script(&mut stream);
            }
        });
        Ok(Self { folder, targets })
    }

    /// Starts a daemon that answers every request with these bytes, then closes the connection.
    pub(crate) fn answering(answer: impl Into<Vec<u8>>) -> io::Result<Self> {
        let answer = answer.into();
        Self::start(move |stream| stream.write_all(&answer))
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.join("socket")
    }

    pub(crate) fn targets(&self) -> Vec<String> {
        self.targets.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> io::Result<Output> {
        run(&self.socket(), arguments)
    }
}

fn read_request(stream: &UnixStream) -> io::Result<String> {
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next().unwrap_or_else(|| Ok(String::new()))?;
    for line in lines {
        if line?.is_empty() {
            break;
        }
    }
    Ok(first)
}

/// Returns the real command, without anything from this process's environment that could change its output.
pub(crate) fn command(socket: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(GATEPOST);
    command
        .env_clear()
        .env("TERM", "xterm")
        .env("GATEPOST_SOCKET", socket)
        .args(arguments);
    command
}

pub(crate) fn run(socket: &Path, arguments: &[&str]) -> io::Result<Output> {
    command(socket, arguments).output()
}

/// Runs the real command with `input` on its stdin.
pub(crate) fn run_with(socket: &Path, arguments: &[&str], input: &[u8]) -> io::Result<Output> {
    let mut command = command(socket, arguments);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut stdin = child.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?;
    std::thread::scope(|scope| {
        // The command may end before it has read everything.
        scope.spawn(move || drop(stdin.write_all(input)));
        child.wait_with_output()
    })
}

pub(crate) fn http(status: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}
