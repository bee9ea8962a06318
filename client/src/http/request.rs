//! HTTP requests, as they are sent.

/// A request. Its target is already percent-encoded.
#[derive(Clone)]
pub struct Request {
    method: &'static str,
    target: String,
    content_type: Option<&'static str>,
    body: Option<Vec<u8>>,
    /// Whether another request follows on the same connection.
    pub keep_open: bool,
    /// Whether it may be repeated if the connection breaks, because doing it twice has the same effect as once.
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

    /// Creates a GET request.
    pub fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    /// Creates a DELETE request.
    pub fn delete(target: &str) -> Self {
        Self::new("DELETE", target)
    }

    /// Creates a POST request with a body of bytes.
    pub fn post(target: &str, body: &[u8]) -> Self {
        Self {
            body: Some(body.to_vec()),
            again: false,
            ..Self::new("POST", target)
        }
    }

    /// Creates a POST request with a JSON document.
    pub fn post_json(target: &str, json: &str) -> Self {
        Self {
            content_type: Some("application/json"),
            ..Self::post(target, json.as_bytes())
        }
    }

    /// Keeps the connection open for another request.
    pub fn keep_open(self) -> Self {
        Self {
            keep_open: true,
            ..self
        }
    }

    /// Sets whether it may be repeated if the connection breaks.
    pub fn again(self, again: bool) -> Self {
        Self { again, ..self }
    }

    /// Returns the bytes to send.
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
