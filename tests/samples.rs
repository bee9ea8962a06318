//! Texts that people copy must work: the shipped samples, the examples in the documentation, and the list of all keys.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use gatepost::config::{self, Config, Folders};

/// The smallest configuration that loads; fragments of the documentation are added to it.
const MINIMUM: &str = r#"
[aws]
mqtt-endpoint = "a1-ats.iot.us-east-2.amazonaws.com"
credentials-endpoint = "c4.credentials.iot.us-east-2.amazonaws.com"
[token]
module = "/usr/lib/softhsm/libsofthsm2.so"
key = "pkcs11:token=gateway;object=device"
"#;

fn in_repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(path: &str) -> String {
    fs::read_to_string(in_repository(path)).unwrap()
}

/// Loads these texts as gatepost.toml and one file in conf.d.
fn load(main: &str, dropped: &str) -> Result<Config, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gatepost.toml");
    fs::write(&path, filled_in(main)).unwrap();
    fs::create_dir(folder.path().join("conf.d")).unwrap();
    fs::write(folder.path().join("conf.d/10-fragment.toml"), filled_in(dropped)).unwrap();
    if !has_machine_id() {
        let name = "[identity.subject]\ncommon-name = \"gw-1\"\n";
        fs::write(folder.path().join("conf.d/90-no-machine-id.toml"), name).unwrap();
    }
    let folders = Folders {
        state: "/var/lib/gatepost".into(),
        runtime: "/run/gatepost".into(),
        credentials: None,
    };
    config::load(&path, &folders).map_err(|error| error.to_string())
}

/// Replaces values that depend on the machine: the host name of a build machine may contain dots, which are not allowed in a thing name.
fn filled_in(text: &str) -> String {
    text.replace("{hostname}", "build-machine")
}

/// Returns whether the machine has an ID. A container may have none, and then the default common name cannot be made.
fn has_machine_id() -> bool {
    fs::read_to_string("/etc/machine-id").is_ok_and(|id| !matches!(id.trim(), "" | "uninitialized"))
}

/// Returns the fenced blocks of TOML in a page.
fn toml_blocks(page: &str) -> Vec<String> {
    let after = page.split("```toml\n").skip(1);
    after.map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

/// Returns the keys in docs/configuration.md by table, with the example for each.
fn documented() -> BTreeMap<String, BTreeMap<String, String>> {
    let mut tables: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    let mut table = None;
    for line in read("docs/configuration.md").lines() {
        if let Some(title) = line.strip_prefix("## ") {
            table = title
                .strip_prefix("`[")
                .map(|name| name.trim_matches(['`', '[', ']']).to_owned());
        }
        let (Some(table), true) = (&table, line.starts_with("| `")) else {
            continue;
        };
        let cells: Vec<&str> = line
            .split(" | ")
            .map(|cell| cell.trim_matches(['|', ' ', '`']))
            .collect();
        let (key, example) = (cells[0].to_owned(), cells[3].to_owned());
        assert!(example.starts_with(&format!("{key} = ")), "{line}");
        tables.entry(table.clone()).or_default().insert(key, example);
    }
    tables
}

/// Returns a table's header; `[[...]]` for a list of tables.
fn header(table: &str) -> String {
    match table {
        "role-alias" | "access" | "credentials-file" => format!("[[{table}]]"),
        _ => format!("[{table}]"),
    }
}

/// Returns the words in backquotes after "expected" in the parser's message: the keys that it knows.
fn known_to_the_parser(table: &str) -> BTreeSet<String> {
    let header = match table {
        "" => String::new(),
        name => header(name),
    };
    let message = load(MINIMUM, &format!("{header}\nno-such-key = 1\n")).unwrap_err();
    let (_, expected) = message.split_once(", expected ").expect(&message);
    let expected = expected.split(" (the line").next().unwrap();
    expected.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// Returns the shipped sample with endpoints in place of its placeholders, the only change that everybody must make.
fn sample() -> String {
    let sample = read("config/gatepost.toml");
    sample.replace("PREFIX", "a1b2c3").replace("REGION", "us-east-2")
}

#[test]
fn only_the_placeholders_of_the_shipped_sample_are_refused() {
    let refused = load(&read("config/gatepost.toml"), "").unwrap_err();
    let findings: Vec<&str> = refused.lines().collect();
    let [mqtt, credentials] = findings.as_slice() else {
        panic!("{refused}")
    };
    for (finding, key, kind) in [
        (mqtt, "aws.mqtt-endpoint", "iot:Data-ATS"),
        (credentials, "aws.credentials-endpoint", "iot:CredentialProvider"),
    ] {
        let step =
            format!("is the sample's placeholder; `aws iot describe-endpoint --endpoint-type {kind}` prints yours");
        assert!(finding.contains(key) && finding.ends_with(&step), "{finding}");
    }
    load(&sample(), "").unwrap();
}

#[test]
fn every_example_loads() {
    let examples = fs::read_dir(in_repository("config/examples")).unwrap();
    let examples: Vec<PathBuf> = examples.map(|entry| entry.unwrap().path()).collect();
    assert!(examples.len() >= 3);
    for sample in examples {
        let text = fs::read_to_string(&sample).unwrap();
        load(&text, "").unwrap_or_else(|error| panic!("{}:\n{error}", sample.display()));
    }
}

/// Removing the comment sign from any line results in what the comment says, without an error.
#[test]
fn the_shipped_sample_loads_with_every_line_uncommented() {
    let text = sample();
    let uncommented: Vec<&str> = text
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(rest) if rest.contains(" = ") || rest.starts_with('[') => rest,
            _ => line,
        })
        .collect();
    let config = load(&uncommented.join("\n"), "").unwrap();
    assert_eq!(config.default_alias(), Some("telemetry"));
    let plain = load(&text, "").unwrap();
    assert_eq!(
        config.mqtt, plain.mqtt,
        "what the sample shows as default is the default"
    );
    assert_eq!(config.identity.certificate, plain.identity.certificate);
    assert_eq!(config.token.generate, plain.token.generate);
}

