//! The daemon: boot order and shutdown.
//!
//! `parts` creates the parts of the daemon and starts their threads.

mod caches;
mod details;
mod hold;
mod main_loop;
mod outlive;
mod parts;
mod reload;
mod reload_problems;
mod reporters;
mod signals;
mod start;

use std::io;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use log::Level;
use tokio::runtime::Runtime;
use tokio::task::{spawn_blocking, spawn_local};

use crate::build_info::VERSION_AND_COMMIT;
use crate::clock::{SharedClock, SystemClock};
use crate::event::{Event, journal};
use crate::instance_lock;
use crate::last_end;
use crate::local;
use crate::problem::{Exit, Fatal, Problem};
use crate::retry::RetryTarget;
use crate::systemd::{self, Descriptors, InheritedFds};

use self::parts::Parts;
use self::signals::Signals;

/// Time for the session to send its last messages. Together with closing the token it stays below the 5 s that a stop may take.
const SESSION_END_TIMEOUT: Duration = Duration::from_secs(3);
/// Time for acknowledged messages to be deleted from the database. Those that remain are sent once more by the next run.
const DATABASE_END_TIMEOUT: Duration = Duration::from_secs(1);

/// Runs the daemon with the configuration at `path` until it is told to stop.
///
/// # Errors
/// With a problem that the daemon cannot resolve itself: the configuration, a folder that cannot be written, another instance, a
/// rejected PIN. The error contains the exit code.
pub fn run(path: &Path) -> Result<(), Fatal> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(system_error)?;
    // Before anything else, so that a stop while the token is being opened ends as cleanly as any other.
    let mut signals = runtime.block_on(async { Signals::listen() }).map_err(system_error)?;
    let clock: SharedClock = Arc::new(SystemClock::default());
    let descriptors = Descriptors::take();
    let Some(start) = hold::choose_configuration(path, &runtime, &descriptors, &mut signals, &*clock)? else {
        return Ok(());
    };
    let inherited = InheritedFds::sorted(descriptors, start.config.loopback, start.config.local_mqtt.listen);
    let folders = &start.config.folders;
    instance_lock::create_folders(folders)?;
    let lock = instance_lock::lock(folders)?;
    let listener = local::bind_socket(folders, inherited.listener)?;
    last_end::forget(folders);
    journal!(Level::Info, Event::Start; "gatepostd {VERSION_AND_COMMIT} starts with {}", path.display());
    let parts = Parts::start(
        path,
        start,
        clock,
        inherited.stored,
        inherited.loopback,
        inherited.local_mqtt,
    )
    .map_err(system_error)?;
    let outcome = serve(&runtime, listener, signals, parts)?;
    drop(lock);
    journal!(Level::Info, Event::Stop; "gatepostd has stopped");
    // Does not wait for a name lookup that hangs in one of the runtime's threads.
    runtime.shutdown_background();
    outcome.inspect(|()| systemd::stopped())
}

/// Serves local programs until a signal or a fatal problem, then ends all threads. The inner result is how the daemon ended.
fn serve(
    runtime: &Runtime,
    listener: UnixListener,
    signals: Signals,
    parts: Parts,
) -> Result<Result<(), Fatal>, Fatal> {
    let Parts {
        context,
        hub,
        reloader,
        fd_store,
        fatals,
        reload_requests,
        session_events,
        own_subscriptions,
        token_thread,
        cloud_thread,
        messages_ended,
    } = parts;
    let main_context = context.clone();
    let until_stopped = async {
        let context = main_context;
        systemd::ready();
        spawn_local(systemd::keep_status(context.clone(), hub));
        spawn_local(systemd::feed(cloud_thread.heartbeat, context.token.clone()));
        spawn_local(systemd::keep_loopback(context.clone()));
        spawn_local(systemd::keep_mqtt_listener(context.clone()));
        if let Some(own) = own_subscriptions {
            let requests = context.retries.listen(RetryTarget::Session);
            spawn_local(own.serve(context.inbox.clone(), requests));
        }
        spawn_local(fd_store.keep(context.cache.clone(), context.clock.clone()));
        let outcome = main_loop::run(reloader, signals, fatals, reload_requests).await;
        systemd::stopping();
        let _ = cloud_thread.shutdown.send(true);
        // The channel closes once the session has disconnected. Without a network this takes longer than programs wait for a
        // response, so requests are served meanwhile.
        let _ = spawn_blocking(move || cloud_thread.ended.recv_timeout(SESSION_END_TIMEOUT)).await;
        outcome
    };
    let outcome =
        local::run(runtime, listener, context.clone(), session_events, until_stopped).map_err(system_error)?;
    systemd::log_dropped_credentials(&context.cache, &*context.clock);
    if !systemd::is_present() {
        // With a service manager they outlive a restart; at a stop it has them removed (systemd/after-stop).
        context.credentials_files.remove_all();
    }
    // The messages thread ends when its last handle is gone.
    drop(context);
    let _ = messages_ended.recv_timeout(DATABASE_END_TIMEOUT);
    drop(token_thread);
    Ok(outcome)
}

/// Reports the outcome of a command or of the daemon, and returns the exit code of the process.
pub fn exit_code(outcome: Result<(), Fatal>) -> ExitCode {
    let Err(fatal) = outcome else { return ExitCode::SUCCESS };
    for line in fatal.to_string().lines() {
        match log::log_enabled!(log::Level::Error) {
            true => journal!(Level::Error, fatal.exit.event(); "{line}"),
            false => eprintln!("gatepostd: {line}"),
        }
    }
    ExitCode::from(fatal.exit as u8)
}

fn system_error(error: io::Error) -> Fatal {
    Fatal::new(
        Exit::System,
        Problem::wait(format!(
            "the system does not provide a thread, a signal or a runtime: {error}"
        )),
    )
}
