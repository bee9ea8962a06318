//! A software TPM behind tpm2-pkcs11.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use super::files::{find_module, write_pin_file};
use super::interface::Token;
use super::pkcs11_tool::Login;
use super::tpm_daemons::{self, TCTI};
use super::tpm_relay::TpmRelay;
use super::tpm_template::TpmTemplate;
use crate::command;
use crate::process::{Process, Signal};
use crate::wait;

const LABEL: &str = "gateway";

/// The security officer's PIN, which is needed only to initialise a token.
const SO_PIN: &str = "security-officer";

/// The time limit for the resource manager, which normally reconnects within milliseconds.
const RESET: Duration = Duration::from_secs(60);

/// A private TPM 2.0 with a token named "gateway": swtpm, a private bus and the resource manager, all of which are
/// killed when the value is dropped.
#[derive(Debug)]
pub struct Tpm {
    // The fields are dropped in this order: each one before those that it depends on.
    _resource_manager: Process,
    _bus: Process,
    relay: Option<TpmRelay>,
    swtpm: Mutex<Process>,
    folder: TempDir,
    port: u16,
    module: PathBuf,
    pin_file: PathBuf,
    pin: String,
    env: Vec<(String, String)>,
}

impl Tpm {
    /// Starts a TPM with an empty token. All TPMs of one process are copies of one.
    ///
    /// # Errors
    /// If swtpm, tpm2-abrmd, tpm2-tools, tpm2-pkcs11's tools or the bus are not installed or do not work.
    pub fn new(pin: &str) -> Result<Self> {
        Self::start(pin, false)
    }

    /// Starts a TPM behind a [`TpmRelay`], which counts its commands and can delay them.
    ///
    /// # Errors
    /// Likewise, or if there is no C compiler.
    pub fn relayed(pin: &str) -> Result<Self> {
        Self::start(pin, true)
    }

    /// Returns the relay of a TPM that was created by [`Tpm::relayed`].
    ///
    /// # Errors
    /// If it was not.
    pub fn relay(&self) -> Result<&TpmRelay> {
        self.relay.as_ref().context("this TPM has no relay")
    }

    fn start(pin: &str, relayed: bool) -> Result<Self> {
        let module = find_module("pkcs11/libtpm2_pkcs11.so", "libtpm2-pkcs11-1")?;
        let folder = tempfile::Builder::new().prefix("gatepost-tpm-").tempdir()?;
        let (state, store) = (folder.path().join("tpm"), folder.path().join("store"));
        fs::create_dir(&state)?;
        fs::create_dir(&store)?;
        let pin_file = folder.path().join("pin");
        write_pin_file(&pin_file, pin)?;
        let address = format!("unix:path={}", folder.path().join("bus").display());
        let env = environment(&address, &store);

        TpmTemplate::fill(pin, &state, &store, || initialize(&state, &address, &env, pin))?;
        let (swtpm, port) = tpm_daemons::start_swtpm(&state)?;
        let bus = tpm_daemons::start_bus(&address)?;
        let relay = relayed.then(|| TpmRelay::start(port)).transpose()?;
        let reached = relay.as_ref().map_or(port, TpmRelay::port);
        let resource_manager = tpm_daemons::start_resource_manager(reached, &env)?;
        Ok(Self {
            _resource_manager: resource_manager,
            _bus: bus,
            relay,
            swtpm: Mutex::new(swtpm),
            folder,
            port,
            module,
            pin_file,
            pin: pin.to_owned(),
            env,
        })
    }

    /// Resets the TPM, as a power cut of the chip does: its state stays, every open session and handle is gone.
    ///
    /// # Errors
    /// If it does not come back.
    pub fn reset(&self) -> Result<()> {
        let mut swtpm = self.swtpm.lock().unwrap_or_else(PoisonError::into_inner);
        swtpm.signal(Signal::KILL)?;
        swtpm.wait(RESET)?;
        *swtpm = tpm_daemons::start_swtpm_on(&self.folder.path().join("tpm"), self.port)?;
        wait::until(RESET, "the TPM after its reset", || {
            tpm_daemons::is_answering(&self.env)
        })
    }

    /// Freezes the TPM (SIGSTOP): a chip that takes a command and does not answer, until [`Tpm::thaw`].
    ///
    /// # Errors
    /// If it is gone.
    pub fn freeze(&self) -> Result<()> {
        self.signal(Signal::STOP)
    }

    /// Resumes a frozen TPM.
    ///
    /// # Errors
    /// If it is gone.
    pub fn thaw(&self) -> Result<()> {
        self.signal(Signal::CONT)
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        self.swtpm.lock().unwrap_or_else(PoisonError::into_inner).signal(signal)
    }

