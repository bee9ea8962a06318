//! Reads header fields.

use hyper::header::{HeaderMap, HeaderName};

/// Returns the value of a header field that occurs exactly once.
pub fn single_header<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a [u8]> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    values.next().is_none().then(|| value.as_bytes())
}
