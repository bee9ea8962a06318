//! The status of the MQTT listeners: whether programs can connect wherever the configuration says.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use tokio::sync::watch;

use crate::config::LocalMqtt;
use crate::problem::Problem;
use crate::status::{LocalMqttDetails, LocalMqttPart, LocalMqttPhase, Reporter, StatusHub};

/// The socket and the address that are configured, and what keeps programs from using them.
#[derive(Debug)]
pub struct ListenerStatus {
    socket_path: PathBuf,
    places: RefCell<BTreeMap<String, Place>>,
    /// Secrets of the administrator that cannot be used as passwords.
    tokens: RefCell<Option<Problem>>,
    reporter: Reporter<LocalMqttPhase, LocalMqttDetails>,
}

/// A socket or an address that is configured.
#[derive(Debug)]
enum Place {
    Starting,
    Bound,
    Failed(Problem),
}

impl ListenerStatus {
    /// Creates the status of listeners as configured, which do not listen yet. The Unix socket is at `socket_path`.
    pub fn new(config: LocalMqtt, socket_path: PathBuf, hub: &StatusHub) -> Self {
        let (places, details) = places(config, &socket_path);
        let phase = match places.is_empty() {
            true => LocalMqttPhase::Off,
            false => LocalMqttPhase::Waiting,
        };
        Self {
            socket_path,
            places: RefCell::new(places),
            tokens: RefCell::default(),
            reporter: hub.reporter("local-mqtt", phase, details),
        }
    }

    /// The path of the Unix socket.
    pub fn socket_path(&self) -> &Path {
        &self.socket_path
    }

    /// Subscribes to the status.
    pub fn part(&self) -> watch::Receiver<LocalMqttPart> {
        self.reporter.watch()
    }

    /// Starts again with listeners as configured now, which do not listen yet.
    pub(super) fn configure(&self, config: LocalMqtt) {
        let (places, details) = places(config, &self.socket_path);
        self.places.replace(places);
        if config.listen.is_none() {
            self.tokens.replace(None);
        }
        self.reporter.details(|known| {
            *known = LocalMqttDetails {
                attempts: known.attempts,
                ..details
            };
        });
        self.report();
    }

    /// Records that programs can connect at this socket or address, or what keeps them from that.
    pub fn report_place(&self, place: &str, problem: Option<Problem>) {
        if let Some(known) = self.places.borrow_mut().get_mut(place) {
            *known = problem.map_or(Place::Bound, Place::Failed);
        }
        self.reporter.details(|details| details.attempts += 1);
        self.report();
    }

    /// Records which secrets of the administrator cannot be used.
    pub(super) fn report_tokens(&self, problem: Option<Problem>) {
        self.tokens.replace(problem);
        self.reporter.details(|details| details.attempts += 1);
        self.report();
    }

    fn report(&self) {
        let places = self.places.borrow();
        let is_listening = places.values().all(|place| matches!(place, Place::Bound));
        let failed = places.values().filter_map(|place| match place {
            Place::Failed(problem) => Some(problem.clone()),
            Place::Starting | Place::Bound => None,
        });
        let (phase, problem) = match is_listening {
            _ if places.is_empty() => (LocalMqttPhase::Off, None),
            true => (LocalMqttPhase::Listening, self.tokens.borrow().clone()),
            // A secret matters only once programs can connect.
            false => (LocalMqttPhase::Waiting, Problem::joined(failed.collect())),
        };
        self.reporter.report(phase, problem);
    }
}