    /// Locks the token, as too many wrong PINs do, until [`Tpm::unlock`].
    ///
    /// # Errors
    /// If it does not lock.
    pub fn lock(&self) -> Result<()> {
        self.tool(
            "tpm2_dictionarylockout",
            &["--setup-parameters", "-n", "1", "-t", "86400", "-l", "1"],
        )?;
        self.login("not the PIN")?;
        let login = self.login(&self.pin)?;
        ensure!(
            login == Login::Locked,
            "the token should be locked now, but a login is {login:?}"
        );
        Ok(())
    }

    /// Forgets the wrong PINs so far.
    ///
    /// # Errors
    /// If the TPM refuses.
    pub fn unlock(&self) -> Result<()> {
        self.tool("tpm2_dictionarylockout", &["--clear-lockout"])?;
        self.forgive_wrong_pins()
    }

    /// Makes the TPM count wrong PINs as a real one does, without forgetting any during a test. See [`Tpm::wrong_pins`].
    ///
    /// # Errors
    /// If the TPM refuses.
    pub fn count_wrong_pins(&self) -> Result<()> {
        self.tool("tpm2_dictionarylockout", &["--clear-lockout"])?;
        self.tool(
            "tpm2_dictionarylockout",
            &["--setup-parameters", "-n", "32", "-t", "86400", "-l", "1"],
        )
        .map(drop)
    }

    /// Returns the TPM's count of authorisation failures (`TPM2_PT_LOCKOUT_COUNTER`).
    ///
    /// # Errors
    /// If it does not report one.
    pub fn wrong_pins(&self) -> Result<u32> {
        let said = self.tool("tpm2_getcap", &["properties-variable"])?;
        let count = said
            .lines()
            .find_map(|line| line.trim().strip_prefix("TPM2_PT_LOCKOUT_COUNTER: 0x"))
            .context("tpm2_getcap prints no lockout counter")?;
        Ok(u32::from_str_radix(count, 16)?)
    }

    /// Resets the count of wrong PINs. swtpm's default locks after 3 failures in 1000 s, and counts each unclean end as one.
    fn forgive_wrong_pins(&self) -> Result<()> {
        forgive_wrong_pins(&self.env)
    }

    fn tool(&self, name: &str, args: &[&str]) -> Result<String> {
        tool(&self.env, name, args)
    }
}

/// Makes a TPM with an empty token: its own state in the folder `state`, that of tpm2-pkcs11 where the environment says.
fn initialize(state: &Path, bus: &str, env: &[(String, String)], pin: &str) -> Result<()> {
    // Dropped from the last to the first.
    let (_swtpm, port) = tpm_daemons::start_swtpm(state)?;
    let _bus = tpm_daemons::start_bus(bus)?;
    let _resource_manager = tpm_daemons::start_resource_manager(port, env)?;
    forgive_wrong_pins(env)?;
    tool(env, "tpm2_ptool", &["init"])?;
    let labels = ["addtoken", "--pid=1", "--label", LABEL];
    let pins = ["--userpin", pin, "--sopin", SO_PIN];
    tool(env, "tpm2_ptool", &[labels, pins].concat())?;
    // Without it the TPM counts a wrong PIN when it is started again.
    tool(env, "tpm2_shutdown", &["--clear"]).map(drop)
}

fn forgive_wrong_pins(env: &[(String, String)]) -> Result<()> {
    let parameters = ["--setup-parameters", "-n", "1000", "-t", "1", "-l", "1"];
    tool(env, "tpm2_dictionarylockout", &parameters).map(drop)
}

fn tool(env: &[(String, String)], name: &str, args: &[&str]) -> Result<String> {
    let mut tool: Command = command::command(name);
    tool.envs(env.iter().cloned()).env("TPM2TOOLS_TCTI", TCTI).args(args);
    command::run(&mut tool, "tpm2-tools libtpm2-pkcs11-tools")
}

/// Returns the environment of tpm2-pkcs11. Without a store in it, tpm2-pkcs11 uses HOME, and fails if that is not set.
fn environment(bus: &str, store: &Path) -> Vec<(String, String)> {
    [
        ("DBUS_SESSION_BUS_ADDRESS", bus),
        ("TPM2_PKCS11_STORE", &store.to_string_lossy()),
        ("TPM2_PKCS11_TCTI", TCTI),
        ("TPM2_PKCS11_LOG_LEVEL", "0"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec()
}

impl Token for Tpm {
    fn module(&self) -> &Path {
        &self.module
    }

    fn env(&self) -> Vec<(String, String)> {
        self.env.clone()
    }

    fn label(&self) -> &str {
        LABEL
    }

    fn pin(&self) -> &str {
        &self.pin
    }

    fn pin_file(&self) -> &Path {
        &self.pin_file
    }
}
