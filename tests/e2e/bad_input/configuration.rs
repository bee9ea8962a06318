//! Configuration files with mistakes in them.

use std::fs;

use super::{CONFIGURATION, check_config, check_says_the_same, ends};
use crate::support::World;

#[test]
fn a_fault_in_a_file_is_reported_with_its_position() {
    let mut world = World::new();
    let good = world.gateway.config.clone();
    let mqtt = world.cloud.mqtt_endpoint();
    let file = world.gateway.write_config().display().to_string();
    let line_of = |text: &str, words: &str| 1 + text.lines().position(|line| line.starts_with(words)).unwrap();

    // The unit tests of src/config have each fault. Here the daemon and the check say the same about a line and about a value.
    world.gateway.config = good.replace("[token]", "[token]\npin = \"x\"");
    let place = format!(
        "{file}:{}:1: unknown field `pin`",
        line_of(&world.gateway.config, "pin = ")
    );
    let said = ends(&mut world.gateway, CONFIGURATION, &[&place, "expected"]);
    check_says_the_same(&world.gateway, &said);
    world.gateway.config = good.replace(&mqtt, "127.0.0.1:8883");
    let finding = format!("{file}: aws.mqtt-endpoint: \"127.0.0.1:8883\" is an address");
    let said = ends(&mut world.gateway, CONFIGURATION, &[&finding]);
    check_says_the_same(&world.gateway, &said);
    // A fault in a drop-in is reported for the drop-in, not for the main file.
    let drop_in = world.gateway.folder.path().join("conf.d/20-mine.toml");
    fs::create_dir(drop_in.parent().unwrap()).unwrap();
    fs::write(&drop_in, "[aws]\ncredentials-endpoint = \"::1\"\n").unwrap();
    world.gateway.config = good;
    let finding = format!("{}: aws.credentials-endpoint: ", drop_in.display());
    let said = ends(&mut world.gateway, CONFIGURATION, &[&finding]);
    check_says_the_same(&world.gateway, &said);

    fs::remove_file(drop_in).unwrap();
    let check = check_config(&world.gateway);
    assert!(
        check.status.success() && String::from_utf8_lossy(&check.stdout).contains(": good"),
        "{check:?}"
    );
    world.gateway.start();
    world.gateway.wait_for_csr();
    world.gateway.stop();
}

#[test]
fn an_account_that_does_not_exist_yet_is_a_warning_and_does_not_refuse_a_reload() {
    let mut world = World::new();
    world.gateway.config += r#"
[[access]]
user = "no-such-user"
role-aliases = ["telemetry"]

[[access]]
group = "no-such-group"
role-aliases = ["telemetry"]

[[credentials-file]]
role-alias = "telemetry"
owner = "no-such-user"
format = "aws"

[[credentials-file]]
role-alias = "telemetry"
group = "no-such-group"
format = "aws"
"#;
    world.gateway.write_config();
    let check = check_config(&world.gateway);
    let warnings = String::from_utf8_lossy(&check.stderr).into_owned();
    assert_eq!(check.status.code(), Some(0), "{warnings}");
    assert!(
        String::from_utf8_lossy(&check.stdout).contains(": can be used, with 4 warnings"),
        "{check:?}"
    );
    for (place, account) in [
        ("access[1] of ", "no-such-user"),
        ("access[2] of ", "no-such-group"),
        ("credentials-file[0] of ", "no-such-user"),
        ("credentials-file[1] of ", "no-such-group"),
    ] {
        let is_said = |line: &str| line.contains(place) && line.contains(account) && line.contains("next: create ");
        assert!(warnings.lines().any(is_said), "{place}: {warnings}");
    }
}

#[test]
fn a_missing_configuration_is_reported() {
    let mut world = World::new();
    let missing = world.gateway.folder.path().join("none.toml");
    for check in [false, true] {
        let mut command = world.gateway.command_without_configuration();
        command.arg("--config").arg(&missing);
        if check {
            command.arg("--check-config");
        }
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(CONFIGURATION), "{said}");
        let cause = format!("{}: cannot be read: No such file", missing.display());
        assert!(said.contains(&cause) && said.contains("next: "), "{said}");
    }
    // The folder in which a certificate is to appear cannot be watched before it exists.
    let folder = world.gateway.folder.path().join("pki");
    let line = format!("[identity]\ncertificate = \"{}/device.pem\"\n", folder.display());
    world.gateway.configure("[identity]\n", &line);
    let words = [
        "pki/device.pem cannot be watched",
        "make the folders of identity.certificate",
    ];
    ends(&mut world.gateway, CONFIGURATION, &words);
    fs::create_dir(folder).unwrap();
    world.gateway.start();
    world.gateway.wait_for_csr();
    world.gateway.stop();
}