#[test]
fn every_example_in_the_documentation_loads() {
    // The page about programs assumes a role alias.
    let telemetry = format!("{MINIMUM}\n[[role-alias]]\nname = \"telemetry\"\n");
    for (page, minimum) in [
        ("README.md", MINIMUM),
        ("docs/configuration.md", MINIMUM),
        ("docs/operations.md", MINIMUM),
        ("docs/programs.md", &telemetry),
        ("docs/retire.md", MINIMUM),
        ("examples/README.md", &telemetry),
    ] {
        for block in toml_blocks(&read(page)) {
            let (main, dropped) = match block.contains("[aws]") {
                true => (block.as_str(), ""),
                false => (minimum, block.as_str()),
            };
            load(main, dropped).unwrap_or_else(|error| panic!("{page}:\n{block}\n{error}"));
        }
    }
    let [quick_start] = toml_blocks(&read("README.md"))
        .try_into()
        .expect("one block, the minimal configuration");
    let config = load(&quick_start, "").unwrap();
    assert_eq!(
        config.token.pin_file, None,
        "gatepost-tpm-setup's PIN is systemd's to hand over"
    );
}

#[test]
fn every_key_is_documented_and_every_documented_key_is_known() {
    let documented = documented();
    let tables: BTreeSet<String> = documented.keys().filter(|name| !name.contains('.')).cloned().collect();
    assert_eq!(tables, known_to_the_parser(""));
    for (table, keys) in &documented {
        let keys: BTreeSet<String> = keys.keys().cloned().collect();
        assert_eq!(keys, known_to_the_parser(table), "[{table}]");
    }
}

#[test]
fn every_documented_warning_about_an_endpoint_is_given() {
    let page = read("docs/configuration.md");
    let (_, section) = page.split_once("## Endpoints\n").unwrap();
    let (_, table) = section.split_once("| the warning | an example |\n").unwrap();
    let rows = table.lines().skip(1).take_while(|line| line.starts_with('|'));
    let rows: Vec<Vec<&str>> = rows.map(|row| row.split('`').skip(1).step_by(2).collect()).collect();
    assert!(rows.len() >= 9, "{rows:?}");
    for row in rows {
        let [warning, example] = row.as_slice() else {
            panic!("{row:?}")
        };
        let usual = "a1-ats.iot.us-east-2.amazonaws.com";
        assert!(load(MINIMUM, "").unwrap().notes.is_empty());
        let notes = load(&MINIMUM.replace(usual, example), "").unwrap().notes;
        assert!(notes.iter().any(|note| note.contains(warning)), "{example}: {notes:?}");
    }
}

#[test]
fn the_examples_of_all_keys_are_one_good_configuration() {
    let mut text = String::new();
    for (table, keys) in documented() {
        text.push_str(&format!("{}\n", header(&table)));
        // Tables such as [identity.subject] follow separately; one file cannot contain both forms of a table.
        let tables = ["subject = ", "est = ", "claim = "];
        let is_table = |example: &&String| tables.iter().any(|table| example.starts_with(table));
        // A credentials file has either an owner or a group.
        let is_other = |example: &&String| table == "credentials-file" && example.starts_with("group = ");
        let examples = keys.values().filter(|example| !is_table(example) && !is_other(example));
        examples.for_each(|example| text.push_str(&format!("{example}\n")));
    }
    load(&text, "").unwrap_or_else(|error| panic!("{error}\n{text}"));
}
