//! What gatepost-tpm-setup has gatepostd do: list tokens, make one, and prove its PIN.

use std::io::Write as _;
use std::process::{Command, Stdio};

use rig::token::{SoftHsm, Token, Tpm};

use crate::world::PIN;

/// Exit code, output and errors of one preparation, with the PIN on standard input.
fn prepare(token: &dyn Token, action: &str, label: &str, pin: &str) -> (Option<i32>, String, String) {
    let mut gatepostd = Command::new(env!("CARGO_BIN_EXE_gatepostd"));
    gatepostd.envs(token.env()).env_remove("JOURNAL_STREAM");
    gatepostd.args(["--prepare-token", action, "--token", label, "--module"]);
    gatepostd.arg(token.module()).stdin(Stdio::piped());
    let mut started = gatepostd.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Who lists does not read it.
    let _ = started.stdin.take().unwrap().write_all(pin.as_bytes());
    let ended = started.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap().trim().to_owned();
    let (said, errors) = (text(ended.stdout), text(ended.stderr));
    let told = pin.trim().len() > 1 && format!("{said}{errors}").contains(pin);
    assert!(!told, "the PIN is never said");
    (ended.status.code(), said, errors)
}

#[test]
fn a_token_is_listed_made_and_proved_by_gatepostd_alone() {
    let tokens: [Box<dyn Token>; 2] = [
        Box::new(SoftHsm::new("gateway", PIN).unwrap()),
        Box::new(Tpm::new(PIN).unwrap()),
    ];
    for token in tokens {
        let does = |action, label, pin| prepare(&*token, action, label, pin);
        assert_eq!(does("list", "", PIN).1, "gateway");
        assert_eq!(does("prove", "gateway", PIN).1, "good");
        assert_eq!(does("prove", "gateway", "not the PIN").1, "wrong-pin");
        let (code, _, errors) = does("prove", "other", PIN);
        assert_eq!(code, Some(69), "{errors}");
        assert!(errors.contains("there is no token other"), "{errors}");

        let other = "0123456789abcdef";
        let (code, _, errors) = does("make", "other", other);
        assert_eq!(code, Some(0), "{errors}");
        assert_eq!(does("prove", "other", other).1, "good");
        assert_eq!(does("prove", "gateway", PIN).1, "good");
        let labels = does("list", "", PIN).1;
        assert_eq!(labels.lines().count(), 2, "{labels}");
        let (code, _, errors) = does("make", "third", "\n");
        assert_eq!(code, Some(64), "{errors}");
    }
}

#[test]
fn a_key_that_is_in_the_token_signs_for_the_proof() {
    let token = SoftHsm::new("gateway", PIN).unwrap();
    token.generate(rig::token::KeyKind::EcP256, "device", "01").unwrap();
    assert_eq!(prepare(&token, "prove", "gateway", PIN).1, "good");
}
