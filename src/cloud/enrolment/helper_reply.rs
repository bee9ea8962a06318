//! The reply of an enrolment program: its exit code and its output.
//!
//! The first line is `exit` with the exit code as a shell reports it, or `missing`; the program's output follows. The codes are those of
//! sysexits.h that fit each case.

use std::time::Duration;

use super::failure::{Failure, FailureKind};
use super::method::{Issued, Outcome};
use super::pkcs7::{self, MAX_BODY};
use crate::foreign_text::{clean, may_be_secret};
use crate::pem_file;
use crate::problem::Problem;

/// Maximum length of a reply.
pub(super) const MAX_REPLY: usize = MAX_BODY + 64;

/// The output is the certificate.
const ISSUED: u16 = 0;
/// EX_UNAVAILABLE: the CA was not reached.
const UNREACHABLE: u16 = 69;
/// EX_TEMPFAIL: the CA has not decided yet. The output may contain the number of seconds to wait.
const WAIT: u16 = 75;
/// EX_NOPERM: the CA refuses the request.
const REJECTED: u16 = 77;
/// A shell reports a program that was killed by a signal as this plus the signal number.
const BY_SIGNAL: u16 = 128;
/// Waiting time if the program names none.
const DEFAULT_WAIT: Duration = Duration::from_secs(60);

const JOURNAL: &str = "journalctl -t gatepost-enrol shows what the program printed";

/// Interprets the reply.
pub(super) fn interpret(reply: &[u8]) -> Result<Outcome, Failure> {
    let mut parts = reply.splitn(2, |byte| *byte == b'\n');
    let (first, output) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    if first == b"missing" {
        let problem = Problem::configuration("there is no enrolment program that can be started: /etc/gatepost/enrol");
        return Err(failed(
            FailureKind::Unreachable,
            problem.next("put it there, executable for every user"),
        ));
    }
    let code = first
        .strip_prefix(b"exit ")
        .and_then(|code| str::from_utf8(code).ok()?.parse().ok());
    match code {
        Some(ISSUED) => certificates(output),
        Some(WAIT) => wait(output),
        Some(REJECTED) => {
            let message = format!("the CA refuses, by the enrolment program{}", reason(output));
            Err(failed(
                FailureKind::Refused,
                Problem::configuration(message).next(JOURNAL),
            ))
        }
        Some(UNREACHABLE) => {
            let message = format!("the enrolment program does not reach the CA{}", reason(output));
            Err(failed(FailureKind::Unreachable, Problem::wait(message).next(JOURNAL)))
        }
        Some(code) if code > BY_SIGNAL => {
            let message = format!("the enrolment program was ended by signal {}", code - BY_SIGNAL);
            Err(broken(message))
        }
        Some(code) => Err(broken(format!("the enrolment program failed with exit code {code}"))),
        None => {
            let problem = Problem::wait("the enrolment program gave no result: it was ended before it had finished");
            Err(failed(FailureKind::Unavailable, problem.next(JOURNAL)))
        }
    }
}

fn certificates(output: &[u8]) -> Result<Outcome, Failure> {
    let refuse = |why: String| {
        Err(broken(format!(
            "the enrolment program says that a certificate was issued, but {why}"
        )))
    };
    if output.len() > MAX_BODY {
        return refuse(format!("it printed more than {MAX_BODY} bytes"));
    }
    if pem_file::parse(output).is_ok_and(|file| file.has_private_key) || has_key_block(output) {
        return refuse("it printed a private key; the key of this gateway is in its token".to_owned());
    }
    match pkcs7::certificates(output) {
        Ok(certificates) => Ok(Outcome::Issued(Issued {
            certificates,
            ..Issued::default()
        })),
        Err(error) => refuse(format!("its output has no certificate: {error}")),
    }
}

fn has_key_block(output: &[u8]) -> bool {
    const LABEL: &[u8] = b"PRIVATE KEY-----";
    output.windows(LABEL.len()).any(|window| window == LABEL)
}

fn wait(output: &[u8]) -> Result<Outcome, Failure> {
    let text = String::from_utf8_lossy(output);
    let word = text.split_whitespace().next();
    match word.map(str::parse).transpose() {
        Ok(seconds) => Ok(Outcome::Wait(seconds.map_or(DEFAULT_WAIT, Duration::from_secs))),
        Err(_) => Err(broken(
            "the enrolment program wants to wait (exit code 75), and its first word is not a number of seconds"
                .to_owned(),
        )),
    }
}

/// Returns the first line of the output, as part of a message.
fn reason(output: &[u8]) -> String {
    let text = String::from_utf8_lossy(output);
    let line = text.trim_start().lines().next().unwrap_or_default();
    match clean(line) {
        line if line.is_empty() || may_be_secret(&line) => String::new(),
        line => format!(": {line}"),
    }
}

/// Returns the failure of a program that violates the interface.
fn broken(message: String) -> Failure {
    failed(FailureKind::Unavailable, Problem::configuration(message).next(JOURNAL))
}

