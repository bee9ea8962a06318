//! The copyright file (<https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/>): licences and authors of the crates in the
//! programs, as the crates declare them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::crates::{built_in, list, metadata, text};

/// The accepted licences. If a crate offers a choice, the first one is taken. Licences without a text here are in Debian's
/// /usr/share/common-licenses.
const KNOWN: [(&str, Option<&str>); 8] = [
    ("MIT", Some(include_str!("../licences/MIT.txt"))),
    ("ISC", Some(include_str!("../licences/ISC.txt"))),
    ("BSD-3-Clause", Some(include_str!("../licences/BSD-3-Clause.txt"))),
    ("Zlib", Some(include_str!("../licences/Zlib.txt"))),
    ("Unicode-3.0", Some(include_str!("../licences/Unicode-3.0.txt"))),
    ("Apache-2.0", None),
    ("CC0-1.0", None),
    ("public-domain", Some(include_str!("../licences/public-domain.txt"))),
];

/// Parts of the programs that are not crates: origin, authors, and the licence, chosen as for crates.
const BESIDE: [(&str, &str, &str); 3] = [
    (
        "rust-standard-library/*",
        "The Rust Project contributors",
        "MIT OR Apache-2.0",
    ),
    ("musl/*", "2005-2020 Rich Felker, et al.", "MIT"),
    // From rusqlite's feature `bundled`; the licence of the crate around it is a different one.
    (
        "crates/libsqlite3-sys-*/sqlite3/*",
        "none; the authors of SQLite have dedicated it to the public domain",
        "public-domain",
    ),
];

/// Returns the file for programs that are built for `target`.
pub(crate) fn copyright(repository: &Path, target: &str) -> Result<String> {
    let own = fs::read_to_string(repository.join("LICENSE"))?;
    let mut groups: BTreeMap<(String, Vec<String>), Vec<String>> = BTreeMap::new();
    let mut used = BTreeSet::from(["MIT"]);
    for package in built_in(&metadata(repository, target)?)? {
        let name = format!("{}-{}", text(&package, "name"), text(&package, "version"));
        let licences = choose(text(&package, "license")).with_context(|| name.clone())?;
        used.extend(&licences);
        let authors = authors(&package).with_context(|| name.clone())?;
        let files = format!("crates/{name}/*");
        groups.entry((licences.join(" and "), authors)).or_default().push(files);
    }
    let mut out = format!(
        "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\nUpstream-Name: gatepost\n\
         Source: https://github.com/gatepost/gatepost\n\
         Comment: Made by packaging/pages from the crates that gatepostd and gatepost contain.\n\n\
         Files: *\nCopyright: {}\nLicense: MIT\n",
        notices(&own).first().context("LICENSE names no holder")?
    );
    for ((licence, authors), files) in &groups {
        out.push_str(&paragraph(
            &files.join("\n       "),
            &authors.join("\n           "),
            licence,
        ));
    }
    // After the crates: if a file matches two paragraphs, the last one counts.
    for (files, authors, licence) in BESIDE {
        let licences = choose(licence)?;
        used.extend(&licences);
        out.push_str(&paragraph(files, authors, &licences.join(" and ")));
    }
    for (id, words) in KNOWN.iter().filter(|(id, _)| used.contains(id)) {
        let words = match words {
            Some(words) => (*words).to_owned(),
            None => format!("On Debian systems, the full text is in /usr/share/common-licenses/{id}."),
        };
        out.push_str(&format!("\nLicense: {id}\n{}\n", indented(&words)));
    }
    Ok(out)
}

fn paragraph(files: &str, authors: &str, licence: &str) -> String {
    format!("\nFiles: {files}\nCopyright: {authors}\nLicense: {licence}\n")
}

/// Chooses the licences: from `(MIT OR Apache-2.0) AND Unicode-3.0`, MIT and Unicode-3.0.
fn choose(expression: &str) -> Result<Vec<&'static str>> {
    let parts = expression.split(" AND ").map(|part| {
        let part = part.trim_matches(['(', ')']).replace('/', " OR ");
        let offered: Vec<&str> = part.split(" OR ").map(str::trim).collect();
        let known = KNOWN.iter().find(|(id, _)| offered.contains(id));
        known
            .map(|(id, _)| *id)
            .with_context(|| format!("its licence is {expression:?}, and none of it is known here"))
    });
    parts.collect()
}

