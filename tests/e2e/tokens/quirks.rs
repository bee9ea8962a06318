//! Tokens with real-world faults and peculiarities: a table of cases for each kind of outcome.

use std::fs;
use std::sync::Arc;

use rig::command;
use rig::token::{KeyKind, Quirks, SoftHsm, Token};
use rig::wait;

use super::{public_key_of, shared, verified};
use crate::cloud_view::connects;
use crate::support::{PIN, SOON, World, options};

/// EX_NOPERM
const PIN_REFUSED: i32 = 77;
/// EX_CONFIG
const CONFIGURATION: i32 = 78;

/// Creates a world on a token without quirks so far.
fn world() -> (Arc<Quirks>, World) {
    let quirks = Quirks::new(SoftHsm::new("gateway", PIN).unwrap()).unwrap();
    quirks.set(&[]).unwrap();
    let (quirks, boxed) = shared(quirks);
    (quirks, World::with(boxed, options()))
}

/// Asserts that the daemon ends with the code, prints the words and a next step, and does not show the PIN.
fn ends(world: &mut World, code: i32, words: &[&str], what: &[&str]) {
    let (status, log) = world.gateway.run_to_the_end();
    assert_eq!(status.code(), Some(code), "{what:?}\n{log}");
    let said = world.gateway.process().log();
    for word in words.iter().chain(&["next: "]) {
        assert!(said.contains(word), "{what:?}: {word:?} is not in:\n{said}");
    }
    assert!(!log.contains(PIN), "promise 10");
}

/// Opens the token and signs a request that OpenSSL accepts; returns the request's public key.
fn signs(world: &mut World, what: &[&str]) -> Vec<u8> {
    let _ = fs::remove_file(world.gateway.state("device.csr"));
    world.gateway.start();
    let csr = world.gateway.wait_for_csr();
    verified(&csr, &[]);
    let status = world.gateway.status();
    assert_eq!(status["token"]["phase"], "ready", "{what:?}: {status:#}");
    world.gateway.stop();
    public_key_of(&csr)
}

#[test]
fn promise_8_a_pin_that_may_be_wrong_is_not_tried_again() {
    let (quirks, mut world) = world();
    quirks.inner().generate(KeyKind::EcP256, "device", "01").unwrap();
    // One for each end that a login can have. The unit tests of src/token/login.rs have every answer and every flag.
    let cases: [(&[&str], usize, &str); 5] = [
        (&["login a0"], 1, "rejected the PIN"),
        (&["login 5"], 2, "the PIN may be wrong"),
        (&["login 5", "count-low"], 1, "has counted that as a wrong PIN"),
        (&["flags 20000"], 0, "never uses the last try"),
        (&["flags 40000"], 0, "is locked"),
    ];
    for (words, tries, said) in cases {
        quirks.set(words).unwrap();
        ends(&mut world, PIN_REFUSED, &[said], words);
        assert_eq!(quirks.calls("C_Login user").unwrap(), tries, "{words:?}");
    }
    // A driver that has lost its state is a different case: one more attempt, with the module reloaded.
    quirks.set(&["first-logins 1 5"]).unwrap();
    signs(&mut world, &["first-logins 1 5"]);
    assert_eq!(quirks.calls("C_Login user").unwrap(), 2);
    assert_eq!(quirks.calls("C_Initialize").unwrap(), 2);
}

#[test]
fn promise_8_a_pin_that_is_refused_for_a_signature_is_not_tried_again() {
    let (quirks, mut world) = world();
    quirks.inner().generate(KeyKind::Rsa2048, "device", "01").unwrap();
    for (login, tries) in [("context-login a0", 1), ("context-login 5", 2)] {
        let words = ["always-authenticate buffered", login];
        quirks.set(&words).unwrap();
        ends(&mut world, PIN_REFUSED, &["PIN"], &words);
        assert_eq!(quirks.calls("C_Login context").unwrap(), tries, "{words:?}");
    }
}

