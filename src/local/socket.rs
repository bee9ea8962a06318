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

use super::admission::Origin;
use super::answer::{Answer, ApiError};
use super::caller::Caller;
use super::connections::{Entered, NoRoom};
use super::peer::Peer;
use super::server::Door;
use super::view::ApiContext;
use super::{hint, resources, unit};
use crate::config::Folders;
use crate::problem::{Exit, Fatal, Problem};

/// What a caller reads that connects too often. It is sent unread, so that it costs next to nothing.
const TOO_MANY: &[u8] = b"HTTP/1.1 429 Too Many Requests\r\ncontent-type: application/json\r\nretry-after: 1\r\n\
connection: close\r\ncontent-length: 96\r\n\r\n\
{\"code\":\"too_many_requests\",\"message\":\"too many connections at once; keep one open\",\"hint\":null}";

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
    make_folders(folders)?;
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

/// Makes the daemon's own folders where they are missing.
///
/// # Errors
/// When one cannot be made.
pub fn make_folders(folders: &Folders) -> Result<(), Fatal> {
    make(&folders.state, 0o700)?;
    make(&folders.runtime, 0o755)
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
    shared: Rc<ApiContext>,
}

impl SocketDoor {
    /// A door at `listener`.
    ///
    /// # Errors
    /// When the runtime does not take the socket.
    pub fn new(listener: UnixListener, shared: Rc<ApiContext>) -> io::Result<Self> {
        let listener = tokio::net::UnixListener::from_std(listener)?;
        Ok(Self { listener, shared })
    }
}

impl SocketDoor {
    /// Whose places a peer takes, before its unit is known.
    fn origin_of(&self, peer: &Peer) -> Origin {
        match self.shared.access.borrow().may_name(peer.uid, peer.gid) {
            _ if self.shared.pace.trusts(peer.uid) => Origin::Trusted,
            true => Origin::User(peer.account),
            false => Origin::Stranger,
        }
    }

    async fn admit(&self, caller: &Caller) -> Result<(), ApiError> {
        let is_trusted = matches!(caller, Caller::Peer(peer) if self.shared.pace.trusts(peer.uid));
        match is_trusted || self.shared.access.borrow().names(caller) {
            true => {}
            false => return self.shared.pace.admit_stranger(&Origin::Stranger),
        }
        self.shared.pace.admit(caller).await
    }
}

impl Door for SocketDoor {
    const NAME: &'static str = "socket";
    type Stream = Stream;
    type Guest = Caller;

    async fn accept(&self) -> io::Result<Stream> {
        self.listener.accept().await.map(|(stream, _)| stream)
    }

    fn greet(&self, stream: &Stream) -> io::Result<Option<(Origin, Caller)>> {
        let mut peer = Peer::of(stream)?;
        peer.account = self.shared.access.borrow().accounts().account_uid(peer.uid);
        let origin = self.origin_of(&peer);
        if !self.shared.pace.admits_connection(&origin) {
            // What cannot be sent at once is not sent at all.
            let _ = stream.try_write(TOO_MANY);
            return Ok(None);
        }
        if !unit::is_held_by_socket() && self.shared.access.borrow().has_units() {
            peer.look_up_unit(stream);
        }
        Ok(Some((origin, Caller::Peer(peer))))
    }

    async fn readable(&self, stream: &Stream) -> io::Result<()> {
        stream.readable().await
    }

    fn identify(&self, stream: &Stream, caller: &mut Caller, place: &Entered) -> Result<(), NoRoom> {
        let access = self.shared.access.borrow();
        let Caller::Peer(peer) = caller else { return Ok(()) };
        // The unit is for the rules, and for the hint to a caller whose user is lent.
        if unit::is_held_by_socket() && (access.has_units() || hint::is_dynamic(peer.uid)) {
            peer.look_up_unit(stream);
        }
        let (uid, account) = (peer.uid, peer.account);
        let origin = match access.names(caller) {
            _ if self.shared.pace.trusts(uid) => Origin::Trusted,
            true => Origin::User(account),
            false => Origin::Stranger,
        };
        place.belongs_to(origin)
    }

    async fn answer(&self, caller: &Caller, _: &Entered, request: Request<Incoming>) -> Answer {
        let answer = match self.admit(caller).await {
            Ok(()) => resources::answer(&self.shared, caller, request).await,
            Err(refusal) => Err(refusal),
        };
        let answer = answer.unwrap_or_else(|refusal| refusal.answer());
        self.shared.tally.count(Self::NAME, &answer);
        answer
    }
}
