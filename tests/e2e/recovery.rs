//! Promise 15: an outage at this machine's end of the connection is over within seconds.

use std::thread;
use std::time::{Duration, Instant};

use cloudlet::switches::Lifetime;
use cloudlet::{Cloudlet, Options, Role, RoleAlias};
use rig::fleet_ca::FleetCa;
use rig::network::{CLOUD, CLOUD_NAME, FAR_CLOUD, Loss, Network, Standby};
use rig::token::SoftHsm;
use rig::user;
use serde_json::Value;

use crate::registry::{bring_online_registered, register};
use crate::support::{Gateway, PIN, SOON, World, options};

/// Minimum wait in seconds that counts as long: an attempt that is made earlier was not scheduled.
const LONG_WAIT: i64 = 8;

fn options_at(network_host: &str) -> Options {
    let mut options = options();
    (options.listen, options.host) = (network_host.parse().unwrap(), CLOUD_NAME.to_owned());
    options
}

fn seconds_until(time: &Value) -> Option<i64> {
    let at = humantime::parse_rfc3339(time.as_str()?).ok()?;
    let ahead = at.duration_since(std::time::SystemTime::now()).ok()?;
    i64::try_from(ahead.as_secs()).ok()
}

/// A part that retries after a failure: its phase, and the key of its next attempt.
#[derive(Clone, Copy, Debug)]
enum Waiting {
    Session,
    RoleAlias,
}

impl Waiting {
    /// Waits until the part has a long wait; returns the scheduled time of its next attempt.
    fn wait_long(self, gateway: &Gateway) -> Value {
        let look = || {
            let status = gateway.status();
            let planned = match self {
                Self::Session if status["session"]["phase"] != "waiting" => return None,
                Self::Session => status["session"]["next_attempt"].clone(),
                Self::RoleAlias => status["role_aliases"][0]["next_refresh"].clone(),
            };
            (seconds_until(&planned) > Some(LONG_WAIT)).then_some(planned)
        };
        rig::wait::until_some(5 * SOON, "a long wait", look)
            .unwrap_or_else(|error| panic!("{self:?}: {error}\n{:#}\n{}", gateway.status(), gateway.log()))
    }

    /// Waits until the part works again, before the `planned` time.
    fn recover_before(self, gateway: &Gateway, planned: &Value) {
        match self {
            Self::Session => gateway.wait_for_text("session.phase", "connected"),
            Self::RoleAlias => gateway.wait_for_text("role_aliases.0.phase", "valid"),
        };
        assert!(
            seconds_until(planned).is_some(),
            "{self:?} recovered at {planned}, as planned"
        );
    }
}

#[test]
fn promise_15_a_network_that_comes_back_is_tried_at_once() {
    if !user::is_root() {
        return eprintln!("NOT TESTED: a network of its own, because only root may have one");
    }
    let network = Network::new().unwrap();
    network.in_cloud(|| an_address_and_a_link_come_back(&network)).unwrap();
}

fn an_address_and_a_link_come_back(network: &Network) {
    let token = SoftHsm::new("gateway", PIN).unwrap();
    let mut world = World::with(Box::new(token), options_at(CLOUD));
    world.gateway.through = network.at_gateway();
    bring_online_registered(&mut world);
    world.gateway.stop();

    // The gateway starts without an address, so each attempt fails at once and the waits grow.
    network.set_addressed(false).unwrap();
    world.gateway.start();
    let planned = Waiting::Session.wait_long(&world.gateway);
    network.set_addressed(true).unwrap();
    Waiting::Session.recover_before(&world.gateway, &planned);
    world.gateway.wait_for_text("role_aliases.0.phase", "valid");
    let log = world.gateway.log();
    let warnings = log
        .lines()
        .filter(|line| line.contains("warn: session: waiting"))
        .count();
    assert!(warnings <= 10, "{warnings} lines about one outage\n{log}");
    world.gateway.stop();

    // The gateway starts with the cable cut: attempts hang in SYN when it is plugged in.
    network.set_cut(true).unwrap();
    world.gateway.start();
    world.gateway.wait_for_text("session.phase", "waiting");
    world.gateway.wait_for_text("session.phase", "connecting");
    network.set_cut(false).unwrap();
    world
        .gateway
        .wait_for_log("a link, an address, a route or a rule has appeared");
    world.gateway.wait_online();

    // A short outage that leaves a dead connection, which no packet reports: it is noticed long before the keep-alive ends.
    network.set_cut(true).unwrap();
    network.renumber().unwrap();
    network.set_cut(false).unwrap();
    world
        .gateway
        .wait_for_log("nothing was received since this machine's network changed");
    world.gateway.wait_online();
}

#[test]
fn promise_15_a_standby_takes_over_when_the_first_way_is_gone() {
    if !user::is_root() {
        return eprintln!("NOT TESTED: a network of its own, because only root may have one");
    }
    let network = Network::new().unwrap();
    let standby = Standby::add_to(&network).unwrap();
    network.in_cloud(|| lose_the_first_path(&network, &standby)).unwrap();
}

