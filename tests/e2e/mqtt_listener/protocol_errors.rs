//! Every packet that a server must refuse, sent to a daemon in both versions. The table is that of the unit tests of
//! `src/mqtt`, which cites the statement of the specification for each; here a client of its own sends the bytes and reads the answer.

#[path = "../../../src/mqtt/tests/server/malformed/case.rs"]
mod case;
#[path = "../../../src/mqtt/tests/server/malformed/headers.rs"]
mod headers;
#[path = "../../../src/mqtt/tests/server/packets.rs"]
mod packets;
#[path = "../../../src/mqtt/tests/server/malformed/publishes.rs"]
mod publishes;
#[path = "../../../src/mqtt/tests/server/refusals.rs"]
mod refused_connects;
#[path = "../../../src/mqtt/tests/server/malformed/requests.rs"]
mod requests;

use self::case::{Case, both, case, only_5};
use self::packets::{CONNECT_5, connect};
use super::packets::{Client, V3_1_1, V5, frame};
use super::world;
use crate::metrics::metrics;
use crate::support::World;

/// The most filters of one SUBSCRIBE.
const MAX_FILTERS: usize = 1024;

fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    frame(first, body)
}

/// A program that keeps to the protocol, and must not notice anything.
struct Bystander(Client);

impl Bystander {
    fn is_served(&mut self, after: &str) {
        self.0.send(0xc0, &[]);
        let answer = self.0.receive().map(|packet| packet.first);
        assert_eq!(answer, Some(0xd0), "the other program was not served after {after}");
    }
}

#[test]
fn each_packet_that_a_server_must_refuse_ends_its_own_connection_and_no_other() {
    let (world, _) = world();
    let mut other = Bystander(Client::connected(&world.gateway, V5, "other"));
    let tables = [headers::cases(), publishes::cases(), requests::cases()];
    let mut count = 0;
    for case in tables.into_iter().flatten() {
        for (version, bytes, code, statement) in [
            (V5, &case.v5, Some(case.code), case.statement),
            // A server of MQTT 3.1.1 has no DISCONNECT.
            (V3_1_1, &case.v3, None, case.v3_statement),
        ] {
            if bytes.is_empty() {
                continue;
            }
            count += 1;
            let mut client = Client::connected(&world.gateway, version, &format!("hostile-{count}"));
            client.send_raw(bytes);
            assert_eq!(client.end(), code, "{} in version {version} ({statement})", case.what);
            other.is_served(case.what);
        }
    }
    assert!(count > 120, "{count}");
    let cut = sample(&world, "gatepost_mqtt_cut_total");
    assert_eq!(cut, count, "each of them is counted");
    assert_eq!(sample(&world, "gatepost_mqtt_clients"), 1);
}

#[test]
fn each_connect_that_a_server_must_refuse_has_the_answer_of_its_version() {
    let (world, address) = world();
    let mut other = Bystander(Client::connected(&world.gateway, V5, "other"));
    for (what, bytes, answer, statement) in refused_connects::cases() {
        for mut client in [Client::on_socket(&world.gateway, V5), Client::on_address(address, V5)] {
            client.send_raw(&bytes);
            assert_eq!(client.rest(), answer, "{what} ({statement})");
        }
        other.is_served(what);
    }
    assert_eq!(sample(&world, "gatepost_mqtt_clients"), 1);
}

/// The value of a metric without labels.
fn sample(world: &World, name: &str) -> usize {
    let page = metrics(&world.gateway);
    let line = page.lines().find_map(|line| line.strip_prefix(&format!("{name} ")));
    line.unwrap_or_else(|| panic!("no {name} in {page}")).parse().unwrap()
}
