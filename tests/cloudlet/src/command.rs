//! `cloudlet run`.

use std::error::Error;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use cloudlet::switches::{Lifetime, Switches};
use cloudlet::{Cloudlet, Event, Observer, Options, Policy, Role, RoleAlias};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::signal::unix::{SignalKind, signal};

use crate::arguments::{Arguments, Log, PolicyChoice};

/// Starts the endpoints, says where they are, and serves until SIGTERM or SIGINT.
pub(crate) fn run(arguments: Arguments) -> Result<(), Box<dyn Error>> {
    let signals = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // Caught from the start on, so that an early one ends the broker too.
    let (mut terminate, mut interrupt) = signals.block_on(async {
        Ok::<_, std::io::Error>((signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?))
    })?;

    let cloud = Cloudlet::start(options(&arguments))?;
    register(&cloud, &arguments)?;
    let administrator = cloud.administrator();
    let endpoints = [
        ("MQTT_ENDPOINT", cloud.mqtt_endpoint()),
        ("CREDENTIALS_ENDPOINT", cloud.credentials_endpoint()),
        ("AWS_ENDPOINT_URL", cloud.api_endpoint()),
        (
            "ROOT_CA",
            std::path::absolute(cloud.root_ca_path())?.display().to_string(),
        ),
        ("AWS_ACCESS_KEY_ID", administrator.access_key_id),
        ("AWS_SECRET_ACCESS_KEY", administrator.secret_access_key),
        (
            "AWS_DEFAULT_REGION",
            cloud.account().read(|account| account.region().to_owned()),
        ),
    ];
    write_environment(&arguments.dir, &endpoints)?;
    let mut out = std::io::stdout();
    for (name, value) in &endpoints {
        writeln!(out, "{name}={value}")?;
    }
    out.flush()?;

    signals.block_on(async {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    });
    Ok(())
}

fn options(arguments: &Arguments) -> Options {
    let mut switches = Switches {
        first_contact: arguments.first_contact,
        ..Switches::default()
    };
    if let Some(delay) = arguments.jitp_delay {
        switches.jitp_delay = delay..=delay;
    }
    let lifetimes = arguments.lifetimes.iter();
    switches.credentials.lifetime_of = lifetimes
        .map(|(name, seconds)| (name.clone(), Lifetime::Seconds(*seconds)))
        .collect();
    let defaults = Options::default();
    Options {
        host: arguments.host.clone(),
        mqtt_port: arguments.mqtt_port,
        credentials_port: arguments.credentials_port,
        api_port: arguments.api_port,
        dir: Some(arguments.dir.clone()),
        policy: match arguments.policy {
            PolicyChoice::SeedStrict => Policy::seed_strict(),
            PolicyChoice::SeedWithCredentials => Policy::seed_with_credentials(&defaults.account, &defaults.region),
        },
        switches,
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

/// A file for shells to source, there once the endpoints listen and never half written.
fn write_environment(dir: &Path, endpoints: &[(&str, String)]) -> Result<(), Box<dyn Error>> {
    let lines: String = endpoints
        .iter()
        .map(|(name, value)| format!("{name}='{value}'\n"))
        .collect();
    let new = dir.join("cloudlet.env.new");
    // It holds the administrator's access key.
    let mut file = std::fs::File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&new)?;
    file.write_all(lines.as_bytes())?;
    std::fs::rename(new, dir.join("cloudlet.env"))?;
    Ok(())
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
                serde_json::json!({ "at": at, "event": event.to_string() }).to_string()
            }
        };
        // Whoever reads it may have gone; the cloud goes on.
        let _ = writeln!(std::io::stdout(), "{line}");
    })
}
