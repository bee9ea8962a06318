//! Boot order on one screen: which task is started from what, and how all of it ends.

mod details;
mod hold;
mod outlive;
mod reload;
mod signals;
mod start;
mod stay;

use std::cell::RefCell;
use std::io;
use std::path::Path;
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use log::Level;
use tokio::sync::{mpsc, watch};
use tokio::task::{spawn_blocking, spawn_local};

use crate::clock::{SharedClock, SystemClock};
use crate::cloud::{Cloud, MessageChannels, PresenceReport, SessionReporters};
use crate::config::{Config, drop_in_folder};
use crate::credentials::CredentialCacheEditor;
use crate::event::{Event, journal};
use crate::heartbeat::Heartbeat;
use crate::identity::IdentityTask;
use crate::local::{
    self, AccessRules, ApiContext, Audit, Connections, LoopbackPlace, Pace, Socket, Tally, ThingName, Waiting,
};
use crate::logging::LogLevel;
use crate::problem::{Exit, Fatal, Problem};
use crate::retry::Retries;
use crate::status::{
    ClockDetails, ClockPhase, ConfigurationPhase, IdentityPhase, MessagesDetails, MessagesPhase, NetworkDetails,
    NetworkPhase, ProvisioningDetails, ProvisioningPhase, SessionPhase, StatusBoard, StatusHub, TokenPhase,
};
use crate::systemd::{self, Descriptors, FdStore, InheritedFds};
use crate::token::{PinSource, Token};
use crate::{last_end, messages, subordinate};

use self::details::{configuration_details, identity_details, session_details, token_details};
use self::hold::Held;
use self::reload::Reloader;
use self::signals::Signals;
use self::start::Start;
use self::stay::stay;

