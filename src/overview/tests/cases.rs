//! The cases of the table in docs/operations.md.

use super::*;
use crate::credentials::{WebTokenDetails, WebTokenPhase};
use crate::event::Event;
use crate::status::{LoopbackDetails, TakeoverDetails};

/// Test case: a fault, and how to produce it in a snapshot.
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) provoke: fn(&mut Snapshot),
}

macro_rules! cases {
    ($($name:literal => $provoke:expr;)+) => {
        pub(super) const CASES: &[Case] = &[$(Case { name: $name, provoke: $provoke },)+];
    };
}

/// Ends the session with this problem.
fn offline(snapshot: &mut Snapshot, problem: Option<Problem>) {
    snapshot.session.phase = SessionPhase::Waiting;
    snapshot.session.problem = problem;
}

/// Makes the gateway one that has not been online since the start.
fn never_online(snapshot: &mut Snapshot, provisioning: ProvisioningPhase, problem: Option<Problem>) {
    snapshot.session.phase = SessionPhase::Idle;
    snapshot.provisioning.phase = provisioning;
    snapshot.provisioning.problem = problem;
    snapshot.aliases[0].phase = AliasPhase::Waiting;
}

fn token(snapshot: &mut Snapshot, phase: TokenPhase, problem: Problem) {
    snapshot.token.phase = phase;
    snapshot.token.problem = Some(problem);
}

fn not_identified(snapshot: &mut Snapshot, phase: IdentityPhase, problem: Option<Problem>) {
    let provisioning = match phase {
        IdentityPhase::NoKey => ProvisioningPhase::NoKey,
        _ => ProvisioningPhase::NoCertificate,
    };
    never_online(snapshot, provisioning, None);
    snapshot.identity = part(phase);
    snapshot.identity.problem = problem;
}

