//! OverrideSettings: how a template changes existing resources (developer guide, provision-template).

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::Error;
use crate::account::{Refusal, RefusalKind};

/// How a template changes a property of an existing resource. The guide documents no default; here it is REPLACE.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum Override {
    DoNothing,
    #[default]
    Replace,
    Fail,
    /// For attributes and groups only.
    Merge,
}

/// OverrideSettings of a thing.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields, default)]
pub(super) struct ThingOverrides {
    pub(super) attribute_payload: Override,
    pub(super) thing_type_name: Override,
    pub(super) thing_groups: Override,
}

/// OverrideSettings of a certificate.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields, default)]
pub(super) struct CertificateOverrides {
    pub(super) status: Override,
}

/// A value that can be merged with another one.
pub(super) trait Merge: Clone + PartialEq {
    fn merged(&self, more: &Self) -> Self;
}

impl Merge for BTreeMap<String, String> {
    fn merged(&self, more: &Self) -> Self {
        self.clone().into_iter().chain(more.clone()).collect()
    }
}

impl Merge for BTreeSet<String> {
    fn merged(&self, more: &Self) -> Self {
        self.union(more).cloned().collect()
    }
}

impl Override {
    /// Returns the new value of a property.
    pub(super) fn apply<T: Merge>(self, what: &str, known: &T, planned: &T) -> Result<T, Error> {
        match self {
            Self::Merge => Ok(known.merged(planned)),
            other => other.choose(what, known, planned),
        }
    }

    /// Does the same for properties that cannot be merged.
    pub(super) fn choose<T: Clone + PartialEq>(self, what: &str, known: &T, planned: &T) -> Result<T, Error> {
        match self {
            Self::DoNothing => Ok(known.clone()),
            Self::Replace => Ok(planned.clone()),
            Self::Fail if known == planned => Ok(known.clone()),
            Self::Fail => {
                let message = format!("{what} differs, and its OverrideSettings say FAIL");
                Err(Refusal::new(RefusalKind::ResourceConflict, message).into())
            }
            Self::Merge => Err(Error::Template(format!("{what} cannot be merged"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_setting_decides_what_becomes_of_a_known_value() {
        let known: BTreeMap<String, String> = [("batch", "7"), ("site", "north")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
        let planned: BTreeMap<String, String> = [("batch".to_owned(), "1".to_owned())].into();
        let merged: BTreeMap<String, String> = [("batch", "1"), ("site", "north")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
        for (setting, expected) in [
            (Override::DoNothing, Some(&known)),
            (Override::Replace, Some(&planned)),
            (Override::default(), Some(&planned)),
            (Override::Merge, Some(&merged)),
            (Override::Fail, None),
        ] {
            let outcome = setting.apply("AttributePayload", &known, &planned).ok();
            assert_eq!(outcome.as_ref(), expected, "{setting:?}");
        }
        let unchanged = Override::Fail.apply("AttributePayload", &known, &known);
        assert_eq!(unchanged.ok(), Some(known));
        let groups = |names: &[&str]| -> BTreeSet<String> { names.iter().map(|name| (*name).to_owned()).collect() };
        let both = Override::Merge.apply("ThingGroups", &groups(&["pilot"]), &groups(&["fleet"]));
        assert_eq!(both.ok(), Some(groups(&["fleet", "pilot"])));
        let merged_type = Override::Merge.choose("ThingTypeName", &Some("a"), &Some("b"));
        assert!(merged_type.is_err(), "a type cannot be merged");
    }
}
