//! Tests of `[network]`.

use super::*;
use crate::config::test_files::{self, MINIMUM};

fn load(table: &str) -> Result<Network, String> {
    test_files::load(&format!("{MINIMUM}[network]\n{table}"), &[]).map(|config| config.network)
}

#[test]
fn the_address_of_a_proxy_is_http_host_and_port() {
    for (text, expected) in [
        ("http://proxy.example:3128", Ok("proxy.example:3128")),
        ("http://Proxy.Example.:8080/", Ok("proxy.example:8080")),
        (" http://proxy:3128\n", Ok("proxy:3128")),
        ("HTTP://192.0.2.1:3128", Ok("192.0.2.1:3128")),
        ("http://[2001:DB8::1]:3128", Ok("[2001:db8::1]:3128")),
        ("http://proxy.example", Err("has no port")),
        ("http://[2001:db8::1]", Err("has no port")),
        ("proxy.example:3128", Err("has no scheme")),
        ("proxy", Err("has no scheme")),
        ("", Err("has no scheme")),
        ("https://proxy.example:3129", Err("plain HTTP")),
        ("socks5://proxy.example:1080", Err("SOCKS")),
        ("socks5h://proxy.example:1080", Err("SOCKS")),
        ("ftp://proxy.example:21", Err("another scheme")),
        ("http://proxy.example:0", Err("port from 1")),
        ("http://proxy.example:65536", Err("port from 1")),
        ("http://proxy.example:+80", Err("port from 1")),
        ("http://proxy.example:", Err("port from 1")),
        ("http://:3128", Err("no host name")),
        ("http://pro_xy!:3128", Err("no host name")),
        ("http://2001:db8::1:3128", Err("brackets")),
        ("http://[proxy]:3128", Err("brackets")),
        ("http://proxy.example:3128/path", Err("has a path")),
        ("http://proxy.example:3128?a", Err("has a path")),
        ("http://pro xy:3128", Err("blank")),
        ("http://proxy:3128 http://other:3128", Err("blank")),
        ("http://user:hunter2@proxy.example:3128", Err("network.proxy-user")),
        ("http://user@proxy.example:3128", Err("network.proxy-user")),
        ("user:hunter2@proxy.example:3128", Err("network.proxy-user")),
        ("http://user:hun ter2@proxy.example:3128", Err("network.proxy-user")),
    ] {
        match (ProxyAddress::parse(text), expected) {
            (Ok(address), Ok(shown)) => {
                assert_eq!(address.to_string(), shown, "{text}");
                assert_eq!(ProxyAddress::parse(&format!("http://{address}")), Ok(address), "{text}");
            }
            (Err(why), Err(part)) => {
                assert!(
                    why.contains(part) && !why.contains("hun") && !why.contains('\n'),
                    "{text}: {why}"
                );
            }
            (found, _) => panic!("{text}: {found:?}"),
        }
    }
}

#[test]
fn exceptions_are_names_and_domains() {
    for (pattern, host, matches) in [
        ("est.plant.example", "est.plant.example", true),
        ("EST.Plant.Example", "est.plant.example", true),
        ("est.plant.example", "a.est.plant.example", false),
        ("est.plant.example", "best.plant.example", false),
        (".plant.example", "est.plant.example", true),
        ("*.plant.example", "a.b.plant.example", true),
        (".plant.example", "plant.example", false),
        (".plant.example", "otherplant.example", false),
        ("localhost", "localhost", true),
        ("localhost", "localhost.example", false),
    ] {
        assert_eq!(
            HostPattern::parse(pattern).unwrap().matches(host),
            matches,
            "{pattern} {host}"
        );
    }
    for pattern in [
        "",
        ".",
        "*",
        "*.",
        "10.0.0.1",
        "10.0.0.0/8",
        "a b",
        "https://host",
        "host:443",
        "*host",
    ] {
        assert!(HostPattern::parse(pattern).is_err(), "{pattern}");
    }
}

#[test]
fn keys_that_do_not_fit_are_reported() {
    let proxy = "proxy = \"http://proxy:3128\"\n";
    for (table, part) in [
        ("proxy = \"http://u:hunter2@proxy:3128\"\n".to_owned(), "network.proxy"),
        (
            format!("{proxy}proxy-secret-file = \"/etc/gatepost/proxy\"\n"),
            "needs network.proxy-user",
        ),
        (format!("{proxy}proxy-user = \"a:b\"\n"), "no colon"),
        (
            format!("{proxy}proxy-user = \"gw\"\nproxy-secret-file = \"hunter2\"\n"),
            "absolute path",
        ),
        (format!("{proxy}no-proxy = [\"10.0.0.0/8\"]\n"), "network.no-proxy"),
        (format!("{proxy}password = \"hunter2\"\n"), "password"),
        (format!("{proxy}proxy-password = \"hunter2\"\n"), "proxy-password"),
    ] {
        let why = load(&table).unwrap_err();
        assert!(why.contains(part) && !why.contains("hunter2"), "{table}: {why}");
    }
    assert_eq!(load("").unwrap(), Network::default());
    assert_eq!(
        load("proxy-user = \"gw\"\nno-proxy = [\"a.example\"]\n").unwrap(),
        Network::default()
    );
    let table =
        format!("{proxy}proxy-user = \"gw\"\nproxy-secret-file = \"/etc/gatepost/proxy\"\nno-proxy = [\".example\"]\n");
    let full = load(&table).unwrap().proxy.unwrap();
    assert_eq!(
        (full.user.as_deref(), full.secret_file.as_deref()),
        (Some("gw"), Some("/etc/gatepost/proxy".as_ref()))
    );
    assert!(full.applies_to("a1-ats.iot.us-east-2.amazonaws.com") && !full.applies_to("est.example"));
}
