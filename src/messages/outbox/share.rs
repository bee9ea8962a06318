//! The share of the outbox that one account may fill, if a full outbox refuses messages.
//!
//! An account may have at most seven times what is free: seven eighths of the outbox if it is the only one, seven fifteenths
//! each if there are two, and so on. So whoever fills the outbox leaves room to others, and more of it as soon as AWS accepts
//! messages again. Root has no such limit.

use crate::messages::bounds::Bounds;
use crate::messages::database::Database;
use crate::messages::owner::Account;
use crate::messages::total::Total;
use crate::problem::Problem;

/// An account may have this many times what is free.
const TIMES_FREE: u64 = 7;

/// Returns why a message of this size exceeds the account's share, if it does.
pub(in crate::messages) fn exceeds_share(database: &Database, account: &Account, size: u64) -> Option<Problem> {
    let (bounds, outbox) = (&database.context.bounds, &database.outbox);
    let is_exempt = *account == Account::of_user(0);
    let exceeds = !is_exempt && exceeds(bounds, outbox.pending_total(), outbox.pending_total_of(account), size);
    exceeds.then(|| describe(bounds))
}

fn exceeds(bounds: &Bounds, all: Total, own: Total, size: u64) -> bool {
    let share = |max: u64, all: u64| max.saturating_sub(all).saturating_mul(TIMES_FREE);
    own.messages >= share(bounds.max_messages, all.messages)
        || own.bytes.saturating_add(size) > share(bounds.max_bytes, all.bytes)
}

fn describe(bounds: &Bounds) -> Problem {
    Problem::wait(format!(
        "the outbox is nearly full, and this account has used its share: the rest of {} bytes and {} messages \
         (mqtt.outbox-max-bytes, mqtt.outbox-max-messages) is reserved for others",
        bounds.max_bytes, bounds.max_messages
    ))
    .next("gatepost status shows why messages are not sent; gatepost outbox list lists them")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn total(messages: u64, bytes: u64) -> Total {
        Total { messages, bytes }
    }

    /// How much each of these accounts gets in when they publish in turn until all of them are refused.
    fn fill(accounts: usize, bounds: &Bounds, size: u64) -> Vec<u64> {
        let mut own = vec![Total::default(); accounts];
        let mut all = Total::default();
        loop {
            let mut taken = false;
            for total in &mut own {
                if all.messages < bounds.max_messages && !exceeds(bounds, all, *total, size) {
                    total.add(size);
                    all.add(size);
                    taken = true;
                }
            }
            if !taken {
                return own.into_iter().map(|total| total.messages).collect();
            }
        }
    }

    #[test]
    fn each_account_gets_its_share_and_leaves_one_to_the_next() {
        let by_messages = Bounds {
            max_messages: 1000,
            ..Bounds::default()
        };
        let by_bytes = Bounds {
            max_bytes: 1000 * 100,
            ..Bounds::default()
        };
        for (bounds, size) in [(&by_messages, 1), (&by_bytes, 100)] {
            for (accounts, least, left) in [(1, 874, 100), (2, 460, 50), (3, 310, 30), (10, 95, 10), (50, 19, 2)] {
                let taken = fill(accounts, bounds, size);
                assert!(taken.iter().all(|taken| *taken >= least), "{accounts}: {taken:?}");
                let all: u64 = taken.iter().sum();
                assert!(all <= 1000 - left, "{accounts}: {all}");
                // One that comes later is taken.
                assert!(
                    !exceeds(bounds, total(all, all * size), Total::default(), size),
                    "{accounts}"
                );
            }
        }
    }

    #[test]
    fn small_bounds_are_used_up() {
        for max_messages in 1..=7 {
            let bounds = Bounds {
                max_messages,
                ..Bounds::default()
            };
            assert_eq!(fill(1, &bounds, 1), [max_messages], "an eighth of so few is none");
        }
    }

    #[test]
    fn freed_space_is_shared_again() {
        let bounds = Bounds {
            max_messages: 800,
            ..Bounds::default()
        };
        assert!(exceeds(&bounds, total(700, 0), total(700, 0), 1));
        assert!(!exceeds(&bounds, total(699, 0), total(699, 0), 1));
        assert!(!exceeds(&bounds, total(700, 0), total(100, 0), 1));
        assert!(exceeds(&bounds, total(800, 0), Total::default(), 1), "full is full");
        assert!(exceeds(
            &bounds,
            total(u64::MAX, u64::MAX),
            total(u64::MAX, u64::MAX),
            u64::MAX
        ));
    }
}
