//! A policy as AWS stores it: a named document.

use serde::{Deserialize, Serialize};

use super::document::Document;
use super::seeds;
use crate::{Error, sha256};

/// Maximum length of a policy document (quotas: 2048 characters, not counting white space).
const MAX_DOCUMENT_CHARACTERS: usize = 2048;

/// A named policy. Its document has been parsed already, so evaluating it cannot fail.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct Policy {
    name: String,
    text: String,
    pub(super) document: Document,
}

/// A policy in the account's file.
#[derive(Serialize, Deserialize)]
struct Stored {
    name: String,
    document: String,
}

impl Policy {
    /// Creates a policy with a name.
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

    /// Creates a policy named by a hash of its document, as provisioning templates do for policies without PolicyName: equal documents
    /// share one policy (developer guide, provision-template).
    pub fn named_by_document(document: &str) -> Result<Self, Error> {
        Self::new(sha256::hex(document.as_bytes()), document)
    }

    /// Creates the policy in the main template of the re:Post JITP article: a client may connect as its thing, and use the topics below its
    /// thing's name. It allows nothing else: no shadow, no retained publish, no credentials.
    #[allow(clippy::expect_used, reason = "the document is a constant, parsed by every test")]
    pub fn seed_strict() -> Self {
        Self::named_by_document(&seeds::strict()).expect("a valid document")
    }

    /// Creates the same policy with `iot:AssumeRoleWithCertificate` for all role aliases, as the credentials provider requires.
    #[allow(
        clippy::expect_used,
        reason = "account and Region are strings inside a JSON string, escaped by serde_json"
    )]
    pub fn seed_with_credentials(account: &str, region: &str) -> Self {
        Self::named_by_document(&seeds::with_credentials(account, region)).expect("a valid document")
    }

    /// Returns its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns its document, unchanged.
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
