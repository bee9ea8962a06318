//! How much durable subscriptions may keep: each by itself, and all of an account together.

use super::super::database::{Change, Database, Total};
use super::super::owner::Owner;
use super::DurableSubscription;
use super::content::Oldest;
use crate::user_accounts::UserAccounts;

/// An account's subscriptions together keep so many times what one of them may keep. A message that several of them have counts for
/// each, though it is stored once.
const ACCOUNT_SHARE: u64 = 8;

impl Database {
    /// How many durable subscriptions there are after the commit, in all and of this owner's account.
    pub(super) fn count_kept_then(&self, owner: &Owner, accounts: &UserAccounts) -> (usize, usize) {
        let of_one = self
            .all_kept_then()
            .filter(|kept| kept.owner.shares_with(owner, accounts));
        (self.all_kept_then().count(), of_one.count())
    }

    /// Sees to it that `bytes` more fit into `kept`, and into what its account may keep. The oldest make room: first its own, then
    /// those of the account's fullest subscription. False where there is none to be had; the message is then lost for `kept`.
    pub(super) fn make_room_in(&mut self, kept: &mut DurableSubscription, bytes: u64) -> rusqlite::Result<bool> {
        let (max_bytes, max_messages) = (
            self.context.bounds.inbox_max_bytes,
            self.context.bounds.inbox_max_messages,
        );
        let is_full = |total: &Total| total.messages >= max_messages || total.bytes.saturating_add(bytes) > max_bytes;
        if is_full(&kept.total) {
            let dropped = self.delete_oldest(kept, Oldest::OfAll, |kept, _| is_full(&kept.total))?;
            self.count_dropped(kept, dropped)?;
        }
        let limit = max_bytes.saturating_mul(ACCOUNT_SHARE);
        let (beside, fullest) = self.of_the_same_account(kept);
        let excess = beside.saturating_add(kept.total.bytes + bytes).saturating_sub(limit);
        if excess == 0 {
            return Ok(true);
        }
        match fullest.filter(|fullest| fullest.total.bytes > kept.total.bytes) {
            Some(mut fullest) => {
                let target = fullest.total.bytes.saturating_sub(excess);
                let dropped =
                    self.delete_oldest(&mut fullest, Oldest::OfAll, |fullest, _| fullest.total.bytes > target)?;
                self.count_dropped(&mut fullest, dropped)?;
                self.with_commit(Change::DurableSubscription(fullest));
                if dropped == 0 {
                    self.count_dropped(kept, 1)?;
                }
                Ok(dropped > 0)
            }
            None => {
                let target = kept.total.bytes.saturating_sub(excess);
                let dropped = self.delete_oldest(kept, Oldest::OfAll, |kept, _| kept.total.bytes > target)?;
                self.count_dropped(kept, dropped)?;
                let fits = dropped > 0;
                if !fits {
                    self.count_dropped(kept, 1)?;
                }
                Ok(fits)
            }
        }
    }

    fn count_dropped(&mut self, kept: &mut DurableSubscription, dropped: usize) -> rusqlite::Result<()> {
        let dropped = u64::try_from(dropped).unwrap_or(0);
        kept.dropped += dropped;
        self.context.counts.inbox_dropped += dropped;
        match dropped {
            0 => Ok(()),
            _ => self.note_counters(kept),
        }
    }

    /// The bytes of the account's other subscriptions, and the fullest of these.
    fn of_the_same_account(&self, kept: &DurableSubscription) -> (u64, Option<DurableSubscription>) {
        let accounts = &self.context.user_accounts;
        let others = || {
            let all = self.all_kept_then();
            all.filter(|other| other.name != kept.name && other.owner.shares_with(&kept.owner, accounts))
        };
        let fullest = others().max_by_key(|other| other.total.bytes).cloned();
        (others().map(|other| other.total.bytes).sum(), fullest)
    }
}
