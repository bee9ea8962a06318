//! `gatepostd --prepare-token`, which gatepost-tpm-setup calls: lists tokens, creates one, and verifies its PIN.

use std::io::Write as _;
use std::process::{Command, Stdio};

use rig::token::{Quirks, SoftHsm, Token, Tpm};

use crate::support::PIN;

/// Runs a preparation with the PIN on standard input; returns exit code, output and errors.
fn prepare(token: &dyn Token, action: &str, label: &str, pin: &str) -> (Option<i32>, String, String) {
    let mut gatepostd = Command::new(env!("CARGO_BIN_EXE_gatepostd"));
    gatepostd.envs(token.env()).env_remove("JOURNAL_STREAM");
    gatepostd.args(["--prepare-token", action, "--token", label, "--module"]);
    gatepostd.arg(token.module()).stdin(Stdio::piped());
    let mut started = gatepostd.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // `list` does not read it.
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
        assert_eq!(does("list", "gateway", PIN).1, "gateway");
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
        let labels = does("list", "gateway", PIN).1;
        assert_eq!(labels.lines().count(), 2, "{labels}");
        let (code, _, errors) = does("make", "third", "\n");
        assert_eq!(code, Some(64), "{errors}");
    }
}

#[test]
fn an_existing_key_signs_for_the_proof() {
    let token = SoftHsm::new("gateway", PIN).unwrap();
    token.generate(rig::token::KeyKind::EcP256, "device", "01").unwrap();
    assert_eq!(prepare(&token, "prove", "gateway", PIN).1, "good");
}

#[test]
fn promise_8_a_pin_is_tried_once_at_most_whatever_the_token_says() {
    let quirks = Quirks::new(SoftHsm::new("gateway", PIN).unwrap()).unwrap();
    let cases: [(&[&str], usize, &str); 14] = [
        (&[], 1, "good"),
        (&["login a0"], 1, "wrong-pin"),
        (&["login a1"], 1, "wrong-pin"),
        (&["login a2"], 1, "wrong-pin"),
        (&["login a4"], 1, "locked"),
        (&["login 102"], 1, "no-pin"),
        (&["login 5"], 1, "unexplained"),
        (&["login 6"], 1, "unexplained"),
        (&["login 30"], 1, "unexplained"),
        (&["login e0"], 1, "unexplained"),
        (&["login 80000001"], 1, "unexplained"),
        (&["flags 20000"], 0, "last-try"),
        (&["flags 40000"], 0, "locked"),
        (&["bad-slot e1"], 1, "good"),
    ];
    for (words, tries, said) in cases {
        quirks.set(words).unwrap();
        let (code, proof, errors) = prepare(&quirks, "prove", "gateway", PIN);
        assert_eq!((code, proof.as_str()), (Some(0), said), "{words:?}: {errors}");
        assert_eq!(errors.is_empty(), said == "good", "{words:?}: {errors}");
        assert_eq!(quirks.calls("C_Login user").unwrap(), tries, "{words:?}");
    }
    // A separate PIN pad takes the PIN.
    quirks.set(&[&format!("protected-path {PIN}")]).unwrap();
    assert_eq!(prepare(&quirks, "prove", "gateway", "another").1, "good");
    assert_eq!(quirks.calls("C_Login user without a PIN").unwrap(), 1);
}

#[test]
fn a_pin_file_with_other_content_is_refused_before_the_login() {
    let quirks = Quirks::new(SoftHsm::new("gateway", PIN).unwrap()).unwrap();
    for (pin, words) in [
        (format!("\u{feff}{PIN}"), "byte order mark"),
        (format!("{PIN} "), "has a blank"),
        (format!(" {PIN}"), "has a blank"),
        (format!("\n{PIN}"), "empty lines"),
        (format!("{PIN}\n\n"), "empty lines"),
        (format!("{PIN}\n5678"), "more than one line"),
        (format!("\"{PIN}\""), "in quotes"),
        (format!("PIN={PIN}"), "a name before the PIN"),
        (format!("pkcs11:token=gateway?pin-value={PIN}"), "pkcs11: URI"),
        ("5".repeat(300), "longer than any PIN"),
        (String::new(), "is empty"),
    ] {
        for action in ["prove", "make"] {
            quirks.set(&[]).unwrap();
            let (code, _, errors) = prepare(&quirks, action, "gateway", &pin);
            assert_eq!(code, Some(64), "{pin:?}: {errors}");
            assert!(errors.contains(words), "{pin:?}: {errors}");
            assert_eq!(quirks.calls("C_Login").unwrap(), 0, "{pin:?}");
        }
    }
}

#[test]
fn two_tokens_of_one_label_are_refused() {
    let token = SoftHsm::new("gateway", PIN).unwrap();
    let (code, _, errors) = prepare(&token, "make", "gateway", PIN);
    assert_eq!(code, Some(78), "{errors}");
    assert!(errors.contains("there is already a token gateway"), "{errors}");
    let mut tool = rig::command::command("softhsm2-util");
    tool.envs(token.env())
        .args(["--init-token", "--free", "--label", "gateway"]);
    tool.args(["--so-pin", PIN, "--pin", PIN]);
    rig::command::run(&mut tool, "softhsm2").unwrap();
    let (code, _, errors) = prepare(&token, "prove", "gateway", PIN);
    assert_eq!(code, Some(78), "{errors}");
    assert!(errors.contains("2 tokens have the label gateway"), "{errors}");
}
