//! Subordinate IDs: user and group IDs that an ordinary user can take.
//!
//! newuidmap(1) and newgidmap(1) let a user take any ID of its range in /etc/subuid or /etc/subgid, usually 65,536 of them. An
//! access rule for such an ID is therefore a rule for that user.

use std::fs;

use log::Level;
use nix::unistd::{Group, User};

use crate::config::{AccessRule, Config};
use crate::event::{Event, journal};
use crate::problem::Problem;
use crate::user_accounts::OwnedRange;

const USERS: &str = "/etc/subuid";
const GROUPS: &str = "/etc/subgid";

/// A range of IDs and its owner (subuid(5)).
#[derive(Clone, Debug, PartialEq, Eq)]
struct Range {
    owner: String,
    first: u32,
    count: u32,
}

/// Returns the ranges of user IDs that users other than root can take. The range of an unknown user belongs to its first ID.
pub fn user_ranges() -> Vec<OwnedRange> {
    let ranges = fs::read_to_string(USERS).map(|text| parse(&text)).unwrap_or_default();
    ranges.iter().map(Range::owned).collect()
}

/// Logs each problem of [`problems`].
pub fn log_problems(config: &Config) {
    for problem in problems(config) {
        journal!(Level::Warn, Event::AccessSubordinateId; "access: {problem}");
    }
}

/// Returns a problem for each access rule whose user or group a user other than root can become.
pub fn problems(config: &Config) -> Vec<Problem> {
    let ranges = |path| fs::read_to_string(path).map(|text| parse(&text)).unwrap_or_default();
    let (users, groups) = (ranges(USERS), ranges(GROUPS));
    if users.is_empty() && groups.is_empty() {
        return Vec::new();
    }
    let rules = config.access.iter();
    rules.flat_map(|rule| problems_of(rule, &users, &groups)).collect()
}

fn problems_of(rule: &AccessRule, users: &[Range], groups: &[Range]) -> Vec<Problem> {
    let who = &rule.who;
    let user = who.user.as_deref().and_then(|name| User::from_name(name).ok()?);
    let group = who.group.as_deref().and_then(|name| Group::from_name(name).ok()?);
    let uids = [("uid", who.uid), ("user", user.map(|user| user.uid.as_raw()))];
    let gids = [("gid", who.gid), ("group", group.map(|group| group.gid.as_raw()))];
    let kinds = [(uids, users, USERS), (gids, groups, GROUPS)];
    let ids = kinds
        .iter()
        .flat_map(|(ids, ranges, file)| ids.iter().map(move |(key, id)| (key, id, ranges, file)));
    ids.filter_map(|(key, id, ranges, file)| {
        let id = (*id)?;
        let range = ranges.iter().find(|range| range.contains(id))?;
        Some(problem(rule, key, id, range, file))
    })
    .collect()
}

fn problem(rule: &AccessRule, key: &str, id: u32, range: &Range, file: &str) -> Problem {
    let owner = range.owner.escape_debug();
    Problem::configuration(format!(
        "{}: {key} {id} is in the range of {owner} in {file}, who can run programs as it and gain what the rule grants",
        rule.place
    ))
    .next("name a unit, or an account that has no range there")
}

fn parse(text: &str) -> Vec<Range> {
    let range = |line: &str| {
        let mut fields = line.trim().split(':');
        let (owner, first, count) = (fields.next()?, fields.next()?, fields.next()?);
        Some(Range {
            owner: owner.to_owned(),
            first: first.parse().ok()?,
            count: count.parse().ok()?,
        })
    };
    let ranges = text
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'))
        .filter_map(range);
    // Root can become any user anyway.
    ranges
        .filter(|range| range.owner != "root" && range.owner != "0")
        .collect()
}

impl Range {
    fn owned(&self) -> OwnedRange {
        let by_name = || Some(User::from_name(&self.owner).ok()??.uid.as_raw());
        OwnedRange {
            owner: self.owner.parse().ok().or_else(by_name).unwrap_or(self.first),
            first: self.first,
            count: self.count,
        }
    }

    fn contains(&self, id: u32) -> bool {
        id.checked_sub(self.first).is_some_and(|offset| offset < self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Aliases, Selectors};

    const RANGES: &str = "# comment\nmallory:100000:65536\nroot:500000:65536\n1001:200000:1\nbad\n:\nx:y:z\nx:-1:5\n\
                          x:1:\n late:4294967295:10 \n";

    #[test]
    fn ranges_are_parsed_and_malformed_lines_are_ignored() {
        let parsed = parse(RANGES);
        let owners: Vec<&str> = parsed.iter().map(|range| range.owner.as_str()).collect();
        assert_eq!(owners, ["mallory", "1001", "late"]);
        for (id, owner) in [
            (0, None),
            (99_999, None),
            (100_000, Some("mallory")),
            (101_000, Some("mallory")),
            (165_535, Some("mallory")),
            (165_536, None),
            (200_000, Some("1001")),
            (200_001, None),
            (500_000, None),
            (u32::MAX, Some("late")),
        ] {
            let found = parsed.iter().find(|range| range.contains(id));
            assert_eq!(found.map(|range| range.owner.as_str()), owner, "{id}");
        }
    }

    #[test]
    fn a_rule_for_a_subordinate_id_is_reported() {
        let rule = |who| AccessRule {
            place: "access[3] of /x.toml".into(),
            who,
            role_aliases: Aliases::All,
            publish: Vec::new(),
            subscribe: Vec::new(),
            tokens: Vec::new(),
            token_file: None,
        };
        let who = Selectors::default;
        let uid = |uid| Selectors {
            uid: Some(uid),
            ..who()
        };
        let gid = |gid| Selectors {
            gid: Some(gid),
            ..who()
        };
        let user = |name: &str| Selectors {
            user: Some(name.into()),
            ..who()
        };
        let ranges = parse(RANGES);
        for (who, users, groups, count) in [
            (uid(101_000), &ranges[..], &[][..], 1),
            (uid(101_000), &[], &ranges, 0),
            (gid(101_000), &[], &ranges, 1),
            (gid(101_000), &ranges, &[], 0),
            (uid(1000), &ranges, &ranges, 0),
            (user("root"), &ranges, &ranges, 0),
            (user("no-such-user"), &ranges, &ranges, 0),
            (who(), &ranges, &ranges, 0),
            (
                Selectors {
                    gid: Some(100_000),
                    ..uid(100_000)
                },
                &ranges,
                &ranges,
                2,
            ),
            (
                Selectors {
                    unit: Some("a.service".into()),
                    ..uid(100_000)
                },
                &ranges,
                &ranges,
                1,
            ),
        ] {
            let problems = problems_of(&rule(who.clone()), users, groups);
            assert_eq!(problems.len(), count, "{who:?}: {problems:?}");
            assert!(
                problems
                    .iter()
                    .all(|problem| problem.message.contains("access[3] of /x.toml"))
            );
        }
        let said = problems_of(&rule(uid(101_000)), &ranges, &[]).remove(0).to_string();
        assert!(
            said.contains("uid 101000 is in the range of mallory in /etc/subuid"),
            "{said}"
        );
    }
}
