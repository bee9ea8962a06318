//! A scripted daemon that answers many requests, on as many connections as the command opens.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use super::Folder;

/// A request as it was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    /// The number of its connection, starting at 0.
    pub(crate) connection: usize,
    /// Method and target.
    pub(crate) target: String,
    pub(crate) body: Vec<u8>,
}

/// The script's reaction to a request.
pub(crate) enum Reply {
    /// Answers.
    Answer(String),
    /// Answers and closes the connection, like a daemon that closes an idle connection.
    Last(String),
    /// Closes the connection without an answer.
    Nothing,
}

/// The daemon, with all requests that it has received.
pub(crate) struct Conversing {
    folder: Folder,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Conversing {
    pub(crate) fn start(script: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> io::Result<Self> {
        let folder = Folder::new()?;
        let listener = UnixListener::bind(folder.join("socket"))?;
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (seen, script) = (asked.clone(), Arc::new(script));
        std::thread::spawn(move || {
            for (connection, stream) in listener.incoming().enumerate() {
                let (seen, script) = (seen.clone(), script.clone());
                std::thread::spawn(move || converse(connection, &stream?, &*script, &seen));
            }
        });
        Ok(Self { folder, asked })
    }

    /// Starts a daemon that answers every request with this.
    pub(crate) fn answering(answer: impl Into<String>) -> io::Result<Self> {
        let answer = answer.into();
        Self::start(move |_| Reply::Answer(answer.clone()))
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.join("socket")
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn targets(&self) -> Vec<String> {
        self.asked().into_iter().map(|asked| asked.target).collect()
    }

    /// Returns the bodies of the requests, as text.
    pub(crate) fn bodies(&self) -> Vec<String> {
        let text = |asked: Asked| String::from_utf8_lossy(&asked.body).into_owned();
        self.asked().into_iter().map(text).collect()
    }
}

fn converse(
    connection: usize,
    stream: &UnixStream,
    script: &dyn Fn(&Asked) -> Reply,
    seen: &Mutex<Vec<Asked>>,
) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    while let Some((target, body)) = read_request(&mut reader)? {
        let asked = Asked {
            connection,
            target,
            body,
        };
        seen.lock().unwrap_or_else(PoisonError::into_inner).push(asked.clone());
        let mut writer = stream;
        match script(&asked) {
            Reply::Answer(answer) => writer.write_all(answer.as_bytes())?,
            Reply::Last(answer) => return writer.write_all(answer.as_bytes()),
            Reply::Nothing => return Ok(()),
        }
    }
    Ok(())
}

fn read_request(reader: &mut impl BufRead) -> io::Result<Option<(String, Vec<u8>)>> {
    let mut first = String::new();
    if reader.read_line(&mut first)? == 0 {
        return Ok(None);
    }
    let target = first.trim_end().trim_end_matches(" HTTP/1.1").to_owned();
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        match line.trim_end().split_once(": ") {
            Some(("Content-Length", value)) => length = value.parse().map_err(io::Error::other)?,
            Some(_) => {}
            None => break,
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(Some((target, body)))
}

/// Returns a stream of these lines that does not end.
pub(crate) fn stream(lines: &[&str]) -> String {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/x-ndjson\r\ntransfer-encoding: chunked\r\n\r\n";
    let chunks = lines.iter().map(|line| chunk(&format!("{line}\n")));
    head.to_owned() + &chunks.collect::<String>()
}

pub(crate) fn chunk(text: &str) -> String {
    format!("{:x}\r\n{text}\r\n", text.len())
}
