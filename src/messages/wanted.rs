//! Which filters the gateway subscribes to at AWS, so that every program gets what it asked for.

use std::collections::{BTreeMap, BTreeSet};

use crate::qos::Qos;
use crate::topic;

/// AWS IoT takes at most 50 subscriptions of one connection (quotas, "Subscriptions per connection").
pub const MAX_FILTERS: usize = 50;

/// The filters to be subscribed to.
pub type Wanted = BTreeMap<String, WantedFilter>;

/// What is wanted of a filter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WantedFilter {
    /// The quality of service.
    pub qos: Qos,
    /// How many programs have asked for it so far: one more wants the retained message, too.
    pub joined: u64,
    /// The same, with those whose messages are kept: each is told if AWS refuses it.
    pub asked: u64,
}

/// A program's wish.
#[derive(Clone, Debug)]
pub struct Wish<'a> {
    /// The filter.
    pub filter: &'a str,
    /// The quality of service.
    pub qos: Qos,
    /// It has not seen the retained message yet.
    pub fresh: bool,
    /// As [`WantedFilter::joined`].
    pub joined: u64,
    /// As [`WantedFilter::asked`].
    pub asked: u64,
    /// AWS has refused it: others cannot rely on it.
    pub refused: bool,
}

/// The fewest filters that take in all wishes.
///
/// A broker may send a message once for each subscription that takes it in, and every copy would go to every program: so
/// a filter that another one covers is left out. AWS sends retained messages for a filter without wildcards only
/// (developer guide, mqtt): such a filter is subscribed to by itself until its program has seen them.
pub fn fewest<'a>(wishes: impl Iterator<Item = Wish<'a>>) -> Wanted {
    let mut all: BTreeMap<&str, (WantedFilter, bool)> = BTreeMap::new();
    let mut refused = BTreeSet::new();
    for wish in wishes {
        if wish.refused {
            refused.insert(wish.filter);
        }
        let (wanted, fresh) = all.entry(wish.filter).or_default();
        wanted.qos = wanted.qos.max(wish.qos);
        wanted.joined = wanted.joined.max(wish.joined);
        wanted.asked = wanted.asked.max(wish.asked);
        *fresh |= wish.fresh && !is_wild(wish.filter);
    }
    let covering = |filter: &str| -> Vec<&str> {
        // Two different filters never cover each other, so one of them is always left.
        let others = all
            .keys()
            .filter(|other| **other != filter && !refused.contains(*other));
        others.filter(|other| topic::covers(other, filter)).copied().collect()
    };
    let mut fewest = Wanted::new();
    for (filter, (wanted, fresh)) in &all {
        if *fresh || covering(filter).is_empty() {
            fewest.insert((*filter).to_owned(), *wanted);
        }
    }
    // What a filter takes over from others it takes over with their quality of service.
    for (filter, (wanted, _)) in &all {
        for other in covering(filter) {
            if let Some(other) = fewest.get_mut(other) {
                other.qos = other.qos.max(wanted.qos);
            }
        }
    }
    fewest
}

/// Whether a filter has wildcards.
pub fn is_wild(filter: &str) -> bool {
    filter.contains(['+', '#'])
}

#[cfg(test)]
mod tests {
    use super::Qos::{AtLeastOnce, AtMostOnce};
    use super::*;

    #[test]
    fn the_fewest_filters_take_in_every_wish() {
        let wish = |(filter, qos, fresh)| Wish {
            filter,
            qos,
            fresh,
            joined: 1,
            asked: 1,
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
        for (wishes, wanted) in cases {
            let found = fewest(wishes.iter().copied().map(wish));
            let found: Vec<(&str, Qos)> = found
                .iter()
                .map(|(filter, wanted)| (filter.as_str(), wanted.qos))
                .collect();
            assert_eq!(found, *wanted, "{wishes:?}");
        }
    }
}
