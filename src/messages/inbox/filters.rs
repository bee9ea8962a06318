//! Computes the filters that the gateway subscribes to at AWS, so that every program receives what it subscribed to.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::qos::Qos;
use crate::topic;

/// AWS IoT allows at most 50 subscriptions per connection (quotas, "Subscriptions per connection").
pub const MAX_FILTERS: usize = 50;

/// After AWS has accepted a subscription, its retained messages arrive within this time.
pub(super) const RETAINED_TIME: Duration = Duration::from_secs(10);

/// The filters that the gateway should be subscribed to, each with its subscription.
pub type DesiredFilters = BTreeMap<String, DesiredFilter>;

/// The subscription that a filter should have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DesiredFilter {
    /// The quality of service.
    pub qos: Qos,
    /// Sequence number of the newest stream without a durable subscription. If it grows, the new program needs the retained
    /// message as well.
    pub newest_live_stream: u64,
    /// Sequence number of the newest stream, durable or not: the new program is told if AWS refuses the filter.
    pub newest_stream: u64,
}

/// Interest of a program in a filter.
#[derive(Clone, Debug)]
pub struct Interest<'a> {
    /// The filter.
    pub filter: &'a str,
    /// The quality of service.
    pub qos: Qos,
    /// Whether it has not received the retained message yet.
    pub needs_retained: bool,
    /// As [`DesiredFilter::newest_live_stream`].
    pub newest_live_stream: u64,
    /// As [`DesiredFilter::newest_stream`].
    pub newest_stream: u64,
    /// Whether AWS has refused the filter, so that it covers no other filter.
    pub refused: bool,
}

/// Computes the smallest set of filters that covers all interests.
///
/// A broker may send a message once for each matching subscription, and every copy would go to every program. So a filter
/// that another one covers is left out. AWS sends retained messages only for filters without wildcards (developer guide,
/// mqtt); such a filter is included until its program has received them.
pub fn minimal_cover<'a>(interests: impl Iterator<Item = Interest<'a>>) -> DesiredFilters {
    let mut all: BTreeMap<&str, (DesiredFilter, bool)> = BTreeMap::new();
    let mut refused = BTreeSet::new();
    for interest in interests {
        if interest.refused {
            refused.insert(interest.filter);
        }
        let (desired, needs_retained) = all.entry(interest.filter).or_default();
        desired.qos = desired.qos.max(interest.qos);
        desired.newest_live_stream = desired.newest_live_stream.max(interest.newest_live_stream);
        desired.newest_stream = desired.newest_stream.max(interest.newest_stream);
        *needs_retained |= interest.needs_retained && !has_wildcard(interest.filter);
    }
    let covering = |filter: &str| -> Vec<&str> {
        // Two different filters never cover each other, so one of them always remains.
        let others = all
            .keys()
            .filter(|other| **other != filter && !refused.contains(*other));
        others.filter(|other| topic::covers(other, filter)).copied().collect()
    };
    let mut cover = DesiredFilters::new();
    for (filter, (desired, needs_retained)) in &all {
        if *needs_retained || covering(filter).is_empty() {
            cover.insert((*filter).to_owned(), *desired);
        }
    }
    // A filter that covers others needs the highest quality of service among them.
    for (filter, (desired, _)) in &all {
        for other in covering(filter) {
            if let Some(other) = cover.get_mut(other) {
                other.qos = other.qos.max(desired.qos);
            }
        }
    }
    cover
}

/// Returns whether a filter has wildcards.
pub fn has_wildcard(filter: &str) -> bool {
    filter.contains(['+', '#'])
}

#[cfg(test)]
mod tests {
    use super::Qos::{AtLeastOnce, AtMostOnce};
    use super::*;

    #[test]
    fn minimal_cover_covers_every_interest() {
        let interest = |(filter, qos, needs_retained)| Interest {
            filter,
            qos,
            needs_retained,
            newest_live_stream: 1,
            newest_stream: 1,
            refused: filter == "refused/#",
        };
        type Cases<'a> = [(&'a [(&'a str, Qos, bool)], &'a [(&'a str, Qos)])];
        let cases: &Cases = &[
            (&[], &[]),
            (
                &[("a/b", AtMostOnce, true), ("a/b", AtLeastOnce, false)],
                &[("a/b", AtLeastOnce)],
            ),
            (
                &[
                    ("a/#", AtMostOnce, true),
                    ("a/+", AtLeastOnce, true),
                    ("a/b", AtMostOnce, false),
                ],
                &[("a/#", AtLeastOnce)],
            ),
            (
                &[("a/#", AtMostOnce, true), ("a/b", AtLeastOnce, true)],
                &[("a/#", AtLeastOnce), ("a/b", AtLeastOnce)],
            ),
            (
                &[("a/+", AtLeastOnce, true), ("+/b", AtLeastOnce, true)],
                &[("+/b", AtLeastOnce), ("a/+", AtLeastOnce)],
            ),
            (
                &[("refused/#", AtLeastOnce, true), ("refused/+", AtLeastOnce, true)],
                &[("refused/#", AtLeastOnce), ("refused/+", AtLeastOnce)],
            ),
            (
                &[("#", AtLeastOnce, true), ("$aws/things/x", AtLeastOnce, false)],
                &[("#", AtLeastOnce), ("$aws/things/x", AtLeastOnce)],
            ),
        ];
        for (interests, desired) in cases {
            let found = minimal_cover(interests.iter().copied().map(interest));
            let found: Vec<(&str, Qos)> = found
                .iter()
                .map(|(filter, desired)| (filter.as_str(), desired.qos))
                .collect();
            assert_eq!(found, *desired, "{interests:?}");
        }
    }
}
