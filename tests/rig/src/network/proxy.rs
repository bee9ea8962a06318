//! An HTTP proxy at the cloud's host, between the cable and everything that the gateway cannot reach by itself.

use std::fs::{self, Permissions};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};
use tempfile::TempDir;

use super::cable::{CLOUD, CLOUD_NAME, Network};
use crate::command::{command, run};
use crate::process::Process;
use crate::wait;

/// Time limit for a proxy to start listening.
const PATIENCE: Duration = Duration::from_secs(60);

/// A proxy program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// tinyproxy.
    Tinyproxy,
    /// squid.
    Squid,
}

/// The credentials that a proxy demands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Demand {
    /// No credentials.
    Nothing,
    /// This user name and password, by HTTP Basic.
    Basic(&'static str, &'static str),
    /// HTTP Digest; only squid.
    Digest,
    /// A refusal of the target: connections are allowed to port 1 only.
    OtherTargets,
}

/// A running proxy. It knows the cloud's name as its own loopback address. Names and passwords are for this proxy alone.
#[derive(Debug)]
pub struct Proxy {
    program: Program,
    folder: TempDir,
    prefix: Vec<String>,
    process: Option<Process>,
}

impl Proxy {
    /// Starts a proxy at the cloud's host.
    ///
    /// # Errors
    /// If the program is missing or does not listen.
    pub fn start(network: &Network, program: Program, demand: Demand) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("proxy-").tempdir()?;
        // squid drops root before it opens its files.
        fs::set_permissions(folder.path(), Permissions::from_mode(0o777))?;
        let names = folder.path().join("hosts");
        fs::write(&names, format!("127.0.0.1 localhost {CLOUD_NAME}\n"))?;
        let mut proxy = Self {
            program,
            prefix: network.cloud.prefix(&names),
            folder,
            process: None,
        };
        proxy.set_demand(demand)?;
        network.in_cloud(|| proxy.restart())??;
        Ok(proxy)
    }

    /// Writes the configuration for the next start.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn set_demand(&self, demand: Demand) -> Result<()> {
        let text = match self.program {
            Program::Tinyproxy => tinyproxy(demand),
            Program::Squid => squid(demand, self.folder.path())?,
        };
        Ok(fs::write(self.configuration(), text)?)
    }

    /// Starts or restarts the program, and waits until it listens. Called at the cloud's host.
    ///
    /// # Errors
    /// If the program is missing or does not listen.
    pub fn restart(&mut self) -> Result<()> {
        self.stop();
        let configuration = self.configuration();
        let (program, options, package): (_, &[&str], _) = match self.program {
            Program::Tinyproxy => ("tinyproxy", &["-d", "-c"], "tinyproxy-bin"),
            Program::Squid => ("/usr/sbin/squid", &["-N", "-d", "1", "-f"], "squid"),
        };
        let mut words = self.prefix.iter().map(String::as_str);
        let mut command = Command::new(words.next().context("the prefix is empty")?);
        command.args(words).arg(program).args(options).arg(configuration);
        self.process = Some(Process::spawn(&mut command, package)?);
        let address = SocketAddr::new(CLOUD.parse()?, self.port());
        wait::until(PATIENCE, "the proxy to listen", || TcpStream::connect(address).is_ok())
    }

    /// Ends the program, and with it all tunnels.
    pub fn stop(&mut self) {
        self.process = None;
    }

    /// Returns the value of `network.proxy`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{CLOUD}:{}", self.port())
    }

    fn port(&self) -> u16 {
        match self.program {
            Program::Tinyproxy => 8888,
            Program::Squid => 3128,
        }
    }

    fn configuration(&self) -> std::path::PathBuf {
        self.folder.path().join("configuration")
    }
}

fn tinyproxy(demand: Demand) -> String {
    let lines = match demand {
        Demand::Basic(user, password) => format!("BasicAuth {user} {password}\n"),
        Demand::OtherTargets => "ConnectPort 1\n".to_owned(),
        Demand::Nothing | Demand::Digest => String::new(),
    };
    format!("Port 8888\nListen {CLOUD}\nTimeout 600\nMaxClients 50\nAllow 192.0.2.0/24\n{lines}")
}

fn squid(demand: Demand, folder: &Path) -> Result<String> {
    let shown = folder.display();
    let helpers = "/usr/lib/squid";
    let rules = match demand {
        Demand::Nothing => "http_access allow CONNECT\n".to_owned(),
        Demand::Basic(user, password) => {
            let hash = run(command("openssl").args(["passwd", "-apr1", password]), "openssl")?;
            fs::write(folder.join("passwords"), format!("{user}:{}\n", hash.trim()))?;
            format!(
                "auth_param basic program {helpers}/basic_ncsa_auth {shown}/passwords\nacl known proxy_auth REQUIRED\n\
                 http_access allow CONNECT known\n"
            )
        }
        Demand::Digest => {
            fs::write(folder.join("passwords"), "nobody:nothing\n")?;
            format!(
                "auth_param digest program {helpers}/digest_file_auth {shown}/passwords\n\
                 auth_param digest realm gatepost\nacl known proxy_auth REQUIRED\n\
                 http_access allow CONNECT known\n"
            )
        }
        Demand::OtherTargets => "acl other port 1\nhttp_access allow CONNECT other\n".to_owned(),
    };
    Ok(format!(
        "http_port {CLOUD}:3128\n{rules}http_access deny all\npid_filename {shown}/pid\naccess_log none\n\
         cache_log {shown}/log\ncache deny all\ncache_mem 1 MB\ncoredump_dir {shown}\npinger_enable off\nshutdown_lifetime 0\n\
         visible_hostname proxy.example\nmax_filedescriptors 1024\n"
    ))
}
