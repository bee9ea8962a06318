//! Wills: published if the client has gone without DISCONNECT and its rules allow it.

use super::packets::{Client, Connect, V3_1_1, V5};
use super::world;
use crate::dashboard::Dashboard;
use crate::support::THING;

fn connect_with_will(client: &mut Client, client_id: &str, payload: &str, delay: u32) {
    let mut connect = Connect::new(client_id);
    connect.will = Some(("{thing}/wills".to_owned(), payload.into(), delay));
    assert_eq!(client.connect(&connect)[1], 0);
}

#[test]
fn a_will_is_published_for_a_client_that_is_lost_and_not_for_one_that_disconnects() {
    let (world, _) = world();
    let dashboard = Dashboard::start(&world);
    for version in [V3_1_1, V5] {
        let mut polite = Client::on_socket(&world.gateway, version);
        connect_with_will(&mut polite, "polite", "never", 0);
        polite.send(0xe0, &[]);
        assert_eq!(polite.end(), None);
        let mut lost = Client::on_socket(&world.gateway, version);
        connect_with_will(&mut lost, "lost", &format!("lost {version}"), 0);
        drop(lost);
        dashboard.expect(&format!("{THING}/wills 0 lost {version}"));
    }
    // DISCONNECT with 0x04 requests the will.
    let mut client = Client::on_socket(&world.gateway, V5);
    connect_with_will(&mut client, "asks", "asked for", 0);
    client.send(0xe0, &[0x04]);
    dashboard.expect(&format!("{THING}/wills 0 asked for"));
    // A client whose connection is taken over has lost it.
    let mut first = Client::on_socket(&world.gateway, V5);
    connect_with_will(&mut first, "same", "taken over", 0);
    let _second = Client::connected(&world.gateway, V5, "same");
    dashboard.expect(&format!("{THING}/wills 0 taken over"));
    assert!(!world.gateway.log().contains("never"));
}
