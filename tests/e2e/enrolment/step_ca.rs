//! step-ca (github.com/smallstep/certificates) through the example program for it.

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use rig::process::Process;
use rig::{executable, port, wait};

use super::helper::Helped;
use crate::command::run;
use crate::support::SOON;

const PASSWORD: &str = "hunter2-of-step-ca";

/// Finds an installed program.
fn find(name: &str) -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    let mut paths = std::env::split_paths(&folders).map(|folder| folder.join(name));
    paths.find(|path| path.is_file())
}

#[test]
fn the_example_of_step_ca_enrols_at_its_server() {
    let (Some(step), Some(step_ca)) = (find("step"), find("step-ca")) else {
        eprintln!("not run: step-ca, because this machine does not have the programs step and step-ca");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let address = format!("127.0.0.1:{}", port::free_pair().unwrap());
    fs::write(path("password"), PASSWORD).unwrap();
    let mut init = Command::new(&step);
    init.args([
        "ca",
        "init",
        "--name=Fleet",
        "--dns=127.0.0.1",
        "--provisioner=gateways",
    ])
    .args(["--deployment-type=standalone", "--address", &address, "--password-file"])
    .arg(path("password"))
    .env("STEPPATH", folder.path());
    let (code, said, noted) = run(&mut init);
    assert_eq!(code, 0, "{said}{noted}");
    let root = path("certs/root_ca.crt");
    let mut helped = Helped::new(&[
        ("STEP_CA_URL", format!("https://{address}")),
        ("STEP_CA_ROOT", root.display().to_string()),
        ("STEP", step.display().to_string()),
        ("STEP_CA_PROVISIONER", "gateways".to_owned()),
    ]);
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/enrolment/step-ca");
    executable::copy(&example, &helped.program()).unwrap();
    let secret = helped.folder.path().join("password");
    fs::write(&secret, "another one").unwrap();
    let issuer = fs::read_to_string(path("certs/intermediate_ca.crt")).unwrap();
    let chain = helped.world.ca.ca_pem_path().display().to_string();
    fs::write(path("chain.pem"), issuer + &fs::read_to_string(&root).unwrap()).unwrap();
    helped
        .world
        .gateway
        .configure(&chain, &path("chain.pem").display().to_string());

    helped.begin();
    let gateway = &mut helped.world.gateway;
    gateway.wait_for_words(
        "identity.problem.message",
        "does not reach the CA: no answer from 127.0.0.1",
    );
    gateway.stop();
    let mut command = Command::new(step_ca);
    command
        .arg(path("config/ca.json"))
        .arg("--password-file")
        .arg(path("password"))
        .env("STEPPATH", folder.path());
    let server = Process::spawn(&mut command, "step-ca").unwrap();
    let listens = || TcpStream::connect(&address).is_ok();
    wait::until(SOON, "step-ca", listens).unwrap_or_else(|error| panic!("{error}\n{}", server.log()));

    helped.begin();
    let gateway = &mut helped.world.gateway;
    gateway.wait_for_words(
        "identity.problem.message",
        "the CA refuses, by the enrolment program: failed to decrypt",
    );
    gateway.stop();
    fs::write(&secret, PASSWORD).unwrap();
    helped.begin();
    let gateway = &helped.world.gateway;
    gateway.wait_for_text("identity.phase", "ready");
    let log = gateway.log();
    assert!(!log.contains(PASSWORD), "{log}");
}
