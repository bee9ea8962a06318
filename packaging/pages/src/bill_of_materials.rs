//! The software bill of materials (CycloneDX 1.5, <https://cyclonedx.org/docs/1.5/json/>): the crates in the programs, for tools that look
//! for known vulnerabilities on installed machines.
//!
//! Like the copyright file it is made from `cargo metadata` and Cargo.lock, so it needs no network and no other tool. It contains neither a
//! serial number nor the time of the build, because two builds of the same sources must be equal.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::crates::{built_in, list, metadata, text};

/// Returns the document for programs of this version that are built for `target`.
pub(crate) fn document(repository: &Path, target: &str, version: &str, date: &str) -> Result<String> {
    let metadata = metadata(repository, target)?;
    let crates = built_in(&metadata)?;
    let checksums = checksums(&fs::read_to_string(repository.join("Cargo.lock"))?);
    let mut components: Vec<Value> = crates.iter().map(|package| component(package, &checksums)).collect();
    for package in crates
        .iter()
        .filter(|package| text(package, "name") == "libsqlite3-sys")
    {
        components.push(sqlite(package)?);
    }
    let document = json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "timestamp": format!("{date}T00:00:00Z"),
            "component": {
                "type": "application",
                "bom-ref": "gatepost",
                "name": "gatepost",
                "version": version,
                "licenses": [{ "license": { "id": "MIT" } }],
            },
            "properties": [{ "name": "gatepost:target", "value": target }],
        },
        "components": components,
        "dependencies": dependencies(&metadata, &crates),
    });
    Ok(serde_json::to_string_pretty(&document)? + "\n")
}

fn component(package: &Value, checksums: &HashMap<(String, String), String>) -> Value {
    let (name, version) = (text(package, "name"), text(package, "version"));
    let checksum = checksums.get(&(name.to_owned(), version.to_owned()));
    let hashes: Vec<Value> = checksum
        .iter()
        .map(|checksum| json!({ "alg": "SHA-256", "content": checksum }))
        .collect();
    json!({
        "type": "library",
        "bom-ref": reference(package),
        "name": name,
        "version": version,
        "purl": reference(package),
        // This is the older form of a choice, which SPDX does not know.
        "licenses": [{ "expression": text(package, "license").replace('/', " OR ") }],
        "hashes": hashes,
    })
}

/// Returns the entry for SQLite inside its crate. It has a version of its own, under which its vulnerabilities are published.
fn sqlite(package: &Value) -> Result<Value> {
    let manifest = Path::new(text(package, "manifest_path"));
    let header = manifest.with_file_name("sqlite3").join("sqlite3.h");
    let words = fs::read_to_string(&header).with_context(|| header.display().to_string())?;
    let version = words
        .lines()
        .find_map(|line| line.strip_prefix("#define SQLITE_VERSION "))
        .map(|rest| rest.trim().trim_matches('"'))
        .context("sqlite3.h does not contain its version")?;
    Ok(json!({
        "type": "library",
        "bom-ref": format!("pkg:generic/sqlite@{version}"),
        "name": "sqlite",
        "version": version,
        "purl": format!("pkg:generic/sqlite@{version}"),
        "cpe": format!("cpe:2.3:a:sqlite:sqlite:{version}:*:*:*:*:*:*:*"),
    }))
}

/// Returns the dependencies among the crates that are built in.
fn dependencies(metadata: &Value, crates: &[Value]) -> Vec<Value> {
    let references: HashMap<&str, String> = crates.iter().map(|one| (text(one, "id"), reference(one))).collect();
    let nodes = list(metadata.get("resolve").unwrap_or(&Value::Null), "nodes").iter();
    let mut found: Vec<Value> = nodes
        .filter_map(|node| {
            let of = references.get(text(node, "id"))?;
            let needed = list(node, "deps").iter();
            let needed: BTreeSet<_> = needed.filter_map(|one| references.get(text(one, "pkg"))).collect();
            Some(json!({ "ref": of, "dependsOn": needed }))
        })
        .collect();
    found.sort_by_key(|one| text(one, "ref").to_owned());
    found
}

/// Returns the package URL of a crate.
fn reference(package: &Value) -> String {
    // A plus sign means a space in a URL.
    let version = text(package, "version").replace('+', "%2B");
    format!("pkg:cargo/{}@{version}", text(package, "name"))
}

/// Returns the checksums in Cargo.lock, by name and version.
fn checksums(lock: &str) -> HashMap<(String, String), String> {
    let value = |block: &str, key: &str| {
        let line = block
            .lines()
            .find_map(|line| line.strip_prefix(key)?.strip_prefix(" = "));
        line.map(|value| value.trim_matches('"').to_owned())
    };
    let blocks = lock.split("[[package]]").skip(1);
    blocks
        .filter_map(|block| {
            Some((
                (value(block, "name")?, value(block, "version")?),
                value(block, "checksum")?,
            ))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made() -> Value {
        let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let text = document(&repository, "x86_64-unknown-linux-gnu", "0.1.0", "2026-11-30").unwrap();
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn every_crate_has_its_version_licence_and_checksum() {
        let made = made();
        let components = list(&made, "components");
        for name in ["ring", "rustls", "tokio", "cryptoki", "rusqlite"] {
            let one = components.iter().find(|one| text(one, "name") == name).unwrap();
            assert!(text(one, "purl").starts_with(&format!("pkg:cargo/{name}@")), "{one}");
            assert_eq!(one["hashes"][0]["content"].as_str().map(str::len), Some(64), "{one}");
            assert!(one["licenses"][0]["expression"].is_string(), "{one}");
        }
        let names: Vec<&str> = components.iter().map(|one| text(one, "name")).collect();
        for tool in ["proptest", "serde_derive", "cloudlet", "cc", "gatepost"] {
            assert!(!names.contains(&tool), "{tool} is not in the programs");
        }
    }

    #[test]
    fn sqlite_is_named_by_the_version_that_vulnerabilities_name() {
        let made = made();
        let sqlite = list(&made, "components")
            .iter()
            .find(|one| text(one, "name") == "sqlite");
        assert!(
            text(sqlite.unwrap(), "cpe").starts_with("cpe:2.3:a:sqlite:sqlite:3."),
            "{sqlite:?}"
        );
    }

    #[test]
    fn each_dependency_is_a_component() {
        let made = made();
        let known: BTreeSet<&str> = list(&made, "components")
            .iter()
            .map(|one| text(one, "bom-ref"))
            .collect();
        for one in list(&made, "dependencies") {
            assert!(known.contains(text(one, "ref")), "{one}");
            assert!(
                list(one, "dependsOn")
                    .iter()
                    .all(|of| known.contains(of.as_str().unwrap())),
                "{one}"
            );
        }
        assert_eq!(known.len(), list(&made, "components").len(), "a reference twice");
    }
}
