//! The form in which credentials pass from one run of the daemon to the next: a file in memory, sealed so that nobody can
//! change it, which never touches a disk. Who keeps it meanwhile is none of this room's business.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{Credentials, LONGEST_LIFETIME};
use crate::clock::{Clock, Measurement, Skew, build_date, rfc3339};
use crate::problem::quoted;
use crate::sealed;
use crate::secret::{ExposeSecret, SecretString};

/// The form below. Fields may be added to it; one that changes its meaning is another version.
const VERSION: u32 = 1;
/// What a set has in the file besides its strings: names, punctuation, numbers, times.
const FRAME: usize = 512;
/// A set and whose it is.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The role alias.
    pub role_alias: String,
    /// When the set came, RFC 3339.
    pub refreshed: Option<String>,
    /// The set.
    pub credentials: Credentials,
}

/// What this run of the daemon is for: what was received for anything else is not its own.
#[derive(Clone, Debug)]
pub struct Purpose<'a> {
    /// Where credentials come from.
    pub endpoint: String,
    /// The role aliases.
    pub role_aliases: Vec<&'a str>,
    /// The thing, where that is known already.
    pub thing_name: Option<String>,
}

#[derive(Serialize)]
struct Written<'a> {
    version: u32,
    endpoint: &'a str,
    sealed_at_boot_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    aws_time: Option<AwsTime>,
    sets: Vec<WrittenSet<'a>>,
}

/// The last measurement of AWS's time.
#[derive(Deserialize, Serialize)]
struct AwsTime {
    unix_ms: u64,
    boot_ms: u64,
    skew_ms: i64,
}

#[derive(Serialize)]
struct WrittenSet<'a> {
    role_alias: &'a str,
    thing_name: &'a str,
    access_key_id: &'a str,
    secret_access_key: &'a str,
    session_token: &'a str,
    expiration: String,
    expires_at_boot_ms: u64,
    refreshed: Option<&'a str>,
}

/// Only the version, for a file that is of another one.
#[derive(Deserialize)]
struct ReadVersion {
    version: u32,
}

#[derive(Deserialize)]
struct Read {
    endpoint: String,
    sealed_at_boot_ms: u64,
    aws_time: Option<AwsTime>,
    sets: Vec<ReadSet>,
}

#[derive(Deserialize)]
struct ReadSet {
    role_alias: String,
    thing_name: String,
    access_key_id: String,
    secret_access_key: SecretString,
    session_token: SecretString,
    expiration: String,
    expires_at_boot_ms: u64,
    refreshed: Option<String>,
}

/// A sealed file with these sets, which came from `endpoint`.
///
/// # Errors
/// When the kernel gives no such file.
pub fn seal(entries: &[Entry], endpoint: &str, clock: &dyn Clock) -> io::Result<OwnedFd> {
    let sets: Vec<_> = entries.iter().map(WrittenSet::of).collect();
    let size: usize = sets.iter().map(WrittenSet::size).sum();
    // Large enough from the start: a buffer that grows leaves copies of secrets behind.
    let mut text = Zeroizing::new(Vec::with_capacity(size + endpoint.len() + FRAME));
    let written = Written {
        version: VERSION,
        endpoint,
        sealed_at_boot_ms: milliseconds(clock.boot()),
        aws_time: clock.aws().last().map(AwsTime::from),
        sets,
    };
    serde_json::to_writer(&mut *text, &written)?;
    sealed::seal(c"gatepost-credentials", &text)
}

/// Reads the sets of credentials from a file that [`seal`] made; for each set that does not fit the purpose, or the clocks, the
/// result has the reason instead. Records in `clock` what the previous run knew of AWS's time.
///
/// # Errors
/// With the reason why it is none of ours.
pub fn unseal(file: impl AsFd, purpose: &Purpose, clock: &dyn Clock) -> Result<Vec<Result<Entry, String>>, String> {
    let text = sealed::read(file)?;
    // serde_json's messages may quote a value: the place is enough.
    let place = |error: serde_json::Error| format!("it is damaged (line {}, column {})", error.line(), error.column());
    let ReadVersion { version } = serde_json::from_slice(&text).map_err(place)?;
    if version != VERSION {
        return Err(format!(
            "it is of version {version}, and this gatepostd reads version {VERSION}"
        ));
    }
    let read: Read = serde_json::from_slice(&text).map_err(place)?;
    if read.endpoint != purpose.endpoint {
        return Err(format!(
            "its credentials came from {}, and aws.credentials-endpoint is {}",
            quoted(&read.endpoint),
            purpose.endpoint
        ));
    }
    if Duration::from_millis(read.sealed_at_boot_ms) > clock.boot() {
        return Err("it was made before this machine was booted".into());
    }
    learn(read.aws_time.as_ref(), clock);
    Ok(read.sets.into_iter().map(|set| set.check(purpose, clock)).collect())
}

