//! Measures gatepost and prints rows of the table. `bench/run` puts them together.

mod fairness;
mod mqtt;
mod mqtt_out;
mod outbox;
mod report;
mod slow_signer;

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail};
use bench::{floor, storm, table};

const USAGE: &str = "\
usage: bench socket SOCKET            answers, beside the floor
       bench command GATEPOST SOCKET  `gatepost credentials`, beside /bin/true
       bench idle TOKEN MEGABYTES PID SECONDS
                                      memory, of which so much is promised with this token, and wake-ups
       bench size DAEMON COMMAND      of the two programs
       bench start SOCKET DAEMON...   a daemon's command line, to its first answers
       bench slow-signer SOCKET CALM BUSY DAEMON...
                                      answers while a slow token signs: the daemon with each configuration as its last
                                      word, without handshakes and with them
       bench outbox SOCKET MESSAGES FOLDER FILLING SENDING CLOUDLOG THING DAEMON...
                                      durable publishes, an outbox with so many messages, and their replay: the daemon with each of two
                                      configurations as its last word
       bench mqtt SOCKET MQTTSOCKET FOLDER CONFIGURATION THING DAEMON...
                                      programs that speak MQTT: messages in, latency and idle memory, beside Mosquitto
       bench mqtt-out BROKERSOCKET SOCKET MQTTSOCKET FOLDER CONFIGURATION THING DAEMON...
                                      programs that receive over MQTT, and credentials while others publish
       bench fairness SOCKET          answers beside another user's loop (as root)
       bench storm SOCKET CONNECTIONS keep|anew
                                      be the loop: ask as fast as possible, over kept connections or new ones
       bench floor SOCKET ANSWER      be the floor: answer with the bytes of a file";

/// sysexits.h
const EX_USAGE: u8 = 64;

fn main() -> Result<ExitCode> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let rows = match words.as_slice() {
        ["socket", socket] => report::socket(Path::new(socket))?,
        ["command", gatepost, socket] => report::command(Path::new(gatepost), Path::new(socket))?,
        ["idle", token, megabytes, pid, seconds] => {
            let promised = megabytes.parse::<u64>()? * 1_000_000;
            report::idle(token, promised, pid.parse()?, Duration::from_secs(seconds.parse()?))?
        }
        ["size", daemon, command] => report::size(Path::new(daemon), Path::new(command))?,
        ["start", socket, daemon @ ..] => report::start(Path::new(socket), daemon)?,
        ["slow-signer", socket, calm, busy, daemon @ ..] => slow_signer::rows(Path::new(socket), calm, busy, daemon)?,
        [
            "outbox",
            socket,
            queued,
            folder,
            filling,
            sending,
            cloud_log,
            thing,
            daemon @ ..,
        ] => {
            let outbox = outbox::Outbox {
                socket: Path::new(socket),
                queued: queued.parse()?,
                folder: Path::new(folder),
                filling,
                sending,
                cloud_log: Path::new(cloud_log),
                thing,
                daemon,
            };
            outbox.rows()?
        }
        ["mqtt", setup @ ..] => mqtt(setup)?.rows()?,
        ["mqtt-out", broker, setup @ ..] => {
            let broker = Path::new(broker);
            let mqtt = mqtt(setup)?;
            mqtt_out::MqttOut { mqtt, broker }.rows()?
        }
        ["fairness", socket] => fairness::rows(Path::new(socket))?,
        ["storm", socket, connections, manner @ ("keep" | "anew")] => {
            match storm::rage(Path::new(socket), connections.parse()?, *manner == "keep")? {}
        }
        ["floor", socket, answer] => {
            floor::serve(Path::new(socket), Path::new(answer))?;
            Vec::new()
        }
        _ => {
            eprintln!("{USAGE}");
            return Ok(ExitCode::from(EX_USAGE));
        }
    };
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", table::header())?;
    for row in rows {
        writeln!(out, "{row}")?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The setup of the measurements of MQTT programs.
fn mqtt<'a>(words: &'a [&'a str]) -> Result<mqtt::Mqtt<'a>> {
    let [socket, mqtt_socket, folder, configuration, thing, daemon @ ..] = words else {
        bail!("{USAGE}");
    };
    Ok(mqtt::Mqtt {
        socket: Path::new(socket),
        mqtt_socket: Path::new(mqtt_socket),
        folder: Path::new(folder),
        configuration,
        thing,
        daemon,
    })
}
