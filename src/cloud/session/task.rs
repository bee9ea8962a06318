//! The session task: waits until a connection is possible, connects, and reconnects.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use super::certificate_choice::{choose_identity, start_provisioning};
use super::certificate_rollover::Connected;
use super::connected::{End, report_connected, use_connection};
use super::connecting::{connect, report_failure, report_loss};
use super::settings;
use super::state::{Session, wait_for_shutdown};
use super::timing::{CONNECT_INTERVAL, RETRY_INTERVAL};
use crate::identity::Identity;
use crate::status::{ClockPhase, IdentityPhase, ProvisioningPhase, SessionPhase};

/// Runs the session until the daemon shuts down, and then closes the connection with DISCONNECT.
pub async fn run(mut session: Session) {
    session.traffic.restore().await;
    while let Some(newest) = wait_until_possible(&mut session).await {
        settings::apply(&mut session);
        start_provisioning(&mut session, &newest);
        let identity = choose_identity(&session, newest);
        let wait = match connect(&mut session, &identity).await {
            None => return,
            Some(Ok((connection, terms))) => {
                let connected = Connected {
                    connection,
                    terms,
                    identity,
                };
                match use_connections(&mut session, connected).await {
                    End::Lost(lost, lasted) => report_loss(&mut session, &lost, lasted),
                    End::Shutdown => return,
                    End::IdentityChanged | End::SettingsChanged => CONNECT_INTERVAL,
                }
            }
            Some(Err(error)) => report_failure(&mut session, error, &identity),
        };
        if pause(&mut session, wait).await.is_none() {
            return;
        }
    }
}

/// Uses a connection, and each one that a certificate rollover puts in its place, until none is left.
async fn use_connections(session: &mut Session, mut connected: Connected) -> End {
    loop {
        report_connected(session, connected.terms).await;
        session.takeovers.connected(Instant::now());
        match use_connection(session, connected.connection, &connected.identity).await {
            ControlFlow::Continue(next) => {
                session.traffic.disconnected(None).await;
                connected = next;
            }
            ControlFlow::Break(end) => {
                session.takeovers.disconnected();
                // Signals from the time of the connection are no reason for an early attempt now.
                session.inputs.recovery.mark_heard();
                session.traffic.disconnected(end.lost()).await;
                return end;
            }
        }
    }
}

/// Waits for an identity, and for a clock by which TLS can check certificates; `None` on shutdown.
async fn wait_until_possible(session: &mut Session) -> Option<Arc<Identity>> {
    let inputs = &mut session.inputs;
    loop {
        let identity = inputs.identity.borrow_and_update().clone();
        let clock_set = inputs.clock_part.borrow_and_update().phase == ClockPhase::Set;
        let phase = match &identity {
            Some(identity) if clock_set => return Some(identity.clone()),
            Some(_) => ProvisioningPhase::WaitingForClock,
            None => match inputs.identity_part.borrow_and_update().phase {
                IdentityPhase::NoKey => ProvisioningPhase::NoKey,
                _ => ProvisioningPhase::NoCertificate,
            },
        };
        // The component that causes the wait reports the reason.
        session.reporters.provisioning.report(phase, None);
        session.reporters.session.report(SessionPhase::Idle, None);
        tokio::select! {
            () = wait_for_shutdown(&mut inputs.shutdown) => return None,
            Ok(()) = inputs.identity.changed() => {}
            Ok(()) = inputs.identity_part.changed() => {}
            Ok(()) = inputs.clock_part.changed() => {}
        }
    }
}

/// Waits before the next attempt; `None` on shutdown. A new identity ends the wait early, as does a sign that AWS, which could not
/// be reached, may be reachable again. AWS accepts one CONNECT per second and client ID, whatever the reason. After an operator's
/// request the interval is longer, because requests may come often.
async fn pause(session: &mut Session, wait: Duration) -> Option<()> {
    let inputs = &mut session.inputs;
    let mut earliest = Instant::now() + CONNECT_INTERVAL;
    inputs.retry.forget();
    tokio::select! {
        () = sleep(wait) => {}
        Ok(()) = inputs.identity.changed() => {}
        () = inputs.recovery.wait_for_signal(), if session.outage.may_be_cut_short() => {}
        () = inputs.retry.requested() => earliest = earliest.max(session.attempted + RETRY_INTERVAL),
        () = wait_for_shutdown(&mut inputs.shutdown) => return None,
    }
    tokio::select! {
        () = sleep_until(earliest) => Some(()),
        () = wait_for_shutdown(&mut inputs.shutdown) => None,
    }
}
