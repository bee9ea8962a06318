//! The open database together with the state that is kept in memory. Only the store's thread has it.
//!
//! The functions that work on it are in `outbox`, `inbox/durable` and `thread`.

use std::path::Path;

use rusqlite::Connection;

use super::context::StoreContext;
use super::inbox::durable::state::DurableState;
use super::outbox::state::OutboxState;
use super::store::file_id::FileId;
use super::store::metadata;
use super::store::space_reserve::SpaceReserve;
use super::store::vacuum;
use super::subscription_state::SubscriptionState;
use crate::status::{MessagesDetails, MessagesPhase};

/// Metadata: number of the last message, once no message has it any more.
const LAST_ID: &str = "last-message";
/// Metadata: no message has a smaller number.
pub(super) const FIRST_ID: &str = "first-number";
/// Metadata: when a store that had failed was last tested.
const LAST_TEST: &str = "last-trial";

/// The open database. Everything but [`StoreContext`] is read again when it is opened.
#[derive(Debug)]
pub(super) struct Database {
    pub(super) connection: Connection,
    /// The database's file when it was opened.
    pub(super) file_id: Option<FileId>,
    pub(super) reserve: SpaceReserve,
    pub(super) context: Box<StoreContext>,
    pub(super) outbox: OutboxState,
    pub(super) durable: DurableState,
    /// Whether free pages of the file can be returned to the file system.
    pub(super) can_shrink: bool,
    /// Whether free pages are being returned.
    pub(super) is_shrinking: bool,
    /// Bytes that this transaction has added.
    added: u64,
    last_id: i64,
    /// The last number that the metadata has.
    stored_last_id: i64,
    /// Whether a commit is synced to the disk.
    is_synchronous: bool,
    /// Whether the last transaction was committed.
    is_healthy: bool,
}

impl Database {
    /// Reads the state from `connection`.
    pub(super) fn load(
        connection: Connection,
        mut reserve: SpaceReserve,
        mut context: Box<StoreContext>,
    ) -> Result<Self, (rusqlite::Error, Box<StoreContext>)> {
        let loaded = OutboxState::load(&connection).and_then(|(outbox, last_id)| {
            Ok((
                outbox,
                last_id,
                metadata::read_subscribed(&connection)?,
                metadata::read_number(&connection, LAST_ID)?,
                metadata::read_number(&connection, FIRST_ID)?,
                DurableState::load(&connection)?,
            ))
        });
        let (outbox, last_id, subscribed, stored_last_id, first_id, durable) = match loaded {
            Ok(loaded) => loaded,
            Err(error) => return Err((error, context)),
        };
        reserve.take();
        context.first_id = context.first_id.max(first_id);
        context.subscribed = context.subscribed.or(subscribed);
        let known_id = context.last_id.max(context.first_id);
        let database = Self {
            connection,
            file_id: None,
            reserve,
            context,
            outbox,
            durable,
            can_shrink: false,
            is_shrinking: false,
            added: 0,
            last_id: last_id.max(stored_last_id).max(known_id),
            stored_last_id,
            is_synchronous: true,
            is_healthy: false,
        };
        database.report_status();
        database.context.outbox_changed.send_replace(());
        Ok(database)
    }

    /// Closes the database, which checkpoints its log.
    pub(super) fn close(self) -> Box<StoreContext> {
        if let Err((_, error)) = self.connection.close() {
            log::debug!("messages: closing the database: {error}");
        }
        self.context
    }

    /// Records the properties of the file that was just opened at `path`.
    pub(super) fn record_file(&mut self, path: &Path) {
        self.file_id = FileId::of(path).ok().flatten();
        self.can_shrink = vacuum::is_incremental(&self.connection).unwrap_or(false);
        // `connect` has set it so.
        self.is_synchronous = true;
    }

    pub(super) fn last_id(&self) -> i64 {
        self.last_id
    }

    /// Returns the next message's number. A number may stay unused.
    pub(super) fn next_id(&mut self) -> i64 {
        self.last_id += 1;
        self.context.last_id = self.last_id;
        self.last_id
    }

    /// Begins a transaction. A power cut may undo one that is not `synchronous`.
    pub(super) fn begin(&mut self, synchronous: bool) -> rusqlite::Result<()> {
        if synchronous != self.is_synchronous {
            let level = if synchronous { "FULL" } else { "NORMAL" };
            self.connection.pragma_update(None, "synchronous", level)?;
            self.is_synchronous = synchronous;
        }
        self.connection.execute_batch("BEGIN")
    }

