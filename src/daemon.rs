//! Boot order on one screen: which task is started from what, and how all of it ends.

use std::cell::RefCell;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use log::Level;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{spawn_blocking, spawn_local};

use crate::clock::{SharedClock, SystemClock};
use crate::cloud::{Cloud, Health, Post, SessionReporters};
use crate::config::{Config, ConfigError};
use crate::credentials::Shelf;
use crate::event::{Event, journal};
use crate::identity::{Files, IdentityTask, request_path, roots};
use crate::local::{self, Access, Audit, Loopback, Pace, Shared, Socket, Tally, ThingName, Waiting};
use crate::logging::LogLevel;
use crate::problem::{Exit, Fatal, Problem};
use crate::pulse::Pulse;
use crate::retry::Retries;
use crate::status::{
    Board, ClockDetails, ClockPhase, Desk, IdentityDetails, IdentityPhase, MessagesDetails, MessagesPhase,
    ProvisioningDetails, ProvisioningPhase, SessionDetails, SessionPhase, TokenDetails, TokenPhase,
};
use crate::systemd::{self, Passed, Store};
use crate::token::{PinSource, Token};
use crate::{check_config, messages, subordinate};

/// For the session's goodbye; with the token's closing it stays below the 5 s that stopping may take.
const FAREWELL_PATIENCE: Duration = Duration::from_secs(3);
/// For what was acknowledged to be deleted; what is not will be sent once more.
const WRITING_PATIENCE: Duration = Duration::from_secs(1);

/// Requests to read the configuration again that wait until it is done; more are refused.
const RELOAD_REQUESTS: usize = 8;

