//! Reads the layers in docs/architecture.md.

use std::collections::BTreeSet;

/// The part of the document that the source is compared with.
pub struct Document {
    /// The layers from top to bottom; the modules of one line are in the same layer.
    layers: Vec<BTreeSet<String>>,
    /// Pairs of modules on one line that never import each other.
    strangers: Vec<BTreeSet<String>>,
}

/// The remark after two modules of a line that never import each other.
const STRANGERS: &str = "never import each other";

impl Document {
    /// Reads the code block under "Layers".
    pub fn read(text: &str) -> Self {
        let mut layers = Vec::new();
        let mut strangers = Vec::new();
        for line in section(text, "Layers").lines().filter(|line| line.starts_with("    ")) {
            // Remarks are preceded by at least two blanks.
            let (names, remark) = line.trim().split_once("  ").unwrap_or((line.trim(), ""));
            let names: BTreeSet<String> = names.split('|').map(|name| name.trim().to_owned()).collect();
            if remark.contains(STRANGERS) {
                strangers.push(names.clone());
            }
            layers.push(names);
        }
        Self { layers, strangers }
    }

    /// Returns the modules that only one of document and source contains.
    pub fn differences(&self, modules: &BTreeSet<String>) -> Vec<String> {
        let listed: BTreeSet<String> = self
            .layers
            .iter()
            .flatten()
            .filter(|name| *name != "main")
            .cloned()
            .collect();
        let missing = modules.difference(&listed).map(|name| format!("{name} is in no layer"));
        let gone = listed.difference(modules).map(|name| format!("{name} is not a module"));
        missing.chain(gone).collect()
    }

    /// Returns whether files of the module `above` may import from the module `below`.
    pub fn may_import(&self, above: &str, below: &str) -> bool {
        let layer = |name: &str| self.layers.iter().position(|names| names.contains(name));
        let apart = |names: &BTreeSet<String>| names.contains(above) && names.contains(below);
        layer(above) <= layer(below) && !self.strangers.iter().any(apart)
    }
}

fn section<'a>(text: &'a str, heading: &str) -> &'a str {
    let (_, after) = text.split_once(&format!("\n## {heading}\n")).unwrap_or_default();
    after.split("\n## ").next().unwrap_or_default()
}
