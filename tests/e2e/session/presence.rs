//! The presence topic, as another client with its own certificate sees it.

use crate::dashboard::Dashboard;
use crate::registry::bring_online_registered;
use crate::support::{SOON, World};

#[test]
fn presence_is_published_and_withdrawn_by_a_message_or_the_will() {
    let mut world = World::new();
    // Otherwise health reports would come in between.
    world.gateway.config.push_str("[mqtt]\nreport-interval = \"off\"\n");
    let dashboard = Dashboard::start(&world);
    let states = || -> Vec<String> {
        let all = dashboard.presence().into_iter();
        all.map(|report| report["state"].as_str().unwrap().to_owned()).collect()
    };
    let mut expected = Vec::new();
    let mut expect = |state: &'static str| {
        expected.push(state);
        rig::wait::until(SOON, state, || states().len() >= expected.len()).unwrap();
        assert_eq!(states(), expected, "the will is not published after a farewell");
    };
    bring_online_registered(&mut world);
    expect("online");
    world.gateway.stop();
    expect("offline");
    world.gateway.start();
    expect("online");
    world.gateway.kill();
    expect("offline");
    world.gateway.start();
    expect("online");
}
