//! One gateway of the fleet, and the local programs on it.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use cloudlet::Cloudlet;
use est_server::EstServer;
use rig::token::SoftHsm;
use rig::unix_http;

use crate::faketime::WallClock;
use crate::support::{Gateway, PIN, THING};

/// A gateway, its token, and what its programs have seen.
pub struct Member {
    pub name: String,
    pub gateway: Gateway,
    _token: SoftHsm,
    /// When the daemon is started again; `None` while it runs.
    pub starts_at: Option<Instant>,
    /// Whether credentials were served since its start.
    is_served: bool,
    /// Numbers of messages that were accepted.
    pub accepted: u64,
    pub requests: u64,
    pub kills: u64,
    /// Its clock stands at 1970 until this time.
    pub clock: Option<(WallClock, Instant)>,
}

impl Member {
    pub fn new(number: usize, cloud: &Cloudlet, server: &EstServer, secret: &str) -> Self {
        let name = format!("fleet-{number}");
        let token = SoftHsm::new("gateway", PIN).unwrap();
        let chain = std::path::Path::new("/fleet-ca.pem");
        let mut gateway = Gateway::new(cloud, &token, chain);
        let folder = gateway.folder.path().to_owned();
        let file = |name: &str, content: &str| {
            fs::write(folder.join(name), content).unwrap();
            folder.join(name).display().to_string()
        };
        gateway.configure("/fleet-ca.pem", &file("fleet-ca.pem", &server.ca_pem()));
        gateway.configure(THING, &name);
        gateway.configure(
            "role-aliases = [\"*\"]",
            "role-aliases = [\"*\"]\npublish = [\"{thing}/#\"]",
        );
        let (root, secret) = (file("est-root.pem", server.server_ca_pem()), file("secret", secret));
        gateway.config += &format!(
            "[enrolment]\nmethod = \"est\"\n[enrolment.est]\nurl = \"{}\"\nserver-ca = \"{root}\"\nsecret-file = \"{secret}\"\n",
            server.url()
        );
        Self {
            name,
            gateway,
            _token: token,
            starts_at: Some(Instant::now()),
            is_served: false,
            accepted: 0,
            requests: 0,
            kills: 0,
            clock: None,
        }
    }

    /// Kills the daemon. It is started again after `pause`.
    pub fn kill(&mut self, pause: Duration) {
        self.gateway.kill();
        self.is_served = false;
        self.kills += 1;
        self.starts_at = Some(Instant::now() + pause);
    }

    /// Does what is due by now.
    pub fn keep_running(&mut self, now: Instant) {
        if self.starts_at.is_some_and(|at| at <= now) {
            self.starts_at = None;
            self.gateway.start();
        }
        if self.clock.as_ref().is_some_and(|(_, until)| *until <= now)
            && let Some((clock, _)) = self.clock.take()
        {
            clock.set_right();
        }
    }

    /// The requests of local programs. Once one was served credentials, none is refused any more; a message is always accepted.
    pub fn ask(&mut self) {
        if self.starts_at.is_some() || !self.gateway.socket().exists() {
            return;
        }
        match unix_http::get(&self.gateway.socket(), "/v1/credentials") {
            Ok(answer) if answer.status == 200 => {
                self.is_served = true;
                self.requests += 1;
            }
            Ok(answer) => assert!(
                !self.is_served,
                "{}: {:?}\n{}",
                self.name,
                answer.json(),
                self.gateway.log()
            ),
            // The socket of the daemon before.
            Err(_) => return,
        }
        if !self.is_served {
            return;
        }
        let payload = format!("{} {}", self.name, self.accepted);
        let request = format!(
            "POST /topics/{}/n HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{payload}",
            self.name,
            payload.len()
        );
        let answer = unix_http::request_raw(&self.gateway.socket(), request.as_bytes());
        let answer = answer.unwrap_or_else(|error| panic!("{}: {error}\n{}", self.name, self.gateway.log()));
        assert_eq!(answer.status, 200, "{}: {:?}", self.name, answer.json());
        self.accepted += 1;
        self.requests += 1;
    }

    /// Returns whether the session is open with a certificate that this CA has signed.
    pub fn is_online_by(&self, ca: &str) -> bool {
        let status = self.gateway.status();
        let session = &status["session"];
        let is_in_use =
            session["phase"] == "connected" && session["certificate_id"] == status["identity"]["certificate_id"];
        is_in_use && status["working"] == true && self.is_signed_by(ca)
    }

    fn is_signed_by(&self, ca: &str) -> bool {
        let path = self.gateway.folder.path().join("newest-ca.pem");
        fs::write(&path, ca).unwrap();
        let verified = Command::new("openssl")
            .args(["verify", "-partial_chain", "-CAfile"])
            .arg(&path)
            .arg(self.gateway.state("device.pem"))
            .output();
        verified.unwrap().status.success()
    }
}
