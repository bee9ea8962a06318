//! Promise 16: in every state of a gateway all outputs give the same verdict.
//!
//! Each test takes one gateway through several states. A state is a row of the table in docs/operations.md. Its cause is produced on a real
//! gateway, every output is compared with the row and with the status document, and then the cause is removed.

mod certificates;
mod configuration;
mod credentials;
mod documented;
mod machine;
mod messages;
mod outputs;
mod session;
mod stopped;

use std::any::Any;

use rig::wait;
use serde_json::Value;

use self::documented::{Row, rows};
use crate::command::{client, run};
use crate::dashboard::Dashboard;
use crate::registry::bring_online_registered;
use crate::support::{SOON, World};
use crate::systemd::managed;

const ONLINE: &str = "online as gw-1; 1 of 1 role aliases valid";

/// A gateway, and another client of AWS that reads its health reports.
pub(super) struct Observed {
    pub(super) world: World,
    pub(super) dashboard: Option<Dashboard>,
    /// The cause of a state, which is removed when this is dropped.
    pub(super) cause: Option<Box<dyn Any>>,
}

/// A state with its cause.
struct Case {
    /// The first cell of its row in docs/operations.md.
    name: &'static str,
    /// Words of the summary.
    words: &'static str,
    provoke: fn(&mut Observed),
    heal: fn(&mut Observed),
}

impl Observed {
    /// Creates a gateway that is not started yet.
    fn new() -> Self {
        Self::of(managed())
    }

    fn of(world: World) -> Self {
        Self {
            dashboard: Some(Dashboard::start(&world)),
            world,
            cause: None,
        }
    }

    /// Creates a gateway that is online with a certificate that AWS knows.
    fn online() -> Self {
        let mut observed = Self::new();
        bring_online_registered(&mut observed.world);
        observed
    }

    /// Goes through these states, each of which heals. The gateway is ready at the end.
    fn go_through(&mut self, cases: &[Case]) {
        for case in cases {
            (case.provoke)(self);
            self.expect(case.name, case.words);
            (case.heal)(self);
            self.expect_end_of(case.name);
        }
        self.expect("everything works", ONLINE);
    }

    /// Waits until the gateway is in this state and periodic outputs show it; then every output must agree. If the verdict changes
    /// meanwhile, the outputs are read again.
    fn expect(&mut self, name: &str, words: &str) {
        self.try_to_expect(name, words, |_| false)
            .unwrap_or_else(|differs| panic!("{differs}"));
    }

    /// Does the same for a state that ends by itself. If it is over before all outputs were read, as on a busy machine, it is brought
    /// about again.
    fn expect_briefly(&mut self, name: &str, words: &str, begin: fn(&mut Self)) {
        let row = &rows()[name];
        for _ in 0..10 {
            begin(self);
            let mut was_seen = false;
            let is_over = |status: &Value| {
                let is_in_state = row.matches(status);
                was_seen |= is_in_state;
                was_seen && !is_in_state
            };
            if self.try_to_expect(name, words, is_over).is_ok() {
                return;
            }
        }
        panic!("{name}: over ten times before the outputs were read");
    }

    /// Waits for a state and compares its outputs, until `is_over` holds for a status document.
    fn try_to_expect(&self, name: &str, words: &str, mut is_over: impl FnMut(&Value) -> bool) -> Result<(), String> {
        let row = rows()
            .remove(name)
            .unwrap_or_else(|| panic!("no row {name:?} in docs/operations.md"));
        let mut differs = String::new();
        let outcome = wait::until_some(3 * SOON, name, || {
            let status = self.world.gateway.status();
            if is_over(&status) {
                return Some(Err(format!("{name} is over: {differs}")));
            }
            if let Err(why) = self.has_come(&row, words, &status) {
                differs = why;
                return None;
            }
            let commands = self.commands_agree(&status);
            let is_unchanged = verdict(&self.world.gateway.status()) == verdict(&status);
            match commands {
                Ok(()) => is_unchanged.then_some(Ok(())),
                Err(why) if is_unchanged => panic!("{name}: {why}\n{:#}", verdict(&status)),
                Err(why) => {
                    differs = why;
                    None
                }
            }
        });
        outcome.unwrap_or_else(|error| {
            let status = verdict(&self.world.gateway.status());
            panic!("{error}: {differs}\n{row:#?}\n{status:#}\n{}", self.world.gateway.log())
        })
    }

    fn has_come(&self, row: &Row, words: &str, status: &Value) -> Result<(), String> {
        let summary = status["summary"].as_str().unwrap_or_default();
        if !row.matches(status) || !summary.contains(words) {
            return Err(format!("the status is another one, without {words:?}"));
        }
        outputs::systemd(&self.world, status)?;
        outputs::journal(&self.world, status)?;
        match &self.dashboard {
            Some(dashboard) if row.has_health_report => outputs::health_report(dashboard, status),
            _ => Ok(()),
        }
    }

    fn commands_agree(&self, status: &Value) -> Result<(), String> {
        outputs::metrics(&self.world, status)?;
        outputs::status_command(&self.world, status)?;
        outputs::check_command(&self.world, status)
    }

    /// Waits until none of the problems of this state is in the status, and the metrics and systemd agree.
    fn expect_end_of(&self, name: &str) {
        let row = &rows()[name];
        let mut differs = String::new();
        let healed = wait::until(4 * SOON, &format!("the end of: {name}"), || {
            let status = self.world.gateway.status();
            let problems = status["problems"].as_array();
            let is_left = |(id, _): &(String, String)| {
                problems.is_none_or(|problems| problems.iter().any(|problem| problem["id"] == *id))
            };
            let agree = || outputs::systemd(&self.world, &status).and_then(|()| outputs::metrics(&self.world, &status));
            match row.problems.iter().any(is_left) {
                true => false,
                false => agree().map_err(|why| differs = why).is_ok(),
            }
        });
        healed.unwrap_or_else(|error| {
            let status = verdict(&self.world.gateway.status());
            panic!("{error}: {differs}\n{status:#}\n{}", self.world.gateway.log())
        });
    }

    /// Makes a task retry now, as an operator would who has removed the cause.
    fn retry(&self, words: &[&str]) {
        run(&mut client(&self.world.gateway, &[&["retry"], words].concat()));
    }

    fn restart(&mut self) {
        self.world.gateway.stop();
        self.world.gateway.start();
    }
}

/// Returns the verdict in a status document.
fn verdict(status: &Value) -> Value {
    let members = ["state", "exit_code", "working", "summary", "problems"];
    members
        .into_iter()
        .map(|name| (name.to_owned(), status[name].clone()))
        .collect()
}
