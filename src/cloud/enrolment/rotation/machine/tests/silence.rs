use super::*;

#[tokio::test(start_paused = true)]
async fn an_answer_that_never_comes_is_asked_for_again_and_then_given_up() {
    for (step, tries, expected) in [
        ("starting", 3, "failed,$next/get"),
        ("requesting", 2, "j/get"),
        ("committing", 3, "restore pem-old"),
        ("succeeding", 3, "succeeded,$next/get"),
    ] {
        let mut rig = Rig::until(step);
        for _ in 1..tries {
            assert_eq!(rig.time_up(), ["j/get"], "{step}");
            rig.receive(described("IN_PROGRESS"));
        }
        assert_eq!(rig.time_up().join(","), expected, "{step}");
    }
    // Without a connection the machine waits for nothing but the proof.
    for (step, waits) in [
        ("starting", false),
        ("requesting", false),
        ("proving", true),
        ("committing", false),
    ] {
        let mut rig = Rig::until(step);
        rig.machine.disconnected();
        assert_eq!(rig.machine.deadline().is_some(), waits, "{step}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_that_was_not_sent_counts_as_no_try() {
    let mut rig = Rig::until("starting");
    for _ in 0..10 {
        rig.machine.not_sent(Instant::now());
        assert_eq!(rig.time_up(), ["j/get"]);
    }
    assert_eq!(rig.step(), "starting");
}

#[tokio::test(start_paused = true)]
async fn a_record_of_another_thing_or_a_damaged_one_is_dropped() {
    let mut rig = Rig::until("requesting");
    rig.machine.connected("gw-2", OLD);
    assert_eq!(rig.step(), "none");
    assert!(rig.restart().is_empty() && rig.step() == "none");
    std::fs::write(rig.folder.path().join("rotation.json"), "{").unwrap();
    assert!(rig.restart().is_empty() && rig.step() == "none");
}
