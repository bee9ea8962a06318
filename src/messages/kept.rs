//! Durable subscriptions: their messages are kept on the disk until their program has acknowledged them (`content`).

mod content;
mod room;
#[cfg(test)]
mod tests;

use std::time::SystemTime;

use serde::{Serialize, Serializer};

pub(super) use self::content::load;
use super::database::{Change, Database, FIRST_ID, Total};
use super::message::Received;
use super::owner::Owner;
use crate::qos::Qos;
use crate::user_accounts::UserAccounts;

/// Durable subscriptions at the most.
const MOST: usize = 128;
/// Of these so many of one account, so that no user takes all.
const PER_ACCOUNT: usize = 16;

/// A durable subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DurableSubscription {
    /// Its name.
    pub name: String,
    /// Its number in the database.
    pub(super) number: i64,
    /// Its owner.
    pub owner: Owner,
    /// What it is for.
    pub filter: String,
    /// The quality of service.
    pub qos: Qos,
    /// What waits for it.
    pub(super) total: Total,
    /// The last message's number.
    pub(super) last: i64,
    /// How many messages it has lost because there was no room.
    pub dropped: u64,
    /// How many of those that wait were withheld when their turn came, because no rule gave them.
    pub(super) withheld: u64,
}

/// A durable subscription as people see it.
#[derive(Clone, Debug, Serialize)]
pub struct DurableSubscriptionDocument {
    name: String,
    /// Its owner, for the access check and for people.
    #[serde(serialize_with = "in_words")]
    pub owner: Owner,
    filter: String,
    qos: Qos,
    waiting: u64,
    waiting_bytes: u64,
    dropped: u64,
    /// Number of waiting messages that no rule gave when their turn came. An acknowledgement leaves them where they are.
    withheld: u64,
    /// Whether no access rule gives it to its owner any more: nothing is collected for it.
    pub suspended: bool,
}

fn in_words<S: Serializer>(owner: &Owner, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(owner)
}

impl DurableSubscriptionDocument {
    /// Whether it is the one of this name.
    pub fn is(&self, name: &str) -> bool {
        self.name == name
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// A message of a durable subscription.
#[derive(Clone, Debug)]
pub struct StoredMessage {
    /// Its number, by which it is acknowledged.
    pub id: i64,
    /// The message.
    pub message: Received,
    /// When it came.
    pub received: SystemTime,
    /// Whether no rule gave it when its turn came.
    pub(super) withheld: bool,
}

/// Why a durable subscription cannot be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DurableSubscriptionError {
    /// It is somebody else's; whose, is nobody's business.
    Owned,
    /// There are too many.
    TooMany(usize),
    /// The account has its share of them.
    TooManyOfOne(usize),
}

/// What became of an acknowledgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acknowledged {
    /// What was acknowledged is deleted.
    Done,
    /// The oldest of it is deleted; ask again for the rest.
    More,
    /// There is no such subscription.
    Unknown,
    /// No message has that number yet: the last one has this.
    Beyond(i64),
}

impl DurableSubscription {
    /// Whether `owner` may read it: whoever it belongs to, and a unit's process whose user it belongs to.
    pub(super) fn may_be_used_by(&self, owner: &Owner) -> bool {
        let is_of_its_user = match (&self.owner, owner) {
            (Owner::User { uid, .. }, Owner::Unit { uid: other, .. }) => uid == other,
            _ => false,
        };
        self.owner.is(owner) || is_of_its_user
    }
}

impl Database {
    /// Makes the subscription, or takes it up again. Its owner is then who was given it now: by a rule about a unit it becomes the
    /// unit's, and no longer every process's of the unit's user.
    pub(super) fn keep(
        &mut self,
        name: &str,
        owner: &Owner,
        filter: &str,
        qos: Qos,
        accounts: &UserAccounts,
    ) -> rusqlite::Result<Result<DurableSubscription, DurableSubscriptionError>> {
        self.context.user_accounts = accounts.clone();
        if let Some(known) = self.kept_then(name) {
            if !known.may_be_used_by(owner) {
                return Ok(Err(DurableSubscriptionError::Owned));
            }
            let kept = DurableSubscription {
                owner: owner.clone(),
                filter: filter.to_owned(),
                qos,
                ..known.clone()
            };
            if kept != *known {
                self.database
                    .prepare_cached("UPDATE subscription SET owner = ?2, filter = ?3, qos = ?4 WHERE number = ?1")?
                    .execute((kept.number, owner.to_text(), filter, qos))?;
                self.with_commit(Change::DurableSubscription(kept.clone()));
            }
            return Ok(Ok(kept));
        }
        let (all, of_one) = self.count_kept_then(owner, accounts);
        if all >= MOST {
            return Ok(Err(DurableSubscriptionError::TooMany(MOST)));
        }
        if of_one >= PER_ACCOUNT {
            return Ok(Err(DurableSubscriptionError::TooManyOfOne(PER_ACCOUNT)));
        }
        self.insert_kept(name, owner, filter, qos).map(Ok)
    }

