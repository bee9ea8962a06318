//! The database file: connection, schema, errors, and the disk space that it needs.

pub(in crate::messages) mod connection;
pub(in crate::messages) mod error;
pub(in crate::messages) mod file;
pub(in crate::messages) mod file_id;
pub(in crate::messages) mod metadata;
pub(in crate::messages) mod paths;
pub(in crate::messages) mod schema;
pub(in crate::messages) mod space_reserve;
pub(in crate::messages) mod vacuum;
