//! `cloudlet run`.

use std::error::Error;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use cloudlet::switches::Lifetime;
use cloudlet::{Cloudlet, Event, Observer, Options, Policy, Role, RoleAlias};
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::signal::unix::{SignalKind, signal};

use crate::arguments::{Arguments, Log, PolicyChoice};
use crate::greeting::Environment;

/// Starts the endpoints, prints their addresses, and serves until SIGTERM or SIGINT.
pub(crate) fn run(arguments: Arguments) -> Result<(), Box<dyn Error>> {
    let signals = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // Signals are caught from the start, so that an early one ends the broker too.
    let (mut terminate, mut interrupt) = signals.block_on(async {
        Ok::<_, std::io::Error>((signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?))
    })?;

    let temporary;
    let folder = match &arguments.dir {
        Some(folder) => folder.clone(),
        None => {
            temporary = tempfile::Builder::new().prefix("cloudlet-").tempdir()?;
            temporary.path().to_owned()
        }
    };
    let cloud = Cloudlet::start(options(&arguments, &folder))?;
    let region = cloud.account().read(|account| account.region().to_owned());
    if let Some(wanted) = arguments.region.as_ref().filter(|wanted| **wanted != region) {
        let folder = folder.display();
        return Err(format!(
            "{folder} keeps an account in {region}: leave out --region {wanted}, or name another folder by --dir"
        )
        .into());
    }
    register(&cloud, &arguments)?;
    let environment = Environment::of(&cloud)?;
    let file = environment.write(&folder)?;
    if arguments.log == Log::Text {
        environment.print(&file, arguments.dir.is_some())?;
    }

    signals.block_on(async {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    });
    Ok(())
}

fn options(arguments: &Arguments, folder: &Path) -> Options {
    let mut switches = arguments.switches.clone();
    let lifetimes = arguments.lifetimes.iter();
    switches.credentials.lifetime_of = lifetimes
        .map(|(name, seconds)| (name.clone(), Lifetime::Seconds(*seconds)))
        .collect();
    let defaults = Options::default();
    let region = arguments.region.clone().unwrap_or(defaults.region);
    Options {
        host: arguments.host.clone(),
        listen: arguments.listen,
        mqtt_port: arguments.mqtt_port,
        credentials_port: arguments.credentials_port,
        api_port: arguments.api_port,
        dir: Some(folder.to_owned()),
        policy: match arguments.policy {
            PolicyChoice::SeedStrict => Policy::seed_strict(),
            PolicyChoice::SeedWithCredentials => Policy::seed_with_credentials(&defaults.account, &region),
        },
        region,
        switches,
        broker_saves_seldom: arguments.broker_saves_seldom,
        observer: Some(observer(arguments.log)),
        ..defaults
    }
}

fn register(cloud: &Cloudlet, arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    for path in &arguments.fleet_cas {
        let pem = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        cloud.register_ca(&pem, cloud.article_template())?;
    }
    for (name, seconds) in &arguments.role_aliases {
        let role = cloud.account().read(|account| account.role_arn(name));
        cloud.add_role(Role::trusting(&role))?;
        cloud.add_role_alias(RoleAlias::new(name, role).lasting(*seconds))?;
    }
    Ok(())
}

/// An event as one JSON object.
#[derive(Serialize)]
struct Line<'a> {
    at: String,
    #[serde(flatten)]
    event: &'a Event,
}

fn observer(log: Log) -> Observer {
    Arc::new(move |event: &Event| {
        let now = OffsetDateTime::from(SystemTime::now());
        let line = match log {
            Log::Text => {
                let (hour, minute, second) = now.to_hms();
                format!("{hour:02}:{minute:02}:{second:02}.{:03} {event}", now.millisecond())
            }
            Log::Json => {
                let at = now.format(&Rfc3339).unwrap_or_default();
                serde_json::to_string(&Line { at, event }).unwrap_or_else(|error| error.to_string())
            }
        };
        // The reader may have gone; the cloud goes on.
        let _ = writeln!(std::io::stdout(), "{line}");
    })
}
