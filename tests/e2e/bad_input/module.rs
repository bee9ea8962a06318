//! Modules that are not PKCS#11 modules, and tokens that are not the configured one.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use rig::token::{SoftHsm, Token};

use super::{CONFIGURATION, check_config, check_says_the_same, ends};
use crate::support::{PIN, World, options};

/// Returns a shared library that certainly exists and is not a PKCS#11 module: the C library of this process.
fn libc() -> PathBuf {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let path = maps.lines().find_map(|line| {
        let path = line.get(line.find('/')?..)?;
        path.contains("libc.so").then(|| PathBuf::from(path))
    });
    path.unwrap()
}

#[test]
fn a_file_that_is_not_a_module_is_reported() {
    let mut world = World::new();
    let text = world.gateway.folder.path().join("text.so");
    fs::write(&text, "no library at all\n").unwrap();
    let folder = world.gateway.folder.path().to_owned();
    let mut last = world.token.module().display().to_string();
    let cases = [
        (PathBuf::from("/usr/lib/none/pkcs11/libnone.so"), "No such file"),
        (libc(), "it is not a PKCS#11 module (it has no C_GetFunctionList)"),
        (text, "text.so: file too short"),
        (folder, "cannot be loaded"),
    ];
    for (module, cause) in cases {
        let name = module.display().to_string();
        world.gateway.configure(&format!("\"{last}\""), &format!("\"{name}\""));
        let said = ends(
            &mut world.gateway,
            CONFIGURATION,
            &[&name, cause, "install the module's package, or correct token.module"],
        );
        check_says_the_same(&world.gateway, &said);
        last = name;
    }
}

#[test]
fn a_missing_token_is_waited_for_and_the_visible_ones_are_reported() {
    let token = Arc::new(SoftHsm::new("other", PIN).unwrap());
    let mut world = World::with(Box::new(token.clone()), options());
    world.gateway.configure("pkcs11:token=other", "pkcs11:token=gateway");
    world.gateway.start();
    world.gateway.wait_for_words(
        "token.problem.message",
        "(\"other\") matches pkcs11:token=gateway;object=device",
    );
    let status = world.gateway.status();
    assert_eq!(status["token"]["phase"], "waiting");
    assert_eq!(status["token"]["problem"]["remedy"], "wait");
    let step = status["token"]["problem"]["next_step"].as_str().unwrap();
    assert!(step.contains("check that the token is there"), "{step}");
    assert!(
        check_config(&world.gateway).status.success(),
        "it is not the configuration's fault"
    );
    assert_eq!(token.objects().unwrap(), [], "nothing is made in another token");

    token.add_token("gateway").unwrap();
    world.gateway.wait_for_csr();
    world.gateway.stop();
}

#[test]
fn lost_files_of_the_module_are_reported() {
    let mut world = World::new();
    let lost = world.gateway.folder.path().join("lost.conf").display().to_string();
    let variable = world.gateway.env.iter_mut().find(|(name, _)| name == "SOFTHSM2_CONF");
    variable.unwrap().1.clone_from(&lost);
    world.gateway.start();
    world.gateway.wait_for_words(
        "token.problem.message",
        &format!("C_Initialize, and SOFTHSM2_CONF names {lost}, which is not there"),
    );
    let status = world.gateway.status();
    assert_eq!(status["token"]["phase"], "waiting", "it may come back");
    assert_eq!(status["token"]["problem"]["remedy"], "factory");
    world.gateway.stop();
}

#[test]
fn two_matching_tokens_are_both_reported() {
    let token = Arc::new(SoftHsm::new("gateway", PIN).unwrap());
    token.add_token("gateway").unwrap();
    let mut world = World::with(Box::new(token), options());
    let said = ends(
        &mut world.gateway,
        CONFIGURATION,
        &["2 tokens match pkcs11:token=gateway;object=device", "by its serial"],
    );
    let serials: Vec<&str> = said
        .lines()
        .next()
        .unwrap()
        .split("serial ")
        .skip(1)
        .filter_map(|rest| rest.split(' ').next())
        .take(2)
        .collect();
    let [one, two] = serials.as_slice() else {
        panic!("{said}")
    };
    assert_ne!(one, two, "{said}");

    // The advice works.
    let named = format!("token=gateway;serial={two};object=device");
    world.gateway.configure("token=gateway;object=device", &named);
    world.gateway.start();
    world.gateway.wait_for_csr();
    world.gateway.stop();
}