/// Returns the socket and the address that are configured, as they are shown.
fn places(config: LocalMqtt, socket_path: &Path) -> (BTreeMap<String, Place>, LocalMqttDetails) {
    let details = LocalMqttDetails {
        socket: config.socket.then(|| socket_path.display().to_string()),
        listen: config.listen.map(|address| address.to_string()),
        attempts: 0,
    };
    let shown = details.socket.iter().chain(&details.listen).cloned();
    (shown.map(|place| (place, Place::Starting)).collect(), details)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::manual::ManualClock;

    const SOCKET: &str = "/run/gatepost/mqtt.sock";
    const ADDRESS: &str = "127.0.0.1:1883";

    fn config(socket: bool, listen: bool) -> LocalMqtt {
        LocalMqtt {
            socket,
            listen: listen.then(|| ADDRESS.parse().unwrap()),
        }
    }

    fn status(config: LocalMqtt) -> ListenerStatus {
        ListenerStatus::new(config, SOCKET.into(), &StatusHub::new(ManualClock::at(0)))
    }

    /// The phase, and the message of the problem.
    fn seen(status: &ListenerStatus) -> (&'static str, String) {
        let part = status.part().borrow().clone();
        let phase = match part.phase {
            LocalMqttPhase::Off => "off",
            LocalMqttPhase::Waiting => "waiting",
            LocalMqttPhase::Listening => "listening",
        };
        (phase, part.problem.map(|problem| problem.message).unwrap_or_default())
    }

    #[test]
    fn the_phase_is_the_worst_of_all_that_is_configured() {
        let taken = || Some(Problem::configuration("taken"));
        let full = || Some(Problem::configuration("full"));
        // What becomes of the socket and of the address; `None` where it is not configured or nothing has become of it.
        for (what, socket, address, expected) in [
            ("both bound", Some(None), Some(None), ("listening", "")),
            ("the socket failed", Some(full()), Some(None), ("waiting", "full")),
            ("the address failed", Some(None), Some(taken()), ("waiting", "taken")),
            ("both failed", Some(full()), Some(taken()), ("waiting", "full; taken")),
        ] {
            let status = status(config(true, true));
            assert_eq!(seen(&status), ("waiting", String::new()), "{what}");
            status.report_place(SOCKET, socket.unwrap());
            status.report_place(ADDRESS, address.unwrap());
            let (phase, message) = seen(&status);
            // Both are shown, in the order of their names.
            let mut parts: Vec<_> = message.split("; ").collect();
            parts.sort_unstable();
            assert_eq!((phase, parts.join("; ").as_str()), expected, "{what}");
        }
        for (socket, listen) in [(true, false), (false, true)] {
            let status = status(config(socket, listen));
            assert_eq!(seen(&status).0, "waiting");
            status.report_place(SOCKET, None);
            status.report_place(ADDRESS, None);
            assert_eq!(seen(&status).0, "listening");
        }
        let off = status(config(false, false));
        off.report_place(ADDRESS, taken());
        assert_eq!(seen(&off), ("off", String::new()), "it is not configured");
    }

    #[test]
    fn a_failure_ends_when_the_place_is_bound_or_no_longer_configured() {
        let status = status(config(false, true));
        status.report_place(ADDRESS, Some(Problem::configuration("taken")));
        status.report_place(ADDRESS, None);
        assert_eq!(seen(&status), ("listening", String::new()));
        status.report_place(ADDRESS, Some(Problem::configuration("taken")));
        status.configure(config(true, false));
        assert_eq!(seen(&status), ("waiting", String::new()));
        let details = status.part().borrow().details.clone();
        assert_eq!((details.socket.as_deref(), details.listen), (Some(SOCKET), None));
        status.configure(config(false, false));
        assert_eq!(seen(&status), ("off", String::new()));
    }

    #[test]
    fn secrets_that_cannot_be_used_are_a_problem_once_programs_can_connect() {
        let status = status(config(false, true));
        status.report_tokens(Some(Problem::configuration("too short")));
        assert_eq!(seen(&status), ("waiting", String::new()));
        status.report_place(ADDRESS, None);
        assert_eq!(seen(&status), ("listening", "too short".to_owned()));
        status.report_tokens(None);
        assert_eq!(seen(&status), ("listening", String::new()));
        status.report_tokens(Some(Problem::configuration("too short")));
        status.configure(config(true, false));
        status.report_place(SOCKET, None);
        assert_eq!(
            seen(&status),
            ("listening", String::new()),
            "nobody is asked for a password"
        );
    }
}