/// Runs the daemon with the configuration at `path` until it is told to stop.
///
/// # Errors
/// With what only somebody else can mend: configuration, a folder that cannot be written, another instance, a rejected PIN.
/// The exit code is in it.
pub fn run(path: &Path) -> Result<(), Fatal> {
    // First of all: a stop while the token is being opened must end as cleanly as any other.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(no_thread)?;
    let signals = runtime.block_on(async { Signals::listen() }).map_err(no_thread)?;
    let config = check_config::load(path)?;
    let roots = roots::load(config.aws.root_ca.as_deref()).map_err(|why| Fatal::new(Exit::Configuration, why))?;
    let Passed {
        listener,
        stored,
        loopback,
    } = Passed::take(config.loopback);
    let Socket { listener, lock } = local::bind(&config.folders, listener)?;
    let files = Files::watch(&config.identity)?;
    journal!(Level::Info, Event::Start; "gatepostd {} starts with {}", env!("CARGO_PKG_VERSION"), path.display());

    let clock: SharedClock = Arc::new(SystemClock);
    let desk = Desk::new(clock.clone());
    let token_reporter = desk.reporter("token", TokenPhase::Waiting, token_details(&config));
    let clock_reporter = desk.reporter("clock", ClockPhase::Unset, ClockDetails {});
    let identity_reporter = desk.reporter("identity", IdentityPhase::NoKey, identity_details(&config));
    let session_reporters = SessionReporters {
        session: desk.reporter("session", SessionPhase::Idle, session_details(&config)),
        provisioning: desk.reporter("provisioning", ProvisioningPhase::NoKey, ProvisioningDetails::default()),
    };
    let messages_reporter = desk.reporter("messages", MessagesPhase::Opening, MessagesDetails::default());
    let board = Board {
        token: token_reporter.watch(),
        clock: clock_reporter.watch(),
        identity: identity_reporter.watch(),
        provisioning: session_reporters.provisioning.watch(),
        session: session_reporters.session.watch(),
        messages: messages_reporter.watch(),
    };
    let names = config.role_aliases.iter().map(|alias| alias.name.as_str());
    let (shelf, alias_reporters) = Shelf::new(names, config.default_alias(), &desk);

    let store = Store::take_over(stored, &config, &alias_reporters, &*clock);

    let (fatal, fatals) = mpsc::channel(1);
    let (shutdown, ending) = watch::channel(false);
    let (steps, _) = watch::channel(0);
    let retries = Retries::new();
    let pin_file = config.token.pin_file.as_deref();
    let pin = PinSource::new(pin_file, config.folders.credentials.as_deref()).or_ask(pin_file, &config.folders.runtime);
    let pulse = Pulse::new();
    let (token, token_thread) =
        Token::spawn(config.token.clone(), pin, token_reporter, fatal, pulse.clone()).map_err(no_thread)?;
    let (identity_task, identity) = IdentityTask::new(
        config.identity.clone(),
        &config.folders,
        files,
        token.clone(),
        clock.clone(),
        steps.subscribe(),
        identity_reporter,
    );
    let bounds = config.mqtt.bounds.clone();
    let post = messages::spawn(&config.folders.state, bounds, clock.clone(), messages_reporter).map_err(no_thread)?;
    let messages_ended = post.ended;
    let access = RefCell::new(Access::new(&config.access));
    let (reloads, reload_requests) = mpsc::channel(RELOAD_REQUESTS);
    warn_of_subordinate_ids(&config);
    let shared = Rc::new(Shared {
        clock: clock.clone(),
        started: clock.boot(),
        board: board.clone(),
        shelf: shelf.clone(),
        outbox: post.outbox.clone(),
        inbox: post.inbox,
        presence_topic: config.mqtt.presence_topic.clone(),
        thing: ThingName::default(),
        access,
        reloads,
        reload_turn: tokio::sync::Mutex::default(),
        drop_ins: Config::drop_ins(path),
        loopback: Loopback::new(&config, &desk, loopback),
        pace: Pace::new(clock.clone()),
        waiting: Waiting::default(),
        tally: Tally::default(),
        audit: Audit::new(clock.clone()),
        log_level: LogLevel::new(),
        retries: retries.clone(),
        token: token.clone(),
        retry_lines: RefCell::default(),
    });
    let health = Health {
        board: board.clone(),
        shelf,
        clock: clock.clone(),
        started: clock.boot(),
        bell: desk.bell(),
    };
    let cloud = Cloud {
        config: config.clone(),
        roots,
        clock,
        identity_task,
        identity,
        identity_part: board.identity,
        clock_part: board.clock,
        steps,
        clock_reporter,
        session_reporters,
        alias_reporters,
        health,
        post: Post {
            outbox: post.outbox,
            direct: post.direct,
            wanted: post.wanted,
            arrive: post.arrive,
        },
        retries,
        shutdown: ending,
        pulse: pulse.clone(),
    };
    let cloud_ended = cloud.spawn().map_err(no_thread)?;

    let endpoint = config.aws.credentials_endpoint.to_string();
    let until = async {
        systemd::ready();
        spawn_local(systemd::keep_status(shared.clone(), desk.bell()));
        spawn_local(systemd::feed(pulse, token));
        spawn_local(systemd::keep_loopback(shared.clone()));
        spawn_local(store.keep(shared.shelf.clone(), endpoint, shared.clock.clone()));
        let outcome = stay(
            path.to_owned(),
            config,
            shared.clone(),
            signals,
            reload_requests,
            fatals,
        )
        .await;
        systemd::stopping();
        let _ = shutdown.send(true);
        // The channel closes when the session has said goodbye. Without the network that takes all the time it may, which
        // is longer than programs wait for an answer: so they are answered meanwhile.
        let _ = spawn_blocking(move || cloud_ended.recv_timeout(FAREWELL_PATIENCE)).await;
        outcome
    };
    let outcome = local::run(&runtime, listener, shared.clone(), post.arrivals, until).map_err(no_thread)?;
    drop(shared);

    let _ = messages_ended.recv_timeout(WRITING_PATIENCE);
    drop(token_thread);
    drop(lock);
    journal!(Level::Info, Event::Stop; "gatepostd has stopped");
    // A look-up that hangs in a thread of the runtime's is not waited for.
    runtime.shutdown_background();
    outcome.inspect(|()| systemd::stopped())
}

