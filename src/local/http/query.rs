//! Parses a request's query string.

use std::borrow::Cow;

use super::error::ApiError;
use crate::percent;

/// Names and values of the parameters.
pub type Parameters<'a> = Vec<(Cow<'a, str>, Cow<'a, str>)>;

/// Parses and decodes a query string.
///
/// # Errors
/// If a name is not `known` (it may be mistyped) or occurs twice, or the text is not UTF-8.
pub fn parse_query<'a>(query: Option<&'a str>, known: &[&str]) -> Result<Parameters<'a>, ApiError> {
    let query = query.unwrap_or_default();
    // The parser below would replace invalid UTF-8, and pass an incomplete escape through.
    let decoded = percent::decode(query).ok_or_else(|| {
        ApiError::malformed("the query string has a % without two hexadecimal digits")
            .hint("write a percent sign as %25")
    })?;
    if str::from_utf8(&decoded).is_err() {
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
    fn known_parameters_are_parsed_and_others_rejected() {
        let read = |query| parse_query(Some(query), &["qos", "name"]);
        assert_eq!(
            read("qos=1&name=a%2Fb").ok(),
            Some(vec![("qos".into(), "1".into()), ("name".into(), "a/b".into())])
        );
        assert_eq!(parse_query(None, &[]).ok(), Some(vec![]));
        for wrong in [
            "name=%zz",
            "name=%",
            "name=a%2",
            "na%me=1",
            "foo",
            "foo=1",
            "qos=1&qos=0",
            "name=%ff",
            "qos=1&foo=2",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
