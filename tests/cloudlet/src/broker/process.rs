//! mosquitto as a child process.

use std::io::ErrorKind;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::Error;

/// mosquitto listens within milliseconds, but later on a busy machine.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// The interval at which a starting mosquitto is probed, because it does not report when it listens.
const START_POLL: Duration = Duration::from_millis(5);

/// The socket in the folder in which mosquitto is started. Its name is relative, because mosquitto reads a path only up to the first space.
const SOCKET: &str = "mosquitto.sock";

#[derive(Debug)]
pub(super) struct Mosquitto {
    child: Option<Child>,
    configuration: PathBuf,
    database: PathBuf,
    log: PathBuf,
    socket: PathBuf,
}

impl Mosquitto {
    pub(super) fn prepare(folder: &Path, runtime_folder: &Path, saves_seldom: bool) -> Result<Self, Error> {
        std::fs::create_dir_all(folder).map_err(Error::io(format!("creating {}", folder.display())))?;
        let mosquitto = Self {
            child: None,
            configuration: runtime_folder.join("mosquitto.conf"),
            database: folder.join("mosquitto.db"),
            log: folder.join("mosquitto.log"),
            socket: runtime_folder.join(SOCKET),
        };
        let text = configuration(folder, saves_seldom);
        std::fs::write(&mosquitto.configuration, text).map_err(Error::io("writing mosquitto.conf"))?;
        Ok(mosquitto)
    }

    pub(super) fn socket(&self) -> &Path {
        &self.socket
    }

    pub(super) fn start(&mut self) -> Result<(), Error> {
        if self.child.is_some() {
            return Ok(());
        }
        // The socket file of a killed mosquitto would prevent another one from listening.
        remove(&self.socket)?;
        let log = std::fs::File::options().create(true).append(true).open(&self.log);
        let log = log.map_err(Error::io(format!("opening {}", self.log.display())))?;
        let stderr = log.try_clone().map_err(Error::io("opening mosquitto's log"))?;
        // setpriv (util-linux) asks the kernel to kill mosquitto when this process is killed, and execs it, so the
        // child's process ID is mosquitto's. Debian installs mosquitto in /usr/sbin, not on every user's PATH.
        let path = format!("{}:/usr/sbin", std::env::var("PATH").unwrap_or_default());
        if !std::env::split_paths(&path).any(|folder| folder.join("mosquitto").is_file()) {
            let message = "mosquitto is not installed: apt-get install mosquitto";
            return Err(Error::Broker(message.to_owned()));
        }
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "mosquitto", "-c"])
            .arg(&self.configuration)
            .current_dir(self.socket.parent().unwrap_or(Path::new("/")))
            .env("PATH", path)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(stderr)
            .spawn()
            .map_err(Error::io("starting mosquitto through setpriv"))?;
        self.wait_until_it_listens(child)
    }

    pub(super) fn kill(&mut self) -> Result<(), Error> {
        let Some(mut child) = self.child.take() else {
            return Ok(());
        };
        child
            .kill()
            .and_then(|()| child.wait())
            .map_err(Error::io("killing mosquitto"))?;
        Ok(())
    }

    pub(super) fn wipe_database(&mut self) -> Result<(), Error> {
        let was_running = self.child.is_some();
        self.kill()?;
        remove(&self.database)?;
        if was_running { self.start() } else { Ok(()) }
    }

    fn wait_until_it_listens(&mut self, child: Child) -> Result<(), Error> {
        let deadline = Instant::now() + START_TIMEOUT;
        let child = self.child.insert(child);
        loop {
            match UnixStream::connect(&self.socket) {
                Ok(_) => return Ok(()),
                // Waiting does not help: the path is too long for a socket (unix(7): 107 bytes).
                Err(error) if error.kind() == ErrorKind::InvalidInput => {
                    self.kill()?;
                    let socket = self.socket.display();
                    return Err(Error::Broker(format!(
                        "{socket} is too long for a socket's path: set TMPDIR to a shorter one"
                    )));
                }
                Err(_) => {}
            }
            let ended = child.try_wait().map_err(Error::io("waiting for mosquitto"))?;
            if ended.is_some() || Instant::now() > deadline {
                let log = std::fs::read_to_string(&self.log).unwrap_or_default();
                let last: Vec<&str> = log.lines().rev().take(3).collect();
                self.kill()?;
                return Err(Error::Broker(format!(
                    "mosquitto does not listen; its log ends, last first: {last:?}"
                )));
            }
            std::thread::sleep(START_POLL);
        }
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        // There is nobody left to report to.
        let _ = self.kill();
    }
}

fn remove(file: &Path) -> Result<(), Error> {
    match std::fs::remove_file(file) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(Error::io(format!("removing {}", file.display()))(error))
        }
        _ => Ok(()),
    }
}

/// Returns the configuration of mosquitto (mosquitto.conf(5)). All decisions are made by the front, and nobody else can reach a Unix socket
/// in our own folder, so anonymous access is right. The database is saved at every change, which is closest to AWS, where a session
/// outlives any server, unless `saves_seldom`.
fn configuration(folder: &Path, saves_seldom: bool) -> String {
    let folder = folder.display();
    let autosave = match saves_seldom {
        true => "autosave_interval 1800",
        false => "autosave_on_changes true\nautosave_interval 1",
    };
    format!(
        "listener 0 {SOCKET}\n\
         allow_anonymous true\n\
         user root\n\
         persistence true\n\
         persistence_location {folder}/\n\
         {autosave}\n\
         persistent_client_expiration 1h\n\
         max_inflight_messages 100\n\
         max_queued_messages 0\n\
         sys_interval 0\n\
         log_dest stderr\n\
         log_type error\n\
         log_type warning\n"
    )
}