fn failed(kind: FailureKind, problem: Problem) -> Failure {
    Failure::new(kind, problem)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::Remedy;

    fn failure(reply: &[u8]) -> Failure {
        match interpret(reply) {
            Err(failure) => failure,
            Ok(_) => panic!("{} is not a failure", String::from_utf8_lossy(reply)),
        }
    }

    #[test]
    fn each_end_of_a_program_has_a_meaning() {
        use FailureKind::{Refused, Unavailable, Unreachable};
        let long = [b"exit 0\n".as_slice(), &vec![b'x'; MAX_BODY + 1]].concat();
        let key = "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIhunter2\n-----END EC PRIVATE KEY-----\n";
        for (reply, kind, remedy, words) in [
            (
                b"missing\n".to_vec(),
                Unreachable,
                Remedy::Configuration,
                "/etc/gatepost/enrol",
            ),
            (b"exit 77\n".to_vec(), Refused, Remedy::Configuration, "the CA refuses"),
            (
                b"exit 77\nserial \x1b[1munknown\n".to_vec(),
                Refused,
                Remedy::Configuration,
                "program: serial",
            ),
            (
                b"exit 69\nno route\nmore".to_vec(),
                Unreachable,
                Remedy::Wait,
                "the CA: no route",
            ),
            (b"exit 1\n".to_vec(), Unavailable, Remedy::Configuration, "exit code 1"),
            (b"exit 137\n".to_vec(), Unavailable, Remedy::Configuration, "signal 9"),
            (b"exit 153\n".to_vec(), Unavailable, Remedy::Configuration, "signal 25"),
            (b"exit 0\n".to_vec(), Unavailable, Remedy::Configuration, "empty"),
            (
                b"exit 0\nOK\n".to_vec(),
                Unavailable,
                Remedy::Configuration,
                "no certificate",
            ),
            (
                b"exit 0\n<html>".to_vec(),
                Unavailable,
                Remedy::Configuration,
                "web page",
            ),
            (
                format!("exit 0\n{key}").into_bytes(),
                Unavailable,
                Remedy::Configuration,
                "a private key",
            ),
            (
                format!("exit 77\n{key}").into_bytes(),
                Refused,
                Remedy::Configuration,
                "the CA refuses",
            ),
            (long, Unavailable, Remedy::Configuration, "more than 262144 bytes"),
            (
                b"exit 75\nsoon\n".to_vec(),
                Unavailable,
                Remedy::Configuration,
                "not a number of seconds",
            ),
            (
                b"exit 75\n-5\n".to_vec(),
                Unavailable,
                Remedy::Configuration,
                "not a number of seconds",
            ),
            (b"".to_vec(), Unavailable, Remedy::Wait, "no result"),
            (b"exit\n".to_vec(), Unavailable, Remedy::Wait, "no result"),
            (b"exit -1\n".to_vec(), Unavailable, Remedy::Wait, "no result"),
            (b"exit 99999999\n".to_vec(), Unavailable, Remedy::Wait, "no result"),
            (
                b"-----BEGIN CERTIFICATE-----\n".to_vec(),
                Unavailable,
                Remedy::Wait,
                "no result",
            ),
        ] {
            let name = String::from_utf8_lossy(&reply[..reply.len().min(60)]).into_owned();
            let failure = failure(&reply);
            assert_eq!((failure.kind, failure.problem.remedy), (kind, remedy), "{name}");
            let said = failure.problem.to_string();
            assert!(said.contains(words), "{name}: {said}");
            assert!(!said.contains("hunter2") && !said.contains('\x1b'), "{name}: {said}");
        }
    }

    #[test]
    fn a_wait_has_a_length() {
        for (reply, seconds) in [
            (&b"exit 75\n"[..], 60),
            (b"exit 75\n  \n", 60),
            (b"exit 75\n5", 5),
            (b"exit 75\n600 seconds\n", 600),
        ] {
            let Ok(Outcome::Wait(wait)) = interpret(reply) else {
                panic!("{}", String::from_utf8_lossy(reply));
            };
            assert_eq!(wait, Duration::from_secs(seconds));
        }
    }

    #[test]
    fn certificates_are_taken_in_every_form() {
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = rcgen::CertificateParams::new(vec!["gw-1".to_owned()])
            .unwrap()
            .self_signed(&key)
            .unwrap();
        let pem = certificate.pem();
        for (output, count) in [
            (pem.clone(), 1),
            (pem.replace('\n', "\r\n"), 1),
            (format!("{pem}{pem}"), 2),
            (format!("subject=CN = gw-1\n{pem}"), 1),
        ] {
            let Ok(Outcome::Issued(issued)) = interpret(format!("exit 0\n{output}").as_bytes()) else {
                panic!("{output}");
            };
            assert_eq!(issued.certificates.len(), count, "{output}");
        }
        let with_key = format!("exit 0\n{pem}{}", key.serialize_pem());
        assert!(failure(with_key.as_bytes()).problem.message.contains("a private key"));
    }
}
