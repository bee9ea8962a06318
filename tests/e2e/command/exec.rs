//! `gatepost exec`: the program has the keys in its environment alone, and everything else about it is its own.

use std::os::unix::fs::PermissionsExt;

use crate::support::World;

use super::{client, contains_all, run};

#[test]
fn a_program_has_the_keys_in_its_environment_and_its_own_exit_code() {
    let mut world = World::new();
    world.bring_online();
    let set = world.gateway.credentials().json().unwrap();
    let key = set["AccessKeyId"].as_str().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str, text: &str, mode: u32| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path.display().to_string()
    };
    let closed = at("closed", "#!/bin/sh\n", 0o644);
    let without_interpreter = at("script", "#!/nowhere/sh\n", 0o755);
    let nowhere = folder.path().join("nowhere").display().to_string();
    for (words, code, printed, said) in [
        (
            &["--", "sh", "-c", "printf %s $AWS_ACCESS_KEY_ID"][..],
            0,
            key,
            "it gets no new ones",
        ),
        (
            &["--quiet", "--", "sh", "-c", "printf %s \"${AWS_PROFILE-none}\""],
            0,
            "none",
            "",
        ),
        (
            &[
                "--",
                "sh",
                "-c",
                "tr '\\0' ' ' </proc/$$/cmdline | grep -c \"$AWS_SECRET_ACCESS_KEY\"",
            ],
            1,
            "0\n",
            "",
        ),
        (&["--", "sh", "-c", "exit 7"], 7, "", ""),
        (
            &["--", "no-such-program"],
            127,
            "",
            "there is no program no-such-program",
        ),
        (&["--", &nowhere], 127, "", "there is no program"),
        (
            &["--", &without_interpreter],
            127,
            "",
            "or the interpreter in its first line is missing",
        ),
        (&["--", &closed], 126, "", "cannot be executed: permission denied"),
        (&["--"], 64, "", "is missing"),
        (&["--at-least", "999999", "--", "true"], 75, "", "999999 s are needed"),
        (
            &["--at-least", "soon", "--", "true"],
            64,
            "",
            "--at-least takes a number of seconds",
        ),
    ] {
        let arguments = [&["exec", "telemetry"], words].concat();
        let mut command = client(&world.gateway, &arguments);
        let (status, out, reason) = run(command.env("AWS_PROFILE", "other"));
        assert_eq!((status, out.as_str()), (code, printed), "{words:?}: {reason}");
        contains_all(&reason, &[said]);
        assert!(!reason.contains(key), "{words:?}: {reason}");
    }
}
