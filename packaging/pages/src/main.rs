//! Makes the pages of the package, so that nothing needs to be written twice:
//!
//! - man pages and completions from the command tables, the help of `gatepost-tpm-setup`, and docs/;
//! - the copyright file and the bill of materials from the declarations of the crates that are built in.

mod bill_of_materials;
mod completion;
mod crates;
mod help;
mod licences;
mod manual;
mod markdown;
mod programs;
mod roff;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use lexopt::prelude::*;

use crate::programs::Programs;

/// The arguments of the command line.
struct Order {
    repository: PathBuf,
    target: String,
    date: String,
    out: PathBuf,
}

fn main() -> Result<()> {
    let order = parse()?;
    let programs = Programs::read(&order.repository.join("packaging/gatepost-tpm-setup"))?;
    let read = |name: &str| {
        let path = order.repository.join("docs").join(name);
        fs::read_to_string(&path).with_context(|| path.display().to_string())
    };
    let docs = manual::Docs {
        configuration: read("configuration.md")?,
        operations: read("operations.md")?,
        date: order.date.clone(),
    };
    for (name, page) in manual::pages(&programs, &docs)? {
        write(&order.out.join("man").join(name), &page)?;
    }
    for (name, script) in completion::scripts(&programs) {
        write(&order.out.join("completions").join(name), &script)?;
    }
    let bill = bill_of_materials::document(&order.repository, &order.target, programs.version, &order.date)?;
    write(&order.out.join("gatepost.cdx.json"), &bill)?;
    write(
        &order.out.join("copyright"),
        &licences::copyright(&order.repository, &order.target)?,
    )
}

fn write(path: &Path, text: &str) -> Result<()> {
    ensure!(!text.is_empty(), "{} would be empty", path.display());
    fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
    fs::write(path, text).with_context(|| path.display().to_string())
}

fn parse() -> Result<Order> {
    let mut order = Order {
        repository: ".".into(),
        target: "x86_64-unknown-linux-gnu".into(),
        date: String::new(),
        out: "target/pages".into(),
    };
    let mut parser = lexopt::Parser::from_env();
    while let Some(word) = parser.next()? {
        match word {
            Long("repository") => order.repository = parser.value()?.into(),
            Long("target") => order.target = parser.value()?.string()?,
            Long("date") => order.date = parser.value()?.string()?,
            Long("out") => order.out = parser.value()?.into(),
            other => return Err(other.unexpected().into()),
        }
    }
    Ok(order)
}