    /// Makes a subscription again what it was before it was taken up.
    pub(super) fn put_back(&mut self, was: &DurableSubscription) -> rusqlite::Result<()> {
        let Some(known) = self.kept_then(&was.name).cloned() else {
            return Ok(());
        };
        self.database
            .prepare_cached("UPDATE subscription SET owner = ?2, filter = ?3, qos = ?4 WHERE number = ?1")?
            .execute((known.number, was.owner.to_text(), &was.filter, was.qos))?;
        self.with_commit(Change::DurableSubscription(DurableSubscription {
            owner: was.owner.clone(),
            filter: was.filter.clone(),
            qos: was.qos,
            ..known
        }));
        Ok(())
    }

    fn insert_kept(
        &mut self,
        name: &str,
        owner: &Owner,
        filter: &str,
        qos: Qos,
    ) -> rusqlite::Result<DurableSubscription> {
        // Not a number of which something is left.
        let number = self.database.query_row(
            "SELECT 1 + max(coalesce((SELECT max(number) FROM subscription), 0),
                            coalesce((SELECT max(subscription) FROM delivery), 0))",
            (),
            |row| row.get(0),
        )?;
        self.database
            .prepare_cached(
                "INSERT INTO subscription (number, name, owner, filter, qos, last) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute((number, name, owner.to_text(), filter, qos, self.context.first_id))?;
        let kept = DurableSubscription {
            name: name.to_owned(),
            number,
            owner: owner.clone(),
            filter: filter.to_owned(),
            qos,
            total: Total::default(),
            last: self.context.first_id,
            dropped: 0,
            withheld: 0,
        };
        self.with_commit(Change::DurableSubscription(kept.clone()));
        Ok(kept)
    }

    /// Leaves what the next database is to know, because this one is broken.
    pub(super) fn hand_over(&mut self) {
        // What this one itself had yet to be told goes on to the next.
        let owed = std::mem::take(&mut self.context.to_keep).into_iter();
        let owed = owed.filter(|kept| !self.kept.contains_key(&kept.name));
        self.context.to_keep = owed.chain(self.kept.values().cloned()).collect();
        self.context.last_id = self.last_id();
        self.context.owed = true;
    }

    /// Notes what the broken one before it has left.
    pub(super) fn take_over(&mut self) -> rusqlite::Result<()> {
        self.keep_again()?;
        if let Some(filters) = self.context.subscribed.clone() {
            self.note_subscribed(&filters)?;
        }
        self.note_fact(FIRST_ID, &self.context.first_id.to_string())
    }

    /// Takes over the subscriptions of a database that broke: without their messages, and with their numbers going on.
    fn keep_again(&mut self) -> rusqlite::Result<()> {
        for kept in self.context.to_keep.clone() {
            // Those that there were stay, even where they are more than an account may have now.
            let mut again = match self.kept_then(&kept.name) {
                Some(known) => known.clone(),
                None => self.insert_kept(&kept.name, &kept.owner, &kept.filter, kept.qos)?,
            };
            again.last = again.last.max(kept.last);
            self.note_counters(&again)?;
            self.with_commit(Change::DurableSubscription(again));
        }
        Ok(())
    }

    /// Ends the subscription. What waits for it is deleted a little at a time, by [`delete_leftovers`](Self::delete_leftovers).
    pub(super) fn unkeep(&mut self, name: &str) -> rusqlite::Result<bool> {
        let Some(number) = self.kept_then(name).map(|kept| kept.number) else {
            return Ok(false);
        };
        self.database
            .execute("DELETE FROM subscription WHERE number = ?1", (number,))?;
        self.leftovers = true;
        self.with_commit(Change::Unkept(name.to_owned()));
        Ok(true)
    }

    /// What there is.
    pub(super) fn list_kept(&self) -> Vec<DurableSubscriptionDocument> {
        let document = |kept: &DurableSubscription| DurableSubscriptionDocument {
            name: kept.name.clone(),
            owner: kept.owner.clone(),
            filter: kept.filter.clone(),
            qos: kept.qos,
            waiting: kept.total.messages,
            waiting_bytes: kept.total.bytes,
            dropped: kept.dropped,
            withheld: kept.withheld,
            suspended: false,
        };
        self.kept.values().map(document).collect()
    }
}
