//! Parses a proxy's answer to CONNECT (RFC 9110, 9.3.6), without input and output.

/// Maximum size of an answer. What follows the head is the tunnel, so nothing needs more.
pub const MAX_ANSWER: usize = 16 * 1024;

/// The meaning of the received bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// The answer is not complete.
    Incomplete,
    /// The tunnel is open.
    Open,
    /// The proxy does not open a tunnel.
    Refused(Refusal),
    /// The proxy answered 2xx, and then sent something itself. A server of TLS never speaks first.
    NotATunnel(u16),
    /// The answer is not one of an HTTP proxy.
    Malformed(Malformed),
}

/// The status code of a refusal, and the schemes by which the proxy authenticates clients.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refusal {
    /// The status code: 300 to 599.
    pub status: u16,
    /// The schemes of all `Proxy-Authenticate` fields, in lower case.
    pub schemes: Vec<String>,
}

/// The fault of a malformed answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// It begins with a TLS record.
    Tls,
    /// It begins with something other than `HTTP/1.`.
    NotHttp,
    /// The status line has no valid status code.
    StatusLine,
    /// A header field has no name.
    Field,
    /// The head is larger than [`MAX_ANSWER`].
    TooLarge,
}

/// Parses everything that the proxy has sent so far.
pub fn parse(received: &[u8]) -> Parsed {
    let mut rest = received;
    loop {
        if let Some(fault) = foreign_protocol(rest) {
            return Parsed::Malformed(fault);
        }
        let Some((head, after)) = split_head(rest) else {
            return match received.len() > MAX_ANSWER {
                true => Parsed::Malformed(Malformed::TooLarge),
                false => Parsed::Incomplete,
            };
        };
        let answer = match parse_head(head) {
            Ok(answer) => answer,
            Err(fault) => return Parsed::Malformed(fault),
        };
        return match answer.status {
            // An interim answer (RFC 9110, 15.2); the final one follows.
            100..=199 => {
                rest = after;
                continue;
            }
            200..=299 if after.is_empty() => Parsed::Open,
            status @ 200..=299 => Parsed::NotATunnel(status),
            _ => Parsed::Refused(answer),
        };
    }
}

/// Recognises an answer that cannot become HTTP/1 by its first bytes, without waiting for a head that never comes.
fn foreign_protocol(bytes: &[u8]) -> Option<Malformed> {
    const START: &[u8] = b"HTTP/1.";
    match bytes {
        // Handshake or alert (RFC 8446, 5.1): a proxy that expects TLS, and is spoken to in plain text.
        [0x15 | 0x16, ..] => Some(Malformed::Tls),
        _ if bytes.iter().zip(START).any(|(byte, expected)| byte != expected) => Some(Malformed::NotHttp),
        _ => None,
    }
}

/// Splits after the empty line that ends the head. Lines may end in LF alone (RFC 9112, 2.2).
fn split_head(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut start = 0;
    loop {
        let line = bytes.get(start..)?.split_inclusive(|byte| *byte == b'\n').next()?;
        let text = line.strip_suffix(b"\n")?;
        let end = start + line.len();
        if end > MAX_ANSWER {
            return None;
        }
        if matches!(text, b"" | b"\r") {
            return bytes.split_at_checked(end);
        }
        start = end;
    }
}

fn parse_head(head: &[u8]) -> Result<Refusal, Malformed> {
    let mut lines = head.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii_end);
    let mut answer = Refusal {
        status: lines.next().and_then(parse_status).ok_or(Malformed::StatusLine)?,
        schemes: Vec::new(),
    };
    for line in lines.filter(|line| !line.is_empty()) {
        // A line that begins with a blank continues the last field (RFC 9112, 5.2), which is never one that matters.
        if line.starts_with(b" ") || line.starts_with(b"\t") {
            continue;
        }
        let colon = line.iter().position(|byte| *byte == b':').filter(|place| *place > 0);
        let (name, value) = line.split_at(colon.ok_or(Malformed::Field)?);
        if name.eq_ignore_ascii_case(b"proxy-authenticate") {
            answer.schemes.extend(parse_scheme(value));
        }
    }
    Ok(answer)
}

/// Parses `HTTP/1.x CODE`, optionally followed by a phrase.
fn parse_status(line: &[u8]) -> Option<u16> {
    let rest = line.strip_prefix(b"HTTP/1.")?;
    let (version, rest) = rest.split_first()?;
    let rest = rest.strip_prefix(b" ")?;
    let (code, phrase) = rest.split_at_checked(3)?;
    let is_valid = version.is_ascii_digit() && code.iter().all(u8::is_ascii_digit) && matches!(phrase, [] | [b' ', ..]);
    let code: u16 = str::from_utf8(code).ok().filter(|_| is_valid)?.parse().ok()?;
    (100..=599).contains(&code).then_some(code)
}

/// Returns the scheme at the beginning of a challenge (RFC 9110, 11.3), after the colon of the field.
fn parse_scheme(value: &[u8]) -> Option<String> {
    let value = value.strip_prefix(b":")?.trim_ascii_start();
    let scheme = value
        .split(|byte| !byte.is_ascii_alphanumeric() && *byte != b'-')
        .next()?;
    let scheme = str::from_utf8(scheme).ok()?.to_ascii_lowercase();
    (1..=20).contains(&scheme.len()).then_some(scheme)
}

#[cfg(test)]
mod tests;
