//! The EST server of GlobalSign (github.com/globalsign/est) as an independent judge of the method EST.

use std::fs;
use std::net::TcpStream;

use rig::port;
use rig::process::Process;
use rig::wait;

use crate::command::{client, run};
use crate::mqtt_clients::program::compiled;
use crate::support::{SOON, World};

#[test]
fn globalsign_est_issues_a_first_certificate_and_renews_it_by_mutual_tls() {
    let Some(mut command) = compiled("globalsign-est") else {
        eprintln!("not run: globalsign/est, because .ci/setup has not built it: this machine does not have Go");
        return;
    };
    let mut world = World::new();
    let folder = world.gateway.folder.path().to_owned();
    let ca = world.ca.ca_pem_path();
    let (certificate, key) = world.ca.server("localhost").unwrap();
    fs::write(folder.join("server.pem"), certificate).unwrap();
    let address = format!("localhost:{}", port::free_pair().unwrap());
    let config = serde_json::json!({
        "mock_ca": { "certificates": ca, "private_key": ca.with_extension("key") },
        "tls": {
            "listen_address": address,
            "certificates": folder.join("server.pem"),
            "private_key": key.key_path(),
            "client_cas": [ca],
        },
        "allowed_hosts": ["localhost", address],
        "rate_limit": 150,
        "timeout": 30,
    });
    fs::write(folder.join("est.json"), config.to_string()).unwrap();
    let server = Process::spawn(command.arg("-config").arg(folder.join("est.json")), "globalsign-est").unwrap();
    let listens = || TcpStream::connect(&address).is_ok();
    wait::until(SOON, "globalsign/est", listens).unwrap_or_else(|error| panic!("{error}\n{}", server.log()));

    fs::write(folder.join("secret"), "no-matter").unwrap();
    world.gateway.config += &format!(
        "[enrolment]\nmethod = \"est\"\n[enrolment.est]\nurl = \"https://{address}\"\nserver-ca = \"{}\"\nsecret-file = \"{}\"\n",
        ca.display(),
        folder.join("secret").display()
    );
    world.gateway.start();
    let is_taken = |phase: &serde_json::Value| phase == "ready";
    world.gateway.wait_for("identity.phase", is_taken);
    world.gateway.wait_online();
    let first = world.certificate_id();
    // The secret is not sent any more.
    fs::remove_file(folder.join("secret")).unwrap();
    let (code, said, noted) = run(&mut client(&world.gateway, &["renew", "--wait"]));
    assert_eq!(code, 0, "{said}{noted}\n{}", server.log());
    assert_ne!(world.certificate_id(), first);
}