    /// Stores the last number when the message that has it is deleted. No number is used twice, not even after a restart, or a
    /// number that an operator wrote down would mean another message. AUTOINCREMENT would write this with each message; here it
    /// is rarely needed, because the last message is deleted only when the outbox becomes empty.
    fn store_last_id(&self) -> rusqlite::Result<i64> {
        if self.stored_last_id == self.last_id || !self.outbox.deletes_messages() {
            return Ok(self.stored_last_id);
        }
        let exists = self
            .connection
            .prepare_cached("SELECT 1 FROM outbox WHERE id = ?1")?
            .exists((self.last_id,))?;
        if exists {
            return Ok(self.stored_last_id);
        }
        metadata::write(&self.connection, LAST_ID, &self.last_id.to_string())?;
        Ok(self.last_id)
    }

    /// Commits the transaction and applies its changes to the state in memory.
    pub(super) fn commit(&mut self) -> rusqlite::Result<()> {
        let stored_last_id = self.store_last_id()?;
        self.connection.execute_batch("COMMIT")?;
        self.stored_last_id = stored_last_id;
        self.added = 0;
        if self.has_room() && !std::mem::replace(&mut self.is_healthy, true) {
            self.context.reporter.report(MessagesPhase::Ready, None);
        }
        self.outbox.apply_changes(&mut self.context);
        if self.durable.apply_changes() {
            self.context.durable_changed.send_replace(());
        }
        if self.outbox.schedule.any_waiting() {
            self.context.outbox_changed.send_replace(());
        }
        Ok(())
    }

    /// Rolls the transaction back.
    pub(super) fn roll_back(&mut self) {
        self.is_healthy = false;
        self.outbox.discard_changes();
        self.durable.discard_changes();
        self.added = 0;
        // SQLite rolls back by itself after some errors.
        if !self.connection.is_autocommit() {
            let _ = self.connection.execute_batch("ROLLBACK");
        }
    }

    /// Counts bytes that this transaction adds.
    pub(super) fn count_added(&mut self, bytes: u64) {
        self.added = self.added.saturating_add(bytes);
    }

    /// Bytes that this transaction has added.
    pub(super) fn added(&self) -> u64 {
        self.added
    }

    /// Returns whether new messages can be written.
    pub(super) fn has_room(&mut self) -> bool {
        self.reserve.has_room(&self.connection)
    }

    /// Releases the reserved space for deletions, because the disk is full.
    pub(super) fn release_reserve(&mut self) {
        self.reserve.release_for(&self.connection);
    }

    /// Returns whether the last write has failed, or the disk has no room for the next.
    pub(super) fn has_failed(&self) -> bool {
        self.context.reporter.phase() == MessagesPhase::Failed
    }

    /// Reports that the store is ready, after its file was missing, if the file can be written as well.
    pub(super) fn report_recovery(&self) {
        if self.is_healthy && self.has_failed() {
            self.context.reporter.report(MessagesPhase::Ready, None);
        }
    }

    /// Writes a value that no one reads, to test whether the database can be written.
    pub(super) fn test_write(&mut self) -> rusqlite::Result<()> {
        metadata::write(&self.connection, LAST_TEST, &self.context.now_ms().to_string())
    }

    /// Stores the filters that AWS's side of the session has.
    pub(super) fn store_subscribed(&mut self, filters: &[(String, SubscriptionState)]) -> rusqlite::Result<()> {
        self.context.subscribed = Some(filters.to_vec());
        metadata::write_subscribed(&self.connection, filters)
    }

    /// Returns the number of acknowledged messages whose rows are still to be deleted.
    pub(super) fn deferred_deletes(&self) -> usize {
        self.outbox.acknowledged.len()
    }

    /// Reports the figures to the status.
    pub(super) fn report_status(&self) {
        let counts = self.context.counts;
        self.context.reporter.details(|details| {
            *details = MessagesDetails {
                opened: true,
                queued: self.outbox.total.messages,
                queued_bytes: self.outbox.total.bytes,
                parked: u64::try_from(self.outbox.parked).unwrap_or(0),
                accepted: counts.accepted,
                acknowledged: counts.acknowledged,
                refused: counts.refused,
                dropped: counts.dropped,
                expired: counts.expired,
                inbox_dropped: counts.inbox_dropped,
                suspended: self.context.suspended,
                set_aside: self.context.set_aside.clone(),
            };
        });
        // The figures are valid now, so the phase must not be an earlier one.
        if self.context.reporter.phase() == MessagesPhase::Opening {
            self.context.reporter.report(MessagesPhase::Ready, None);
        }
    }
}
