//! A real mosquitto, and a subscriber of our own that counts what comes out of it.

use std::{
    collections::BTreeSet,
    io,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    process::Stdio,
    time::Duration,
};

use tempfile::TempDir;
use tokio::{
    net::{TcpListener, TcpStream},
    process::{Child, Command},
    time::sleep,
};

use crate::{
    broker::Peer,
    candidate::Key,
    outbox::{TOPIC, key_of},
    wire::{self, Received},
};

pub struct Mosquitto {
    folder: TempDir,
    child: Child,
    pub address: SocketAddr,
}

impl Mosquitto {
    pub async fn start(persistence: bool) -> io::Result<Self> {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?.local_addr()?;
        let folder = tempfile::tempdir()?;
        let mut text = format!(
            "listener {} 127.0.0.1\nallow_anonymous true\nuser root\nset_tcp_nodelay true\n",
            free.port()
        );
        if persistence {
            // The database is written after each change, so that a SIGKILL finds it there.
            text += &format!("persistence true\npersistence_location {}/\n", folder.path().display());
            text += "autosave_on_changes true\nautosave_interval 1\n";
        }
        std::fs::write(folder.path().join("mosquitto.conf"), text)?;
        let child = spawn(folder.path().join("mosquitto.conf"))?;
        let mosquitto = Self {
            folder,
            child,
            address: free,
        };
        mosquitto.listening().await?;
        Ok(mosquitto)
    }

    /// SIGKILL, then the same configuration again.
    pub async fn kill_and_restart(&mut self) -> io::Result<()> {
        self.child.kill().await?;
        self.child = spawn(self.folder.path().join("mosquitto.conf"))?;
        self.listening().await
    }

    async fn listening(&self) -> io::Result<()> {
        for _ in 0..200 {
            if TcpStream::connect(self.address).await.is_ok() {
                return Ok(());
            }
            sleep(Duration::from_millis(25)).await;
        }
        Err(io::Error::other("mosquitto does not listen"))
    }
}

fn spawn(configuration: PathBuf) -> io::Result<Child> {
    Command::new("mosquitto")
        .arg("-c")
        .arg(configuration)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
}

/// Subscribed with QoS 0 to what the candidate publishes.
pub struct Sink {
    peer: Peer,
}

impl Sink {
    pub async fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        let mut peer = Peer {
            stream: Box::new(stream),
            server_name: None,
            alpn: None,
        };
        let connect = [&[0, 4][..], b"MQTT", &[5, 2, 0, 0, 0, 0, 4], b"sink"].concat();
        let subscribe = [&[0, 1, 0, 0, TOPIC.len() as u8][..], TOPIC.as_bytes(), &[0]].concat();
        peer.send(&[wire::packet(0x10, &connect), wire::packet(0x82, &subscribe)].concat())
            .await?;
        while !matches!(peer.read().await?, Received::Other(9)) {}
        Ok(Self { peer })
    }

    /// Until the broker closes.
    pub async fn drain(&mut self, seen: &mut BTreeSet<Key>, count: &mut usize) {
        while let Ok(received) = self.peer.read().await {
            if let Received::Publish { payload, .. } = received {
                seen.insert(key_of(&payload));
                *count += 1;
            }
        }
    }
}
