//! Checks the URL of a request to sign.

use std::borrow::Cow;

use hyper::http::uri::Uri;

/// The schemes of URLs that can be signed. WebSocket connections (AWS IoT's MQTT, API Gateway, Transcribe) are signed as the HTTPS
/// request that opens them.
const SCHEMES: [&str; 3] = ["https", "http", "wss"];

/// Checks a URL, and converts a WebSocket URL to HTTPS.
///
/// # Errors
/// With the fault and how to correct it.
pub(super) fn check(url: &str) -> Result<Cow<'_, str>, String> {
    let wrong = |what: String| Err(format!("the url {what}"));
    if let Some((index, character)) = url.char_indices().find(|(_, character)| !may_stand_in_url(*character)) {
        let position = url.get(..index).map_or(0, |before| before.chars().count()) + 1;
        return wrong(format!(
            "has {} at position {position}{}",
            describe(character),
            advise(character)
        ));
    }
    if let Some(position) = find_bare_percent(url) {
        return wrong(format!(
            "has a % at position {position} that no two hexadecimal digits follow: write it as %25"
        ));
    }
    let Some((scheme, rest)) = url.split_once("://") else {
        return wrong("is not a whole one: it begins with https://".to_owned());
    };
    let Some(known) = SCHEMES.into_iter().find(|known| scheme.eq_ignore_ascii_case(known)) else {
        return wrong("has a scheme that is not signed: https, http and wss are".to_owned());
    };
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    if authority.contains('@') {
        return wrong("has a user name in it: leave out what stands before the @".to_owned());
    }
    if authority.is_empty() || authority.starts_with(':') {
        return wrong("has no host".to_owned());
    }
    let as_http = match known {
        "wss" => Cow::Owned(format!("https://{rest}")),
        _ => Cow::Borrowed(url),
    };
    match as_http.parse::<Uri>() {
        Ok(uri) if uri.host().is_some_and(|host| !host.is_empty()) && has_valid_port(authority, &uri) => Ok(as_http),
        _ => wrong("has a host or a port that is none".to_owned()),
    }
}

/// Returns whether a character is allowed in a URL: those of RFC 3986 except the fragment's, and others that programs send, such as letters
/// in UTF-8.
fn may_stand_in_url(character: char) -> bool {
    match character.is_ascii() {
        true => character.is_ascii_graphic() && !matches!(character, '#' | '<' | '>' | '`'),
        false => character.is_alphanumeric(),
    }
}

fn describe(character: char) -> String {
    match character {
        ' ' => "a space".to_owned(),
        '\r' | '\n' => "a line break".to_owned(),
        '\t' => "a tab".to_owned(),
        '#' => "a fragment, which is never sent,".to_owned(),
        character if character.is_control() => "a control character".to_owned(),
        character if character.is_ascii() => format!("the character {character}"),
        _ => "a character that is not a letter".to_owned(),
    }
}

fn advise(character: char) -> String {
    if character == '#' {
        return ": leave it out, or write # as %23".to_owned();
    }
    if character.is_ascii_control() {
        return String::new();
    }
    let encoded: String = character
        .encode_utf8(&mut [0; 4])
        .bytes()
        .map(|byte| format!("%{byte:02X}"))
        .collect();
    format!(": write it as {encoded}")
}

/// Finds the position of the first % that does not begin a percent-encoding.
fn find_bare_percent(url: &str) -> Option<usize> {
    let bytes = url.as_bytes();
    let is_hex = |place: usize| bytes.get(place).is_some_and(u8::is_ascii_hexdigit);
    let found = bytes
        .iter()
        .enumerate()
        .find(|(place, byte)| **byte == b'%' && !(is_hex(place + 1) && is_hex(place + 2)));
    found.map(|(place, _)| place + 1)
}

