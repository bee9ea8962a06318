//! The Condition block (IAM User Guide, "IAM JSON policy elements: Condition operators" and "Conditions with multiple
//! context keys or values").

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Deserializer};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::Context;
use super::one_or_many::one_or_many;
use super::pattern::Pattern;

/// All conditions of a statement, each of which must be met.
#[derive(Debug, Clone, Default)]
pub(super) struct Conditions(Vec<Condition>);

/// An operator with a key: `"StringEquals": {"iot:ClientId": [...]}`.
#[derive(Debug, Clone)]
struct Condition {
    operator: Operator,
    key: String,
    values: Vec<String>,
}

#[derive(Debug, Clone, Copy)]
struct Operator {
    set: Option<Set>,
    test: Test,
    negated: bool,
    if_exists: bool,
}

/// The set operator, which says how many of the request's values must match.
#[derive(Debug, Clone, Copy)]
enum Set {
    ForAllValues,
    ForAnyValue,
}

#[derive(Debug, Clone, Copy)]
enum Test {
    Equals,
    EqualsIgnoreCase,
    /// Compares with `*` and `?`. ArnEquals and ArnLike behave identically for ARNs.
    Like,
    Bool,
    Null,
    IpAddress,
    Number(Comparison),
    Date(Comparison),
}

#[derive(Debug, Clone, Copy)]
enum Comparison {
    Equals,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Conditions {
    pub(super) fn hold(&self, context: &Context) -> bool {
        self.0.iter().all(|condition| condition.holds(context))
    }
}

impl<'de> Deserialize<'de> for Conditions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Values(#[serde(deserialize_with = "one_or_many")] Vec<Scalar>);

        /// JSON booleans and numbers are compared as their text.
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Scalar {
            Text(String),
            Bool(bool),
            Number(serde_json::Number),
        }

        let written = BTreeMap::<String, BTreeMap<String, Values>>::deserialize(deserializer)?;
        let mut conditions = Vec::new();
        for (name, keys) in written {
            let operator = Operator::parse(&name)
                .ok_or_else(|| serde::de::Error::custom(format!("{name:?} is not a condition operator")))?;
            for (key, Values(values)) in keys {
                let values = values.into_iter().map(|value| match value {
                    Scalar::Text(text) => text,
                    Scalar::Bool(value) => value.to_string(),
                    Scalar::Number(number) => number.to_string(),
                });
                let values: Vec<String> = values.collect();
                if let Some(value) = values.iter().find(|value| !operator.test.takes(value)) {
                    return Err(serde::de::Error::custom(format!("{name} cannot be asked of {value:?}")));
                }
                conditions.push(Condition { operator, key, values });
            }
        }
        Ok(Self(conditions))
    }
}

impl Operator {
    fn parse(name: &str) -> Option<Self> {
        let (set, name) = match name.split_once(':') {
            Some(("ForAllValues", name)) => (Some(Set::ForAllValues), name),
            Some(("ForAnyValue", name)) => (Some(Set::ForAnyValue), name),
            Some(_) => return None,
            None => (None, name),
        };
        let (name, if_exists) = match name.strip_suffix("IfExists") {
            Some(name) => (name, true),
            None => (name, false),
        };
        let (test, negated) = match name {
            "StringEquals" => (Test::Equals, false),
            "StringNotEquals" => (Test::Equals, true),
            "StringEqualsIgnoreCase" => (Test::EqualsIgnoreCase, false),
            "StringNotEqualsIgnoreCase" => (Test::EqualsIgnoreCase, true),
            "StringLike" | "ArnEquals" | "ArnLike" => (Test::Like, false),
            "StringNotLike" | "ArnNotEquals" | "ArnNotLike" => (Test::Like, true),
            "Bool" => (Test::Bool, false),
            "Null" if !if_exists => (Test::Null, false),
            "IpAddress" => (Test::IpAddress, false),
            "NotIpAddress" => (Test::IpAddress, true),
            other => {
                let number = other
                    .strip_prefix("Numeric")
                    .map(|name| (name, Test::Number as fn(_) -> _));
                let (name, test) = number.or_else(|| other.strip_prefix("Date").map(|name| (name, Test::Date as _)))?;
                match name {
                    "Equals" => (test(Comparison::Equals), false),
                    "NotEquals" => (test(Comparison::Equals), true),
                    "LessThan" => (test(Comparison::Less), false),
                    "LessThanEquals" => (test(Comparison::LessOrEqual), false),
                    "GreaterThan" => (test(Comparison::Greater), false),
                    "GreaterThanEquals" => (test(Comparison::GreaterOrEqual), false),
                    _ => return None,
                }
            }
        };
        Some(Self {
            set,
            test,
            negated,
            if_exists,
        })
    }
}

