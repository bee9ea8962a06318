//! Compares the journal's events with the catalog: every event has a name, an ID, an entry in the catalog and a line in the documentation,
//! and there are none of events that do not exist.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use gatepost::clock::SystemClock;
use gatepost::credentials::{AliasDetails, AliasPhase};
use gatepost::event::Event;
use gatepost::problem::Problem;
use gatepost::status::{SessionDetails, SessionPhase, StatusHub};
use log::kv::{Key, Value, VisitSource};

const CATALOG: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/systemd/gatepost.catalog");

/// Returns the catalog's entries: ID to header fields and text (https://systemd.io/CATALOG/).
fn catalog() -> BTreeMap<String, (BTreeMap<String, String>, String)> {
    let text = fs::read_to_string(CATALOG).unwrap();
    let without_comments: String = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| format!("{line}\n"))
        .collect();
    let mut entries = BTreeMap::new();
    for entry in format!("\n{without_comments}").split("\n-- ").skip(1) {
        let (id, rest) = entry.split_once('\n').unwrap();
        let (header, text) = rest.split_once("\n\n").expect("an entry without a text");
        let header = header
            .lines()
            .map(|line| line.split_once(": ").unwrap_or_else(|| panic!("{id}: {line}")));
        let header = header
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let before = entries.insert(id.to_owned(), (header, text.trim().to_owned()));
        assert!(before.is_none(), "{id} has two entries");
    }
    entries
}

#[test]
fn every_event_has_a_name_and_an_id_of_its_own() {
    let names: BTreeSet<_> = Event::ALL.iter().map(|event| event.name()).collect();
    let ids: BTreeSet<_> = Event::ALL.iter().map(|event| event.id()).collect();
    assert_eq!((names.len(), ids.len()), (Event::ALL.len(), Event::ALL.len()));
    for id in ids {
        assert!(
            id.len() == 32 && id.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f')),
            "{id}"
        );
    }
}

#[test]
fn the_catalog_explains_every_event_and_nothing_else() {
    let entries = catalog();
    let known: BTreeSet<_> = Event::ALL.iter().map(|event| event.id().to_owned()).collect();
    let unknown: Vec<_> = entries.keys().filter(|id| !known.contains(*id)).collect();
    assert_eq!(unknown, Vec::<&String>::new(), "entries of no event");
    for event in Event::ALL {
        let (header, text) = entries
            .get(event.id())
            .unwrap_or_else(|| panic!("{} has no entry", event.name()));
        for field in ["Subject", "Defined-By", "Support", "Documentation"] {
            assert!(header.contains_key(field), "{}: no {field}", event.name());
        }
        assert_eq!(text.matches("Next: ").count(), 1, "{} names no next step", event.name());
        let fields = text.split('@').skip(1).step_by(2);
        for field in fields.chain(header["Subject"].split('@').skip(1).step_by(2)) {
            assert!(
                FIELDS.contains(&field),
                "{}: nobody writes the field {field}",
                event.name()
            );
        }
    }
}

/// The fields that the catalog may show.
const FIELDS: [&str; 7] = [
    "ROLE_ALIAS",
    "THING_NAME",
    "NEXT_STEP",
    "PEER_UID",
    "PEER_UNIT",
    "ACCESS_RULE",
    "TOPIC",
];

/// Stopping the service alone is not enough: through the socket, systemd would start it again for the next program that connects.
#[test]
fn instructions_to_stop_gatepost_also_close_its_socket() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut texts = Vec::new();
    for folder in ["docs", "src", "client/src", "systemd", "packaging"] {
        collect(&repository.join(folder), &mut texts);
    }
    texts.push(repository.join("README.md"));
    let mut told = 0;
    for path in texts {
        let text = fs::read_to_string(&path)
            .unwrap()
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ");
        for (place, _) in text.match_indices("systemctl stop gatepost") {
            let words = &text[place..];
            assert!(
                words.starts_with("systemctl stop gatepost.socket gatepost.service"),
                "{}: {words:.60}",
                path.display()
            );
            told += 1;
        }
    }
    assert!(told >= 4, "{told}");
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        match entry.is_dir() {
            true => collect(&entry, found),
            false => found.push(entry),
        }
    }
}

#[test]
fn journalctl_takes_the_catalog() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("usr/lib/systemd/catalog");
    fs::create_dir_all(&folder).unwrap();
    fs::copy(CATALOG, folder.join("gatepost.catalog")).unwrap();
    let journalctl = |what: &str| {
        let mut command = rig::command::command("journalctl");
        rig::command::run(command.arg("--root").arg(root.path()).arg(what), "systemd").unwrap()
    };
    journalctl("--update-catalog");
    let listed = journalctl("--list-catalog");
    for event in Event::ALL {
        let line = listed.lines().find(|line| line.starts_with(event.id()));
        let subject = line.unwrap_or_else(|| panic!("{} is not listed", event.name()));
        assert!(subject.contains(" gatepost: "), "{subject}");
    }
    assert_eq!(listed.lines().count(), Event::ALL.len());
}

