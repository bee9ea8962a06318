//! A thing whose name is not its certificate's common name: the template builds the name from the serial number.

use cloudlet::{Cloudlet, Event, Template};
use rig::token::SoftHsm;
use serde_json::{Value, json};

use crate::bad_input::check_config;
use crate::support::{PIN, SOON, World, options};

const NAME: &str = "SN-4711";

/// Returns the re:Post article's template with another thing name.
fn template(cloud: &Cloudlet, thing_name: Value) -> Template {
    let mut body: Value = serde_json::from_str(cloud.article_template().body()).unwrap();
    body["Parameters"]["AWS::IoT::Certificate::SerialNumber"] = json!({ "Type": "String" });
    body["Resources"]["thing"]["Properties"]["ThingName"] = thing_name;
    Template::parse(&body.to_string()).unwrap()
}

/// Returns a template that uses the serial number alone.
fn by_reference(cloud: &Cloudlet) -> Template {
    template(cloud, json!({ "Ref": "AWS::IoT::Certificate::SerialNumber" }))
}

/// Returns a template that builds the name from parts of the subject.
fn by_functions(cloud: &Cloudlet) -> Template {
    let serial = json!({ "Fn::Select": [1, { "Fn::Split": ["-", { "Ref": "AWS::IoT::Certificate::SerialNumber" }] }] });
    template(cloud, json!({ "Fn::Join": ["-", ["SN", serial]] }))
}

#[test]
fn promise_2_a_thing_may_have_another_name_than_its_certificate() {
    let templates: [fn(&Cloudlet) -> Template; 2] = [by_reference, by_functions];
    for template in templates {
        goes_online_as_the_thing(template);
    }
}

fn goes_online_as_the_thing(template: fn(&Cloudlet) -> Template) {
    let token = Box::new(SoftHsm::new("gateway", PIN).unwrap());
    let mut world = World::with_template(token, options(), template);
    world.gateway.configure(
        "subject = { common-name = \"gw-1\", country = \"IN\", organization = \"Example\" }",
        &format!(
            "thing-name = \"{NAME}\"\nsubject = {{ common-name = \"Gateway no. 1\", country = \"IN\", serial-number = \"{NAME}\" }}"
        ),
    );
    let checked = check_config(&world.gateway);
    let said = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert!(said.contains(&format!("thing name   {NAME}\n")), "{said}{checked:?}");

    world.bring_online();
    let status = world.gateway.status();
    assert_eq!(status["identity"]["thing_name"], NAME);
    assert_eq!(
        status["identity"]["subject"],
        format!("C=IN, serialNumber={NAME}, CN=Gateway no. 1")
    );
    assert_eq!(status["session"]["client_id"], NAME);
    // The provider gives credentials to a certificate for its own thing only, so the right name was used.
    assert_eq!(world.gateway.credentials().status, 200);
    let announced =
        |event: &Event| matches!(event, Event::Published { topic, .. } if *topic == format!("{NAME}/gatepost/status"));
    world.cloud.wait_for(SOON, announced).unwrap();

    // The name is known before the token is available, and after a restart.
    world.gateway.stop();
    world.gateway.start();
    world.gateway.wait_online();
    assert_eq!(world.gateway.status()["session"]["client_id"], NAME);
    world.gateway.stop();
}
