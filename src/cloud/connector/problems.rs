//! Problems with a proxy, each with its next step.

use std::io;
use std::time::Duration;

use super::answer::{Malformed, Refusal};
use crate::config::Proxy;
use crate::foreign_text::clean;
use crate::problem::Problem;

/// Where to correct the address of the proxy.
const CHECK_ADDRESS: &str = "check network.proxy: host and port must be those of an HTTP proxy that allows CONNECT";

/// The cause for which there is no tunnel.
#[derive(Clone, Copy, Debug)]
pub(super) enum Cause<'a> {
    /// The proxy cannot be reached.
    Unreachable(&'a io::Error),
    /// The password cannot be read.
    NoPassword(&'a str),
    /// The proxy has not answered in this time.
    Silent(Duration),
    /// The connection to the proxy broke.
    Broken(&'a io::Error),
    /// The proxy closed the connection before its answer was complete.
    Closed,
    /// The proxy refuses.
    Refused(&'a Refusal),
    /// The proxy sent something itself after its answer.
    NotATunnel(u16),
    /// The answer is not one of an HTTP proxy.
    Malformed(Malformed),
}

/// Returns the problem of a proxy that opens no tunnel to `target`.
pub(super) fn problem(settings: &Proxy, target: &str, cause: Cause) -> Problem {
    let proxy = format!("the proxy {}", settings.address);
    match cause {
        Cause::Unreachable(error) => {
            let step = "check network.proxy, and whether the proxy runs and this machine may reach it";
            Problem::wait(format!("{proxy} cannot be reached: {}", clean(error))).next(step)
        }
        Cause::NoPassword(why) => {
            Problem::configuration(format!("the password for {proxy} cannot be used: {why}")).next(
                "write the password, and nothing else, into the file that network.proxy-secret-file names, or hand it over as \
                 the systemd credential proxy-secret",
            )
        }
        Cause::Silent(time) => {
            let words = format!("{proxy} did not answer CONNECT {target} in {} s", time.as_secs());
            Problem::wait(words).next(format!(
                "check whether the proxy itself reaches {target}; if it never answers, check network.proxy"
            ))
        }
        Cause::Broken(error) => Problem::wait(format!(
            "the connection to {proxy} broke before it answered CONNECT {target}: {}",
            clean(error)
        ))
        .next(CHECK_ADDRESS),
        Cause::Closed => Problem::wait(format!("{proxy} closed the connection instead of answering CONNECT {target}"))
            .next(format!("look into the proxy's log: it may forbid {target}; {CHECK_ADDRESS}")),
        Cause::Refused(refusal) => refused(settings, &proxy, target, refusal),
        Cause::NotATunnel(status) => Problem::configuration(format!(
            "{proxy} answered CONNECT {target} with {status} and a page of its own, so there is no tunnel"
        ))
        .next("find out who answers there: a sign-in page of the network, or a web server in the place of the proxy"),
        Cause::Malformed(fault) => malformed(&proxy, target, fault),
    }
}

/// Returns the problem of a proxy that answered with another status code than 2xx (RFC 9110, 15).
fn refused(settings: &Proxy, proxy: &str, target: &str, refusal: &Refusal) -> Problem {
    let status = refusal.status;
    let refuses = |why: &str| format!("{proxy} does not connect to {target} ({status}{why})");
    match status {
        300..=399 => Problem::configuration(format!(
            "{proxy} answered CONNECT {target} with a redirection ({status}), as sign-in pages do"
        ))
        .next("have this gateway exempted from the sign-in page, or check network.proxy"),
        407 => unauthenticated(settings, proxy, refusal),
        // tinyproxy answers so to a wrong password.
        401 if settings.user.is_some() => unauthenticated(settings, proxy, refusal),
        401 | 403 | 451 => Problem::configuration(refuses(": forbidden")).next(allow(target)),
        400 | 404 | 405 | 501 => Problem::configuration(refuses(": it does not accept CONNECT, or not to this port"))
            .next(format!("{CHECK_ADDRESS}; if they are, {}", allow(target))),
        502..=504 => Problem::wait(refuses(": it cannot reach it")).next(format!(
            "check the proxy's own network and name service: it must reach {target}"
        )),
        429 => Problem::wait(refuses(": too many requests")).next("ask whoever runs the proxy for its limits"),
        500..=599 => Problem::wait(refuses(": a fault of the proxy")).next("look into the proxy's log"),
        _ => Problem::configuration(refuses("")).next(format!("look into the proxy's log; {}", allow(target))),
    }
}

/// Returns the next step where the proxy forbids the target. Most proxies allow CONNECT to port 443 only.
fn allow(target: &str) -> String {
    let alternative = match target.strip_suffix(":8883") {
        Some(host) => {
            format!(", or use MQTT on port 443, which most proxies allow: aws.mqtt-endpoint = \"{host}:443\"")
        }
        None => String::new(),
    };
    format!("have the proxy allow CONNECT to {target} for this gateway{alternative}")
}

/// Returns the problem of a proxy that wants another authentication (407, or 401).
fn unauthenticated(settings: &Proxy, proxy: &str, refusal: &Refusal) -> Problem {
    let status = refusal.status;
    let takes_basic = refusal.schemes.iter().any(|scheme| scheme == "basic");
    match (&settings.user, takes_basic) {
        (_, false) if !refusal.schemes.is_empty() => Problem::configuration(format!(
            "{proxy} requires authentication by {} ({status}), and gatepost supports only Basic",
            refusal.schemes.join(", ")
        ))
        .next("have the proxy accept Basic from this gateway, or exempt its address from authentication"),
        (None, _) => Problem::configuration(format!("{proxy} requires a user name and a password ({status})")).next(
            "set network.proxy-user, and write the password into the file that network.proxy-secret-file names, or hand it over \
             as the systemd credential proxy-secret",
        ),
        (Some(user), _) => Problem::configuration(format!(
            "{proxy} refuses the user name {} or its password ({status})",
            crate::foreign_text::value(user)
        ))
        .next("check network.proxy-user and the password: network.proxy-secret-file, or the systemd credential proxy-secret"),
    }
}

fn malformed(proxy: &str, target: &str, fault: Malformed) -> Problem {
    let what = match fault {
        Malformed::Tls => {
            return Problem::configuration(format!(
                "{proxy} expects TLS, and gatepost speaks plain HTTP to proxies"
            ))
            .next("give the proxy's HTTP port in network.proxy; what goes through it is encrypted anyway");
        }
        Malformed::NotHttp => "it does not begin with HTTP/1".to_owned(),
        Malformed::StatusLine => "its first line has no status".to_owned(),
        Malformed::Field => "a header field has no name".to_owned(),
        Malformed::TooLarge => format!("its header is larger than {} bytes", super::answer::MAX_ANSWER),
    };
    Problem::configuration(format!(
        "{proxy} did not answer CONNECT {target} as an HTTP proxy does: {what}"
    ))
    .next(CHECK_ADDRESS)
}
