//! Group commit: jobs that arrive while a commit is being synced are committed together. The outcome of a job is reported
//! once it is on the disk.

use std::collections::VecDeque;
use std::path::Path;

use super::job::{Durability, Job, Report, store_ended};
use super::replaced_file::restore_file;
use crate::messages::database::Database;
use crate::messages::store::error::{StoreError, describe, is_corrupt};
use crate::messages::store::space_reserve::COMMIT_BYTES;

/// Outcomes that are reported at the end of the batch.
type Outcomes = Vec<(Report, Result<(), StoreError>)>;

/// Runs a batch: the jobs that write in one commit, then those that read. Without jobs, commits only the deferred deletes.
/// Returns false if the database is corrupt.
pub(super) fn run_batch(path: &Path, database: &mut Database, jobs: VecDeque<Job>) -> bool {
    database.context.update_bounds();
    let (reads, mut writes): (VecDeque<Job>, VecDeque<Job>) =
        jobs.into_iter().partition(|job| job.durability == Durability::ReadOnly);
    let mut outcomes = Outcomes::new();
    if writes.iter().any(|job| job.durability == Durability::SyncedInsert) && !has_room(database) {
        let inserts: VecDeque<Job>;
        (inserts, writes) = writes
            .into_iter()
            .partition(|job| job.durability == Durability::SyncedInsert);
        refuse_all(inserts, &StoreError::disk_full(path), &mut outcomes);
    }
    let has_jobs = !reads.is_empty() || !writes.is_empty() || !outcomes.is_empty();
    let written = write(path, database, &mut writes, !has_jobs, &mut outcomes);
    let mut intact = written.is_ok();
    let only_reads = outcomes.is_empty() && !reads.is_empty();
    if intact && !only_reads {
        match restore_file(database, path) {
            Ok(()) => database.report_recovery(),
            Err(error) => {
                database.context.report_failure(&error.problem);
                for (_, outcome) in &mut outcomes {
                    *outcome = Err(error.clone());
                }
            }
        }
    }
    // Jobs are left only if the database is corrupt.
    refuse_all(writes, &written.err().unwrap_or_else(store_ended), &mut outcomes);
    for job in reads {
        let (outcome, report) = (job.work)(Ok(database));
        let outcome = outcome.map_err(|error| {
            intact &= !is_corrupt(&error);
            StoreError::new(path, &error)
        });
        outcomes.push((report, outcome));
    }
    // The status is updated first, so that a caller who has the outcome finds it there.
    database.report_status();
    for (report, outcome) in outcomes {
        report(outcome);
    }
    intact
}

/// Commits the jobs that write, and the deferred deletes if there is `only_deferred` work. A job that fails rolls back those
/// before it in its transaction; those after it are committed by the next one. An error means that the database is corrupt.
fn write(
    path: &Path,
    database: &mut Database,
    jobs: &mut VecDeque<Job>,
    only_deferred: bool,
    outcomes: &mut Outcomes,
) -> Result<(), StoreError> {
    let mut first = only_deferred;
    while std::mem::take(&mut first) || !jobs.is_empty() {
        let synchronous = jobs.iter().any(|job| job.durability != Durability::Unsynced);
        let mut reports: Vec<Report> = Vec::new();
        let committed = commit(database, synchronous, |database| {
            while database.added() < COMMIT_BYTES
                && let Some(job) = jobs.pop_front()
            {
                let (outcome, report) = (job.work)(Ok(database));
                reports.push(report);
                outcome?;
            }
            Ok(())
        });
        let mut corrupt = false;
        let outcome = committed.map_err(|error| {
            corrupt = is_corrupt(&error);
            let error = StoreError::new(path, &error);
            if error.disk_full {
                database.release_reserve();
            }
            database.context.report_failure(&error.problem);
            error
        });
        outcomes.extend(reports.into_iter().map(|report| (report, outcome.clone())));
        if corrupt {
            return outcome;
        }
    }
    Ok(())
}

fn refuse_all(jobs: VecDeque<Job>, error: &StoreError, outcomes: &mut Outcomes) {
    let refuse = |job: Job| ((job.work)(Err(error.clone())).1, Ok(()));
    outcomes.extend(jobs.into_iter().map(refuse));
}

/// Returns whether there is room for new messages, after the deferred deletes if necessary.
fn has_room(database: &mut Database) -> bool {
    if database.has_room() {
        return true;
    }
    if database.deferred_deletes() > 0
        && let Err(error) = commit(database, false, |_| Ok(()))
    {
        log::debug!("messages: acknowledged messages are not deleted: {}", describe(&error));
    }
    database.has_room()
}

/// Runs one transaction: `work` and the deferred deletes. A power cut may undo it unless it is `synchronous`.
pub(super) fn commit(
    database: &mut Database,
    synchronous: bool,
    work: impl FnOnce(&mut Database) -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    let outcome = database
        .begin(synchronous)
        .and_then(|()| work(database))
        .and_then(|()| database.outbox.delete_acknowledged(&database.connection))
        .and_then(|()| database.commit());
    if outcome.is_err() {
        database.roll_back();
    }
    outcome
}
