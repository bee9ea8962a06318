//! The programs whose pages are made: `gatepost` and `gatepostd` from their tables, gatepost-tpm-setup from its `--help`.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use gatepost_client::command_line::GATEPOSTD;
use gatepost_client::command_line::help::{program_text, text};

use crate::help::{self, Block};

/// The parsed help texts of all programs.
#[derive(Debug)]
pub(crate) struct Programs {
    /// The overview of `gatepost`.
    pub(crate) gatepost: Vec<Block>,
    /// The help of `gatepostd`.
    pub(crate) gatepostd: Vec<Block>,
    /// The help of `gatepost-tpm-setup`.
    pub(crate) tpm_setup: Vec<Block>,
    /// The version, such as `0.1.0`.
    pub(crate) version: &'static str,
}

impl Programs {
    /// Reads the help texts from the command tables, and that of gatepost-tpm-setup from the script itself.
    pub(crate) fn read(tpm_setup: &Path) -> Result<Self> {
        Ok(Self {
            gatepost: help::parse(&text(None)),
            gatepostd: help::parse(&program_text(&GATEPOSTD)),
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
