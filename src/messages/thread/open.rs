//! Opens the database. A corrupt file is moved aside and recreated.

use std::path::Path;

use crate::messages::context::StoreContext;
use crate::messages::database::Database;
use crate::messages::store::error::{OpenError, StoreError, describe};
use crate::messages::store::file;
use crate::problem::Problem;

/// Opens the database. On a full disk, this may use the reserved space, because a migration writes.
pub(super) fn open(path: &Path, context: Box<StoreContext>) -> Result<Database, (StoreError, Box<StoreContext>)> {
    open_twice_at_most(
        context,
        |context| open_or_recreate(path, context),
        || file::reserve(path).release(),
    )
}

/// Calls `open`. If the disk is full, releases the reserve and tries once more.
pub(super) fn open_twice_at_most<C, D>(
    context: C,
    open: impl Fn(C) -> Result<D, (StoreError, C)>,
    release: impl FnOnce(),
) -> Result<D, (StoreError, C)> {
    match open(context) {
        Err((error, context)) if error.disk_full => {
            release();
            open(context)
        }
        outcome => outcome,
    }
}

fn open_or_recreate(path: &Path, context: Box<StoreContext>) -> Result<Database, (StoreError, Box<StoreContext>)> {
    let (error, mut context) = match open_existing(path, context) {
        Ok(database) => return Ok(database),
        Err((OpenError::Unavailable(error), context)) => return Err((error, context)),
        Err((OpenError::Corrupt(error), context)) => (error, context),
    };
    match file::set_aside(path, context.now()) {
        Ok(aside) => context.record_set_aside(path, &aside, &error),
        Err(rename_error) => {
            let message = format!(
                "{} is corrupt ({}) and cannot be moved aside: {rename_error}",
                path.display(),
                describe(&error)
            );
            return Err((Problem::wait(message).into(), context));
        }
    }
    open_existing(path, context).map_err(|(why, context)| match why {
        OpenError::Unavailable(error) => (error, context),
        OpenError::Corrupt(error) => (StoreError::new(path, &error), context),
    })
}

fn open_existing(path: &Path, context: Box<StoreContext>) -> Result<Database, (OpenError, Box<StoreContext>)> {
    let connection = match file::open(path) {
        Ok(connection) => connection,
        Err(error) => return Err((error, context)),
    };
    match Database::load(connection, file::reserve(path), context) {
        Ok(mut database) => {
            database.record_file(path);
            Ok(database)
        }
        Err((error, context)) => Err((OpenError::new(path, error), context)),
    }
}
