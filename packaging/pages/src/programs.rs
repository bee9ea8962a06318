//! What the programs say of themselves.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::help::{self, Block, Flag};

/// A command of gatepost's.
#[derive(Debug)]
pub(crate) struct Subcommand {
    /// `status`
    pub(crate) name: String,
    /// As the list of commands has it: `[ALIAS]`.
    pub(crate) arguments: String,
    /// In a few words.
    pub(crate) summary: String,
    /// Its own help; none for `help` itself.
    pub(crate) help: Vec<Block>,
}

impl Subcommand {
    /// Its options, and those that every command takes.
    pub(crate) fn flags(&self, gatepost: &[Block]) -> Vec<Flag> {
        let mut flags = help::flags(&self.help);
        let everywhere = help::flags(gatepost);
        flags.extend(everywhere.into_iter().filter(|flag| flag.name != "--version"));
        flags
    }
}

/// All of them.
#[derive(Debug)]
pub(crate) struct Programs {
    /// `gatepost --help`
    pub(crate) gatepost: Vec<Block>,
    /// Its commands.
    pub(crate) commands: Vec<Subcommand>,
    /// `gatepostd --help`
    pub(crate) gatepostd: Vec<Block>,
    /// `gatepost-tpm-setup --help`
    pub(crate) tpm_setup: Vec<Block>,
    /// `0.1.0`
    pub(crate) version: String,
}

impl Programs {
    /// Asks the programs in `folder`, and this script.
    pub(crate) fn ask(folder: &Path, tpm_setup: &Path) -> Result<Self> {
        let (client, daemon) = (folder.join("gatepost"), folder.join("gatepostd"));
        let gatepost = help::parse(&output(&client, &["--help"])?);
        let mut commands = Vec::new();
        for (term, summary) in listed(&gatepost, "Commands")? {
            let (name, arguments) = term.split_once(' ').unwrap_or((term, ""));
            let help = match name {
                "help" => Vec::new(),
                name => help::parse(&output(&client, &["help", name])?),
            };
            commands.push(Subcommand {
                name: name.to_owned(),
                arguments: arguments.to_owned(),
                summary: summary.clone(),
                help,
            });
        }
        let version = output(&client, &["--version"])?;
        Ok(Self {
            gatepost,
            commands,
            gatepostd: help::parse(&output(&daemon, &["--help"])?),
            tpm_setup: help::parse(&output(tpm_setup, &["--help"])?),
            version: version.split_whitespace().last().unwrap_or_default().to_owned(),
        })
    }
}

fn listed<'a>(blocks: &'a [Block], title: &str) -> Result<&'a [(String, String)]> {
    let mut blocks = blocks.iter();
    blocks.find(|block| matches!(block, Block::Heading(heading) if heading == title));
    match blocks.next() {
        Some(Block::List(entries)) => Ok(entries),
        _ => bail!("the help has no list after {title}"),
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
