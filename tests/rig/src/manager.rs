//! A service manager for a single service, like systemd: receives its notifications, stores its descriptors, and listens on its sockets.
//!
//! The protocol is that of sd_notify(3), sd_listen_fds(3) and sd_watchdog_enabled(3). It never restarts or kills the service; the test
//! does.

use std::fs::File;
use std::io::IoSliceMut;
use std::mem::MaybeUninit;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use command_fds::{CommandFdExt, FdMapping};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use tempfile::TempDir;

use crate::wait;

/// The first descriptor that is passed (SD_LISTEN_FDS_START).
const FIRST: i32 = 3;

/// A service manager for one service.
#[derive(Debug)]
pub struct Manager {
    folder: TempDir,
    heard: Arc<Mutex<Heard>>,
    listener: Option<OwnedFd>,
    loopback: Option<OwnedFd>,
    /// WatchdogSec=
    pub watchdog: Option<Duration>,
}

#[derive(Debug, Default)]
struct Heard {
    messages: Vec<String>,
    store: Vec<(String, OwnedFd)>,
}

impl Manager {
    /// Creates a manager with a notification socket and an empty descriptor store.
    ///
    /// # Errors
    /// If there is no socket.
    pub fn new() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let socket = UnixDatagram::bind(folder.path().join("notify"))?;
        let heard = Arc::new(Mutex::new(Heard::default()));
        let hearing = heard.clone();
        // The thread ends with the process, because a datagram socket is never closed by a peer.
        thread::spawn(move || while hear(&socket, &hearing).is_ok() {});
        Ok(Self {
            folder,
            heard,
            listener: None,
            loopback: None,
            watchdog: None,
        })
    }

    /// Listens at `path` for the service, as a socket unit does, whether the service runs or not.
    ///
    /// # Errors
    /// If the socket cannot be bound.
    pub fn listen(&mut self, path: &Path) -> Result<()> {
        std::fs::create_dir_all(path.parent().context("a socket in no folder")?)?;
        self.listener = Some(UnixListener::bind(path)?.into());
        Ok(())
    }

    /// Listens at a TCP address for the service, as a socket unit does.
    ///
    /// # Errors
    /// If the socket cannot be bound.
    pub fn listen_at(&mut self, address: SocketAddr) -> Result<()> {
        self.loopback = Some(TcpListener::bind(address)?.into());
        Ok(())
    }

    /// Empties the descriptor store, as systemd does for a service that was stopped.
    pub fn forget(&self) {
        self.lock().store.clear();
    }

    /// Adds a descriptor to the store on behalf of the service.
    pub fn plant(&self, name: &str, descriptor: OwnedFd) {
        self.lock().store.push((name.to_owned(), descriptor));
    }

    /// Prepares `command` as the manager starts it: with the notification socket in its environment and all descriptors passed.
    ///
    /// # Errors
    /// If a descriptor cannot be passed.
    pub fn started(&self, command: &Command) -> Result<Command> {
        // LISTEN_PID must be the service's own, which only the shell that becomes the service knows.
        let mut started = Command::new("sh");
        started.args(["-c", r#"LISTEN_PID=$$ WATCHDOG_PID=$$ exec "$0" "$@""#]);
        started.arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => started.env(name, value),
                None => started.env_remove(name),
            };
        }
        started.env("NOTIFY_SOCKET", self.path());
        if let Some(limit) = self.watchdog {
            started.env("WATCHDOG_USEC", limit.as_micros().to_string());
        }
        let mut passed = Vec::new();
        if let Some(listener) = &self.listener {
            passed.push(("gatepost.socket".to_owned(), listener.try_clone()?));
        }
        if let Some(listener) = &self.loopback {
            passed.push(("gatepost-loopback.socket".to_owned(), listener.try_clone()?));
        }
        for (name, descriptor) in &self.lock().store {
            passed.push((name.clone(), descriptor.try_clone()?));
        }
        let names: Vec<_> = passed.iter().map(|(name, _)| name.as_str()).collect();
        started
            .env("LISTEN_FDS", passed.len().to_string())
            .env("LISTEN_FDNAMES", names.join(":"));
        let mappings = passed
            .into_iter()
            .zip(FIRST..)
            .map(|((_, parent_fd), child_fd)| FdMapping { parent_fd, child_fd });
        started.fd_mappings(mappings.collect())?;
        Ok(started)
    }

    /// Returns all notifications so far.
    #[must_use]
    pub fn messages(&self) -> Vec<String> {
        self.lock().messages.clone()
    }

    /// Returns the number of notifications that contain this line.
    #[must_use]
    pub fn count(&self, line: &str) -> usize {
        let has = |message: &&String| message.lines().any(|said| said == line);
        self.lock().messages.iter().filter(has).count()
    }

    /// Waits for a notification after the first `seen` ones that `wanted` accepts, and returns it.
    ///
    /// # Errors
    /// After `timeout`, with all notifications.
    pub fn wait_for_after(&self, seen: usize, timeout: Duration, wanted: impl Fn(&str) -> bool) -> Result<String> {
        let find = || self.messages().into_iter().skip(seen).find(|message| wanted(message));
        wait::until_some(timeout, "a notification", find)
            .with_context(|| format!("notifications: {:#?}", self.messages()))
    }

    /// Like [`wait_for_after`](Self::wait_for_after), starting with the first notification.
    ///
    /// # Errors
    /// Likewise.
    pub fn wait_for(&self, timeout: Duration, wanted: impl Fn(&str) -> bool) -> Result<String> {
        self.wait_for_after(0, timeout, wanted)
    }

    /// Returns the names of the stored descriptors.
    #[must_use]
    pub fn kept(&self) -> Vec<String> {
        self.lock().store.iter().map(|(name, _)| name.clone()).collect()
    }

    /// Returns the stored descriptors as files.
    ///
    /// # Errors
    /// If a descriptor cannot be copied.
    pub fn files(&self) -> Result<Vec<File>> {
        let copies = self
            .lock()
            .store
            .iter()
            .map(|(_, kept)| kept.try_clone().map(File::from))
            .collect::<Result<_, _>>();
        Ok(copies?)
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("notify")
    }

    fn lock(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Receives one notification and applies it to the store.
fn hear(socket: &UnixDatagram, heard: &Mutex<Heard>) -> Result<()> {
    let mut text = [0; 4096];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let message = recvmsg(
        socket,
        &mut [IoSliceMut::new(&mut text)],
        &mut control,
        RecvFlags::CMSG_CLOEXEC,
    )?;
    let text = String::from_utf8_lossy(text.get(..message.bytes).unwrap_or_default()).into_owned();
    let descriptors: Vec<OwnedFd> = control
        .drain()
        .filter_map(|part| match part {
            RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
            _ => None,
        })
        .flatten()
        .collect();
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    let name = field("FDNAME").unwrap_or("stored").to_owned();
    let mut heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
    // The two exclude each other, as in systemd (service_notify_message, src/core/service.c).
    if field("FDSTOREREMOVE") == Some("1") {
        heard.store.retain(|(kept, _)| *kept != name);
    } else if field("FDSTORE") == Some("1") {
        heard
            .store
            .extend(descriptors.into_iter().map(|descriptor| (name.clone(), descriptor)));
    }
    heard.messages.push(text);
    Ok(())
}
