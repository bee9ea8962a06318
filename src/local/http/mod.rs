//! HTTP requests and responses.

mod error;
mod header;
mod query;
mod request_body;
mod response;
mod response_body;

pub use error::ApiError;
pub use header::single_header;
pub use query::parse_query;
pub use request_body::read_body;
pub use response::{Response, json, lines, ok};
pub use response_body::{LineSource, ResponseBody};
