//! All shadows, and the operations on them. They are kept in memory only.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use serde_json::{Map, Value, json};

use super::document::Document;
use super::done::Done;
use super::merge::metadata_of;
use super::rejection::Rejection;
use super::request::{Section, ShadowRequest, State};
use crate::json::set;

/// The name of a shadow: the thing's name, and the shadow's own name unless it is the classic one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ShadowName {
    thing: String,
    name: Option<String>,
}

impl ShadowName {
    /// Creates a name if both parts are valid (API Reference, GetThingShadow).
    pub(crate) fn new(thing: &str, name: Option<&str>) -> Option<Self> {
        let valid = |text: &str, most: usize, more: &str| {
            (1..=most).contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c))
        };
        let is_valid = valid(thing, 128, ":_-") && name.is_none_or(|name| valid(name, 64, ":_-$"));
        is_valid.then(|| Self {
            thing: thing.to_owned(),
            name: name.map(str::to_owned),
        })
    }

    /// Returns the beginning of the shadow's topics.
    pub(crate) fn topic_prefix(&self) -> String {
        match &self.name {
            Some(name) => format!("$aws/things/{}/shadow/name/{name}", self.thing),
            None => format!("$aws/things/{}/shadow", self.thing),
        }
    }

    fn missing(&self) -> Rejection {
        let name = match &self.name {
            Some(name) => format!("{}~{name}", self.thing),
            None => self.thing.clone(),
        };
        Rejection::new(404, format!("No shadow exists with name: '{name}'"))
    }
}

/// A shadow, or the rest of a deleted one, whose version continues (developer guide, device-shadow-data-flow).
#[derive(Debug)]
enum Entry {
    Live(Document),
    Deleted { version: u64 },
}

/// All shadows.
#[derive(Debug, Default)]
pub(crate) struct Shadows(Mutex<BTreeMap<ShadowName, Entry>>);

impl Shadows {
    /// Returns the document with the difference between its sections.
    pub(super) fn get(&self, name: &ShadowName, request: &ShadowRequest, now: u64) -> Result<Done, Rejection> {
        let shadows = self.0.lock();
        let document = live(&shadows, name, request)?;
        let mut accepted = document.json();
        if let (Some((delta, _)), Some(state)) = (document.delta(), accepted.get_mut("state")) {
            set(state, "delta", delta);
        }
        Ok(Done {
            accepted: stamped(accepted, request, now),
            news: Vec::new(),
        })
    }

    /// Merges a change into the document.
    pub(super) fn update(&self, name: &ShadowName, request: &ShadowRequest, now: u64) -> Result<Done, Rejection> {
        let mut shadows = self.0.lock();
        let state = request.state.as_ref().ok_or_else(|| {
            Rejection::invalid("Missing required node: state").with_token(request.client_token.as_ref())
        })?;
        let previous = match shadows.get(name) {
            Some(Entry::Live(document)) => document.clone(),
            Some(Entry::Deleted { version }) => Document::after_deletion(*version),
            None => Document::default(),
        };
        check_version(request, previous.version)?;
        let current = previous.changed(state, now);
        let mut news = Vec::new();
        if let Some((state, metadata)) = current.delta() {
            let delta = json!({ "state": state, "metadata": metadata, "version": current.version });
            news.push(("delta", stamped(delta, request, now)));
        }
        let documents = json!({ "previous": previous.json(), "current": current.json() });
        news.push(("documents", stamped(documents, request, now)));
        let accepted = stamped(echo(state, current.version, now), request, now);
        shadows.insert(name.clone(), Entry::Live(current));
        Ok(Done { accepted, news })
    }

    /// Deletes the document.
    pub(super) fn delete(&self, name: &ShadowName, request: &ShadowRequest, now: u64) -> Result<Done, Rejection> {
        let mut shadows = self.0.lock();
        let version = live(&shadows, name, request)?.version;
        check_version(request, version)?;
        shadows.insert(name.clone(), Entry::Deleted { version });
        Ok(Done {
            accepted: stamped(json!({ "version": version }), request, now),
            news: Vec::new(),
        })
    }

    /// Returns the names of a thing's named shadows.
    pub(crate) fn names(&self, thing: &str) -> Vec<String> {
        let shadows = self.0.lock();
        let live = shadows.iter().filter(|(_, entry)| matches!(entry, Entry::Live(_)));
        live.filter(|(name, _)| name.thing == thing)
            .filter_map(|(name, _)| name.name.clone())
            .collect()
    }
}

fn live<'a>(
    shadows: &'a BTreeMap<ShadowName, Entry>,
    name: &ShadowName,
    request: &ShadowRequest,
) -> Result<&'a Document, Rejection> {
    match shadows.get(name) {
        Some(Entry::Live(document)) => Ok(document),
        _ => Err(name.missing().with_token(request.client_token.as_ref())),
    }
}

fn check_version(request: &ShadowRequest, current: u64) -> Result<(), Rejection> {
    match request.version {
        Some(version) if version != current => {
            Err(Rejection::new(409, "Version conflict").with_token(request.client_token.as_ref()))
        }
        _ => Ok(()),
    }
}

/// Returns the answer to an update, which contains only the members of the request.
fn echo(state: &State, version: u64, now: u64) -> Value {
    let parts = [("desired", &state.desired), ("reported", &state.reported)];
    let parts = parts
        .into_iter()
        .filter_map(|(name, section)| Some((name, section.as_ref()?)));
    let (mut states, mut metadata) = (Map::new(), Map::new());
    for (name, section) in parts {
        let value = section_value(section);
        if !value.is_null() {
            metadata.insert(name.to_owned(), metadata_of(&value, now));
        }
        states.insert(name.to_owned(), value);
    }
    json!({ "state": states, "metadata": metadata, "version": version })
}

fn section_value(section: &Section) -> Value {
    section.clone().map_or(Value::Null, Value::Object)
}

/// Adds the time and the request's token to a document.
fn stamped(mut document: Value, request: &ShadowRequest, now: u64) -> Value {
    set(&mut document, "timestamp", now);
    if let Some(token) = &request.client_token {
        set(&mut document, "clientToken", token.clone());
    }
    document
}
