//! Notices when a certificate is laid into its folder.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::io::Errno;
use tokio::io::unix::AsyncFd;
use tokio::time::{Instant, timeout_at};

use crate::config::{Config, IdentityConfig};
use crate::problem::{Exit, Fatal, Problem};

/// A copy is several events; the file is read once they have stopped for this long.
const SETTLE: Duration = Duration::from_millis(200);
/// A file that never stops to change is read all the same.
const LONGEST_SETTLE: Duration = Duration::from_secs(5);
/// How often a folder that is gone is looked for.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// For a few events with their names.
const BUFFER: usize = 4096;

/// Files appear, are written to their end, are replaced and removed, and become readable or unreadable. Not MODIFY, OPEN or ACCESS: the folder may be one that
/// something logs into, and each line would wake gatepost.
const CHANGES: WatchFlags = WatchFlags::CLOSE_WRITE
    .union(WatchFlags::ATTRIB)
    .union(WatchFlags::CREATE)
    .union(WatchFlags::DELETE)
    .union(WatchFlags::MOVED_FROM)
    .union(WatchFlags::MOVED_TO)
    .union(WatchFlags::DELETE_SELF)
    .union(WatchFlags::MOVE_SELF)
    .union(WatchFlags::ONLYDIR);

/// Watches files by watching their folders: an editor, a copy and a rename all replace the file itself.
#[derive(Debug)]
pub struct Files {
    inotify: OwnedFd,
    /// The same, once a runtime is there to wait in.
    readable: Option<AsyncFd<OwnedFd>>,
    folders: Vec<Folder>,
}

#[derive(Debug)]
struct Folder {
    path: PathBuf,
    /// The files that count; every one where there are none.
    names: Vec<OsString>,
    /// Whether it may be missing for good; then it is looked for when something happens beside it.
    is_optional: bool,
    /// The watch; `None` while the folder is gone.
    watch: Option<i32>,
}

impl Files {
    /// Starts to watch the device certificate and the chain; their folders must exist.
    ///
    /// # Errors
    /// When a folder cannot be watched.
    pub fn watch(config: &IdentityConfig) -> Result<Self, Fatal> {
        let mut paths = vec![config.certificate.as_path()];
        paths.extend(config.ca_chain.as_deref());
        Self::watch_paths(&paths).map_err(|error| {
            let message = format!(
                "the folder of {} cannot be watched: {error}",
                config.certificate.display()
            );
            let step = "make the folders of identity.certificate and identity.ca-chain, readable for gatepost's user";
            Fatal::new(Exit::Configuration, Problem::configuration(message).next(step))
        })
    }

    /// Starts to watch the configuration whose main file is `main`, with everything in its folder of drop-ins.
    ///
    /// # Errors
    /// When the main file's folder cannot be watched.
    pub fn watch_configuration(main: &Path) -> io::Result<Self> {
        // A file named without a folder is one in the current folder.
        let main = match main.parent() {
            Some(folder) if folder.as_os_str().is_empty() => Path::new(".").join(main),
            _ => main.to_owned(),
        };
        let drop_ins = Config::drop_ins(&main);
        let mut files = Self::watch_paths(&[&main, &drop_ins])?;
        files.folders.push(Folder {
            watch: inotify::add_watch(&files.inotify, &drop_ins, CHANGES).ok(),
            path: drop_ins,
            names: Vec::new(),
            is_optional: true,
        });
        Ok(files)
    }

