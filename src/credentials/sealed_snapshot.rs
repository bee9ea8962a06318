//! The format in which credentials pass from one run of the daemon to the next: a sealed file in memory, which nobody can change and
//! which is never written to disk. `systemd` stores it between the runs.

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

/// Version of the format. Fields may be added without a new version, but the meaning of a field must not change.
const VERSION: u32 = 1;
/// Bytes of a set besides its strings: names, punctuation, numbers, times.
const FRAME: usize = 512;

/// A set of credentials and its role alias.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The role alias.
    pub role_alias: String,
    /// When the set was received, RFC 3339.
    pub refreshed: Option<String>,
    /// The credentials.
    pub credentials: Credentials,
}

/// The configuration of this run. Credentials that were issued for another one are not taken over.
#[derive(Clone, Debug)]
pub struct CurrentRun<'a> {
    /// The credentials endpoint.
    pub endpoint: String,
    /// The role aliases.
    pub role_aliases: Vec<&'a str>,
    /// The thing name, if it is known already.
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

/// The version field, which is read first.
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

/// Creates a sealed file with these sets, which were received from `endpoint`.
///
/// # Errors
/// When the kernel does not provide such a file.
pub fn seal(entries: &[Entry], endpoint: &str, clock: &dyn Clock) -> io::Result<OwnedFd> {
    let sets: Vec<_> = entries.iter().map(WrittenSet::of).collect();
    let size: usize = sets.iter().map(WrittenSet::max_size).sum();
    // Allocated in full, because a buffer that grows leaves copies of secrets in memory.
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

/// Reads the sets from a file that was created by [`seal`]. For a set that does not fit the current run or has expired, the result has the
/// reason instead. Records in `clock` what the previous run knew about AWS's time.
///
/// # Errors
/// With the reason why the whole file is refused.
pub fn unseal(
    file: impl AsFd,
    current_run: &CurrentRun,
    clock: &dyn Clock,
) -> Result<Vec<Result<Entry, String>>, String> {
    let text = sealed::read(file)?;
    // Messages of serde_json may quote a value, so only the position is shown.
    let place = |error: serde_json::Error| format!("it is damaged (line {}, column {})", error.line(), error.column());
    let ReadVersion { version } = serde_json::from_slice(&text).map_err(place)?;
    if version != VERSION {
        return Err(format!(
            "it is of version {version}, and this gatepostd reads version {VERSION}"
        ));
    }
    let read: Read = serde_json::from_slice(&text).map_err(place)?;
    if read.endpoint != current_run.endpoint {
        return Err(format!(
            "its credentials came from {}, and aws.credentials-endpoint is {}",
            quoted(&read.endpoint),
            current_run.endpoint
        ));
    }
    if Duration::from_millis(read.sealed_at_boot_ms) > clock.boot() {
        return Err("it was made before this machine was booted".into());
    }
    record_aws_time(read.aws_time.as_ref(), clock);
    Ok(read.sets.into_iter().map(|set| set.check(current_run, clock)).collect())
}

/// Returns the remaining lifetime of the longest-lived set in a file that was created by [`seal`], whichever run it was issued for; zero if there is
/// none.
pub fn longest_remaining(file: impl AsFd, clock: &dyn Clock) -> Duration {
    let read = sealed::read(file)
        .ok()
        .and_then(|text| serde_json::from_slice::<Read>(&text).ok());
    let Some(read) = read else { return Duration::ZERO };
    record_aws_time(read.aws_time.as_ref(), clock);
    let left = read.sets.into_iter().map(|set| {
        let by_boot = Duration::from_millis(set.expires_at_boot_ms).saturating_sub(clock.boot());
        let by_aws = humantime::parse_rfc3339(&set.expiration)
            .ok()
            .and_then(|end| end.duration_since(clock.latest_aws_now()).ok());
        by_boot.min(by_aws.unwrap_or_default()).min(LONGEST_LIFETIME)
    });
    left.max().unwrap_or_default()
}

/// Records in `clock` what another run knew about AWS's time.
fn record_aws_time(time: Option<&AwsTime>, clock: &dyn Clock) {
    if let Some(measurement) = time.and_then(|time| time.plausible(clock)) {
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
    /// Returns the measurement, unless this run has a later one, or it cannot be from this boot.
    fn plausible(&self, clock: &dyn Clock) -> Option<Measurement> {
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

    /// Returns the maximum size of the JSON, in which each character may have to be escaped.
    fn max_size(&self) -> usize {
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
    /// Returns the set, or the reason why this run must not use it.
    fn check(self, current_run: &CurrentRun, clock: &dyn Clock) -> Result<Entry, String> {
        let refused = |why: String| Err(format!("role alias {}: {why}", quoted(&self.role_alias)));
        if !current_run.role_aliases.contains(&self.role_alias.as_str()) {
            return refused("it is not configured any more".into());
        }
        if let Some(thing_name) = &current_run.thing_name
            && *thing_name != self.thing_name
        {
            return refused(format!(
                "its credentials belong to thing {}, and this is {thing_name}",
                quoted(&self.thing_name)
            ));
        }
        let secrets = [&self.secret_access_key, &self.session_token];
        if self.access_key_id.is_empty() || secrets.iter().any(|secret| secret.expose_secret().is_empty()) {
            return refused("a part of its credentials is empty".into());
        }
        let Ok(expiration) = humantime::parse_rfc3339(&self.expiration) else {
            return refused("its expiration is not a time".into());
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
            return refused("its credentials claim a longer lifetime than AWS allows".into());
        }
        if !credentials.usable(clock) {
            return refused(format!("its credentials are valid only until {}", rfc3339(expiration)));
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
