//! The socket file: one instance only, a stale one replaced, open to every user.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use hyper::Request;
use hyper::body::Incoming;
use tokio::net::UnixStream as Stream;

use super::answer::Answer;
use super::caller::Caller;
use super::connections::Origin;
use super::peer::Peer;
use super::resources;
use super::server::Door;
use super::view::Shared;
use crate::config::Folders;
use crate::problem::{Exit, Fatal, Problem};

/// The bound socket and the lock that makes this instance the only one.
#[derive(Debug)]
pub struct Socket {
    /// Ready to accept.
    pub listener: UnixListener,
    /// Held until token and session are closed: no second instance may touch them before.
    pub lock: File,
}

/// Takes the state folder's lock, so that no second instance ever touches token or session, and binds the socket unless
/// somebody answers there already. A socket that systemd listens on for us is taken as it is: the file and its permissions
/// are systemd's.
///
/// # Errors
/// When another instance has either, or a folder cannot be written.
pub fn bind(folders: &Folders, passed: Option<UnixListener>) -> Result<Socket, Fatal> {
    make(&folders.state, 0o700)?;
    make(&folders.runtime, 0o755)?;
    let lock = lock(folders)?;
    let path = path(folders);
    let failed = |error: io::Error| cannot_create(&path, &error);
    if let Some(listener) = passed {
        listener.set_nonblocking(true).map_err(failed)?;
        return Ok(Socket { listener, lock });
    }
    // Nobody answers at a socket file that was left behind; where somebody does, he has another state folder.
    if UnixStream::connect(&path).is_ok() {
        return Err(busy(&format!("it answers at {}", path.display())));
    }
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    let listener = UnixListener::bind(&path).map_err(failed)?;
    // Everybody may knock; the access rules decide, so that who is refused learns why.
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    Ok(Socket { listener, lock })
}

/// Where the socket is.
pub fn path(folders: &Folders) -> PathBuf {
    folders.runtime.join("gatepost.sock")
}

/// Takes the state folder's lock; it is given back when the file is dropped. It is the folder itself that is locked
/// (flock(2)): on a disk that is full or has become read-only that goes as well.
///
/// # Errors
/// When another instance has it, or the folder cannot be read.
pub fn lock(folders: &Folders) -> Result<File, Fatal> {
    let path = &folders.state;
    let folder = File::open(path).map_err(|error| cannot_create(path, &error))?;
    match folder.try_lock() {
        Ok(()) => Ok(folder),
        Err(TryLockError::WouldBlock) => Err(busy(&format!("it holds {}", path.display()))),
        Err(TryLockError::Error(error)) => Err(cannot_create(path, &error)),
    }
}

fn make(folder: &Path, mode: u32) -> Result<(), Fatal> {
    if !folder.is_dir() {
        fs::create_dir_all(folder).map_err(|error| cannot_create(folder, &error))?;
        fs::set_permissions(folder, fs::Permissions::from_mode(mode)).map_err(|error| cannot_create(folder, &error))?;
    }
    Ok(())
}

fn busy(sign: &str) -> Fatal {
    let step = "systemctl status gatepost shows it; give a second one its own STATE_DIRECTORY and RUNTIME_DIRECTORY";
    let message = format!("another gatepostd is running: {sign}");
    Fatal::new(Exit::Busy, Problem::configuration(message).next(step))
}

fn cannot_create(path: &Path, error: &io::Error) -> Fatal {
    Fatal::new(
        Exit::CannotCreate,
        Problem::configuration(format!("{} cannot be made or written: {error}", path.display()))
            .next("check the owner of the folder, and that its disk is neither full nor read-only"),
    )
}

/// The socket at work.
#[derive(Debug)]
pub struct SocketDoor {
    listener: tokio::net::UnixListener,
    shared: Rc<Shared>,
}

impl SocketDoor {
    /// A door at `listener`.
    ///
    /// # Errors
    /// When the runtime does not take the socket.
    pub fn new(listener: UnixListener, shared: Rc<Shared>) -> io::Result<Self> {
        let listener = tokio::net::UnixListener::from_std(listener)?;
        Ok(Self { listener, shared })
    }
}

impl Door for SocketDoor {
    const NAME: &'static str = "socket";
    type Stream = Stream;
    type Guest = Caller;

    async fn accept(&self) -> io::Result<Stream> {
        self.listener.accept().await.map(|(stream, _)| stream)
    }

    fn greet(&self, stream: &Stream) -> io::Result<(Origin, Caller)> {
        let peer = Peer::of(stream)?;
        Ok((Origin::User(peer.uid), Caller::Peer(peer)))
    }

    async fn answer(&self, caller: &Caller, request: Request<Incoming>) -> Answer {
        let answer = match self.shared.pace.admit(Some(caller)).await {
            Ok(()) => resources::answer(&self.shared, caller, request).await,
            Err(refusal) => Err(refusal),
        };
        let answer = answer.unwrap_or_else(|refusal| refusal.answer());
        self.shared.tally.count(Self::NAME, &answer);
        answer
    }
}