    fn watch_paths(paths: &[&Path]) -> io::Result<Self> {
        let inotify = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
        let mut by_folder: BTreeMap<PathBuf, Vec<OsString>> = BTreeMap::new();
        for path in paths {
            let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
                continue;
            };
            by_folder.entry(folder.to_owned()).or_default().push(name.to_owned());
        }
        let mut folders = Vec::new();
        for (path, names) in by_folder {
            let watch = Some(inotify::add_watch(&inotify, &path, CHANGES)?);
            folders.push(Folder {
                path,
                names,
                is_optional: false,
                watch,
            });
        }
        Ok(Self {
            inotify,
            readable: None,
            folders,
        })
    }

    /// Waits until a file has changed and settled. A change is lost where this is cancelled while the file settles: whoever
    /// cancels it reads the files for another reason.
    pub async fn changed(&mut self) {
        while !self.next_events().await {}
        let latest = Instant::now() + LONGEST_SETTLE;
        let mut settled = Instant::now() + SETTLE;
        while let Ok(news) = timeout_at(settled.min(latest), self.next_events()).await {
            // What else happens in the folder is no reason to wait.
            if news {
                settled = Instant::now() + SETTLE;
            }
        }
    }

    /// Waits for events; whether one of them may have changed a file.
    async fn next_events(&mut self) -> bool {
        let is_missing = |folder: &Folder| folder.watch.is_none() && !folder.is_optional;
        if self.folders.iter().any(is_missing) {
            return tokio::select! {
                () = tokio::time::sleep(LOOK_AGAIN) => self.look_for_folders(),
                news = read_events(&self.inotify, &mut self.readable) => self.judge(news),
            };
        }
        let news = read_events(&self.inotify, &mut self.readable).await;
        self.judge(news)
    }

    /// Whether one of these events may have changed a file. A folder that was moved away or removed is looked for by its path.
    fn judge(&mut self, events: Vec<Happened>) -> bool {
        let mut news = false;
        for event in events {
            // Where the kernel's queue was too small, nobody knows what was lost.
            news |= event.flags.contains(ReadFlags::QUEUE_OVERFLOW);
            let gone = ReadFlags::DELETE_SELF | ReadFlags::MOVE_SELF | ReadFlags::IGNORED;
            let is_gone = event.flags.intersects(gone);
            // Without a name it is about the folder, which may let us read its files now.
            let folder_changed = event.name.is_none() && event.flags.contains(ReadFlags::ATTRIB);
            // Two paths may lead to one folder, which then has one watch.
            for folder in self
                .folders
                .iter_mut()
                .filter(|folder| folder.watch == Some(event.watch))
            {
                let counts = |name: &OsString| folder.names.is_empty() || folder.names.contains(name);
                news |= is_gone || folder_changed || event.name.as_ref().is_some_and(counts);
                folder.watch = folder.watch.filter(|_| !is_gone);
            }
            if event.flags.contains(ReadFlags::MOVE_SELF) {
                let _ = inotify::remove_watch(&self.inotify, event.watch);
            }
        }
        self.look_for_folders() || news
    }

    /// Watches folders that have come back; whether there are such.
    fn look_for_folders(&mut self) -> bool {
        let mut news = false;
        for folder in self.folders.iter_mut().filter(|folder| folder.watch.is_none()) {
            folder.watch = inotify::add_watch(&self.inotify, &folder.path, CHANGES).ok();
            news |= folder.watch.is_some();
        }
        news
    }
}

/// One event.
struct Happened {
    watch: i32,
    flags: ReadFlags,
    name: Option<OsString>,
}

/// Waits until there are events, and reads them. Cancel safe. Where the kernel does not let us wait, nothing is noticed any
/// more, and a restart or another sign (a step of the clock) finds what has changed.
async fn read_events(inotify: &OwnedFd, readable: &mut Option<AsyncFd<OwnedFd>>) -> Vec<Happened> {
    loop {
        match wait_and_read(inotify, readable).await {
            Ok(events) if events.is_empty() => {}
            Ok(events) => return events,
            Err(error) => {
                log::debug!("identity: the certificate's folder cannot be watched: {error}");
                std::future::pending::<()>().await;
            }
        }
    }
}

#[expect(
    deprecated,
    reason = "its replacement is unsafe; the hazard is a descriptor that changes, ours is owned"
)]
async fn wait_and_read(inotify: &OwnedFd, readable: &mut Option<AsyncFd<OwnedFd>>) -> io::Result<Vec<Happened>> {
    let waiting = match readable {
        Some(waiting) => waiting,
        None => readable.insert(AsyncFd::new(inotify.try_clone()?)?),
    };
    let mut ready = waiting.readable().await?;
    let mut events = Vec::new();
    let mut buffer = [MaybeUninit::uninit(); BUFFER];
    let mut reader = inotify::Reader::new(inotify, &mut buffer);
    loop {
        match reader.next() {
            Ok(event) => events.push(Happened {
                watch: event.wd(),
                flags: event.events(),
                name: event
                    .file_name()
                    .map(|name| std::ffi::OsStr::from_bytes(name.to_bytes()).to_owned()),
            }),
            Err(Errno::AGAIN) => {
                ready.clear_ready();
                return Ok(events);
            }
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests;
