//! Programs that publish over MQTT without a pause, as the load beside which something else is measured.

use std::convert::Infallible;
use std::path::Path;
use std::thread;

use anyhow::{Result, anyhow};

use crate::mqtt_client::{MqttClient, Session};

/// Number of programs: half of them publish at QoS 1, the others at QoS 0.
pub const PROGRAMS: usize = 8;
/// Messages that a program publishes in a row.
const BATCH: usize = 200;

/// Publishes to the server at `socket` until the process is killed.
///
/// # Errors
/// If the server ends a connection.
pub fn publish_forever(socket: &Path, thing: &str) -> Result<Infallible> {
    thread::scope(|scope| {
        let programs: Vec<_> = (0..PROGRAMS)
            .map(|program| scope.spawn(move || publish(socket, thing, program)))
            .collect();
        for program in programs {
            program.join().map_err(|_| anyhow!("a program panicked"))??;
        }
        Err(anyhow!("a program has ended"))
    })
}

fn publish(socket: &Path, thing: &str, program: usize) -> Result<()> {
    let topic = format!("{thing}/data/{program}");
    let mut client = MqttClient::connect(socket, &format!("load-{program}"), Session::Clean)?;
    loop {
        match program % 2 {
            0 => client.publish_in_a_window(&topic, BATCH)?,
            _ => client.publish_at_qos_0(&topic, BATCH)?,
        };
    }
}
