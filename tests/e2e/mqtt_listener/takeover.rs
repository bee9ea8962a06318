//! A client identifier has one connection, within an account but not across accounts.

use super::packets::{Client, Connect, V3_1_1, V5};
use super::{SECRET, world};

#[test]
fn a_later_connection_takes_over_and_the_earlier_one_gets_the_reason() {
    let (world, address) = world();
    let mut first = Client::connected(&world.gateway, V5, "same");
    let mut other = Client::connected(&world.gateway, V5, "another");
    let mut second = Client::connected(&world.gateway, V5, "same");
    assert_eq!(first.end(), Some(0x8e));
    // The token of a rule that names a user identifies that user.
    let mut third = Client::on_address(address, V3_1_1);
    let mut connect = Connect::new("same");
    connect.password = Some(SECRET.into());
    assert_eq!(third.connect(&connect)[1], 0);
    assert_eq!(second.end(), Some(0x8e));
    for client in [&mut third, &mut other] {
        client.send(0xc0, &[]);
        assert_eq!(client.receive().unwrap().first, 0xd0);
    }
}
