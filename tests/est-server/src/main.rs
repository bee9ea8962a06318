//! The EST server as a command, which runs until it is stopped.

mod arguments;
mod values;

use std::error::Error;
use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::SystemTime;

use est_server::{EstServer, Event, Options};
use time::OffsetDateTime;
use time::macros::format_description;
use tokio::signal::unix::{SignalKind, signal};

use arguments::Command;

fn main() -> ExitCode {
    let done = Command::parse(lexopt::Parser::from_env()).and_then(|command| match command {
        Command::Run(options) => run(*options),
        Command::Print(text) => Ok(writeln!(std::io::stdout(), "{text}")?),
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("est-server: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: Options) -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // Signals are caught from the start: an early SIGUSR1 would end the process.
    let (mut terminate, mut interrupt, mut roll_over) = runtime.block_on(async {
        Ok::<_, std::io::Error>((
            signal(SignalKind::terminate())?,
            signal(SignalKind::interrupt())?,
            signal(SignalKind::user_defined1())?,
        ))
    })?;
    let temporary;
    let folder = match &options.dir {
        Some(folder) => folder.clone(),
        None => {
            temporary = tempfile::Builder::new().prefix("est-server-").tempdir()?;
            temporary.path().to_owned()
        }
    };
    let server = EstServer::start(Options {
        dir: Some(folder.clone()),
        observer: Some(Arc::new(print)),
        ..options
    })?;
    let ca_path = folder.join("issued-by.pem");
    std::fs::write(&ca_path, server.ca_pem())?;
    let mut out = std::io::stdout();
    writeln!(out, "url:       {}", server.url())?;
    writeln!(out, "server CA: {}", server.server_ca_path().display())?;
    writeln!(out, "CA:        {}", ca_path.display())?;
    loop {
        let told_to_end = runtime.block_on(async {
            tokio::select! {
                _ = terminate.recv() => true,
                _ = interrupt.recv() => true,
                _ = roll_over.recv() => false,
            }
        });
        if told_to_end {
            return Ok(());
        }
        server.roll_over()?;
        std::fs::write(&ca_path, server.ca_pem())?;
    }
}

fn print(event: &Event) {
    let now = OffsetDateTime::from(SystemTime::now());
    let time = now
        .format(format_description!("[hour]:[minute]:[second].[subsecond digits:3]"))
        .unwrap_or_default();
    // The reader may have gone; the server goes on.
    let _ = writeln!(std::io::stdout(), "{time} {event}");
}
