//! States of the configuration, which every output shows although everything else works.

use super::{Case, ONLINE, Observed};
use crate::reload::reload;

/// Changes the file, which the gateway notices but does not load.
fn change(observed: &mut Observed, old: &str, new: &str) {
    observed.world.gateway.configure(old, new);
    observed.world.gateway.write_config();
}

const CASES: &[Case] = &[
    Case {
        name: "the files on disk are wrong",
        words: "unknown field",
        provoke: |observed| change(observed, "[aws]", "[aws]\ncolour = \"red\""),
        heal: |observed| change(observed, "[aws]\ncolour = \"red\"", "[aws]"),
    },
    Case {
        name: "the files were changed and not loaded",
        words: "next: systemctl reload gatepost",
        provoke: |observed| change(observed, "[[access]]", "[mqtt]\nkeep-alive = \"10m\"\n[[access]]"),
        heal: |observed| change(observed, "[mqtt]\nkeep-alive = \"10m\"\n", ""),
    },
    Case {
        name: "a restart is needed",
        words: "next: systemctl restart gatepost",
        provoke: |observed| {
            observed.world.gateway.configure("country = \"IN\"", "country = \"DE\"");
            reload(&mut observed.world.gateway);
        },
        heal: |observed| {
            observed.world.gateway.configure("country = \"DE\"", "country = \"IN\"");
            reload(&mut observed.world.gateway);
        },
    },
    Case {
        name: "no role alias is configured",
        words: "online as gw-1; no role alias configured",
        provoke: |observed| {
            let gateway = &mut observed.world.gateway;
            gateway.configure("[[role-alias]]\nname = \"telemetry\"\ndefault = true\n", "");
            reload(gateway);
        },
        heal: |observed| {
            let gateway = &mut observed.world.gateway;
            gateway.configure(
                "[[access]]",
                "[[role-alias]]\nname = \"telemetry\"\ndefault = true\n[[access]]",
            );
            reload(gateway);
        },
    },
    Case {
        name: "the last good configuration is in use",
        words: "unclosed table",
        provoke: |observed| {
            observed.world.gateway.configure("[aws]", "[aws");
            observed.restart();
        },
        heal: |observed| change(observed, "[aws", "[aws]"),
    },
];

#[test]
fn promise_16_every_output_tells_of_a_configuration_that_is_not_in_use() {
    let mut observed = Observed::online();
    observed.expect("everything works", ONLINE);
    observed.go_through(CASES);
}