/// Once at the start and once at each reload.
fn warn_of_subordinate_ids(config: &Config) {
    for problem in subordinate::problems(config) {
        journal!(Level::Warn, Event::AccessSubordinateId; "access: {problem}");
    }
}

/// Stays until a signal or a fatal problem, and reads the configuration again at SIGHUP or on request.
async fn stay(
    path: PathBuf,
    config: Config,
    shared: Rc<Shared>,
    mut signals: Signals,
    mut reload_requests: mpsc::Receiver<oneshot::Sender<()>>,
    mut fatals: mpsc::Receiver<Fatal>,
) -> Result<(), Fatal> {
    loop {
        tokio::select! {
            _ = signals.terminate.recv() => return Ok(()),
            _ = signals.interrupt.recv() => return Ok(()),
            _ = signals.hangup.recv() => drop(spawn_local(reload(path.clone(), config.clone(), shared.clone()))),
            Some(done) = reload_requests.recv() => {
                let reloading = reload(path.clone(), config.clone(), shared.clone());
                drop(spawn_local(async move {
                    reloading.await;
                    // Whoever asked may have gone.
                    let _ = done.send(());
                }));
            }
            Some(fatal) = fatals.recv() => return Err(fatal),
        }
    }
}

/// Parse, check, then swap: a bad file changes nothing. Files and names are looked up in a thread of their own, because
/// callers do not wait for the disk or for a directory service.
async fn reload(path: PathBuf, running: Config, shared: Rc<Shared>) {
    // One at a time: a reload that has read older files must not end last, and give back what newer ones have taken away.
    let _turn = shared.reload_turn.lock().await;
    systemd::reloading();
    let loading = spawn_blocking(move || {
        let config = Config::load(&path, &running.folders)?;
        warn_of_subordinate_ids(&config);
        Ok::<_, ConfigError>((Access::new(&config.access), config.same_but_for_access(&running)))
    });
    match loading.await {
        Ok(Ok((access, same))) => {
            shared.access.replace(access);
            shared.inbox.look_who_may();
            if let Some(loopback) = &shared.loopback {
                loopback.lay_out_again(&shared.access).await;
            }
            journal!(Level::Info, Event::Reload; "configuration: the access rules were read again");
            if !same {
                journal!(
                    Level::Warn, Event::ReloadIncomplete;
                    "configuration: something besides the access rules has changed; next: systemctl restart gatepost"
                );
            }
        }
        Ok(Err(error)) => {
            journal!(Level::Error, Event::ReloadRefused; "configuration: nothing was changed, because the files are wrong:\n{error}")
        }
        Err(error) => journal!(Level::Error, Event::ReloadRefused; "configuration: nothing was changed: {error}"),
    }
    systemd::reloaded(&shared);
}

/// The signals that mean something to us.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }
}

/// What the process says at its end.
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

fn no_thread(error: io::Error) -> Fatal {
    Fatal::new(
        Exit::System,
        Problem::wait(format!("the system gives no thread, signal or runtime: {error}")),
    )
}

fn token_details(config: &Config) -> TokenDetails {
    TokenDetails {
        module: config.token.module.display().to_string(),
        key: config.token.key.to_string(),
        ..TokenDetails::default()
    }
}

fn identity_details(config: &Config) -> IdentityDetails {
    IdentityDetails {
        certificate_path: config.identity.certificate.display().to_string(),
        csr_path: request_path(&config.folders).display().to_string(),
        ..IdentityDetails::default()
    }
}

fn session_details(config: &Config) -> SessionDetails {
    SessionDetails {
        endpoint: config.aws.mqtt_endpoint.to_string(),
        ..SessionDetails::default()
    }
}
