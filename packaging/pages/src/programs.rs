//! The programs whose pages are made: `gatepost` by its command table, the others by their `--help`.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use gatepost_client::command_line::help::text;

use crate::help::{self, Block};

/// The help texts of all programs, taken apart.
#[derive(Debug)]
pub(crate) struct Programs {
    /// The overview of `gatepost`.
    pub(crate) gatepost: Vec<Block>,
    /// `gatepostd --help`
    pub(crate) gatepostd: Vec<Block>,
    /// `gatepost-tpm-setup --help`
    pub(crate) tpm_setup: Vec<Block>,
    /// `0.1.0`
    pub(crate) version: &'static str,
}

impl Programs {
    /// Asks gatepostd in `folder`, and the script `tpm_setup`.
    pub(crate) fn ask(folder: &Path, tpm_setup: &Path) -> Result<Self> {
        Ok(Self {
            gatepost: help::parse(&text(None)),
            gatepostd: help::parse(&output(&folder.join("gatepostd"), &["--help"])?),
            tpm_setup: help::parse(&output(tpm_setup, &["--help"])?),
            version: env!("CARGO_PKG_VERSION"),
        })
    }
}

fn output(program: &Path, arguments: &[&str]) -> Result<String> {
    let said = Command::new(program).args(arguments).output();
    let said = said.with_context(|| format!("{} cannot be started", program.display()))?;
    if !said.status.success() {
        bail!(
            "{} {} failed: {}",
            program.display(),
            arguments.join(" "),
            String::from_utf8_lossy(&said.stderr)
        );
    }
    Ok(String::from_utf8(said.stdout)?)
}