#[test]
fn promise_1_a_token_with_peculiarities_signs_with_its_key() {
    let (quirks, mut world) = world();
    let own = quirks.inner();
    own.generate(KeyKind::EcP256, "device", "01").unwrap();
    own.generate(KeyKind::Rsa2048, "rsa", "02").unwrap();
    let key = own.public_key("01").unwrap();
    let cases: [&[&str]; 9] = [
        &[],
        &["bad-slot e1"],
        &["bad-slot 30"],
        &["bad-slot 80000005"],
        &["flags 10000"],
        &["write-protected"],
        &["nul-padding"],
        &["protected-path correct-horse-battery"],
        &["always-authenticate buffered"],
    ];
    for words in cases {
        quirks.set(words).unwrap();
        assert_eq!(signs(&mut world, words), key, "{words:?}");
        if words == ["write-protected"] {
            assert_eq!(quirks.calls("C_OpenSession rw").unwrap(), 0);
        }
    }
    // A separate PIN pad takes the PIN: no file is required.
    quirks.set(&["protected-path correct-horse-battery"]).unwrap();
    let pin_file = format!("pin-file = \"{}\"", world.token.pin_file().display());
    world.gateway.configure(&pin_file, "");
    assert_eq!(signs(&mut world, &["protected path without a PIN file"]), key);
    assert_eq!(quirks.calls("C_Login user without a PIN").unwrap(), 1);
    world.gateway.configure("[token]\n", &format!("[token]\n{pin_file}\n"));

    // SoftHSM itself accepts the data of hashing RSA mechanisms in parts.
    quirks.set(&["always-authenticate strict"]).unwrap();
    world.gateway.configure(";object=device", ";object=rsa");
    assert_eq!(signs(&mut world, &["strict"]), own.public_key("02").unwrap());
    assert!(quirks.calls("C_Login context").unwrap() >= 2, "one for each signature");

    // As p11tool prints it for a token that pads with NULs.
    quirks.set(&["nul-padding"]).unwrap();
    let uri = "token=gateway;model=SoftHSM%20v2%00%00%00%00%00%00;object=rsa";
    world.gateway.configure("token=gateway;object=rsa", uri);
    assert_eq!(signs(&mut world, &[uri]), own.public_key("02").unwrap());
}

#[test]
fn a_key_is_generated_whichever_template_the_token_accepts() {
    for words in [["ec-params private"], ["ec-params both"]] {
        let (quirks, mut world) = world();
        quirks.set(&words).unwrap();
        let key = signs(&mut world, &words);
        let keys = super::private_keys(quirks.inner());
        let [private] = keys.as_slice() else { panic!("{keys:?}") };
        assert_eq!(key, quirks.inner().public_key(&private.id).unwrap());
        assert!(private.is_sensitive() && private.is_never_extractable(), "{private:?}");
    }
}

#[test]
fn faults_that_no_retry_fixes_end_the_daemon() {
    let (quirks, mut world) = world();
    quirks.set(&["write-protected"]).unwrap();
    ends(&mut world, CONFIGURATION, &["write-protected"], &["no key yet"]);
    assert_eq!(super::private_keys(quirks.inner()), []);

    quirks.inner().generate(KeyKind::EcP256, "device", "0a1b").unwrap();
    let module = quirks.module().display().to_string();
    let cases: [(&[&str], &[&str]); 2] = [
        (
            &["signs-wrongly"],
            &[&module, "\"device\" id %0a%1b", "does not verify"],
        ),
        (&["always-authenticate strict"], &["CKA_ALWAYS_AUTHENTICATE", &module]),
    ];
    for (words, said) in cases {
        quirks.set(words).unwrap();
        ends(&mut world, CONFIGURATION, said, words);
    }
    quirks.set(&[]).unwrap();
    world.gateway.configure(";object=device", ";object=device;id=0A1B");
    ends(
        &mut world,
        CONFIGURATION,
        &["hex digits", "write id=%0a%1b"],
        &["id in hex"],
    );
    assert_eq!(super::private_keys(quirks.inner()).len(), 1, "no second key");

    // A key that is too small is refused before AWS refuses it.
    let mut tool = command::command("pkcs11-tool");
    tool.envs(quirks.inner().env())
        .arg("--module")
        .arg(quirks.inner().module());
    tool.args(["--token-label", "gateway", "--login", "--pin", PIN]);
    tool.args([
        "--keypairgen",
        "--key-type",
        "rsa:1024",
        "--label",
        "small",
        "--id",
        "05",
    ]);
    command::run(&mut tool, "opensc").unwrap();
    world.gateway.configure(";object=device;id=0A1B", ";object=small");
    ends(
        &mut world,
        CONFIGURATION,
        &["RSA with 1024 bits", "2048 or more"],
        &["rsa:1024"],
    );
    // Its private key object contains the modulus as well.
    quirks.set(&["hide-public"]).unwrap();
    ends(
        &mut world,
        CONFIGURATION,
        &["RSA with 1024 bits"],
        &["rsa:1024 without a public key object"],
    );
}

