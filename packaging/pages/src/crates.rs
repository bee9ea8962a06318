//! The crates that the package's programs contain, according to `cargo metadata`.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

/// The programs in the package.
const ROOTS: [&str; 2] = ["gatepost", "gatepost-client"];

/// Returns cargo's metadata of the workspace and its dependencies, for programs that are built for `target`.
pub(crate) fn metadata(repository: &Path, target: &str) -> Result<Value> {
    let mut cargo = Command::new("cargo");
    cargo.args([
        "metadata",
        "--locked",
        "--format-version",
        "1",
        "--filter-platform",
        target,
    ]);
    let said = cargo
        .current_dir(repository)
        .output()
        .context("cargo cannot be started")?;
    ensure!(
        said.status.success(),
        "cargo metadata: {}",
        String::from_utf8_lossy(&said.stderr)
    );
    Ok(serde_json::from_slice(&said.stdout)?)
}

/// Returns the crates that end up in the programs. Build and test dependencies are left out, and so are macros, which run in the compiler.
pub(crate) fn built_in(metadata: &Value) -> Result<Vec<Value>> {
    let packages = list(metadata, "packages").iter();
    let packages: HashMap<&str, &Value> = packages.map(|package| (text(package, "id"), package)).collect();
    let nodes = list(metadata.get("resolve").unwrap_or(&Value::Null), "nodes").iter();
    let nodes: HashMap<&str, &Value> = nodes.map(|node| (text(node, "id"), node)).collect();
    let is_root =
        |package: &&&Value| ROOTS.contains(&text(package, "name")) && package.get("source") == Some(&Value::Null);
    let mut todo: Vec<&str> = packages
        .values()
        .filter(is_root)
        .map(|package| text(package, "id"))
        .collect();
    ensure!(
        todo.len() == ROOTS.len(),
        "the workspace has not the programs {ROOTS:?}"
    );
    let roots = todo.clone();
    let mut seen = HashSet::new();
    let mut found = Vec::new();
    while let Some(id) = todo.pop() {
        let (Some(package), Some(node)) = (packages.get(id), nodes.get(id)) else {
            bail!("cargo metadata lacks {id}")
        };
        if !seen.insert(id) || is_macro(package) {
            continue;
        }
        if !roots.contains(&id) {
            found.push((*package).clone());
        }
        for dependency in list(node, "deps") {
            if list(dependency, "dep_kinds")
                .iter()
                .any(|kind| kind.get("kind") == Some(&Value::Null))
            {
                todo.push(text(dependency, "pkg"));
            }
        }
    }
    found.sort_by_key(|package| (text(package, "name").to_owned(), text(package, "version").to_owned()));
    Ok(found)
}

fn is_macro(package: &Value) -> bool {
    let is_macro = |target: &Value| list(target, "kind").iter().any(|kind| kind == "proc-macro");
    list(package, "targets").iter().any(is_macro)
}

pub(crate) fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

pub(crate) fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value
        .get(key)
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default()
}
