use std::io::{BufReader, Read};

use proptest::prelude::*;

use super::{Response, ResponseError, read_response};

fn read(answer: &[u8]) -> Result<Response, ResponseError> {
    read_response(answer)
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
        (format!("{ok}Content-Length: 1000000\r\n\r\n"), "too large"),
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

proptest! {
    #[test]
    fn no_answer_panics(answer in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = read(&answer);
        let _ = read(&[b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", answer.as_slice()].concat());
    }

    #[test]
    fn it_does_not_matter_how_the_answer_arrives(body in proptest::collection::vec(any::<u8>(), 0..300), at in 1_usize..40) {
        let mut answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
        for chunk in body.chunks(at) {
            answer.extend(format!("{:x}\r\n", chunk.len()).bytes());
            answer.extend(chunk);
            answer.extend(b"\r\n");
        }
        answer.extend(b"0\r\n\r\n");
        let (first, second) = answer.split_at(at);
        let read = read_response(BufReader::with_capacity(7, first.chain(second)));
        prop_assert_eq!(read.unwrap().body, body);
    }
}
