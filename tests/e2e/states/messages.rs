//! States of messages, subscriptions and listeners, while the gateway is online.

use std::fs;
use std::net::TcpListener;

use super::{Case, ONLINE, Observed};
use crate::command::{client, run};
use crate::messages::{Subscription, configure, subscribed};
use crate::registry::bring_online_registered;
use crate::reload::reload;
use crate::support::THING;

/// Replaces a part of the configuration and reloads it.
fn change(observed: &mut Observed, old: &str, new: &str) {
    observed.world.gateway.configure(old, new);
    reload(&mut observed.world.gateway);
}

const CREDENTIALS_FILE: &str = "\n[[credentials-file]]\nrole-alias = \"telemetry\"\nowner = \"root\"\nformat = \"aws\"\npath = \"/nonexistent/keys\"\n";
const WITH_TOKENS: &str = "role-aliases = [\"*\"]\ntokens = [\"https://vault.example\"]\n";
const WITH_TOKEN_FILE: &str = "role-aliases = [\"*\"]\ntoken-file = \"/nonexistent/token\"\n";

const CASES: &[Case] = &[
    Case {
        name: "messages are parked",
        words: ONLINE,
        provoke: |observed| {
            let publish = ["publish", "others/data", "x", "--wait"];
            let (code, _, _) = run(&mut client(&observed.world.gateway, &publish));
            assert_eq!(code, 65, "AWS does not accept it");
        },
        heal: |observed| {
            run(&mut client(&observed.world.gateway, &["outbox", "purge", "parked"]));
        },
    },
    Case {
        name: "no rule allows a durable subscription any more",
        words: ONLINE,
        provoke: |observed| {
            let target = format!("{THING}/jobs/%23?name=worker");
            drop(Subscription::open(&observed.world.gateway, &target));
            subscribed(&observed.world, "/jobs/#");
            change(observed, "subscribe = [\"#\", ", "subscribe = [\"{thing}/other\", ");
        },
        heal: |observed| change(observed, "subscribe = [\"{thing}/other\", ", "subscribe = [\"#\", "),
    },
    Case {
        name: "a corrupt message database was set aside",
        words: ONLINE,
        provoke: |observed| {
            let gateway = &mut observed.world.gateway;
            gateway.stop();
            fs::write(gateway.state("messages.db"), vec![0x55; 8192]).unwrap();
            gateway.start();
        },
        heal: Observed::restart,
    },
    Case {
        name: "the loopback listener has no address",
        words: "but the loopback listener cannot use 127.0.0.1:",
        provoke: |observed| {
            let other = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = other.local_addr().unwrap();
            observed.cause = Some(Box::new(other));
            let loopback = format!("\n[loopback]\nlisten = \"{address}\"\n");
            observed.world.gateway.config.push_str(&loopback);
            reload(&mut observed.world.gateway);
        },
        heal: |observed| observed.cause = None,
    },
    Case {
        name: "a rule's token file is missing",
        words: "but there is no token for uid",
        provoke: |observed| change(observed, "role-aliases = [\"*\"]\n", WITH_TOKEN_FILE),
        heal: |observed| change(observed, WITH_TOKEN_FILE, "role-aliases = [\"*\"]\n"),
    },
    Case {
        name: "the MQTT listener has no address",
        words: "but MQTT programs cannot connect at 127.0.0.1:",
        provoke: |observed| {
            let other = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = other.local_addr().unwrap();
            observed.cause = Some(Box::new(other));
            let listen = format!("\n[local-mqtt]\nsocket = true\nlisten = \"{address}\"\n");
            observed.world.gateway.config.push_str(&listen);
            reload(&mut observed.world.gateway);
        },
        heal: |observed| observed.cause = None,
    },
    Case {
        name: "a secret of MQTT programs and of SDKs cannot be used",
        words: "but there is no token for uid",
        provoke: |observed| change(observed, "role-aliases = [\"*\"]\n", WITH_TOKEN_FILE),
        heal: |observed| change(observed, WITH_TOKEN_FILE, "role-aliases = [\"*\"]\n"),
    },
    Case {
        name: "a credentials file cannot be written",
        words: "but credentials-file[0] of ",
        provoke: |observed| {
            observed.world.gateway.config.push_str(CREDENTIALS_FILE);
            reload(&mut observed.world.gateway);
        },
        heal: |observed| change(observed, CREDENTIALS_FILE, ""),
    },
    Case {
        name: "there is no token for a service outside AWS",
        words: "but this account issues no tokens for services outside AWS",
        provoke: |observed| change(observed, "role-aliases = [\"*\"]\n", WITH_TOKENS),
        heal: |observed| change(observed, WITH_TOKENS, "role-aliases = [\"*\"]\n"),
    },
];

#[test]
fn promise_16_every_output_tells_of_messages_and_listeners() {
    let mut observed = Observed::new();
    configure(&mut observed.world);
    let sts = format!("sts-endpoint = \"{}\"\n[token]", observed.world.cloud.api_endpoint());
    observed.world.gateway.configure("[token]", &sts);
    bring_online_registered(&mut observed.world);
    observed.expect("everything works", ONLINE);
    observed.go_through(CASES);
}
