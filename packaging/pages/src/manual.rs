//! The man pages.

use anyhow::{Context, Result, bail};

use gatepost_client::command_line::COMMANDS;
use gatepost_client::command_line::help::{command_term, option_term, signature};

use crate::help::{self, Block};
use crate::markdown;
use crate::programs::Programs;
use crate::roff::Page;

/// The pages of docs/ that the man pages use, and their date.
pub(crate) struct Docs {
    pub(crate) configuration: String,
    pub(crate) operations: String,
    /// The date, YYYY-MM-DD.
    pub(crate) date: String,
}

const SEE_ALSO: [&str; 4] = [
    "gatepost(1)",
    "gatepost.toml(5)",
    "gatepostd(8)",
    "gatepost-tpm-setup(8)",
];

/// Returns all pages with the names of their files.
pub(crate) fn pages(programs: &Programs, docs: &Docs) -> Result<Vec<(String, String)>> {
    Ok(vec![
        ("gatepost.1".to_owned(), command(programs, docs)?),
        ("gatepost.toml.5".to_owned(), configuration(programs, docs)),
        ("gatepostd.8".to_owned(), daemon(programs, docs)?),
        ("gatepost-tpm-setup.8".to_owned(), tpm_setup(programs, docs)?),
    ])
}

fn command(programs: &Programs, docs: &Docs) -> Result<String> {
    let mut page = begin("gatepost", 1, programs, docs, &programs.gatepost)?;
    page.section("Commands");
    for command in COMMANDS {
        page.subsection(&format!("gatepost {}", command_term(command)));
        for form in command.forms {
            page.entry(&signature(command, form), &sentence(form.summary), &[]);
        }
        put(&mut page, &help::parse(command.description));
        for option in command.options {
            page.entry(&option_term(option), &sentence(option.summary), &[]);
        }
        put(&mut page, &help::parse(command.notes));
        let codes: Vec<_> = command
            .exit_codes
            .iter()
            .map(|(code, why)| format!("{code} {why}"))
            .collect();
        if !codes.is_empty() {
            page.paragraph(&format!("Exit codes: {}.", codes.join("; ")));
        }
    }
    page.section("Exit status");
    exit_codes(&mut page, docs, "How gatepost, the command, ends")?;
    Ok(end(page, "gatepost(1)"))
}

/// The commands from the installation to the signing request.
const FIRST_STEPS: [&str; 4] = [
    "sudo gatepost-tpm-setup",
    "sudo editor /etc/gatepost/gatepost.toml && sudo gatepostd --check-config",
    "sudo systemctl enable --now gatepost",
    "gatepost csr > gateway.csr",
];

fn daemon(programs: &Programs, docs: &Docs) -> Result<String> {
    let mut page = begin("gatepostd", 8, programs, docs, &programs.gatepostd)?;
    page.section("First steps");
    page.paragraph("After the installation nothing runs yet. With a key in the TPM:");
    page.example(&FIRST_STEPS.map(str::to_owned));
    page.paragraph(
        "Have the request signed by the fleet's CA, and put the certificate to `/var/lib/gatepost/device.pem`. \
         `/usr/share/doc/gatepost/install.md` goes the whole way, for other tokens and for images of many gateways as well.",
    );
    page.section("Exit status");
    exit_codes(&mut page, docs, "How gatepostd ends")?;
    page.section("Under systemd");
    exit_codes(&mut page, docs, "Under systemd")?;
    page.section("Files");
    for (path, what) in [
        (
            "/etc/gatepost/gatepost.toml, /etc/gatepost/conf.d/*.toml",
            "The configuration: gatepost.toml(5).",
        ),
        (
            "/var/lib/gatepost",
            "What must survive a reboot: `device.csr`, `device.pem`, the record of the provisioning.",
        ),
        (
            "/run/gatepost/gatepost.sock",
            "The socket for local programs; every user may connect, the access rules decide.",
        ),
        (
            "/etc/credstore.encrypted/gatepost.pin",
            "The PIN, encrypted by systemd-creds(1) under the name `pin`.",
        ),
        (
            "/usr/share/doc/gatepost/examples",
            "Sample configurations, and templates for the AWS side.",
        ),
    ] {
        page.entry(path, what, &[]);
    }
    Ok(end(page, "gatepostd(8)"))
}

