use std::io::{BufReader, Read};

use proptest::prelude::*;

use super::{LIMIT, Lines, Opened, Request, Response, ResponseError, open, read_response};

const STREAM: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

fn read(answer: &[u8]) -> Result<Response, ResponseError> {
    read_response(&mut &answer[..])
}

/// Reads the lines of a stream until it ends or fails.
fn lines(answer: impl Read) -> (Vec<Vec<u8>>, Result<(), ResponseError>) {
    let mut stream: Lines<_> = match open(BufReader::with_capacity(7, answer)) {
        Ok(Opened::Lines(stream)) => stream,
        Ok(Opened::Whole(response, _)) => panic!("{response:?}"),
        Err(error) => return (vec![], Err(error)),
    };
    let mut lines = Vec::new();
    loop {
        match stream.next_line() {
            Ok(Some(line)) => lines.push(line),
            Ok(None) => return (lines, Ok(())),
            Err(error) => return (lines, Err(error)),
        }
    }
}

/// Encodes `body` in chunks of `size` bytes, without the last chunk.
fn chunks(body: &[u8], size: usize) -> Vec<u8> {
    let chunk = |chunk: &[u8]| [format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat();
    body.chunks(size).flat_map(chunk).collect()
}

#[test]
fn answers_that_are_read() {
    for (answer, status, retry_after, body) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", 200, None, "{}"),
        ("HTTP/1.1 200\r\ncontent-length:2\r\n\r\n{}and more", 200, None, "{}"),
        (
            "HTTP/1.1 200 \r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
            200,
            None,
            "x",
        ),
        (
            "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 30\r\ncontent-length: 0\r\n\r\n",
            503,
            Some(30),
            "",
        ),
        (
            "HTTP/1.1 503 x\r\nRetry-After: Fri, 31 Dec\r\ncontent-length: 0\r\n\r\n",
            503,
            None,
            "",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n",
            200,
            None,
            "abc0123456789",
        ),
    ] {
        let response = read(answer.as_bytes()).unwrap();
        assert_eq!(
            (response.status, response.retry_after),
            (status, retry_after),
            "{answer}"
        );
        assert_eq!(response.body, body.as_bytes(), "{answer}");
        assert!(
            body.is_empty() || !format!("{response:?}").contains(body),
            "a body is never shown"
        );
    }
}

#[test]
fn answers_that_are_refused() {
    let ok = "HTTP/1.1 200 OK\r\n";
    for (answer, reason) in [
        ("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n".to_owned(), "status line"),
        (
            "HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n".to_owned(),
            "status line",
        ),
        ("HTTP/1.1 100 Continue\r\n\r\n".to_owned(), "status line"),
        ("SSH-2.0-OpenSSH_9.2\r\n".to_owned(), "status line"),
        ("\r\n".to_owned(), "status line"),
        ("HTTP/1.1 200 OK\n".to_owned(), "line end"),
        (format!("{ok}\r\n{{}}"), "framing"),
        (
            format!("{ok}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\nx"),
            "framing",
        ),
        (
            format!("{ok}Content-Length: 1\r\nContent-Length: 2\r\n\r\nx"),
            "two of them",
        ),
        (format!("{ok}Content-Length: +1\r\n\r\nx"), "Content-Length"),
        (format!("{ok}Content-Length:\r\n\r\nx"), "Content-Length"),
        (
            format!("{ok}Content-Length: 99999999999999999999\r\n\r\nx"),
            "Content-Length",
        ),
        (
            format!("{ok}Transfer-Encoding: gzip, chunked\r\n\r\n"),
            "Transfer-Encoding",
        ),
        (format!("{ok}no colon\r\n\r\n"), "header"),
        (format!("{ok} folded: line\r\n\r\n"), "header"),
        (
            format!("{ok}Transfer-Encoding: chunked\r\n\r\n1;x=y\r\na\r\n0\r\n\r\n"),
            "chunk size",
        ),
        (format!("{ok}Transfer-Encoding: chunked\r\n\r\n\r\n"), "chunk size"),
        (
            format!("{ok}Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n"),
            "chunk end",
        ),
        (
            format!("{ok}Transfer-Encoding: chunked\r\n\r\n0\r\nTrailer: x\r\n\r\n"),
            "trailer",
        ),
        (format!("{ok}Content-Length: 1048577\r\n\r\n"), "too large"),
        (
            format!("{ok}Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n"),
            "too large",
        ),
        (format!("{ok}{}", "a: b\r\n".repeat(100)), "too large"),
        (format!("{ok}a: {}\r\n\r\n", "b".repeat(10_000)), "too large"),
    ] {
        let error = read(answer.as_bytes()).unwrap_err();
        assert!(error.to_string().contains(reason), "{answer:?}: {error}");
    }
}

#[test]
fn every_cut_answer_is_an_interruption() {
    for whole in [
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    ] {
        for length in 0..whole.len() {
            let error = read(&whole.as_bytes()[..length]).unwrap_err();
            assert!(matches!(error, ResponseError::Interrupted(_)), "{length}: {error}");
        }
    }
}

#[test]
fn a_closing_connection_is_recognised() {
    for (field, closes) in [
        ("", false),
        ("Connection: close\r\n", true),
        ("connection: keep-alive\r\n", false),
    ] {
        let answer = format!("HTTP/1.1 200 OK\r\n{field}Content-Length: 0\r\n\r\n");
        assert_eq!(read(answer.as_bytes()).unwrap().closes, closes, "{field}");
    }
}

