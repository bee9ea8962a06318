//! `gatepost certificate`: unusable certificates are not installed, and the command waits until AWS has accepted an installed one.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;
use std::process::Stdio;

use cloudlet::CertificateStatus;
use rig::fleet_ca::FleetCa;

use crate::command::{client, contains_all, run};
use crate::registry::{bring_online_registered, certificate_for};
use crate::support::{THING, World};

/// Runs the command with this gateway's configuration and folders.
fn install(world: &World, words: &[&str]) -> (i32, String, String) {
    let config = world.gateway.write_config().display().to_string();
    let words = [&["certificate", "install", "--config", &config], words].concat();
    let mut client = client(&world.gateway, &words);
    run(client.envs(world.gateway.env.iter().map(|(name, value)| (name, value))))
}

/// Returns the names in the state folder that concern the certificate.
fn files(world: &World) -> Vec<String> {
    let entries = fs::read_dir(world.gateway.state("")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names
        .filter(|name| name.contains("device.pem") || name.starts_with(".gatepost-"))
        .collect();
    names.sort();
    names
}

#[test]
fn an_unusable_certificate_is_not_installed() {
    let mut world = World::new();
    world.gateway.start();
    let csr = world.gateway.wait_for_csr();
    let file = |name: &str, content: &str| -> PathBuf {
        let path = world.gateway.folder.path().join(name);
        fs::write(&path, content).unwrap();
        path
    };
    let good = world.ca.sign_v3(&csr).unwrap();
    let other_ca = FleetCa::another().unwrap();
    let request = fs::read_to_string(&csr).unwrap();
    let key =
        "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg\n-----END PRIVATE KEY-----\n";
    for (name, content, says) in [
        ("empty", String::new(), "is empty"),
        ("text", "hello".to_owned(), "no BEGIN CERTIFICATE"),
        ("html", "<html>".to_owned(), "is HTML or XML"),
        ("csr", request, "request"),
        ("cut", good[..good.len() / 2].to_owned(), "cut off"),
        ("key", key.to_owned(), "private key"),
        ("key-beside", format!("{good}{key}"), "private key"),
        ("ca", world.ca.ca_pem().unwrap(), "CA certificate"),
        (
            "other-key",
            world.ca.for_another_key(&format!("/CN={THING}")).unwrap(),
            "another key",
        ),
        ("other-ca", other_ca.sign_v3(&csr).unwrap(), "next: "),
        (
            "other-name",
            world.ca.sign_as(&csr, "/CN=no thing name!").unwrap(),
            "thing name",
        ),
        ("sha1", world.ca.sign_v3_digest(&csr, "-sha1").unwrap(), "SHA"),
        ("literal", good.trim_end().replace('\n', "\\n"), "line breaks"),
    ] {
        let path = file(name, &content).display().to_string();
        let (code, said, noted) = install(&world, &[&path]);
        assert_eq!((code, said.as_str()), (65, ""), "{name}: {noted}");
        contains_all(&noted, &[says, "nothing was changed"]);
        assert!(!noted.contains("MIGH"), "{noted}");
        assert!(files(&world).is_empty(), "{name}");
    }
    for (path, says) in [
        ("/nonexistent", "No such file"),
        ("/tmp", "not a regular file"),
        ("/dev/zero", "not a regular file"),
    ] {
        let (code, _, noted) = install(&world, &[path]);
        assert_eq!(code, 65, "{noted}");
        contains_all(&noted, &[says]);
    }
    let (code, _, noted) = run(&mut client(&world.gateway, &["certificate"]));
    assert_eq!(code, 66);
    contains_all(&noted, &["waiting for a certificate"]);

    // Forms that people have: DER, a byte order mark, the chain after the certificate.
    let path = file("bom", &format!("\u{feff}some words\n{good}"));
    let (code, said, noted) = install(&world, &[&path.display().to_string(), "--wait"]);
    assert_eq!(code, 0, "{said}{noted}");
    contains_all(&said, &["is now certificate", THING, "AWS has accepted it"]);
    let placed = fs::metadata(world.gateway.state("device.pem")).unwrap();
    let folder = fs::metadata(world.gateway.state("")).unwrap();
    assert_eq!(
        (placed.permissions().mode() & 0o777, placed.uid()),
        (0o644, folder.uid())
    );
    assert_eq!(files(&world), ["device.pem"]);
    let text = fs::read_to_string(world.gateway.state("device.pem")).unwrap();
    assert!(text.starts_with("-----BEGIN CERTIFICATE-----\n"), "{text}");
    let (code, said, _) = install(&world, &[&path.display().to_string()]);
    assert_eq!(code, 0);
    contains_all(&said, &["nothing changed"]);
    let (code, shown, _) = run(&mut client(&world.gateway, &["certificate", "show"]));
    assert_eq!(code, 0);
    contains_all(&shown, &["thing name", THING, "connected with it", "valid until"]);
}

#[test]
fn a_new_certificate_is_waited_for_until_aws_has_accepted_it() {
    let mut world = World::new();
    let old = bring_online_registered(&mut world);
    let before = fs::read_to_string(world.gateway.state("device.pem")).unwrap();
    let (pem, new) = certificate_for(&world, &world.gateway.state("device.csr"));
    world
        .cloud
        .set_certificate_status(&new, CertificateStatus::Inactive)
        .unwrap();

    // From stdin, while AWS does not accept it: the old one stays in use.
    let path = world.gateway.folder.path().join("new.pem");
    fs::write(&path, &pem).unwrap();
    let config = world.gateway.write_config().display().to_string();
    let words = [
        "certificate",
        "install",
        "-",
        "--wait",
        "--timeout",
        "3",
        "--config",
        &config,
    ];
    let mut command = client(&world.gateway, &words);
    command.envs(world.gateway.env.iter().map(|(name, value)| (name, value)));
    let (code, said, noted) = run(command.stdin(Stdio::from(fs::File::open(&path).unwrap())));
    assert_ne!(code, 0, "{said}");
    contains_all(&said, &["is now certificate", new.as_str(), "device.pem.previous"]);
    contains_all(&noted, &["AWS has not accepted it", "still is"]);
    assert_eq!(world.gateway.status()["session"]["certificate_id"], old.as_str());
    let (_, shown, _) = run(&mut client(&world.gateway, &["certificate"]));
    contains_all(&shown, &[new.as_str(), "has not accepted it yet", old.as_str()]);
    assert_eq!(
        fs::read_to_string(world.gateway.state("device.pem.previous")).unwrap(),
        before
    );

    world
        .cloud
        .set_certificate_status(&new, CertificateStatus::Active)
        .unwrap();
    let (code, said, noted) = install(&world, &[&path.display().to_string(), "--wait"]);
    assert_eq!(code, 0, "{said}{noted}");
    contains_all(&said, &["nothing changed", "AWS has accepted it"]);
    assert_eq!(world.gateway.status()["session"]["certificate_id"], new.as_str());
    assert_eq!(files(&world), ["device.pem", "device.pem.previous"]);
}
