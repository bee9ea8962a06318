//! Mosquitto with persistence, the usual alternative on a gateway, for comparison with gatepost's durable publish.
//!
//! Mosquitto stores the message for an offline subscriber with a persistent session. It sends PUBACK before anything is on the disk: its
//! database is written as a whole, with an fsync, every half hour (`autosave_interval 1800`), or at the end of each iteration of its loop in
//! which something has changed (`autosave_on_changes`).

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Result;
use rig::process::Process;
use rig::wait;

use crate::mqtt_client::{MqttClient, Session};
use crate::publishers::Publish;

/// The times at which Mosquitto writes its database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Autosave {
    /// Every half hour, Mosquitto's default.
    EveryHalfHour,
    /// At the end of each iteration of its loop in which something has changed.
    OnChange,
}

/// A running Mosquitto.
#[derive(Debug)]
pub struct Mosquitto {
    process: Process,
    socket: PathBuf,
}

impl Mosquitto {
    /// Starts Mosquitto with all its files in `folder`, and registers an offline subscriber to all topics.
    ///
    /// # Errors
    /// If Mosquitto is not installed or does not listen.
    pub fn start(folder: &Path, autosave: Autosave) -> Result<Self> {
        let socket = folder.join("mosquitto.sock");
        let autosave = match autosave {
            Autosave::EveryHalfHour => "autosave_interval 1800",
            // With `autosave_on_changes`, the interval is a number of changes.
            Autosave::OnChange => "autosave_on_changes true\nautosave_interval 1",
        };
        // For both maximum numbers of messages, 0 means unlimited.
        let configuration = format!(
            "listener 0 {}\nallow_anonymous true\nuser root\npersistence true\npersistence_location {}/\n{autosave}\n\
             max_queued_messages 0\nmax_inflight_messages 0\nlog_type error\n",
            socket.display(),
            folder.display()
        );
        let path = folder.join("mosquitto.conf");
        fs::write(&path, configuration)?;
        let mut command = Command::new("mosquitto");
        // Debian installs it in /usr/sbin, which is not on every user's PATH.
        let search = format!("{}:/usr/sbin", std::env::var("PATH").unwrap_or_default());
        command.env("PATH", search).arg("-c").arg(path);
        let process = Process::spawn(&mut command, "mosquitto")?;
        wait::until(Duration::from_secs(10), "mosquitto to listen", || {
            UnixStream::connect(&socket).is_ok()
        })?;
        let mosquitto = Self { process, socket };
        MqttClient::connect(&mosquitto.socket, "offline", Session::Persistent)?.subscribe_and_leave()?;
        Ok(mosquitto)
    }

    /// Connects a client that publishes to `topic`.
    ///
    /// # Errors
    /// If Mosquitto does not accept the connection.
    pub fn publisher(&self, number: usize, topic: &str) -> Result<Publish<'static>> {
        let client = MqttClient::connect(&self.socket, &format!("publisher-{number}"), Session::Clean)?;
        Ok(client.publisher(topic))
    }

    /// Returns the Unix socket on which Mosquitto listens.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Returns the process ID of Mosquitto.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }
}
