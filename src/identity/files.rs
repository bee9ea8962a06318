//! Watches files for changes.

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

use crate::config::{IdentityConfig, drop_in_folder};
use crate::problem::{Exit, Fatal, Problem};

/// The time without events after which a file is read, because copying a file causes several.
const SETTLE: Duration = Duration::from_millis(200);
/// The time after which a file is read even if it keeps changing.
const LONGEST_SETTLE: Duration = Duration::from_secs(5);
/// How often a missing folder is looked for.
const CHECK_INTERVAL: Duration = Duration::from_secs(5);
/// The size of the buffer: room for a few events with names.
const BUFFER: usize = 4096;

/// The watched events: files appear, are completely written, replaced or removed, or change their permissions. MODIFY, OPEN and
/// ACCESS are left out, because each line of a log file in the folder would wake gatepost.
const CHANGES: WatchFlags = WatchFlags::CLOSE_WRITE
    .union(WatchFlags::ATTRIB)
    .union(WatchFlags::CREATE)
    .union(WatchFlags::DELETE)
    .union(WatchFlags::MOVED_FROM)
    .union(WatchFlags::MOVED_TO)
    .union(WatchFlags::DELETE_SELF)
    .union(WatchFlags::MOVE_SELF)
    .union(WatchFlags::ONLYDIR);

/// Watches files by their folders, because editing, copying and renaming may replace the file itself.
#[derive(Debug)]
pub struct Files {
    inotify: OwnedFd,
    /// The same descriptor, once it is registered with the runtime.
    readable: Option<AsyncFd<OwnedFd>>,
    folders: Vec<Folder>,
}

#[derive(Debug)]
struct Folder {
    path: PathBuf,
    /// The names of the watched files; empty for all files.
    names: Vec<OsString>,
    /// Whether the folder may be missing permanently. It is then looked for after events in its parent.
    is_optional: bool,
    /// The watch descriptor; `None` while the folder is missing.
    watch: Option<i32>,
}

impl Files {
    /// Starts to watch the device certificate and the chain; their folders must exist.
    ///
    /// # Errors
    /// If a folder cannot be watched.
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
    /// If the main file's folder cannot be watched.
    pub fn watch_configuration(main: &Path) -> io::Result<Self> {
        // A file name without a folder is in the current folder.
        let main = match main.parent() {
            Some(folder) if folder.as_os_str().is_empty() => Path::new(".").join(main),
            _ => main.to_owned(),
        };
        let drop_ins = drop_in_folder(&main);
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

    /// Waits until a file has changed and settled. If this is cancelled in the meantime, the change is lost, so the caller must
    /// then read the files.
    pub async fn changed(&mut self) {
        while !self.next_events().await {}
        let latest = Instant::now() + LONGEST_SETTLE;
        let mut settled = Instant::now() + SETTLE;
        while let Ok(is_change) = timeout_at(settled.min(latest), self.next_events()).await {
            // Events of other files do not prolong the wait.
            if is_change {
                settled = Instant::now() + SETTLE;
            }
        }
    }

    /// Waits for events. Returns whether one of them may have changed a file.
    async fn next_events(&mut self) -> bool {
        let is_missing = |folder: &Folder| folder.watch.is_none() && !folder.is_optional;
        if self.folders.iter().any(is_missing) {
            return tokio::select! {
                () = tokio::time::sleep(CHECK_INTERVAL) => self.look_for_folders(),
                events = read_events(&self.inotify, &mut self.readable) => self.process(events),
            };
        }
        let events = read_events(&self.inotify, &mut self.readable).await;
        self.process(events)
    }

    /// Processes events. Returns whether one of them may have changed a file. A folder that was moved or removed is looked for
    /// by its path.
    fn process(&mut self, events: Vec<FileEvent>) -> bool {
        let mut is_change = false;
        for event in events {
            // If the kernel's queue has overflowed, any file may have changed.
            is_change |= event.flags.contains(ReadFlags::QUEUE_OVERFLOW);
            let gone = ReadFlags::DELETE_SELF | ReadFlags::MOVE_SELF | ReadFlags::IGNORED;
            let is_gone = event.flags.intersects(gone);
            // An event without a name concerns the folder, whose files may have become readable.
            let folder_changed = event.name.is_none() && event.flags.contains(ReadFlags::ATTRIB);
            // Two paths may lead to the same folder, which then has a single watch.
            for folder in self
                .folders
                .iter_mut()
                .filter(|folder| folder.watch == Some(event.watch))
            {
                let counts = |name: &OsString| folder.names.is_empty() || folder.names.contains(name);
                is_change |= is_gone || folder_changed || event.name.as_ref().is_some_and(counts);
                folder.watch = folder.watch.filter(|_| !is_gone);
            }
            if event.flags.contains(ReadFlags::MOVE_SELF) {
                let _ = inotify::remove_watch(&self.inotify, event.watch);
            }
        }
        self.look_for_folders() || is_change
    }

    /// Watches folders that exist again. Returns whether there are any.
    fn look_for_folders(&mut self) -> bool {
        let mut is_change = false;
        for folder in self.folders.iter_mut().filter(|folder| folder.watch.is_none()) {
            folder.watch = inotify::add_watch(&self.inotify, &folder.path, CHANGES).ok();
            is_change |= folder.watch.is_some();
        }
        is_change
    }
}

/// An event of inotify.
struct FileEvent {
    watch: i32,
    flags: ReadFlags,
    name: Option<OsString>,
}

/// Waits for events and reads them. This is cancel safe. If the kernel returns an error, changes are noticed only at a restart
/// or another event, such as a step of the clock.
async fn read_events(inotify: &OwnedFd, readable: &mut Option<AsyncFd<OwnedFd>>) -> Vec<FileEvent> {
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
    reason = "its replacement is unsafe; the hazard is a descriptor that changes, but ours is owned"
)]
async fn wait_and_read(inotify: &OwnedFd, readable: &mut Option<AsyncFd<OwnedFd>>) -> io::Result<Vec<FileEvent>> {
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
            Ok(event) => events.push(FileEvent {
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
