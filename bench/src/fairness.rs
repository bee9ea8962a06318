//! One program's response times beside another program in a loop.
//!
//! The loop takes its part of the processors, whoever serves it. The floor is therefore the response time, under the same load, of a server
//! that only sends bytes and that the loop does not use.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};
use bench::pace::Pace;
use bench::sample::{Sample, middle};
use bench::table::{Budget, Figure, Row};
use rig::process::Process;
use rig::user;

use crate::report::{CREDENTIALS, Floor};

/// Number of rounds, in which floor and gatepost alternate. The median counts.
const ROUNDS: usize = 7;

const PACE: Pace = Pace {
    requests: 2_000,
    interval: Duration::from_millis(1),
};

/// The user of programs that are a load: an ID that no account has.
pub(crate) const OTHER_USER: u32 = 61009;

/// This program, by a link that the other user can follow even into a folder of root's, such as /root or that of `mktemp -d`.
pub(crate) const OWN_PROGRAM: &str = "/proc/self/exe";

/// The loops: the words on this program's command line, and their descriptions.
const LOOPS: [(&str, &str, &str); 3] = [
    ("1", "keep", "a loop"),
    ("64", "keep", "64 loops"),
    ("8", "reconnect", "8 loops of new connections"),
];

/// Measures the responses of `socket`.
pub(crate) fn rows(socket: &Path) -> Result<Vec<Row>> {
    ensure!(
        user::is_root(),
        "only root can be two users, one whose answers are measured and one in a loop"
    );
    let floor = Floor::start(socket)?;
    let mut rows = Vec::new();
    for (connections, manner, name) in LOOPS {
        let (mut least, mut ours) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let mut storm = Command::new(OWN_PROGRAM);
            storm.arg("storm").arg(socket).args([connections, manner]);
            let _storm = Process::spawn(storm.uid(OTHER_USER).gid(OTHER_USER), "gatepost")?;
            least.push(PACE.run(&floor.socket(), CREDENTIALS)?);
            ours.push(PACE.run(socket, CREDENTIALS)?);
        }
        for percent in [50, 99] {
            let figure = |rounds: &[Sample]| Figure::Time(middle(rounds, |round| round.percentile(percent)));
            rows.push(Row {
                what: format!("answer beside {name} of another user, p{percent}"),
                value: figure(&ours),
                floor: Some(figure(&least)),
                budget: match percent {
                    99 => Budget::TimesFloor(2.0),
                    _ => Budget::None,
                },
            });
        }
    }
    Ok(rows)
}
