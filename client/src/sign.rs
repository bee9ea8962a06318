//! `gatepost sign`: AWS Signature Version 4 for a request that another program sends, such as curl.

use std::ffi::OsStr;
use std::path::Path;

use crate::command_line::Matches;
use crate::exit::{Exit, Failure};
use crate::json::{self, Value};
use crate::printable::is_unsafe;
use crate::words::{number, text};
use crate::{daemon, output};

/// Prints the header fields to add, a line each, or the presigned URL.
pub(crate) fn run(socket: &Path, matches: &Matches) -> Result<Exit, Failure> {
    let body = daemon::post(socket, "/v1/sign", &request_document(matches)?)?;
    let document = Value::parse(&body).map_err(daemon::not_gatepost)?;
    if let Some(url) = document.get("url").text().filter(|url| !url.contains(is_unsafe)) {
        if let Some(note) = document.get("note").text() {
            output::note(note);
        }
        return output::print(format!("{url}\n").as_bytes());
    }
    let headers = document.get("headers");
    let mut lines = String::new();
    for (name, value) in headers.members() {
        let value = value.text().filter(|value| !value.contains(is_unsafe));
        let value = value.ok_or_else(|| daemon::not_gatepost("a header is not text"))?;
        lines.push_str(&format!("{name}: {value}\n"));
    }
    match lines.is_empty() {
        true => Err(daemon::not_gatepost("it has no signature")),
        false => output::print(lines.as_bytes()),
    }
}

/// Returns the JSON document to send to the daemon.
fn request_document(matches: &Matches) -> Result<String, Failure> {
    if matches.flag("--unsigned-payload") && matches.value("--payload-hash").is_some() {
        return Err(matches.usage_error("--payload-hash and --unsigned-payload cannot be combined"));
    }
    let payload_hash = match matches.flag("--unsigned-payload") {
        true => Some(OsStr::new("UNSIGNED-PAYLOAD")),
        false => matches.value("--payload-hash"),
    };
    let texts = [
        ("url", matches.operand(0)),
        ("service", matches.value("--service")),
        ("region", matches.value("--region")),
        ("method", Some(matches.value("--method").unwrap_or(OsStr::new("GET")))),
        ("role_alias", matches.value("--alias")),
        ("payload_hash", payload_hash),
    ];
    let mut members = Vec::new();
    for (name, word) in texts {
        if let Some(word) = word {
            members.push(format!("{}:{}", json::quoted(name), json::quoted(text(word)?)));
        }
    }
    if let Some(expires) = matches.value("--expires") {
        let seconds: u32 = number("--expires", expires, "seconds")?;
        members.push(format!("\"expires\":{seconds}"));
    }
    // A header that is given several times keeps all of its values, in order.
    let mut headers: Vec<(&str, Vec<String>)> = Vec::new();
    for header in matches.values("--header") {
        let (name, value) = text(header)?
            .split_once(':')
            .ok_or_else(|| Failure::new(Exit::Usage, format!("--header: {header:?} is not like \"Name: value\"")))?;
        let (name, value) = (name.trim(), json::quoted(value.trim()));
        match headers.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
            Some((_, values)) => values.push(value),
            None => headers.push((name, vec![value])),
        }
    }
    let headers: Vec<String> = headers
        .iter()
        .map(|(name, values)| match values.as_slice() {
            [value] => format!("{}:{value}", json::quoted(name)),
            values => format!("{}:[{}]", json::quoted(name), values.join(",")),
        })
        .collect();
    members.push(format!("\"headers\":{{{}}}", headers.join(",")));
    Ok(format!("{{{}}}", members.join(",")))
}

#[cfg(test)]
mod tests {
    use super::request_document;
    use crate::command_line::tests::matches;
    use crate::json::Value;

    #[test]
    fn the_document_says_what_the_command_line_says() {
        let line = [
            "sign",
            "--service=s3",
            "--region=us-east-2",
            "--header",
            "Range: bytes=0-9",
            "--header=x-y:a:b",
            "--unsigned-payload",
            "--expires",
            "60",
            "https://h/\"x\"",
        ];
        let json = Value::parse(request_document(&matches(&line)).unwrap().as_bytes()).unwrap();
        for (name, value) in [
            ("url", "https://h/\"x\""),
            ("service", "s3"),
            ("region", "us-east-2"),
            ("method", "GET"),
            ("payload_hash", "UNSIGNED-PAYLOAD"),
        ] {
            assert_eq!(json.get(name).text(), Some(value));
        }
        assert_eq!(json.get("expires").whole_number(), Some(60));
        assert_eq!(json.get("headers").get("Range").text(), Some("bytes=0-9"));
        assert_eq!(json.get("headers").get("x-y").text(), Some("a:b"));
        assert!(json.get("role_alias").text().is_none());
        let twice = [
            "sign",
            "--service=s3",
            "--region=r",
            "--header=X-A: 2",
            "--header=b:",
            "--header=x-a:1",
            "https://h/",
        ];
        let json = request_document(&matches(&twice)).unwrap();
        assert!(json.contains(r#""headers":{"X-A":["2","1"],"b":""}"#), "{json}");
        let both = [
            "sign",
            "--service=s3",
            "--region=r",
            "--payload-hash=00",
            "--unsigned-payload",
            "https://h/",
        ];
        assert!(request_document(&matches(&both)).is_err());
        for wrong in [
            "--header=none",
            "--expires=soon",
            "--expires=-1",
            "--expires=1.5",
            "--header=none ",
        ] {
            let line = ["sign", "--service=s3", "--region=us-east-2", wrong, "https://h/"];
            assert!(request_document(&matches(&line)).is_err(), "{wrong}");
        }
    }
}
