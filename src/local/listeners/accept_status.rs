//! The status of accepting: whether programs that connect are accepted, or what keeps them waiting.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;

use rustix::io::Errno;
use tokio::sync::watch;

use crate::problem::Problem;
use crate::status::{AcceptingDetails, AcceptingPart, AcceptingPhase, Reporter, StatusHub};

/// Errors that concern one connection, which has ended already (accept(2)). The next one may be accepted.
const OF_ONE_CONNECTION: &[Errno] = &[
    Errno::CONNABORTED,
    Errno::HOSTDOWN,
    Errno::HOSTUNREACH,
    Errno::NETDOWN,
    Errno::NETUNREACH,
    Errno::NONET,
    Errno::NOPROTOOPT,
    Errno::OPNOTSUPP,
    Errno::PERM,
    Errno::PROTO,
];

/// The listeners whose connections are not accepted now, and why.
#[derive(Debug)]
pub struct AcceptStatus {
    failing: RefCell<BTreeMap<&'static str, Problem>>,
    reporter: Reporter<AcceptingPhase, AcceptingDetails>,
}

impl AcceptStatus {
    /// Creates the status of listeners that accept.
    pub fn new(hub: &StatusHub) -> Self {
        Self {
            failing: RefCell::default(),
            reporter: hub.reporter("connections", AcceptingPhase::Accepting, AcceptingDetails {}),
        }
    }

    /// Subscribes to the status.
    pub fn part(&self) -> watch::Receiver<AcceptingPart> {
        self.reporter.watch()
    }

    /// Returns the reporting end of a listener. The listener no longer fails once this is dropped.
    pub fn listener(&self, name: &'static str) -> ListenerReport<'_> {
        ListenerReport { status: self, name }
    }

    fn report(&self) {
        let mut listeners: BTreeMap<String, (Problem, Vec<&str>)> = BTreeMap::new();
        for (name, problem) in &*self.failing.borrow() {
            let known = listeners.entry(problem.message.clone());
            known.or_insert_with(|| (problem.clone(), Vec::new())).1.push(name);
        }
        let problems = listeners.into_values().map(|(problem, names)| Problem {
            message: format!("no connection is accepted at {}: {}", names.join(", "), problem.message),
            ..problem
        });
        let problem = Problem::joined(problems.collect());
        let phase = match problem {
            Some(_) => AcceptingPhase::Failing,
            None => AcceptingPhase::Accepting,
        };
        self.reporter.report(phase, problem);
    }
}

/// Reports whether the connections of a listener are accepted.
#[derive(Debug)]
pub struct ListenerReport<'a> {
    status: &'a AcceptStatus,
    name: &'static str,
}

impl ListenerReport<'_> {
    /// Records that a connection was not accepted.
    pub fn fail(&self, error: &io::Error) {
        if let Some(problem) = describe(error) {
            self.status.failing.borrow_mut().insert(self.name, problem);
            self.status.report();
        }
    }

    /// Records that a connection was accepted, or that none waits.
    pub fn recover(&self) {
        let had_failed = self.status.failing.borrow_mut().remove(self.name).is_some();
        if had_failed {
            self.status.report();
        }
    }
}

impl Drop for ListenerReport<'_> {
    fn drop(&mut self) {
        self.recover();
    }
}

/// Returns the problem behind an error of accept(2); `None` if the error concerns one connection.
fn describe(error: &io::Error) -> Option<Problem> {
    let errno = Errno::from_io_error(error);
    if errno.is_some_and(|errno| OF_ONE_CONNECTION.contains(&errno)) {
        return None;
    }
    Some(match errno {
        Some(Errno::MFILE) => Problem::configuration("gatepost has as many files open as its limit allows").next(
            "find the programs that hold many connections with ss -xp and ss -tp, or raise LimitNOFILE= with systemctl edit gatepost",
        ),
        Some(Errno::NFILE) => Problem::configuration("this machine has as many files open as its limit allows")
            .next("find the program that has opened them (lsof), or raise the limit with sysctl fs.file-max"),
        Some(Errno::NOMEM | Errno::NOBUFS) => Problem::wait("this machine has no memory left for a connection")
            .next("find the program that uses it with top -o %MEM"),
        _ => Problem::wait(format!("the kernel gives an error that is not expected: {error}")).next("look at the kernel's log: dmesg"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::manual::ManualClock;
    use crate::problem::Remedy;

    fn status() -> AcceptStatus {
        AcceptStatus::new(&StatusHub::new(ManualClock::at(0)))
    }

    /// The phase, and the problem.
    fn seen(status: &AcceptStatus) -> (AcceptingPhase, Option<Problem>) {
        let part = status.part().borrow().clone();
        (part.phase, part.problem)
    }

    fn message(status: &AcceptStatus) -> String {
        seen(status).1.map(|problem| problem.message).unwrap_or_default()
    }

    #[test]
    fn an_error_of_accept_says_what_is_missing_and_who_can_help() {
        for (errno, remedy, words, step) in [
            (
                Errno::MFILE,
                Remedy::Configuration,
                "gatepost has as many files open",
                "LimitNOFILE=",
            ),
            (
                Errno::NFILE,
                Remedy::Configuration,
                "this machine has as many files open",
                "fs.file-max",
            ),
            (Errno::NOMEM, Remedy::Wait, "no memory left", "top"),
            (Errno::NOBUFS, Remedy::Wait, "no memory left", "top"),
            (Errno::INVAL, Remedy::Wait, "not expected", "dmesg"),
        ] {
            let status = status();
            let listener = status.listener("socket");
            listener.fail(&errno.into());
            let (phase, problem) = seen(&status);
            let problem = problem.unwrap();
            assert_eq!((phase, problem.remedy), (AcceptingPhase::Failing, remedy), "{errno}");
            assert!(problem.message.contains(words), "{errno}: {problem}");
            assert!(problem.next_step.is_some_and(|known| known.contains(step)), "{errno}");
            listener.recover();
            assert_eq!(seen(&status), (AcceptingPhase::Accepting, None), "{errno}");
        }
    }

    #[test]
    fn the_end_of_one_connection_is_no_problem() {
        for errno in OF_ONE_CONNECTION {
            let status = status();
            let listener = status.listener("socket");
            listener.fail(&(*errno).into());
            assert_eq!(seen(&status), (AcceptingPhase::Accepting, None), "{errno}");
            // It does not end the problem of all either.
            listener.fail(&Errno::MFILE.into());
            listener.fail(&(*errno).into());
            assert_eq!(seen(&status).0, AcceptingPhase::Failing, "{errno}");
        }
    }

    #[test]
    fn listeners_fail_and_recover_one_by_one() {
        let status = status();
        let (socket, mqtt) = (status.listener("socket"), status.listener("mqtt"));
        socket.fail(&Errno::MFILE.into());
        mqtt.fail(&Errno::MFILE.into());
        let both = "no connection is accepted at mqtt, socket: gatepost has as many files open as its limit allows";
        assert_eq!(message(&status), both);
        mqtt.fail(&Errno::NOMEM.into());
        assert_eq!(message(&status).matches("no connection is accepted at").count(), 2);
        socket.recover();
        assert_eq!(
            message(&status),
            "no connection is accepted at mqtt: this machine has no memory left for a connection"
        );
        drop(mqtt);
        assert_eq!(
            seen(&status),
            (AcceptingPhase::Accepting, None),
            "it is no longer configured"
        );
    }
}