/// The preferred path drops everything silently, so attempts fail and the waits grow. Then the gateway loses that path and only the standby
/// is left: the next attempts start before their scheduled times.
fn lose_the_first_path(network: &Network, standby: &Standby<'_>) {
    let token = SoftHsm::new("gateway", PIN).unwrap();
    let mut world = World::with(Box::new(token), options_at(FAR_CLOUD));
    world.gateway.through = network.at_gateway();
    bring_online_registered(&mut world);
    for (loss, part) in [(Loss::Address, Waiting::Session), (Loss::Route, Waiting::RoleAlias)] {
        world.gateway.stop();
        standby.set_first_path_dead(true).unwrap();
        world.gateway.start();
        let planned = part.wait_long(&world.gateway);
        standby.remove_first_path(loss).unwrap();
        world
            .gateway
            .wait_for_log("has disappeared, and a default route remains");
        part.recover_before(&world.gateway, &planned);
        world.gateway.wait_online();
        standby.set_first_path_dead(false).unwrap();
        standby.restore_first_path(loss).unwrap();
    }

    // A connection over the first path dies silently with its link.
    world.gateway.stop();
    world.gateway.start();
    world.gateway.wait_online();
    standby.remove_first_path(Loss::Link).unwrap();
    world
        .gateway
        .wait_for_log("nothing was received since this machine's network changed");
    world.gateway.wait_online();
}

const GATEWAYS: usize = 20;
const OUTAGE: Duration = Duration::from_secs(150);

/// Not a test, but a measurement that prints a table: `cargo test --test e2e -- --ignored --nocapture recovery::measured`
#[test]
#[ignore = "takes five minutes, and prints how long twenty gateways take to come back after 150 s"]
fn measured() {
    let network = Network::new().unwrap();
    network.in_cloud(|| measure(&network)).unwrap();
}

fn measure(network: &Network) {
    let ca = FleetCa::new().unwrap();
    let cloud = Cloudlet::start(options_at(CLOUD)).unwrap();
    cloud
        .register_ca(&ca.ca_pem().unwrap(), cloud.article_template())
        .unwrap();
    let role = "arn:aws:iam::123456789012:role/telemetry";
    cloud.add_role(Role::trusting(role)).unwrap();
    for alias in ["telemetry", "upload"] {
        cloud.add_role_alias(RoleAlias::new(alias, role)).unwrap();
    }
    // So short that all have expired when the outage ends.
    cloud
        .switches()
        .set(|switches| switches.credentials.lifetime = Lifetime::Seconds(75));
    let mut gateways = Vec::new();
    for number in 0..GATEWAYS {
        let token = SoftHsm::new("gateway", PIN).unwrap();
        let mut gateway = Gateway::new(&cloud, &token, &ca.ca_pem_path());
        let name = format!("gw-{number}");
        gateway.configure("common-name = \"gw-1\"", &format!("common-name = \"{name}\""));
        gateway
            .config
            .push_str("[[role-alias]]\nname = \"upload\"\n[mqtt]\nkeep-alive = \"30s\"\n");
        gateway.through = network.at_gateway();
        gateway.start();
        let pem = ca.sign_v1(&gateway.wait_for_csr()).unwrap();
        register(&cloud, &pem, &name, &options().policy);
        gateway.install(&pem);
        gateways.push((gateway, token));
    }
    for (gateway, _) in &gateways {
        gateway.wait_online();
        gateway.wait_for_text("role_aliases.1.phase", "valid");
    }
    network.set_cut(true).unwrap();
    thread::sleep(OUTAGE);
    for (gateway, _) in &gateways {
        let status = gateway.status();
        assert_ne!(status["session"]["phase"], "connected", "{status:#}");
        assert_ne!(status["role_aliases"][0]["phase"], "valid", "{status:#}");
    }
    network.set_cut(false).unwrap();
    let back = Instant::now();
    let (mut sessions, mut aliases) = (Vec::new(), Vec::new());
    thread::scope(|scope| {
        let waiting: Vec<_> = gateways
            .iter()
            .map(|(gateway, _)| {
                let socket = gateway.socket();
                scope.spawn(move || watch_return(&socket, back))
            })
            .collect();
        for thread in waiting {
            let (session, both) = thread.join().unwrap();
            sessions.push(session);
            aliases.push(both);
        }
    });
    for (what, mut times) in [("session", sessions), ("all role aliases", aliases)] {
        times.sort_unstable();
        let at = |part: usize| times[(times.len() - 1) * part / 100].as_secs_f64();
        eprintln!(
            "{what}: min {:.1} s, median {:.1} s, max {:.1} s",
            at(0),
            at(50),
            at(100)
        );
    }
}

/// Returns when the session and when every role alias is back.
fn watch_return(socket: &std::path::Path, back: Instant) -> (Duration, Duration) {
    let (mut session, mut aliases) = (None, None);
    loop {
        let status: Value = rig::unix_http::get(socket, "/v1/status").unwrap().json().unwrap();
        if status["session"]["phase"] == "connected" {
            session.get_or_insert(back.elapsed());
        }
        let valid = |alias: usize| status["role_aliases"][alias]["phase"] == "valid";
        if valid(0) && valid(1) {
            aliases.get_or_insert(back.elapsed());
        }
        if let (Some(session), Some(aliases)) = (session, aliases) {
            return (session, aliases);
        }
        thread::sleep(Duration::from_millis(50));
    }
}