#[test]
fn the_documentation_has_a_line_for_every_event() {
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/operations.md")).unwrap();
    let (_, table) = page
        .split_once("| event | when | fields |\n")
        .expect("the table of events");
    let table = table.lines().skip(1).take_while(|line| line.starts_with('|'));
    let documented: BTreeSet<_> = table.map(|line| line.split('`').nth(1).unwrap().to_owned()).collect();
    let known: BTreeSet<_> = Event::ALL.iter().map(|event| event.name().to_owned()).collect();
    assert_eq!(documented, known);
}

#[test]
fn there_is_no_other_way_to_write_a_line_that_matters() {
    let other_ways = [
        "log::error!",
        "log::warn!",
        "log::info!",
        "log::log!",
        "GATEPOST_EVENT",
        "MESSAGE_ID",
    ];
    let mut files = Vec::new();
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    let mut found = Vec::new();
    for file in files.iter().filter(|file| !file.ends_with("event.rs")) {
        let text = fs::read_to_string(file).unwrap();
        let here = other_ways.iter().filter(|way| text.contains(**way));
        found.extend(here.map(|way| format!("{way} in {}", file.display())));
    }
    assert_eq!(
        found,
        Vec::<String>::new(),
        "give it an Event and write it with journal!"
    );
}

#[test]
fn lines_that_scripts_write_are_events_too() {
    let script = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/systemd/after-stop")).unwrap();
    let field = |name: &str| script.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    assert_eq!(field("MESSAGE_ID="), Event::PinUndecryptable.id());
    assert_eq!(field("GATEPOST_EVENT="), Event::PinUndecryptable.name());
}

/// Records what is logged, as the journal's logger does.
#[derive(Clone, Default)]
struct TakenDown(Arc<Mutex<Vec<BTreeMap<String, String>>>>);

impl log::Log for TakenDown {
    fn enabled(&self, _: &log::Metadata) -> bool {
        true
    }

    fn log(&self, record: &log::Record) {
        struct Fields(BTreeMap<String, String>);
        impl<'kv> VisitSource<'kv> for Fields {
            fn visit_pair(&mut self, key: Key<'kv>, value: Value<'kv>) -> Result<(), log::kv::Error> {
                self.0.insert(key.to_string(), value.to_string());
                Ok(())
            }
        }
        let mut fields = Fields(BTreeMap::from([("MESSAGE".to_owned(), record.args().to_string())]));
        record.key_values().visit(&mut fields).unwrap();
        self.0.lock().unwrap().push(fields.0);
    }

    fn flush(&self) {}
}

#[test]
fn a_change_of_phase_has_its_event_and_the_fields_of_its_part() {
    let taken_down = TakenDown::default();
    log::set_boxed_logger(Box::new(taken_down.clone())).unwrap();
    log::set_max_level(log::LevelFilter::Info);
    let hub = StatusHub::new(Arc::new(SystemClock::default()));
    let details = AliasDetails {
        name: "telemetry".to_owned(),
        ..AliasDetails::default()
    };
    let alias = hub.reporter("role alias telemetry", AliasPhase::Waiting, details);
    alias.report(
        AliasPhase::Failing,
        Some(Problem::configuration("AWS said no").next("ask it why")),
    );
    let session = hub.reporter("session", SessionPhase::Idle, SessionDetails::default());
    session.report_with(
        SessionPhase::Waiting,
        Some(Problem::wait("gone").about(Event::SessionTakenOver)),
        |details| {
            details.client_id = Some("gw-1".to_owned());
        },
    );
    let lines = taken_down.0.lock().unwrap();
    let expected = [
        [
            ("GATEPOST_EVENT", Event::AliasFailing.name()),
            ("MESSAGE_ID", Event::AliasFailing.id()),
            (
                "MESSAGE",
                "role alias telemetry: failing: AWS said no; next: ask it why",
            ),
            ("ROLE_ALIAS", "telemetry"),
            ("THING_NAME", ""),
            ("NEXT_STEP", "ask it why"),
        ],
        [
            ("GATEPOST_EVENT", Event::SessionTakenOver.name()),
            ("MESSAGE_ID", Event::SessionTakenOver.id()),
            ("MESSAGE", "session: waiting: gone"),
            ("ROLE_ALIAS", ""),
            ("THING_NAME", "gw-1"),
            ("NEXT_STEP", "nothing"),
        ],
    ];
    let expected = expected.map(|fields| fields.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
    assert_eq!(*lines, expected);
}