/// For the session's goodbye; with the token's closing it stays below the 5 s that stopping may take.
const FAREWELL_PATIENCE: Duration = Duration::from_secs(3);
/// Requests to read the configuration again that wait until it is done; more are refused.
const RELOADS: usize = 8;
/// For what was acknowledged to be deleted; what is not will be sent once more.
const WRITING_PATIENCE: Duration = Duration::from_secs(1);

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
    let mut signals = runtime.block_on(async { Signals::listen() }).map_err(no_thread)?;
    let clock: SharedClock = Arc::new(SystemClock::default());
    let descriptors = Descriptors::take();
    let start = match start::begin(path) {
        Err(fatal) if fatal.exit == Exit::Configuration && hold::is_worth_it(descriptors.credentials(), &*clock) => {
            let stored = descriptors.credentials();
            let listener = descriptors.listener();
            match runtime.block_on(hold::hold(path, fatal, &stored, listener, &mut signals, &*clock)) {
                Held::Start(start) => *start,
                Held::Stopped => return Ok(()),
                Held::Expired(fatal) => return Err(fatal),
            }
        }
        outcome => outcome?,
    };
    let Start {
        config,
        roots,
        files,
        fallback,
    } = start;
    let InheritedFds {
        listener,
        stored,
        loopback,
    } = InheritedFds::sorted(descriptors, config.loopback);
    let Socket { listener, lock } = local::bind(&config.folders, listener)?;
    last_end::forget(&config.folders);
    journal!(Level::Info, Event::Start; "gatepostd {} starts with {}", crate::build_info::VERSION_AND_COMMIT, path.display());

    let hub = StatusHub::new(clock.clone());
    let configuration_reporter = hub.reporter(
        "configuration",
        ConfigurationPhase::Loaded,
        configuration_details(path, &*clock),
    );
    let token_reporter = hub.reporter("token", TokenPhase::Waiting, token_details(&config));
    let clock_reporter = hub.reporter("clock", ClockPhase::Unset, ClockDetails::default());
    let identity_reporter = hub.reporter("identity", IdentityPhase::NoKey, identity_details(&config));
    let session_reporters = SessionReporters {
        session: hub.reporter("session", SessionPhase::Idle, session_details(&config)),
        provisioning: hub.reporter("provisioning", ProvisioningPhase::NoKey, ProvisioningDetails::default()),
    };
    let messages_reporter = hub.reporter("messages", MessagesPhase::Opening, MessagesDetails::default());
    let network_reporter = hub.reporter("network", NetworkPhase::Unknown, NetworkDetails {});
    let token_files = config.folders.runtime.join("loopback");
    let loopback_place = LoopbackPlace::new(config.loopback, token_files, hub.clone(), loopback);
    let board = StatusBoard {
        configuration: configuration_reporter.watch(),
        token: token_reporter.watch(),
        clock: clock_reporter.watch(),
        identity: identity_reporter.watch(),
        provisioning: session_reporters.provisioning.watch(),
        session: session_reporters.session.watch(),
        messages: messages_reporter.watch(),
        loopback: loopback_place.part(),
        network: network_reporter.watch(),
    };
    let names = config.role_aliases.iter().map(|alias| alias.name.as_str());
    let cache_editor = CredentialCacheEditor::new(hub.clone());
    let aliases = cache_editor.set(names, config.default_alias());
    let cache = cache_editor.cache();

    let store = FdStore::take_over(stored, &config, &aliases.added, &*clock);
    let (alias_changes, aliases_change) = mpsc::unbounded_channel();
    let _ = alias_changes.send(aliases);
    let (reload_requests, reloads) = mpsc::channel(RELOADS);
    let (settings, settings_change) = watch::channel(config.mqtt.clone());

    let (fatal, fatals) = mpsc::channel(1);
    let (shutdown, ending) = watch::channel(false);
    let (steps, _) = watch::channel(0);
    let retries = Retries::new();
    let pin_file = config.token.pin_file.as_deref();
    let pin = PinSource::new(pin_file, config.folders.credentials.as_deref()).or_ask(pin_file, &config.folders.runtime);
    let heartbeat = Heartbeat::new();
    let (token, token_thread) =
        Token::spawn(config.token.clone(), pin, token_reporter, fatal, heartbeat.clone()).map_err(no_thread)?;
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
    let access = RefCell::new(AccessRules::new(&config.access));
    warn_of_subordinate_ids(&config);
    let shared = Rc::new(ApiContext {
        clock: clock.clone(),
        started: clock.boot(),
        board: board.clone(),
        cache: cache.clone(),
        outbox: post.outbox.clone(),
        inbox: post.inbox,
        presence_topic: RefCell::new(config.mqtt.presence_topic.clone()),
        thing: ThingName::default(),
        access,
        reloads: reload_requests,
        connections: Connections::default(),
        drop_ins: drop_in_folder(path),
        loopback: loopback_place,
        pace: Pace::new(clock.clone()),
        waiting: Waiting::default(),
        tally: Tally::default(),
        audit: Audit::new(clock.clone()),
        log_level: LogLevel::new(),
        retries: retries.clone(),
        token: token.clone(),
        retry_lines: RefCell::default(),
    });
    let presence_report = PresenceReport {
        board: board.clone(),
        cache,
        clock: clock.clone(),
        started: clock.boot(),
        changed: hub.changed(),
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
        network_reporter,
        session_reporters,
        alias_changes: aliases_change,
        settings: settings_change,
        presence_report,
        messages: MessageChannels {
            outbox: post.outbox,
            qos0_messages: post.direct,
            wanted: post.wanted,
            events: post.arrive,
        },
        retries,
        shutdown: ending,
        heartbeat: heartbeat.clone(),
    };
    let cloud_ended = cloud.spawn().map_err(no_thread)?;

    let endpoint = config.aws.credentials_endpoint.to_string();
    let reloader = Rc::new(Reloader {
        path: path.to_owned(),
        running: RefCell::new(config),
        fallback: RefCell::new(fallback),
        shared: shared.clone(),
        cache: cache_editor,
        alias_changes,
        settings,
        reporter: configuration_reporter,
        turn: tokio::sync::Mutex::default(),
    });
    reloader.report_start();
    let until = async {
        systemd::ready();
        spawn_local(systemd::keep_status(shared.clone(), hub.clone()));
        spawn_local(systemd::feed(heartbeat, token));
        spawn_local(systemd::keep_loopback(shared.clone()));
        spawn_local(store.keep(shared.cache.clone(), endpoint, shared.clock.clone()));
        let outcome = stay(reloader, signals, fatals, reloads).await;
        systemd::stopping();
        let _ = shutdown.send(true);
        // The channel closes when the session has said goodbye. Without the network that takes all the time it may, which
        // is longer than programs wait for an answer: so they are answered meanwhile.
        let _ = spawn_blocking(move || cloud_ended.recv_timeout(FAREWELL_PATIENCE)).await;
        outcome
    };
    let outcome = local::run(&runtime, listener, shared.clone(), post.arrivals, until).map_err(no_thread)?;
    systemd::say_what_is_dropped(&shared.cache, &*shared.clock);
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