fn configuration(programs: &Programs, docs: &Docs) -> String {
    let mut page = Page::new("gatepost.toml", 5, &docs.date, programs.version);
    page.section("Name");
    page.paragraph("gatepost.toml - the configuration of gatepostd(8)");
    page.section("Description");
    markdown::put(&mut page, &docs.configuration, false);
    end(page, "gatepost.toml(5)")
}

fn tpm_setup(programs: &Programs, docs: &Docs) -> Result<String> {
    let page = begin("gatepost-tpm-setup", 8, programs, docs, &programs.tpm_setup)?;
    Ok(end(page, "gatepost-tpm-setup(8)"))
}

/// Writes NAME and SYNOPSIS from the first lines of the help, DESCRIPTION and OPTIONS from the rest.
fn begin(name: &str, section: u8, programs: &Programs, docs: &Docs, help: &[Block]) -> Result<Page> {
    let [Block::Paragraph(title), Block::Paragraph(usage), rest @ ..] = help else {
        bail!("the help of {name} does not begin with what it is and with its usage");
    };
    let what = title.strip_prefix(name).context("the help begins with another name")?;
    let what = what.trim_start_matches([':', ' ']).trim_end_matches('.');
    let mut page = Page::new(name, section, &docs.date, programs.version);
    page.section("Name");
    page.paragraph(&format!("{name} - {what}"));
    page.section("Synopsis");
    for form in usage.lines() {
        page.paragraph(&format!("`{}`", form.trim_start_matches("Usage: ").trim()));
    }
    // The list of commands follows in detail further down.
    let commands = rest
        .iter()
        .position(|block| *block == Block::Heading("Commands".to_owned()));
    let told_later = |place: usize| commands.is_some_and(|commands| place == commands || place == commands + 1);
    let here: Vec<_> = rest
        .iter()
        .enumerate()
        .filter(|(place, _)| !told_later(*place))
        .map(|(_, block)| block)
        .collect();
    let (text, lists): (Vec<_>, Vec<_>) = here.into_iter().partition(|block| !matches!(block, Block::List(_)));
    page.section("Description");
    let told = |block: &&Block| !matches!(block, Block::Heading(title) if title == "Options");
    text.into_iter()
        .filter(told)
        .for_each(|block| put_one(&mut page, block));
    page.section("Options");
    lists.into_iter().for_each(|block| put_one(&mut page, block));
    Ok(page)
}

fn put(page: &mut Page, blocks: &[Block]) {
    blocks.iter().for_each(|block| put_one(page, block));
}

fn put_one(page: &mut Page, block: &Block) {
    match block {
        Block::Paragraph(text) => page.paragraph(text),
        Block::Heading(title) => page.paragraph(&format!("{title}:")),
        Block::List(entries) => entries
            .iter()
            .for_each(|(term, meaning)| page.entry(term, &sentence(meaning), &[])),
        Block::Example(lines) => page.example(lines),
    }
}

fn exit_codes(page: &mut Page, docs: &Docs, title: &str) -> Result<()> {
    let part = markdown::part(&docs.operations, title);
    let part = part.with_context(|| format!("docs/operations.md has no part {title:?}"))?;
    markdown::put(page, part, true);
    Ok(())
}

fn end(mut page: Page, own: &str) -> String {
    page.section("See also");
    let others: Vec<&str> = SEE_ALSO.into_iter().filter(|name| *name != own).collect();
    page.paragraph(&format!("{}, systemd-creds(1), systemd.service(5)", others.join(", ")));
    page.finish()
}

/// Converts a phrase to a sentence.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters
        .next()
        .map(|first| first.to_uppercase().to_string())
        .unwrap_or_default();
    let full = format!("{first}{}", letters.as_str());
    match full.ends_with(['.', ')', ':']) || full.is_empty() {
        true => full,
        false => format!("{full}."),
    }
}
