//! Work on the file that no caller waits for: rows of ended subscriptions are deleted, and free pages are returned.

use crate::messages::database::Database;
use crate::messages::inbox::durable::deliveries::delete_leftovers;
use crate::messages::store::vacuum::{count_surplus_pages, return_pages, truncate};

/// Returns whether there is such work.
pub(super) fn is_needed(database: &Database) -> bool {
    database.durable.has_leftovers || surplus_pages(database).is_ok_and(|pages| pages > 0)
}

/// Does one step: deletes rows of ended subscriptions, or else returns pages.
pub(super) fn run_step(database: &mut Database) -> rusqlite::Result<()> {
    if database.durable.has_leftovers {
        return delete_leftovers(database);
    }
    let pages = surplus_pages(database)?;
    database.is_shrinking = pages > 0;
    // `incremental_vacuum(0)` would return all pages.
    match database.is_shrinking {
        true => return_pages(&database.connection, pages),
        false => Ok(()),
    }
}

/// Truncates the file once all pages were returned.
pub(super) fn finish(database: &mut Database) {
    if database.is_shrinking && !is_needed(database) {
        database.is_shrinking = false;
        truncate(&database.connection);
    }
}

fn surplus_pages(database: &Database) -> rusqlite::Result<i64> {
    match database.can_shrink {
        true => count_surplus_pages(&database.connection, database.is_shrinking),
        false => Ok(0),
    }
}

#[cfg(test)]
mod tests;
