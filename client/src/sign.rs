//! `gatepost sign`: AWS Signature Version 4 for a request that another program sends, such as curl.

use std::ffi::OsString;
use std::path::Path;

use crate::exit::{Exit, Failure};
use crate::json::{self, Value};
use crate::words::{number, text};
use crate::{daemon, output};

/// What the command line says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) url: OsString,
    pub(crate) alias: Option<OsString>,
    pub(crate) service: Option<OsString>,
    pub(crate) region: Option<OsString>,
    pub(crate) method: Option<OsString>,
    /// `Name: value`, as curl takes them.
    pub(crate) headers: Vec<OsString>,
    pub(crate) payload_hash: Option<OsString>,
    pub(crate) unsigned_payload: bool,
    /// Seconds, for a presigned URL.
    pub(crate) expires: Option<OsString>,
}

/// Prints the header fields to add, a line each, or the presigned URL.
pub(crate) fn run(socket: &Path, request: &Request) -> Result<Exit, Failure> {
    let body = daemon::post(socket, "/v1/sign", &request.json()?)?;
    let document = Value::parse(&body).map_err(daemon::not_gatepost)?;
    if let Some(url) = document.get("url").text() {
        return output::print(format!("{url}\n").as_bytes());
    }
    let headers = document.get("headers");
    let mut lines = String::new();
    for (name, value) in headers.members() {
        let value = value.text().filter(|value| !value.contains(char::is_control));
        let value = value.ok_or_else(|| daemon::not_gatepost("a header is no text"))?;
        lines.push_str(&format!("{name}: {value}\n"));
    }
    match lines.is_empty() {
        true => Err(daemon::not_gatepost("there is no signature in it")),
        false => output::print(lines.as_bytes()),
    }
}

impl Request {
    /// The question, as the daemon takes it.
    fn json(&self) -> Result<String, Failure> {
        let needed = |name: &str, word: &Option<OsString>| match word {
            Some(word) => Ok(word.clone()),
            None => Err(Failure::new(
                Exit::Usage,
                format!("{name} is needed; see gatepost sign --help"),
            )),
        };
        let service = needed("--service", &self.service)?;
        let region = needed("--region", &self.region)?;
        let method = self.method.clone().unwrap_or_else(|| "GET".into());
        let payload_hash = match self.unsigned_payload {
            true => Some("UNSIGNED-PAYLOAD".into()),
            false => self.payload_hash.clone(),
        };
        let texts = [
            ("url", Some(self.url.clone())),
            ("service", Some(service)),
            ("region", Some(region)),
            ("method", Some(method)),
            ("role_alias", self.alias.clone()),
            ("payload_hash", payload_hash),
        ];
        let mut members = Vec::new();
        for (name, word) in texts {
            if let Some(word) = word {
                members.push(format!("{}:{}", json::quoted(name), json::quoted(text(&word)?)));
            }
        }
        if let Some(expires) = &self.expires {
            let seconds: u32 = number("--expires", expires, "seconds")?;
            members.push(format!("\"expires\":{seconds}"));
        }
        let mut headers = Vec::new();
        for header in &self.headers {
            let (name, value) = text(header)?.split_once(':').ok_or_else(|| {
                Failure::new(Exit::Usage, format!("--header: {header:?} is not like \"Name: value\""))
            })?;
            headers.push(format!("{}:{}", json::quoted(name.trim()), json::quoted(value.trim())));
        }
        members.push(format!("\"headers\":{{{}}}", headers.join(",")));
        Ok(format!("{{{}}}", members.join(",")))
    }
}

#[cfg(test)]
mod tests {
    use super::Request;
    use crate::json::Value;

    #[test]
    fn the_question_says_what_the_command_line_says() {
        let request = Request {
            url: "https://h/\"x\"".into(),
            service: Some("s3".into()),
            region: Some("us-east-2".into()),
            headers: vec!["Range: bytes=0-9".into(), "x-y:a:b".into()],
            unsigned_payload: true,
            expires: Some("60".into()),
            ..Request::default()
        };
        let json = Value::parse(request.json().unwrap().as_bytes()).unwrap();
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
        for wrong in [
            Request {
                service: None,
                ..Request::default()
            },
            Request {
                headers: vec!["none".into()],
                ..of_s3()
            },
            Request {
                expires: Some("soon".into()),
                ..of_s3()
            },
        ] {
            assert!(wrong.json().is_err(), "{wrong:?}");
        }
    }

    fn of_s3() -> Request {
        Request {
            service: Some("s3".into()),
            region: Some("us-east-2".into()),
            ..Request::default()
        }
    }
}