cases! {
    "everything works" => |_| {};
    "no role alias is configured" => |gateway| gateway.aliases.clear();
    "the daemon has just started" => |gateway| {
        never_online(gateway, ProvisioningPhase::Provisioned, None);
        gateway.session.phase = SessionPhase::Connecting;
    };
    "the token is not there yet" => |gateway| {
        not_identified(gateway, IdentityPhase::NoKey, None);
        token(gateway, TokenPhase::Waiting, Problem::wait("no initialised token is visible in MODULE"));
    };
    "the token has rejected the PIN while the gateway was online" => |gateway| {
        token(gateway, TokenPhase::Failed, Problem::factory("the token rejected the PIN").next("put the right PIN there"));
        gateway.token.details.pin_rejected = true;
    };
    "the token does not support what is needed" => |gateway| {
        token(gateway, TokenPhase::Failed, Problem::configuration("the module has no CKM_ECDSA"));
    };
    "the token's state folder was wiped while the gateway was online" => |gateway| {
        token(gateway, TokenPhase::Waiting, Problem::wait("opening the token failed"));
        gateway.aliases[0].problem = Some(Problem::wait("opening the token failed"));
        gateway.aliases[0].details.failed_in_a_row = 3;
    };
    "the token works again after faults" => |gateway| {
        token(gateway, TokenPhase::Ready, Problem::wait("signing failed 3 times"));
    };
    "the token has no key, and gatepost may not generate one" => |gateway| {
        not_identified(gateway, IdentityPhase::NoKey, None);
        token(gateway, TokenPhase::Waiting, Problem::configuration("no private key matches").next("make the key"));
    };
    "the token has other keys" => |gateway| gateway.token.details.warning = Some("another key is there".to_owned());
    "the disk is full at the first boot" => |gateway| {
        not_identified(gateway, IdentityPhase::NoKey, Some(Problem::configuration("the signing request cannot be written")));
        gateway.messages.phase = MessagesPhase::Failed;
        gateway.messages.problem = Some(Problem::configuration("the database cannot be written: disk full").next("free space"));
    };
    "the signing request cannot be written" => |gateway| {
        not_identified(gateway, IdentityPhase::NoKey, Some(Problem::configuration("the signing request cannot be written")));
    };
    "the certificate is awaited" => |gateway| {
        let problem = Problem::wait("waiting for a certificate at PATH").next("have device.csr signed");
        not_identified(gateway, IdentityPhase::NoCertificate, Some(problem));
    };
    "the certificate is for another key" => |gateway| {
        let problem = Problem::configuration("PATH is for another key").next("sign this gateway's request");
        not_identified(gateway, IdentityPhase::Refused, Some(problem));
    };
    "a certificate for another key was put over the good one" => |gateway| {
        let problem = Problem::configuration("PATH is for another key").next("sign this gateway's request");
        gateway.identity.problem = Some(problem);
    };
    "the certificate ends in 20 days" => |gateway| certificate(gateway, 365 * DAY, 20 * DAY);
    "the certificate ends in 5 days" => |gateway| certificate(gateway, 365 * DAY, 5 * DAY);
    "a certificate of 10 days ends in 3" => |gateway| certificate(gateway, 10 * DAY, 3 * DAY);
    "the certificate has expired, and the session continues" => |gateway| {
        certificate(gateway, 365 * DAY, Duration::ZERO);
        let problem = Problem::configuration("PATH expired").about(Event::CertificateExpiring);
        gateway.identity.problem = Some(problem.next("sign the request again"));
    };
    "the certificate has just expired, and the identity was not checked yet" => |gateway| {
        certificate(gateway, 365 * DAY, Duration::ZERO);
    };
    "the certificate has expired, and its file is for another key" => |gateway| {
        certificate(gateway, 365 * DAY, Duration::ZERO);
        gateway.identity.problem = Some(Problem::configuration("PATH is for another key"));
    };
    "an expired certificate was put over the good one" => |gateway| {
        gateway.identity.problem = Some(Problem::configuration("PATH expired").next("sign the request again"));
    };
    "the clock shows 1970" => |gateway| {
        never_online(gateway, ProvisioningPhase::WaitingForClock, None);
        gateway.clock.phase = ClockPhase::Unset;
        gateway.clock.problem = Some(Problem::wait("the clock shows 1970-01-01"));
    };
    "the clock is 20 minutes slow" => |gateway| {
        gateway.clock.problem = Some(Problem::configuration("the clock is 20 minutes slow").next("timedatectl"));
    };
    "the files on disk are wrong" => |gateway| {
        gateway.configuration.phase = ConfigurationPhase::Wrong;
        gateway.configuration.problem = Some(Problem::configuration("the files are wrong").next("correct them"));
    };
    "the last good configuration is in use" => |gateway| {
        gateway.configuration.phase = ConfigurationPhase::LastGood;
        gateway.configuration.problem = Some(Problem::configuration("the files were wrong").next("correct them"));
    };
    "the files were changed and not loaded" => |gateway| {
        gateway.configuration.phase = ConfigurationPhase::Differs;
        gateway.configuration.problem = Some(Problem::configuration("the files differ").next("systemctl reload gatepost"));
    };
    "a restart is needed" => |gateway| {
        gateway.configuration.phase = ConfigurationPhase::RestartNeeded;
        gateway.configuration.problem = Some(Problem::configuration("a key waits for a restart").next("systemctl restart gatepost"));
    };
    "this machine's link is down" => |gateway| {
        gateway.network.phase = NetworkPhase::Down;
        gateway.network.problem = Some(Problem::wait("this machine has lost its network: no carrier on eth0"));
    };
    "AWS registers the certificate" => |gateway| {
        never_online(gateway, ProvisioningPhase::Pending, Some(Problem::expected("AWS dropped the connection, as it does")));
    };
    "AWS has never accepted the certificate" => |gateway| {
        never_online(gateway, ProvisioningPhase::Pending, Some(Problem::configuration("AWS has never accepted it").next("check the CA")));
    };
    "AWS starts to drop a certificate that it has accepted before" => |gateway| {
        offline(gateway, None);
        gateway.provisioning.problem = Some(Problem::wait("AWS drops every connection").next("is it ACTIVE?"));
    };
    "AWS keeps dropping a certificate that it has accepted before" => |gateway| {
        offline(gateway, None);
        gateway.provisioning.problem = Some(Problem::configuration("AWS drops every connection").next("is it ACTIVE?"));
    };
    "AWS does not accept a new certificate, and the one before is used" => |gateway| {
        gateway.provisioning.phase = ProvisioningPhase::Pending;
        gateway.provisioning.problem = Some(Problem::configuration("AWS has never accepted it; meanwhile the old one is used"));
    };
    "AWS registers a new certificate, and the one before is used" => |gateway| {
        gateway.provisioning.phase = ProvisioningPhase::Pending;
        gateway.provisioning.problem = Some(Problem::expected("AWS dropped the connection, as it does; meanwhile the old one is used"));
    };
    "AWS cannot be reached, and the credentials are good" => |gateway| {
        offline(gateway, Some(Problem::wait("ENDPOINT cannot be reached")));
    };
    "AWS refuses the connection" => |gateway| {
        offline(gateway, Some(Problem::configuration("ENDPOINT refused the connection").next("allow iot:Connect")));
    };
    "another client has taken over the session, and it is connected again" => |gateway| {
        let problem = Problem::configuration("another client has taken over the session").about(Event::SessionTakenOver);
        gateway.session.problem = Some(problem.next("find the other device"));
        gateway.session.details.taken_over = Some(TakeoverDetails {
            times: 4,
            since: "2027-01-15T07:00:00Z".to_owned(),
            last: "2027-01-15T07:55:00Z".to_owned(),
        });
    };
    "the connection was lost three times within an hour" => |gateway| gateway.session.details.losses = repeats(3, gateway);
    "the connection was lost twice" => |gateway| gateway.session.details.losses = repeats(2, gateway);
    "AWS refuses the presence topic" => |gateway| {
        gateway.session.problem = Some(Problem::configuration("AWS refuses the presence topic").next("allow iot:Publish"));
    };
    "the previous session was discarded" => |gateway| {
        gateway.session.details.discarded_because = Some("AWS's session was discarded".to_owned());
        gateway.session.details.discarded_at = Some("2027-01-15T07:00:00Z".to_owned());
    };
    "three connections were lost, and then the previous session was discarded" => |gateway| {
        gateway.session.details.losses = repeats(3, gateway);
        gateway.session.details.discarded_because = Some("AWS's session was discarded".to_owned());
        gateway.session.details.discarded_at = Some("2027-01-15T07:00:00Z".to_owned());
    };
    "a role alias is refused, and there are no credentials" => |gateway| {
        gateway.aliases[0].phase = AliasPhase::Failing;
        gateway.aliases[0].problem = Some(Problem::configuration("AWS answered 403").next("attach the policy"));
    };
    "the last refresh of a role alias was refused, and its credentials are good" => |gateway| {
        gateway.aliases[0].problem = Some(Problem::configuration("AWS answered 403").next("attach the policy"));
    };
    "one refresh of a role alias has failed, and its credentials are good" => |gateway| {
        gateway.aliases[0].problem = Some(Problem::wait("AWS answered 500"));
        gateway.aliases[0].details.failed_in_a_row = 1;
        gateway.aliases[0].details.failures = repeats(1, gateway);
    };
    "three refreshes in a row have failed, and the credentials are good" => |gateway| {
        gateway.aliases[0].problem = Some(Problem::wait("AWS answered 500"));
        gateway.aliases[0].details.failed_in_a_row = 3;
        gateway.aliases[0].details.failures = repeats(3, gateway);
    };
    "refreshes have failed three times within an hour, and the last one succeeded" => |gateway| {
        gateway.aliases[0].details.failures = repeats(3, gateway);
    };
    "no credentials of a role alias have arrived yet" => |gateway| {
        gateway.aliases[0].phase = AliasPhase::Waiting;
        gateway.aliases[0].problem = Some(Problem::wait("ENDPOINT cannot be reached"));
    };
    "the credentials have expired, and nothing has failed since" => |gateway| {
        gateway.aliases[0].phase = AliasPhase::Failing;
    };
    "one of two role aliases is refused" => |gateway| {
        gateway.aliases.push(alias("video"));
        gateway.aliases[1].phase = AliasPhase::Failing;
        gateway.aliases[1].problem = Some(Problem::configuration("AWS answered 404").next("create the role alias"));
    };
    "the disk is full" => |gateway| {
        gateway.messages.phase = MessagesPhase::Failed;
        gateway.messages.problem = Some(Problem::configuration("the database cannot be written: disk full").next("free space"));
    };
    "the message database is being read" => |gateway| gateway.messages.phase = MessagesPhase::Opening;
    "a subscription is set aside, because its messages end every connection" => |gateway| {
        gateway.session.problem = Some(Problem::configuration("the subscription to a/b is set aside").next("gatepost status"));
    };
    "messages are parked" => |gateway| gateway.messages.details.parked = 3;
    "a corrupt message database was set aside" => |gateway| gateway.messages.details.set_aside = Some("PATH".to_owned());
    "no rule allows a durable subscription any more" => |gateway| gateway.messages.details.suspended = 1;
    "the loopback listener has no address" => |gateway| {
        let mut loopback = part::<_, LoopbackDetails>(LoopbackPhase::Waiting);
        loopback.problem = Some(Problem::configuration("127.0.0.1:9922 is in use").next("ss -ltnp"));
        gateway.loopback = Some(loopback);
    };
    "a rule's token file is missing" => |gateway| {
        let mut loopback = part::<_, LoopbackDetails>(LoopbackPhase::Listening);
        let problem = Problem::configuration("there is no token for user camera: /etc/gatepost/camera.token does not exist");
        loopback.problem = Some(problem.next("write a token into it").about(Event::LoopbackTokenFile));
        gateway.loopback = Some(loopback);
    };
    "the MQTT listener has no address" => |gateway| {
        gateway.local_mqtt.phase = LocalMqttPhase::Waiting;
        let problem = Problem::configuration("MQTT programs cannot connect at 127.0.0.1:1883: Address already in use");
        gateway.local_mqtt.problem = Some(problem.next("give it another port"));
    };
    "the MQTT listener is starting" => |gateway| gateway.local_mqtt.phase = LocalMqttPhase::Waiting;
    "a secret of MQTT programs cannot be used" => |gateway| {
        gateway.local_mqtt.phase = LocalMqttPhase::Listening;
        let problem = Problem::configuration("there is no token for user camera: /etc/gatepost/camera.token does not exist");
        gateway.local_mqtt.problem = Some(problem.next("write a token into it").about(Event::LoopbackTokenFile));
    };
    "a secret of MQTT programs and of SDKs cannot be used" => |gateway| {
        let problem = Problem::configuration("there is no token for user camera: /etc/gatepost/camera.token does not exist");
        let problem = problem.next("write a token into it").about(Event::LoopbackTokenFile);
        gateway.local_mqtt.phase = LocalMqttPhase::Listening;
        gateway.local_mqtt.problem = Some(problem.clone());
        let mut loopback = part::<_, LoopbackDetails>(LoopbackPhase::Listening);
        loopback.problem = Some(problem);
        gateway.loopback = Some(loopback);
    };
    "gatepost may open no more files" => |gateway| {
        gateway.accepting.phase = AcceptingPhase::Failing;
        let problem = Problem::configuration("no connection is accepted at socket: gatepost has as many files open as its limit allows");
        gateway.accepting.problem = Some(problem.next("raise LimitNOFILE="));
    };
    "there is no memory for connections" => |gateway| {
        gateway.accepting.phase = AcceptingPhase::Failing;
        let problem = Problem::wait("no connection is accepted at mqtt: this machine has no memory left for a connection");
        gateway.accepting.problem = Some(problem.next("find the program that uses it"));
    };
    "a credentials file cannot be written" => |gateway| {
        gateway.credentials_files.phase = CredentialsFilesPhase::Waiting;
        let problem = Problem::configuration("PATH cannot be written: disk full").next("free space");
        gateway.credentials_files.problem = Some(problem.about(Event::CredentialsFileProblem));
    };
    "there is no token for a service outside AWS" => |gateway| {
        let mut token = part::<_, WebTokenDetails>(WebTokenPhase::Failing);
        let problem = Problem::configuration("this account issues no tokens for services outside AWS: ENDPOINT answered 403");
        token.problem = Some(problem.next("enable it once for the account"));
        gateway.web_tokens = vec![token];
    };
    "the certificate ends in 20 days, the link is down, and the disk is full" => |gateway| {
        certificate(gateway, 365 * DAY, 20 * DAY);
        gateway.network.phase = NetworkPhase::Down;
        gateway.network.problem = Some(Problem::wait("this machine has lost its default route"));
        gateway.messages.phase = MessagesPhase::Failed;
        gateway.messages.problem = Some(Problem::configuration("the database cannot be written: disk full").next("free space"));
    };
}
