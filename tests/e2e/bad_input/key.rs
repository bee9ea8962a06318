//! A URI that means more than one key.

use rig::token::{KeyKind, SoftHsm, Token, Tpm};

use super::{CONFIGURATION, ends};
use crate::support::{PIN, World, options};

#[test]
fn two_matching_keys_are_both_reported() {
    let tokens: [fn() -> Box<dyn Token>; 2] = [
        || Box::new(SoftHsm::new("gateway", PIN).unwrap()),
        || Box::new(Tpm::new(PIN).unwrap()),
    ];
    for token in tokens {
        let mut world = World::with(token(), options());
        for id in ["01", "02ff"] {
            world.token.generate(KeyKind::EcP256, "device", id).unwrap();
        }
        let objects = world.token.objects().unwrap();
        ends(
            &mut world.gateway,
            CONFIGURATION,
            &[
                "2 private keys match pkcs11:token=gateway;object=device",
                "object \"device\" id %01",
                "object \"device\" id %02%ff",
                "by its id",
            ],
        );

        // The advice works.
        world.gateway.configure(";object=device", ";object=device;id=%02%ff");
        world.gateway.start();
        world.gateway.wait_for_csr();
        world.gateway.stop();
        assert_eq!(world.token.objects().unwrap(), objects);
    }
}
