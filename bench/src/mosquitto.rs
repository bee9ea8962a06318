//! The same message to a Mosquitto with persistence, the usual alternative on a gateway.
//!
//! It keeps the message for a subscriber that is away. It answers with PUBACK before anything is on the disk: its database
//! is written as a whole, with an fsync, every half an hour, or at the end of each turn of its loop (`autosave_on_changes`).

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};
use rig::process::Process;
use rig::wait;

use crate::publishers::{PAYLOAD, Publish};

/// When its database is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Saves {
    /// Every half an hour: its default.
    Seldom,
    /// After every change.
    AtChanges,
}

/// A running Mosquitto.
#[derive(Debug)]
pub struct Mosquitto {
    _process: Process,
    socket: PathBuf,
}

impl Mosquitto {
    /// Starts one with everything in `folder`, and a subscriber to everything that is away.
    ///
    /// # Errors
    /// If it is not installed or does not listen.
    pub fn start(folder: &Path, saves: Saves) -> Result<Self> {
        let socket = folder.join("mosquitto.sock");
        let autosave = match saves {
            Saves::Seldom => "autosave_interval 1800",
            Saves::AtChanges => "autosave_on_changes true\nautosave_interval 1",
        };
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
        let mosquitto = Self {
            _process: process,
            socket,
        };
        mosquitto.subscribe_and_leave()?;
        Ok(mosquitto)
    }

    /// A caller that publishes on `topic`.
    ///
    /// # Errors
    /// If it is not let in.
    pub fn caller(&self, number: usize, topic: &str) -> Result<Publish<'static>> {
        let mut stream = self.connect(&format!("caller-{number}"), true)?;
        // MQTT 3.1.1, 3.3: QoS 1; the packet ID may be the same each time, for the answer has come before.
        let mut body = text(topic);
        body.extend([0, 1]);
        body.extend([b'x'; PAYLOAD]);
        let publish = packet(0x32, &body);
        Ok(Box::new(move || {
            stream.write_all(&publish)?;
            answered(&mut stream, [0x40, 2, 0, 1])
        }))
    }

    fn connect(&self, client: &str, clean: bool) -> Result<UnixStream> {
        let mut stream = UnixStream::connect(&self.socket)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        // 3.1: protocol level 4, clean session or not, keep-alive off.
        let mut body = text("MQTT");
        body.extend([4, if clean { 2 } else { 0 }, 0, 0]);
        body.extend(text(client));
        stream.write_all(&packet(0x10, &body))?;
        answered(&mut stream, [0x20, 2, 0, 0])?;
        Ok(stream)
    }

    fn subscribe_and_leave(&self) -> Result<()> {
        let mut stream = self.connect("away", false)?;
        let mut body = vec![0, 1];
        body.extend(text("#"));
        body.push(1);
        stream.write_all(&packet(0x82, &body))?;
        answered(&mut stream, [0x90, 3, 0, 1])?;
        stream.write_all(&[0xe0, 0])?;
        Ok(())
    }
}

/// A UTF-8 string with its length (1.5.3).
fn text(text: &str) -> Vec<u8> {
    let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
    [&length.to_be_bytes(), text.as_bytes()].concat()
}

/// A packet with its remaining length (2.2.3): two bytes are enough for what is sent here.
fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let mut packet = vec![first];
    if length >= 128 {
        packet.push(u8::try_from(length % 128).unwrap_or(0) | 0x80);
    }
    packet.push(u8::try_from(if length >= 128 { length / 128 } else { length }).unwrap_or(0));
    packet.extend(body);
    packet
}

fn answered(stream: &mut UnixStream, expected: [u8; 4]) -> Result<()> {
    let mut answer = [0; 4];
    stream.read_exact(&mut answer)?;
    ensure!(answer == expected, "mosquitto answers {answer:02x?}");
    Ok(())
}