/// A faulty signature may reveal an RSA key, so each one is verified before it is used, not only the first.
#[test]
fn promise_1_a_wrong_signature_is_never_used() {
    let (quirks, mut world) = world();
    world.gateway.start();
    world.gateway.wait_for_csr();
    quirks.set(&["signs-wrongly"]).unwrap();
    world.certify();
    world
        .gateway
        .wait_for_log("signing failed: the module's signature does not verify with the public key");
    assert_eq!(connects(&world.cloud, 0), 0);
    quirks.set(&[]).unwrap();
    world.gateway.stop();
}

#[test]
fn missing_parts_are_reported_and_waited_for() {
    let (quirks, mut world) = world();
    quirks.inner().generate(KeyKind::EcP256, "device", "01").unwrap();
    let cases: [(&[&str], &[&str]); 3] = [
        (&["clear-flags 400"], &["is not initialised", "no initialised token"]),
        (
            &["bad-slot e1", "clear-flags 400"],
            &["slot 4242 answers TokenNotRecognized"],
        ),
        (
            &["hide-public"],
            &["the private key \"device\" id %01 has no public key"],
        ),
    ];
    for (words, said) in cases {
        quirks.set(words).unwrap();
        world.gateway.start();
        for word in said {
            world.gateway.wait_for_words("token.problem.message", word);
        }
        assert_eq!(world.gateway.status()["token"]["phase"], "waiting", "{words:?}");
        world.gateway.stop();
    }

    // The installed certificate contains the public key as well, and a signature proves that it is the right one.
    quirks.set(&[]).unwrap();
    world.gateway.start();
    let csr = world.gateway.wait_for_csr();
    let pem = world.ca.sign_v1(&csr).unwrap();
    world.gateway.stop();
    quirks.set(&["hide-public"]).unwrap();
    world.gateway.start();
    world
        .gateway
        .install(&world.ca.for_another_key("/C=IN/O=Example/CN=gw-1").unwrap());
    world
        .gateway
        .wait_for_words("token.problem.message", "device.pem is for another key");
    world.gateway.install(&pem);
    world.gateway.wait_online();
    world.gateway.stop();
}

#[test]
fn promise_1_of_two_pairs_with_one_id_the_right_public_key_is_taken() {
    let (quirks, mut world) = world();
    let own = quirks.inner();
    own.generate(KeyKind::EcP256, "other", "01").unwrap();
    let other = own.public_key("01").unwrap();
    own.generate(KeyKind::EcP256, "device", "01").unwrap();
    let key = signs(&mut world, &["same id"]);
    assert_ne!(key, other);
    world.gateway.configure(";object=device", ";object=other");
    assert_eq!(signs(&mut world, &["same id, the other one"]), other);
    world.gateway.configure(";object=other", ";id=%01");
    world.gateway.configure("[token]\n", "[token]\ngenerate = \"never\"\n");
    // With a last good configuration the next start would use that.
    let _ = fs::remove_file(world.gateway.state("last-good.json"));
    let words = ["\"other\" id %01", "\"device\" id %01", "by its label"];
    ends(&mut world, CONFIGURATION, &words, &["by the id alone"]);
}

#[test]
fn generating_a_key_beside_others_is_a_warning() {
    let (quirks, mut world) = world();
    quirks.inner().generate(KeyKind::EcP256, "gateway-key", "01").unwrap();
    world.gateway.start();
    world.gateway.wait_for_csr();
    let status = world.gateway.status();
    let warning = status["token"]["warning"].as_str().unwrap_or_default().to_owned();
    assert!(
        warning.contains("the token has \"gateway-key\" id %01 already"),
        "{status:#}"
    );
    assert!(
        world.gateway.log().contains(&format!("warn: token: {warning}")),
        "{}",
        world.gateway.log()
    );
    world.gateway.stop();
}

#[test]
fn promise_8_a_token_that_fails_during_use_recovers_when_the_module_is_reloaded() {
    let (quirks, mut world) = world();
    // One signature proves the key, one is for the request; then the module has lost its state.
    quirks.set(&["break-after 2 30"]).unwrap();
    world.gateway.start();
    world.certify();
    world.gateway.wait_for_log("reopens the token");
    let loaded = || quirks.calls("C_Initialize").unwrap();
    wait::until(SOON, "the module to be loaded again", || loaded() >= 2).unwrap();
    quirks.set(&[]).unwrap();
    world.gateway.wait_online();
    world.gateway.stop();
}