#[test]
fn questions_are_written_whole() {
    let version = env!("CARGO_PKG_VERSION");
    let head = |first: &str| format!("{first} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: gatepost/{version}\r\n");
    for (request, written) in [
        (Request::get("/a"), head("GET /a") + "Connection: close\r\n\r\n"),
        (Request::delete("/a").keep_open(), head("DELETE /a") + "\r\n"),
        (
            Request::post("/a", b"").keep_open(),
            head("POST /a") + "Content-Length: 0\r\n\r\n",
        ),
        (
            Request::post_json("/a", "{}"),
            head("POST /a") + "Connection: close\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
        ),
    ] {
        assert_eq!(String::from_utf8(request.bytes()).unwrap(), written);
    }
}

#[test]
fn streams_that_are_refused() {
    for (body, good, reason) in [
        ("2\r\na\n\r\n", 1, "end of file"),
        ("3\r\na\nb\r\n0\r\n\r\n", 1, "the last one has no end"),
        ("2\r\na\n\r\n2;x\r\nb\n\r\n", 1, "chunk size"),
        ("2\r\na\nb\n", 0, "line end"),
        ("2\r\na\nb\r\n", 0, "chunk end"),
        ("2\r\na\n\r\n0\r\nTrailer: x\r\n", 1, "trailer"),
        ("100001\r\n", 0, "too large"),
    ] {
        let (lines, end) = lines(format!("{STREAM}{body}").as_bytes());
        let reason_given = end.unwrap_err().to_string();
        assert!(reason_given.contains(reason), "{body:?}: {reason_given}");
        assert_eq!(lines.len(), good, "{body:?}");
    }
}

#[test]
fn a_line_is_bounded_and_a_stream_is_not() {
    let limit = usize::try_from(LIMIT).unwrap();
    let mut longest = vec![b'x'; limit - 1];
    longest.push(b'\n');
    let chunk = chunks(&longest, 10_000);
    let mut answer = STREAM.as_bytes().to_vec();
    for _ in 0..3 {
        answer.extend(&chunk);
    }
    let (all, end) = lines(&[answer.as_slice(), b"0\r\n\r\n"].concat()[..]);
    end.unwrap();
    assert_eq!(all, [longest.as_slice(); 3]);

    let endless = chunks(&vec![b'x'; 10_000], 10_000);
    let (none, end) = lines(STREAM.as_bytes().chain(Endless { bytes: &endless, at: 0 }));
    assert!(matches!(end, Err(ResponseError::TooLarge)) && none.is_empty());
}

/// Repeats the same bytes for ever.
struct Endless<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Read for Endless<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        for byte in buffer.iter_mut() {
            *byte = self.bytes[self.at % self.bytes.len()];
            self.at += 1;
        }
        Ok(buffer.len())
    }
}

#[test]
fn a_response_without_a_stream_is_read_whole() {
    for answer in [
        "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    ] {
        match open(BufReader::new(answer.as_bytes())) {
            Ok(Opened::Whole(response, _)) => assert_eq!(response.body, b"{}", "{answer}"),
            Ok(Opened::Lines(_)) => panic!("{answer}"),
            Err(error) => panic!("{answer}: {error}"),
        }
    }
}

proptest! {
    #[test]
    fn no_answer_panics(answer in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = read(&answer);
        let _ = read(&[STREAM.as_bytes(), answer.as_slice()].concat());
    }

    #[test]
    fn it_does_not_matter_how_the_answer_arrives(body in proptest::collection::vec(any::<u8>(), 0..300), at in 1_usize..40) {
        let answer = [STREAM.as_bytes(), &chunks(&body, at), b"0\r\n\r\n"].concat();
        let (first, second) = answer.split_at(at);
        let read = read_response(&mut BufReader::with_capacity(7, first.chain(second)));
        prop_assert_eq!(read.unwrap().body, body);
    }

    /// Lines arrive complete and in order, however they are split into chunks and reads.
    #[test]
    fn it_does_not_matter_how_lines_arrive(
        texts in proptest::collection::vec("[a-c\r]{0,20}", 0..20), size in 1_usize..60, at in 0_usize..200,
    ) {
        let all: Vec<Vec<u8>> = texts.iter().map(|text| format!("{text}\n").into_bytes()).collect();
        let answer = [STREAM.as_bytes(), &chunks(&all.concat(), size), b"0\r\n\r\n"].concat();
        let (first, second) = answer.split_at(at.min(answer.len()));
        let (read, end) = lines(first.chain(second));
        prop_assert!(end.is_ok());
        prop_assert_eq!(read, all);
    }

    /// Wherever a stream is cut off, only complete lines are returned, followed by an error.
    #[test]
    fn a_stream_that_is_cut_is_an_interruption(
        texts in proptest::collection::vec("[a-c]{0,20}", 1..20), size in 1_usize..60, at in any::<prop::sample::Index>(),
    ) {
        let all: Vec<Vec<u8>> = texts.iter().map(|text| format!("{text}\n").into_bytes()).collect();
        let answer = [STREAM.as_bytes(), &chunks(&all.concat(), size), b"0\r\n\r\n"].concat();
        let (read, end) = lines(&answer[..at.index(answer.len())]);
        prop_assert!(matches!(end, Err(ResponseError::Interrupted(_))));
        prop_assert!(all.starts_with(&read));
    }

    #[test]
    fn no_stream_panics(body in proptest::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), Just(b'1'), any::<u8>()], 0..400)) {
        let _ = lines([STREAM.as_bytes(), body.as_slice()].concat().as_slice());
    }
}
