//! Questions, as they go over the wire.

/// A question. Its target is percent-encoded already.
#[derive(Clone)]
pub struct Request {
    method: &'static str,
    target: String,
    content_type: Option<&'static str>,
    body: Option<Vec<u8>>,
    /// Whether another question follows on the same connection.
    pub keep_open: bool,
    /// Whether it may be asked once more where the connection breaks: doing it twice is no worse than once.
    pub again: bool,
}

impl Request {
    fn new(method: &'static str, target: &str) -> Self {
        Self {
            method,
            target: target.to_owned(),
            content_type: None,
            body: None,
            keep_open: false,
            again: true,
        }
    }

    /// A GET.
    pub fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    /// A DELETE.
    pub fn delete(target: &str) -> Self {
        Self::new("DELETE", target)
    }

    /// The POST of bytes that nobody looks into on the way.
    pub fn post(target: &str, body: &[u8]) -> Self {
        Self {
            body: Some(body.to_vec()),
            again: false,
            ..Self::new("POST", target)
        }
    }

    /// The POST of a JSON document.
    pub fn post_json(target: &str, json: &str) -> Self {
        Self {
            content_type: Some("application/json"),
            ..Self::post(target, json.as_bytes())
        }
    }

    /// Another question follows on the same connection.
    pub fn keep_open(self) -> Self {
        Self {
            keep_open: true,
            ..self
        }
    }

    /// Whether it may be asked once more where the connection breaks.
    pub fn again(self, again: bool) -> Self {
        Self { again, ..self }
    }

    /// The request as it is sent.
    pub fn bytes(&self) -> Vec<u8> {
        const VERSION: &str = env!("CARGO_PKG_VERSION");
        let Self { method, target, .. } = self;
        let mut head = format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: gatepost/{VERSION}\r\n");
        if !self.keep_open {
            head.push_str("Connection: close\r\n");
        }
        if let Some(content_type) = self.content_type {
            head.push_str(&format!("Content-Type: {content_type}\r\n"));
        }
        let body = self.body.as_deref();
        if let Some(body) = body {
            head.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        head.push_str("\r\n");
        [head.as_bytes(), body.unwrap_or_default()].concat()
    }
}
