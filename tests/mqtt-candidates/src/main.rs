//! Runs every fault case on every candidate, each pair in a process of its own: a panic, a busy loop or a leak ends that
//! process alone, and its memory and processor time are its own. `mqtt-candidates` prints the table,
//! `mqtt-candidates CANDIDATE CASE` runs one pair, `mqtt-candidates fuzz` only the two bare codecs.

mod adapters;
mod broker;
mod candidate;
mod cases;
mod fuzz;
mod mosquitto;
mod outbox;
mod script;
mod tls;
mod wire;

use std::{
    io::{self, Read},
    process::{Command, ExitCode, Stdio},
    thread,
    time::{Duration, Instant},
};

use adapters::{own_session::OwnSession, protocol_core::ProtocolCore, rumqttc::Rumqttc, rumqttc_next::RumqttcNext};
use candidate::Candidate;
use cases::{NAMES, Verdict};

/// Column heads, in the order of the table.
const CANDIDATES: [(&str, &str); 7] = [
    ("rumqttc", Rumqttc::<true>::NAME),
    ("rumqttc/new", Rumqttc::<false>::NAME),
    ("next", RumqttcNext::<true>::NAME),
    ("next/new", RumqttcNext::<false>::NAME),
    ("core", ProtocolCore::<true>::NAME),
    ("core/new", ProtocolCore::<false>::NAME),
    ("own", OwnSession::NAME),
];

/// A case that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(60);

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let result = match arguments.as_slice() {
        [] => table(),
        [mode] if mode == "fuzz" => {
            fuzz::run();
            Ok(())
        }
        [candidate, case] => run(candidate, case),
        _ => Err(io::Error::other("usage: mqtt-candidates [fuzz | CANDIDATE CASE]")),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(candidate: &str, case: &str) -> io::Result<()> {
    let run = match candidate {
        "rumqttc" => cases::find::<Rumqttc<true>>(case),
        "rumqttc/new" => cases::find::<Rumqttc<false>>(case),
        "next" => cases::find::<RumqttcNext<true>>(case),
        "next/new" => cases::find::<RumqttcNext<false>>(case),
        "core" => cases::find::<ProtocolCore<true>>(case),
        "core/new" => cases::find::<ProtocolCore<false>>(case),
        "own" => cases::find::<OwnSession>(case),
        _ => None,
    };
    let run = run.ok_or_else(|| io::Error::other(format!("no such candidate or case: {candidate} {case}")))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match runtime.block_on(run()) {
        Ok(seen) => println!("pass {seen}"),
        Err(seen) => println!("FAIL {seen}"),
    }
    Ok(())
}

fn table() -> io::Result<()> {
    for (short, name) in CANDIDATES {
        println!("{short:12} {name}");
    }
    let mut tally = [0; CANDIDATES.len()];
    for case in NAMES {
        println!("\n{case}");
        let verdicts = thread::scope(|scope| {
            let children: Vec<_> = CANDIDATES
                .map(|(short, _)| scope.spawn(move || isolated(short, case)))
                .into();
            children.into_iter().map(|child| child.join()).collect::<Vec<_>>()
        });
        for (index, verdict) in verdicts.into_iter().enumerate() {
            let verdict = verdict.map_err(|_| io::Error::other("runner panicked"))??;
            tally[index] += usize::from(verdict.is_ok());
            let (mark, seen) = match &verdict {
                Ok(seen) => ("pass", seen),
                Err(seen) => ("FAIL", seen),
            };
            println!("  {mark} {:12} {seen}", CANDIDATES[index].0);
        }
    }
    println!("\npassed of {}:", NAMES.len());
    for ((short, _), passed) in CANDIDATES.iter().zip(tally) {
        println!("  {passed:3} {short}");
    }
    Ok(())
}

fn isolated(candidate: &str, case: &str) -> io::Result<Verdict> {
    let mut child = Command::new(std::env::current_exe()?)
        .args([candidate, case])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let start = Instant::now();
    while child.try_wait()?.is_none() {
        if start.elapsed() > LIMIT {
            child.kill()?;
            child.wait()?;
            return Ok(Err(format!("hangs: killed after {LIMIT:?}")));
        }
        thread::sleep(Duration::from_millis(20));
    }
    let (mut out, mut err) = (String::new(), String::new());
    child
        .stdout
        .take()
        .map(|mut pipe| pipe.read_to_string(&mut out))
        .transpose()?;
    child
        .stderr
        .take()
        .map(|mut pipe| pipe.read_to_string(&mut err))
        .transpose()?;
    let line = out.lines().next().unwrap_or_default();
    Ok(match (line.strip_prefix("pass "), line.strip_prefix("FAIL ")) {
        (Some(seen), _) => Ok(seen.to_owned()),
        (_, Some(seen)) => Err(seen.to_owned()),
        _ => Err(format!(
            "died: {}",
            err.lines()
                .filter(|line| !line.is_empty())
                .take(2)
                .collect::<Vec<_>>()
                .join(" ")
        )),
    })
}
