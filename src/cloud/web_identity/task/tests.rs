//! Tests of the query, and of when requests are made.

use std::sync::Arc;

use super::*;
use crate::clock::Clock as _;
use crate::clock::manual::ManualClock;
use crate::credentials::{AliasPhase, CredentialCacheEditor, ReceivedSet, WebTokenPart};
use crate::status::StatusHub;

const NOW: u64 = 1_800_000_000;
const VAULT: &str = "https://vault.example";

/// A task whose requests fail at once, because STS is unknown: AWS's refusals are waited after in the same way.
struct Rig {
    clock: Arc<ManualClock>,
    editor: CredentialCacheEditor,
    cache: CredentialCache,
    retries: Retries,
}

impl Rig {
    fn new(has_credentials: bool) -> Self {
        let clock = ManualClock::at(NOW);
        let editor = CredentialCacheEditor::new(StatusHub::new(clock.clone()));
        let alias = editor.set(["telemetry"], Some("telemetry")).added.remove(0);
        if has_credentials {
            let expiration = clock.wall() + Duration::from_secs(100 * 3600);
            let (secret, token) = ("secret".into(), "token".into());
            let credentials = Credentials::received("ASIA1", &secret, &token, expiration, &*clock);
            alias.store(ReceivedSet {
                credentials,
                refreshed: None,
            });
            alias.status().report(AliasPhase::Valid, None);
        }
        let rig = Self {
            cache: editor.cache(),
            clock,
            editor,
            retries: Retries::new(),
        };
        let reporter = rig.editor.set_audiences([VAULT]).added.remove(0);
        let inputs = WebTokenInputs {
            sts: None,
            cache: rig.cache.clone(),
            clock: rig.clock.clone(),
            recovery: Recovery::new(),
            retries: rig.retries.clone(),
        };
        tokio::spawn(WebTokenTask::new(inputs, reporter, fastrand::Rng::with_seed(9)).run());
        rig
    }

    fn part(&self) -> WebTokenPart {
        self.cache.web_tokens().get(VAULT, &*self.clock).unwrap().status
    }

    /// The number of requests after this time.
    async fn requests_after(&self, time: Duration) -> u64 {
        sleep(time).await;
        self.part().details.failed
    }
}

#[tokio::test(start_paused = true)]
async fn an_operator_need_not_wait_for_minutes_and_cannot_ask_sts_more_often_than_every_ten_seconds() {
    const MOMENT: Duration = Duration::from_millis(10);
    let rig = Rig::new(true);
    let request = |audience: &str| rig.retries.request(RetryTarget::WebToken(audience.to_owned()));
    assert_eq!(
        rig.requests_after(Duration::from_secs(100)).await,
        1,
        "a refusal is slow"
    );
    let planned = rig.part().details.next_refresh.unwrap();
    for other in ["https://vault.example/", "api"] {
        request(other);
    }
    rig.retries.request(RetryTarget::RoleAlias(VAULT.to_owned()));
    assert_eq!(rig.requests_after(MOMENT).await, 1, "those are for others");
    request(VAULT);
    assert_eq!(rig.requests_after(MOMENT).await, 2);
    assert_ne!(rig.part().details.next_refresh.unwrap(), planned);
    for _ in 0..20 {
        request(VAULT);
    }
    assert_eq!(rig.requests_after(RETRY_GAP / 2).await, 2);
    assert_eq!(rig.requests_after(RETRY_GAP).await, 3);
    // One request answers all of them.
    assert_eq!(rig.requests_after(10 * RETRY_GAP).await, 3);
}

#[tokio::test(start_paused = true)]
async fn without_credentials_nothing_can_be_requested_and_no_time_is_shown() {
    let rig = Rig::new(false);
    rig.retries.request(RetryTarget::WebToken(VAULT.to_owned()));
    assert_eq!(rig.requests_after(Duration::from_secs(100)).await, 0);
    assert_eq!(rig.part().details.next_refresh, None);
}

#[test]
fn every_audience_can_stand_in_the_query() {
    for (audience, shown) in [
        ("vault", "vault"),
        ("https://vault.example", "https%3A%2F%2Fvault.example"),
        ("a b&c=d", "a%20b%26c%3Dd"),
        ("ä", "%C3%A4"),
        ("urn:x~y_z-1.2", "urn%3Ax~y_z-1.2"),
    ] {
        assert_eq!(
            query(audience, LIFETIME),
            format!(
                "Action=GetWebIdentityToken&Audience.member.1={shown}&DurationSeconds=900&SigningAlgorithm=RS256&Version=2011-06-15"
            )
        );
    }
}