/// Returns whether the host is followed by nothing or by a valid port.
fn has_valid_port(authority: &str, uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default();
    match authority.strip_prefix(host) {
        Some("") => true,
        Some(port) => port.starts_with(':') && uri.port_u16().is_some_and(|port| port > 0),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fault_of_a_url_is_described() {
        for (url, words) in [
            (
                "https://b.s3.amazonaws.com/my photo.jpg",
                "has a space at position 30: write it as %20",
            ),
            (" https://h/", "has a space at position 1: write it as %20"),
            ("https://h /", "has a space at position 10"),
            ("https://h/a\r\nb", "has a line break at position 12"),
            ("https://h/a\tb", "has a tab at position 12"),
            ("https://h/\0", "has a control character at position 11"),
            ("https://h/\u{7f}", "has a control character at position 11"),
            (
                "https://h/\u{a0}x",
                "has a character that is not a letter at position 11: write it as %C2%A0",
            ),
            (
                "https://h/\u{fc}\u{202e}",
                "not a letter at position 12: write it as %E2%80%AE",
            ),
            (
                "https://h/\u{200b}",
                "not a letter at position 11: write it as %E2%80%8B",
            ),
            ("https://h/\u{85}", "has a control character at position 11"),
            ("https://h/<x>", "has the character < at position 11: write it as %3C"),
            ("https://h/`id`", "has the character ` at position 11: write it as %60"),
            (
                "https://h/#f",
                "has a fragment, which is never sent, at position 11: leave it out, or write # as %23",
            ),
            (
                "https://h/100%",
                "has a % at position 14 that no two hexadecimal digits follow: write it as %25",
            ),
            ("https://h/%zz", "has a % at position 11"),
            ("https://h/%2", "has a % at position 11"),
            ("", "is not a whole one: it begins with https://"),
            ("/x", "is not a whole one"),
            ("sts.amazonaws.com", "is not a whole one"),
            ("https:/h/", "is not a whole one"),
            ("mailto:a", "is not a whole one"),
            ("ftp://h/", "has a scheme that is not signed"),
            ("file:///etc/passwd", "has a scheme that is not signed"),
            ("ws://h/mqtt", "has a scheme that is not signed"),
            ("://h/", "has a scheme that is not signed"),
            ("https://u:p@h/", "has a user name in it"),
            ("https://@h/", "has a user name in it"),
            ("https://", "has no host"),
            ("https:///x", "has no host"),
            ("https://?a=b", "has no host"),
            ("https://:443/", "has no host"),
            ("https://h:99999/", "has a host or a port that is none"),
            ("https://h:x/", "has a host or a port that is none"),
            ("https://h:/", "has a host or a port that is none"),
            ("https://h:0/", "has a host or a port that is none"),
            ("https://[::1/", "has a host or a port that is none"),
        ] {
            let why = check(url).unwrap_err();
            assert!(why.starts_with("the url ") && why.contains(words), "{url:?}: {why}");
            assert!(!why.contains(|c: char| c.is_control()), "{url:?}");
        }
    }

    #[test]
    fn a_valid_url_is_accepted_and_a_websocket_becomes_https() {
        for (url, taken) in [
            ("https://h", "https://h"),
            ("https://h/", "https://h/"),
            ("HTTPS://h/", "HTTPS://h/"),
            ("http://127.0.0.1:8445/?a=b&c=%20", "http://127.0.0.1:8445/?a=b&c=%20"),
            ("https://[::1]:443/", "https://[::1]:443/"),
            ("https://h/\u{fc}?\u{1234}=b", "https://h/\u{fc}?\u{1234}=b"),
            ("https://h/a@b?c=d@e", "https://h/a@b?c=d@e"),
            ("https://h/{x}|\"y\"", "https://h/{x}|\"y\""),
            ("https://h?next=https://other/", "https://h?next=https://other/"),
            (
                "wss://a1-ats.iot.us-east-2.amazonaws.com/mqtt",
                "https://a1-ats.iot.us-east-2.amazonaws.com/mqtt",
            ),
            ("WSS://h:8443/stage?x=y", "https://h:8443/stage?x=y"),
        ] {
            assert_eq!(check(url).unwrap(), taken, "{url}");
        }
    }
}
