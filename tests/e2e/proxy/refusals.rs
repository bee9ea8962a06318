//! Proxies that open no tunnel: each reason is in status, journal, check and HTTP error, with its next step, and the gateway comes online
//! by itself once the reason is removed.

use std::fs;

use rig::network::{Demand, Program, Proxy};
use rig::wait;

use super::{PASSWORD, USER, behind_a_proxy, check_at_gateway, configure, world};
use crate::command::contains_all;
use crate::support::SOON;

#[test]
fn promise_16_a_proxy_that_opens_no_tunnel_is_named_everywhere() {
    behind_a_proxy(|network| {
        let mut world = world(network);
        let proxy = Proxy::start(network, Program::Squid, Demand::Nothing).unwrap();
        let password = configure(&mut world, &proxy, true);
        let mut proxy = Some(proxy);
        // The precondition: a certificate that AWS knows.
        world.gateway.start();
        world.certify();
        world.gateway.wait_online();
        world.gateway.stop();
        // The credentials that the proxy requires, the expected message, and the next step.
        let cases = [
            (
                Some((Program::Squid, Demand::Digest)),
                "requires authentication by digest (407)",
                "accept Basic",
            ),
            (
                Some((Program::Squid, Demand::Basic(USER, "another"))),
                "refuses the user name \"gw-1\" or its password (407)",
                "check network.proxy-user and the password",
            ),
            (
                Some((Program::Squid, Demand::OtherTargets)),
                "(403: forbidden)",
                "have the proxy allow CONNECT",
            ),
            (
                Some((Program::Tinyproxy, Demand::OtherTargets)),
                "(403: forbidden)",
                "have the proxy allow CONNECT",
            ),
            (None, "cannot be reached: Connection refused", "whether the proxy runs"),
        ];
        for (demand, words, step) in cases {
            drop(proxy.take());
            let old = proxy_line(&world.gateway.config);
            if let Some((program, demand)) = demand {
                let started = Proxy::start(network, program, demand).unwrap();
                world.gateway.configure(&old, &format!("proxy = \"{}\"", started.url()));
                proxy = Some(started);
            }
            world.gateway.start();
            for part in ["session", "role_aliases.0"] {
                world.gateway.wait_for_words(&format!("{part}.problem.message"), words);
                world.gateway.wait_for_words(&format!("{part}.problem.next_step"), step);
            }
            let error = world.gateway.credentials();
            assert_eq!(error.status, 503);
            contains_all(
                &String::from_utf8_lossy(&error.body).replace("\\\"", "\""),
                &[words, step],
            );
            contains_all(&world.gateway.log(), &[words, step]);
            let (code, document) = check_at_gateway(&world);
            assert_ne!(code, 0, "{document:#}");
            contains_all(&document.to_string().replace("\\\"", "\""), &[words, step]);
            world.gateway.stop();
            let (_, document) = check_at_gateway(&world);
            contains_all(&document.to_string().replace("\\\"", "\""), &[words, step]);
            assert!(!world.gateway.log().contains(PASSWORD));
        }
        assert_eq!(fs::read_to_string(password).unwrap(), PASSWORD);
    });
}

fn proxy_line(config: &str) -> String {
    config
        .lines()
        .find(|line| line.starts_with("proxy = "))
        .unwrap()
        .to_owned()
}

#[test]
fn promise_8_a_gateway_comes_back_by_itself_when_proxy_or_password_are_good_again() {
    behind_a_proxy(|network| {
        let mut world = world(network);
        let mut proxy = Proxy::start(network, Program::Tinyproxy, Demand::Basic(USER, PASSWORD)).unwrap();
        let password = configure(&mut world, &proxy, true);
        fs::write(&password, "a wrong one").unwrap();
        world.gateway.start();
        world.certify();
        world
            .gateway
            .wait_for_words("session.problem.message", "refuses the user name");
        fs::write(&password, PASSWORD).unwrap();
        world.gateway.wait_longer_online();
        proxy.stop();
        world
            .gateway
            .wait_for_words("session.problem.message", "cannot be reached");
        proxy.restart().unwrap();
        world.gateway.wait_longer_online();
        let phase = || world.gateway.status()["session"]["phase"] == "connected";
        wait::until(SOON, "a session", phase).unwrap();
    });
}
