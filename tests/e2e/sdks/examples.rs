//! The programs in examples/, copied like a user would.

use cloudlet::Event;

use super::page::answer_for_aws;
use super::{Machine, REPOSITORY, rust_program};
use crate::support::SOON;

#[test]
fn every_example_uploads_a_reading_and_announces_it() {
    let machine = Machine::with(3600, |gateway| {
        gateway.configure(
            "role-aliases = [\"*\"]",
            "role-aliases = [\"telemetry\"]\npublish = [\"{thing}/camera/#\"]",
        );
    });
    machine.install_javascript();
    machine.set_up_profile();
    let _front = answer_for_aws(&machine);
    let examples = format!("{REPOSITORY}/examples");
    // Node searches for the SDK beside the program.
    let copy = format!("cp {examples}/node/reading.mjs .");
    let rust = rust_program("example");
    for (name, command) in [
        ("python", format!("python3 {examples}/python/reading.py example-bucket")),
        ("node", format!("{copy}; node reading.mjs example-bucket")),
        ("shell", format!("sh {examples}/shell/reading.sh example-bucket")),
        ("rust", format!("{} example-bucket", rust.display())),
    ] {
        let (calls, seen) = (
            machine.calls("example-bucket").len(),
            machine.world.cloud.events().len(),
        );
        machine.step(&command);
        let calls = machine.calls("example-bucket").split_off(calls);
        assert!(
            matches!(calls.as_slice(), [("PutObject", key, _)] if key == "reading.json"),
            "{name}: {calls:?}"
        );
        let announced = || {
            let events = machine.world.cloud.events().split_off(seen);
            events
                .iter()
                .any(|event| matches!(event, Event::Published { topic, .. } if topic == "gw-1/camera/state"))
        };
        rig::wait::until(SOON, &format!("the message of the example in {name}"), announced).unwrap();
    }
    assert_eq!(machine.refusals(), []);
    // Without its argument each prints its usage.
    for (name, command) in [
        ("python", format!("python3 {examples}/python/reading.py")),
        ("node", "node reading.mjs".to_owned()),
        ("shell", format!("sh {examples}/shell/reading.sh")),
        ("rust", rust.display().to_string()),
    ] {
        let output = machine.bash(&command).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains("usage: "), "{name}: {said}");
    }
}