/// How long the longest-lived set of a file that [`seal`] made is still good, whatever it was received for; nothing where none is.
pub fn longest_left(file: impl AsFd, clock: &dyn Clock) -> Duration {
    let read = sealed::read(file)
        .ok()
        .and_then(|text| serde_json::from_slice::<Read>(&text).ok());
    let Some(read) = read else { return Duration::ZERO };
    learn(read.aws_time.as_ref(), clock);
    let left = read.sets.into_iter().map(|set| {
        let by_boot = Duration::from_millis(set.expires_at_boot_ms).saturating_sub(clock.boot());
        let by_aws = humantime::parse_rfc3339(&set.expiration)
            .ok()
            .and_then(|end| end.duration_since(clock.latest_aws_now()).ok());
        by_boot.min(by_aws.unwrap_or_default()).min(LONGEST_LIFETIME)
    });
    left.max().unwrap_or_default()
}

/// Has the clock learn what another run knew of AWS's time.
fn learn(time: Option<&AwsTime>, clock: &dyn Clock) {
    if let Some(measurement) = time.and_then(|time| time.believable(clock)) {
        clock.aws().record(measurement);
    }
}

impl From<Measurement> for AwsTime {
    fn from(measurement: Measurement) -> Self {
        let since_1970 = measurement.time.duration_since(SystemTime::UNIX_EPOCH);
        Self {
            unix_ms: milliseconds(since_1970.unwrap_or_default()),
            boot_ms: milliseconds(measurement.boot),
            skew_ms: measurement.skew.milliseconds(),
        }
    }
}

impl AwsTime {
    /// The measurement, unless this run has a later one or it cannot be one of this boot's.
    fn believable(&self, clock: &dyn Clock) -> Option<Measurement> {
        let measurement = Measurement {
            time: SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(self.unix_ms))?,
            boot: Duration::from_millis(self.boot_ms),
            skew: Skew::from_milliseconds(self.skew_ms),
        };
        let is_later = clock.aws().last().is_none_or(|known| known.boot < measurement.boot);
        (is_later && measurement.boot <= clock.boot() && measurement.time >= build_date()).then_some(measurement)
    }
}

impl<'a> WrittenSet<'a> {
    fn of(entry: &'a Entry) -> Self {
        let Entry {
            role_alias,
            refreshed,
            credentials,
        } = entry;
        Self {
            role_alias,
            thing_name: credentials.thing_name(),
            access_key_id: &credentials.keys().access_key_id,
            secret_access_key: credentials.keys().secret_access_key(),
            session_token: credentials.keys().session_token(),
            expiration: rfc3339(credentials.expiration()),
            expires_at_boot_ms: milliseconds(credentials.expires_at_boot()),
            refreshed: refreshed.as_deref(),
        }
    }

    /// How much room it takes at most: each letter may have to be escaped.
    fn size(&self) -> usize {
        let strings = [
            self.role_alias,
            self.thing_name,
            self.access_key_id,
            self.secret_access_key,
            self.session_token,
        ];
        strings.iter().map(|text| 6 * text.len()).sum::<usize>() + FRAME
    }
}

impl ReadSet {
    fn check(self, purpose: &Purpose, clock: &dyn Clock) -> Result<Entry, String> {
        let refused = |why: String| Err(format!("role alias {}: {why}", quoted(&self.role_alias)));
        if !purpose.role_aliases.contains(&self.role_alias.as_str()) {
            return refused("it is not configured any more".into());
        }
        if let Some(thing_name) = &purpose.thing_name
            && *thing_name != self.thing_name
        {
            return refused(format!(
                "its credentials are thing {}'s, and this is {thing_name}",
                quoted(&self.thing_name)
            ));
        }
        let secrets = [&self.secret_access_key, &self.session_token];
        if self.access_key_id.is_empty() || secrets.iter().any(|secret| secret.expose_secret().is_empty()) {
            return refused("a part of its credentials is empty".into());
        }
        let Ok(expiration) = humantime::parse_rfc3339(&self.expiration) else {
            return refused("its expiration is no time".into());
        };
        let credentials = Credentials::received(
            &self.access_key_id,
            &self.secret_access_key,
            &self.session_token,
            expiration,
            clock,
        )
        .for_thing(&self.thing_name)
        .expiring_at_boot(Duration::from_millis(self.expires_at_boot_ms));
        if credentials.expires_at_boot().saturating_sub(clock.boot()) > LONGEST_LIFETIME {
            return refused("its credentials claim to live longer than AWS lets any".into());
        }
        if !credentials.usable(clock) {
            return refused(format!("its credentials live only until {}", rfc3339(expiration)));
        }
        Ok(Entry {
            role_alias: self.role_alias,
            refreshed: self.refreshed,
            credentials,
        })
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
