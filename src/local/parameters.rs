//! A request's query string.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use super::answer::ApiError;

/// Names and values.
pub type Parameters<'a> = Vec<(Cow<'a, str>, Cow<'a, str>)>;

/// The values of a query string, decoded. A name that is not `known` may be a mistyped one, one that is there twice means
/// neither, and what is no text is no value: all of them are refused.
pub fn parameters<'a>(query: Option<&'a str>, known: &[&str]) -> Result<Parameters<'a>, ApiError> {
    let query = query.unwrap_or_default();
    // The parser below puts a sign in the place of what is no UTF-8.
    if percent_decode_str(query).decode_utf8().is_err() {
        return Err(ApiError::malformed("the query string is not UTF-8"));
    }
    let pairs: Parameters = form_urlencoded::parse(query.as_bytes()).collect();
    for (index, (name, _)) in pairs.iter().enumerate() {
        let shown = name.escape_debug();
        if !known.contains(&name.as_ref()) {
            return Err(ApiError::malformed(format!("there is no parameter \"{shown}\" here"))
                .hint(format!("there are {}", known.join(", "))));
        }
        if pairs.iter().take(index).any(|(earlier, _)| earlier == name) {
            return Err(ApiError::malformed(format!("the parameter \"{shown}\" is there twice")));
        }
    }
    Ok(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_meant_is_read_and_the_rest_refused() {
        let read = |query| parameters(Some(query), &["qos", "name"]);
        assert_eq!(
            read("qos=1&name=a%2Fb").ok(),
            Some(vec![("qos".into(), "1".into()), ("name".into(), "a/b".into())])
        );
        assert_eq!(parameters(None, &[]).ok(), Some(vec![]));
        for wrong in ["foo", "foo=1", "qos=1&qos=0", "name=%ff", "qos=1&foo=2"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