/// Returns the copyright holders from the licence files, or else from the manifest.
fn authors(package: &Value) -> Result<Vec<String>> {
    let folder = Path::new(text(package, "manifest_path"))
        .parent()
        .context("a manifest has a folder")?;
    let mut holders = BTreeSet::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_uppercase();
        if path.is_file() && ["LICEN", "COPY", "NOTICE"].iter().any(|start| name.starts_with(start)) {
            ensure!(
                !name.starts_with("NOTICE"),
                "it has a NOTICE, which its licence requires to be passed on"
            );
            holders.extend(notices(&String::from_utf8_lossy(&fs::read(&path)?)));
        }
    }
    if holders.is_empty() {
        let named = list(package, "authors")
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned);
        holders.extend(named);
    }
    if holders.is_empty() {
        let place = Some(text(package, "repository")).filter(|place| !place.is_empty());
        holders.insert(format!(
            "The authors of {} ({})",
            text(package, "name"),
            place.unwrap_or("crates.io")
        ));
    }
    Ok(holders.into_iter().collect())
}

/// Returns the lines that name a copyright holder, without the template in the Apache licence.
fn notices(words: &str) -> Vec<String> {
    let lines = words
        .lines()
        .map(|line| line.trim().trim_start_matches(['/', '#', '*', ' ']));
    let holders = lines.filter_map(|line| line.strip_prefix("Copyright")).map(|rest| {
        rest.trim()
            .trim_start_matches("(c)")
            .trim_start_matches("(C)")
            .trim_start_matches('©')
            .trim()
            .to_owned()
    });
    // "Copyright notice", "Copyright holder", and the Apache licence's "Copyright [yyyy]" name nobody.
    let named = |holder: &String| {
        holder.starts_with(|c: char| c.is_ascii_digit() || c.is_uppercase())
            && holder.contains(|c: char| c.is_alphabetic())
            && !["License", "Notice"].iter().any(|word| holder.starts_with(word))
    };
    holders.filter(named).collect()
}

fn indented(words: &str) -> String {
    let lines = words.trim().lines().map(|line| match line.trim_end() {
        "" => " .".to_owned(),
        line => format!(" {line}"),
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alternatives_need_one_licence_and_conjunctions_all() {
        for (expression, chosen) in [
            ("MIT OR Apache-2.0", "MIT"),
            ("Apache-2.0/MIT", "MIT"),
            ("Apache-2.0 OR ISC OR MIT", "MIT"),
            ("Apache-2.0 AND ISC", "Apache-2.0 and ISC"),
            ("(MIT OR Apache-2.0) AND Unicode-3.0", "MIT and Unicode-3.0"),
        ] {
            assert_eq!(choose(expression).unwrap_or_default().join(" and "), chosen);
        }
        assert!(choose("GPL-3.0-only").is_err());
    }

    #[test]
    fn bundled_code_that_is_not_a_crate_is_named() {
        let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let copyright = copyright(&repository, "x86_64-unknown-linux-gnu").unwrap_or_default();
        for paragraph in [
            "\nFiles: rust-standard-library/*\nCopyright: The Rust Project contributors\nLicense: MIT\n",
            "\nFiles: crates/libsqlite3-sys-*/sqlite3/*\nCopyright: none; the authors of SQLite have dedicated it to the public domain\nLicense: public-domain\n",
            "\nLicense: public-domain\n All of the code",
        ] {
            assert!(copyright.contains(paragraph), "{paragraph} is not in:\n{copyright}");
        }
    }

    #[test]
    fn a_holder_is_named_and_a_form_is_not() {
        let words = "Copyright (c) 2015 Somebody\n   Copyright [yyyy] [name of copyright owner]\nCopyright Notice\n// Copyright 2016 Other.";
        assert_eq!(notices(words), ["2015 Somebody", "2016 Other."]);
    }
}