impl Condition {
    fn holds(&self, context: &Context) -> bool {
        let Operator {
            set,
            test,
            negated,
            if_exists,
        } = self.operator;
        let found = context.values(&self.key);
        if let Test::Null = test {
            // "true": the key must be missing.
            return self.values.iter().any(|value| (value == "true") == found.is_none());
        }
        let Some(found) = found.filter(|found| !found.is_empty()) else {
            // If the key is missing, ForAllValues is true and ForAnyValue is false; without a set operator only negated operators are true.
            return if_exists
                || match set {
                    Some(Set::ForAllValues) => true,
                    Some(Set::ForAnyValue) => false,
                    None => negated,
                };
        };
        let satisfies = |value: &String| {
            let matches = self.values.iter().any(|wanted| test.passes(wanted, value, context));
            matches != negated
        };
        match set {
            Some(Set::ForAllValues) => found.iter().all(satisfies),
            Some(Set::ForAnyValue) | None => found.iter().any(satisfies),
        }
    }
}

impl Test {
    /// Returns whether the operator accepts this value from a policy.
    fn takes(self, wanted: &str) -> bool {
        // A variable is resolved later, when a request is evaluated.
        wanted.contains("${")
            || match self {
                Self::Equals | Self::EqualsIgnoreCase | Self::Like => true,
                Self::Bool | Self::Null => matches!(wanted, "true" | "false"),
                Self::IpAddress => network(wanted).is_some(),
                Self::Number(_) => wanted.parse::<f64>().is_ok(),
                Self::Date(_) => date(wanted).is_some(),
            }
    }

    fn passes(self, wanted: &str, found: &str, context: &Context) -> bool {
        let text = || Pattern::literally(wanted, context);
        match self {
            Self::Equals => text() == found,
            Self::EqualsIgnoreCase | Self::Bool => text().eq_ignore_ascii_case(found),
            Self::Like => Pattern::resolved(wanted, context).matches(found),
            Self::Null => false,
            Self::IpAddress => {
                let pair = network(&text()).zip(found.parse().ok());
                pair.is_some_and(|((network, bits), address)| masked(network, bits) == masked(address, bits))
            }
            Self::Number(comparison) => {
                let pair = found.parse::<f64>().ok().zip(text().parse::<f64>().ok());
                pair.and_then(|(found, wanted)| found.partial_cmp(&wanted))
                    .is_some_and(|order| comparison.allows(order))
            }
            Self::Date(comparison) => {
                let pair = date(found).zip(date(&text()));
                pair.is_some_and(|(found, wanted)| comparison.allows(found.cmp(&wanted)))
            }
        }
    }
}

impl Comparison {
    fn allows(self, order: Ordering) -> bool {
        match self {
            Self::Equals => order.is_eq(),
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::GreaterOrEqual => order.is_ge(),
        }
    }
}

/// Parses `203.0.113.0/24`, or a single address.
fn network(text: &str) -> Option<(IpAddr, u32)> {
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) => (address.parse::<IpAddr>().ok()?, Some(bits.parse::<u32>().ok()?)),
        None => (text.parse::<IpAddr>().ok()?, None),
    };
    let width = if address.is_ipv4() { 32 } else { 128 };
    let bits = bits.unwrap_or(width);
    (bits <= width).then_some((address, bits))
}

/// Returns the network part of an address. It is never the same for addresses of different families.
fn masked(address: IpAddr, bits: u32) -> (bool, u128) {
    let (number, width) = match address {
        IpAddr::V4(address) => (u128::from(address.to_bits()), 32),
        IpAddr::V6(address) => (address.to_bits(), 128),
    };
    let host_bits: u32 = width - bits.min(width);
    (address.is_ipv4(), number.checked_shr(host_bits).unwrap_or(0))
}

/// Parses W3C dates in the form that IAM accepts, or seconds since 1970.
fn date(text: &str) -> Option<OffsetDateTime> {
    let whole_day = || OffsetDateTime::parse(&format!("{text}T00:00:00Z"), &Rfc3339).ok();
    let seconds = || OffsetDateTime::from_unix_timestamp(text.parse().ok()?).ok();
    let exact = OffsetDateTime::parse(text, &Rfc3339).ok();
    exact.or_else(whole_day).or_else(seconds)
}
