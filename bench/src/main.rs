//! Measures gatepost. Each subcommand runs one benchmark and prints its rows of the table of results; `bench/run` runs them all.

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

use anyhow::Result;
use bench::{floor, mqtt_load, storm, table};

const USAGE: &str = "\
usage: bench socket SOCKET            latency of responses, compared with a minimal server (see `floor`)
       bench command GATEPOST SOCKET  duration of `gatepost credentials`, compared with /bin/true
       bench idle TOKEN MEGABYTES PID SECONDS
                                      memory and wake-ups of the process PID in SECONDS; MEGABYTES is the
                                      documented limit of memory for this kind of token
       bench size DAEMON COMMAND      sizes of the two programs
       bench start SOCKET DAEMON...   time from the start of DAEMON... to its first responses
       bench slow-signer SOCKET CALM BUSY DAEMON...
                                      latency of responses while a slow token signs: DAEMON... is started with each of
                                      the two configuration files as its last argument. With CALM it performs no
                                      handshakes, with BUSY it does
       bench outbox SOCKET MESSAGES FOLDER FILLING SENDING CLOUDLOG THING DAEMON...
                                      latency of durable publishes, memory with MESSAGES in the outbox, and the time to
                                      send them to AWS: DAEMON... is started with each of the two configuration files
                                      as its last argument. With FILLING it stores messages, with SENDING it sends them
       bench mqtt SOCKET MQTTSOCKET FOLDER CONFIGURATION THING DAEMON...
                                      MQTT clients that publish: throughput, latency and idle memory, compared with
                                      Mosquitto
       bench mqtt-out BROKERSOCKET SOCKET MQTTSOCKET FOLDER CONFIGURATION THING DAEMON...
                                      MQTT clients that receive, and the latency of credentials while others publish
       bench mqtt-load MQTTSOCKET THING
                                      generate load: MQTT clients publish as fast as possible
       bench fairness SOCKET          latency of responses while another user runs `storm` (as root)
       bench storm SOCKET CONNECTIONS keep|reconnect
                                      generate load: send requests as fast as possible, over connections that are kept,
                                      or over a new one for each request
       bench floor SOCKET ANSWER      serve as the minimal server: respond with the content of the file ANSWER";

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
        ["mqtt", socket, mqtt_socket, folder, configuration, thing, daemon @ ..] => {
            mqtt_setup([socket, mqtt_socket, folder, configuration, thing], daemon).rows()?
        }
        [
            "mqtt-out",
            broker,
            socket,
            mqtt_socket,
            folder,
            configuration,
            thing,
            daemon @ ..,
        ] => {
            let broker = Path::new(broker);
            let mqtt = mqtt_setup([socket, mqtt_socket, folder, configuration, thing], daemon);
            mqtt_out::MqttOut { mqtt, broker }.rows()?
        }
        ["fairness", socket] => fairness::rows(Path::new(socket))?,
        ["storm", socket, connections, manner @ ("keep" | "reconnect")] => {
            // It runs until it is killed or fails: there is no value to match.
            match storm::run(Path::new(socket), connections.parse()?, *manner == "keep")? {}
        }
        // It runs until it is killed or fails.
        ["mqtt-load", socket, thing] => match mqtt_load::publish_forever(Path::new(socket), thing)? {},
        ["floor", socket, answer] => {
            // It runs until it is killed or fails.
            match floor::serve(Path::new(socket), Path::new(answer))? {}
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

/// Returns the setup from the arguments that `mqtt` and `mqtt-out` share.
fn mqtt_setup<'a>(
    [socket, mqtt_socket, folder, configuration, thing]: [&'a str; 5],
    daemon: &'a [&'a str],
) -> mqtt::Mqtt<'a> {
    mqtt::Mqtt {
        socket: Path::new(socket),
        mqtt_socket: Path::new(mqtt_socket),
        folder: Path::new(folder),
        configuration,
        thing,
        daemon,
    }
}
