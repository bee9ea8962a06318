//! Just-in-time provisioning runs again for each renewed certificate: what becomes of the thing is what OverrideSettings say.

use cloudlet::{Cloudlet, Event, JitpStep, Template};
use rig::token::SoftHsm;
use serde_json::{Value, json};

use crate::support::{PIN, SOON, THING, World, options};

/// A template that gives the thing an attribute, a type and a group, with these settings for what exists already.
fn template(cloud: &Cloudlet, settings: Value) -> Template {
    let mut body: Value = serde_json::from_str(cloud.article_template().body()).unwrap();
    let thing = &mut body["Resources"]["thing"];
    thing["Properties"]["AttributePayload"] = json!({ "batch": "1" });
    thing["Properties"]["ThingTypeName"] = json!("gateway");
    thing["Properties"]["ThingGroups"] = json!(["fleet"]);
    thing["OverrideSettings"] = settings;
    let made = cloud.account().change(|account| {
        for name in ["gateway", "repaired"] {
            account.registry.create_thing_type(name, None)?;
        }
        for name in ["fleet", "pilot"] {
            account.registry.create_thing_group(name, None)?;
        }
        Ok(())
    });
    made.unwrap();
    Template::parse(&body.to_string()).unwrap()
}

/// The settings of the templates in config/aws.
fn shipped() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/config/aws/provisioning-template.json");
    let template: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    template["Resources"]["thing"]["OverrideSettings"].clone()
}

/// An operator's changes to the thing: its attribute, its type, its groups.
fn change_thing(world: &World) {
    let changed = world.cloud.account().change(|account| {
        let mut thing = account.registry.existing_thing(THING)?.clone();
        thing.attributes = [("batch", "7"), ("site", "north")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
        thing.thing_type = Some("repaired".to_owned());
        thing.groups = ["pilot".to_owned()].into();
        account.registry.put_thing(thing)
    });
    changed.unwrap();
}

/// The thing's attributes, type and groups as text.
fn thing(world: &World) -> String {
    let thing = world
        .cloud
        .account()
        .read(|account| account.registry.thing(THING).cloned())
        .unwrap();
    format!(
        "{:?} {:?} {:?}",
        thing.attributes,
        thing.thing_type.unwrap(),
        thing.groups
    )
    .replace('"', "")
}

#[test]
fn a_renewed_certificate_does_to_the_thing_what_override_settings_say() {
    type Row<'a> = (fn(&Cloudlet) -> Template, Option<&'a str>);
    // The template that gatepost ships, and one with which provisioning fails.
    let rows: [Row; 2] = [
        (
            |cloud| template(cloud, shipped()),
            Some("{batch: 1, site: north} repaired {pilot}"),
        ),
        (
            |cloud| {
                let all = json!({ "AttributePayload": "FAIL", "ThingTypeName": "FAIL", "ThingGroups": "FAIL" });
                template(cloud, all)
            },
            None,
        ),
    ];
    // Both wait for just-in-time provisioning.
    std::thread::scope(|scope| {
        for (template, expected) in rows {
            scope.spawn(move || renew(template, expected));
        }
    });
}

/// Renews the certificate of a thing that an operator has changed. `expected` is the thing afterwards; `None` if provisioning fails.
fn renew(template: fn(&Cloudlet) -> Template, expected: Option<&str>) {
    let token = Box::new(SoftHsm::new("gateway", PIN).unwrap());
    let mut world = World::with_template(token, options(), template);
    world.bring_online();
    let first = world.certificate_id();
    assert_eq!(thing(&world), "{batch: 1} gateway {fleet}");
    change_thing(&world);
    let before = thing(&world);
    world
        .gateway
        .install(&world.ca.sign_v3(&world.gateway.state("device.csr")).unwrap());
    let gateway = &world.gateway;
    match expected {
        Some(expected) => {
            gateway.wait_for("session.certificate_id", |id| *id != first.to_string());
            gateway.wait_online();
            assert_eq!(thing(&world), expected);
            let renewed = world.certificate_id();
            let policies = |id| world.cloud.certificate(id).unwrap().policies;
            assert_eq!(policies(&renewed), policies(&first));
            assert!(world.cloud.certificate(&renewed).unwrap().things.contains(THING));
        }
        None => {
            let failed = |event: &Event| matches!(event, Event::Jitp { step: JitpStep::Failed { reason }, .. } if reason.contains("say FAIL"));
            world.cloud.wait_for(SOON, failed).unwrap();
            gateway.wait_for_words("provisioning.problem.message", "meanwhile certificate");
            assert_eq!(gateway.status()["session"]["certificate_id"], first.as_str());
            assert_eq!(gateway.credentials().status, 200);
            assert_eq!(thing(&world), before);
        }
    }
    assert!(
        world.cloud.certificate(&first).is_some(),
        "AWS keeps the old certificate"
    );
    world.gateway.stop();
}
