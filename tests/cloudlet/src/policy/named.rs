//! A policy as AWS stores it: a document under a name.

use serde::{Deserialize, Serialize};

use super::document::Document;
use crate::{Error, sha256};

/// The longest policy document (quotas: 2048 characters, white space not counted).
const MAX_DOCUMENT_CHARACTERS: usize = 2048;

/// A named policy. Its document has been parsed once, so evaluating it cannot fail.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct Policy {
    name: String,
    text: String,
    pub(super) document: Document,
}

/// A policy as it stands in the account's file.
#[derive(Serialize, Deserialize)]
struct Stored {
    name: String,
    document: String,
}

impl Policy {
    /// A policy with a name of its own.
    pub fn new(name: impl Into<String>, document: &str) -> Result<Self, Error> {
        if document.chars().filter(|c| !c.is_whitespace()).count() > MAX_DOCUMENT_CHARACTERS {
            return Err(Error::Policy(format!(
                "longer than {MAX_DOCUMENT_CHARACTERS} characters"
            )));
        }
        Ok(Self {
            name: name.into(),
            text: document.to_owned(),
            document: Document::parse(document)?,
        })
    }

    /// A policy named by a hash of its document, as provisioning templates name policies that have no PolicyName:
    /// equal documents share one policy (developer guide, provision-template).
    pub fn named_by_document(document: &str) -> Result<Self, Error> {
        Self::new(sha256::hex(document.as_bytes()), document)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its document, as it was given.
    pub fn document(&self) -> &str {
        &self.text
    }
}

impl TryFrom<Stored> for Policy {
    type Error = Error;

    fn try_from(stored: Stored) -> Result<Self, Error> {
        Self::new(stored.name, &stored.document)
    }
}

impl From<Policy> for Stored {
    fn from(policy: Policy) -> Self {
        Self {
            name: policy.name,
            document: policy.text,
        }
    }
}
