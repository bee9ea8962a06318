//! Provisioning templates: all their features, and what happens to templates that cannot be applied.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

mod common;

use cloudlet::account::{CertificateMode, NewCa, RegistrationConfig};
use cloudlet::{CertificateStatus, Cloudlet, Event, JitpStep, Options, Role, Template};
use common::{PATIENCE, publish};
use serde_json::json;

/// Returns a template with these resources and the certificate. It declares all parameters that JITP knows.
fn template(resources: &[(&str, serde_json::Value)]) -> Template {
    let names = [
        "Country",
        "Organization",
        "OrganizationalUnit",
        "DistinguishedNameQualifier",
        "StateName",
        "CommonName",
        "SerialNumber",
        "Id",
    ];
    let parameters: serde_json::Map<_, _> = names
        .into_iter()
        .map(|name| (format!("AWS::IoT::Certificate::{name}"), json!({ "Type": "String" })))
        .collect();
    let certificate = json!({ "Type": "AWS::IoT::Certificate", "Properties": {
        "CertificateId": { "Ref": "AWS::IoT::Certificate::Id" }, "Status": "ACTIVE",
    }});
    let mut all = serde_json::Map::from_iter([("certificate".to_owned(), certificate)]);
    all.extend(
        resources
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone())),
    );
    Template::parse(&json!({ "Parameters": parameters, "Resources": all }).to_string()).unwrap()
}

fn thing(properties: serde_json::Value) -> (&'static str, serde_json::Value) {
    ("thing", json!({ "Type": "AWS::IoT::Thing", "Properties": properties }))
}

fn by(parameter: &str) -> serde_json::Value {
    json!({ "Ref": format!("AWS::IoT::Certificate::{parameter}") })
}

const WHOLE_SUBJECT: &str = "/C=IN/O=Example/OU=Gateways/dnQualifier=q/ST=MH/CN=gw-8/serialNumber=42";

/// developer guide, jit-provisioning: the eight parameters, and all properties of a thing.
#[test]
fn a_template_knows_all_eight_parameters() {
    let cloud = Cloudlet::start(Options::quick()).unwrap();
    let fleet = common::Fleet::new();
    let made = cloud.account().change(|account| {
        account.registry.create_thing_type("gateway", None)?;
        account.registry.create_thing_group("pune", None)?;
        account.policies.create(cloudlet::Policy::new(
            "shared",
            cloudlet::Policy::seed_strict().document(),
        )?)
    });
    made.unwrap();
    let template = template(&[
        thing(json!({
            "ThingName": by("CommonName"),
            "ThingTypeName": "gateway",
            "ThingGroups": ["pune"],
            "BillingGroup": "site",
            "AttributePayload": {
                "country": by("Country"), "organization": by("Organization"), "unit": by("OrganizationalUnit"),
                "qualifier": by("DistinguishedNameQualifier"), "state": by("StateName"), "serial": by("SerialNumber"),
                "certificate": by("Id"), "fixed": "v1",
            },
        })),
        (
            "policy",
            json!({ "Type": "AWS::IoT::Policy", "Properties": { "PolicyName": "shared" } }),
        ),
    ]);
    cloud.register_ca(&fleet.ca_pem(), template).unwrap();
    let device = fleet.device_v3("gw-8", WHOLE_SUBJECT, "ec -pkeyopt ec_paramgen_curve:P-256");
    common::provision(&cloud, &device);
    let thing = cloud.things().remove(0);
    let id = device.id().to_string();
    let wanted = [
        ("certificate", id.as_str()),
        ("country", "IN"),
        ("fixed", "v1"),
        ("organization", "Example"),
        ("qualifier", "q"),
        ("serial", "42"),
        ("state", "MH"),
        ("unit", "Gateways"),
    ];
    let found: Vec<(&str, &str)> = thing
        .attributes
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    assert_eq!(found, wanted);
    assert_eq!(thing.thing_type.as_deref(), Some("gateway"));
    assert!(thing.groups.contains("pune") && thing.billing_group.as_deref() == Some("site"));
}

/// If provisioning fails, the certificate stays PENDING_ACTIVATION and nothing is created; only the operator learns the reason.
#[test]
fn a_fault_of_the_template_or_its_role_leaves_the_certificate_pending() {
    let arn = "arn:aws:iam::123456789012:role/JITPRole";
    let named = |properties| template(&[thing(properties)]);
    let simple = || named(json!({ "ThingName": by("CommonName") }));
    let policy = |name: &str| {
        (
            "policy",
            json!({ "Type": "AWS::IoT::Policy", "Properties": { "PolicyName": name } }),
        )
    };
    let untrusting = Role::trusted_by("lambda.amazonaws.com", arn);
    let powerless = Role::trusted_by("iot.amazonaws.com", arn);
    let with_role = |role: Option<Role>| (Some(arn), role);
    for (template, (role_arn, role), subject, reason) in [
        (
            named(json!({ "ThingName": "a b" })),
            (None, None),
            WHOLE_SUBJECT,
            "does not match",
        ),
        (
            named(json!({ "ThingName": "a", "ThingTypeName": "none" })),
            (None, None),
            WHOLE_SUBJECT,
            "Thing type none does not exist",
        ),
        (
            named(json!({ "ThingName": "a", "ThingGroups": ["none"] })),
            (None, None),
            WHOLE_SUBJECT,
            "Thing group none does not exist",
        ),
        (
            template(&[thing(json!({ "ThingName": "a" })), policy("none")]),
            (None, None),
            WHOLE_SUBJECT,
            "Policy not found",
        ),
        (
            named(json!({ "ThingName": "a", "AttributePayload": { "a": "1", "b": "2", "c": "3", "d": "4" } })),
            (None, None),
            WHOLE_SUBJECT,
            "at most 3 attributes",
        ),
        (simple(), (None, None), "/CN=gw-8", "no value for parameter"),
        (simple(), with_role(None), WHOLE_SUBJECT, "does not exist"),
        (
            simple(),
            with_role(Some(untrusting)),
            WHOLE_SUBJECT,
            "does not trust iot.amazonaws.com",
        ),
        (
            simple(),
            with_role(Some(powerless)),
            WHOLE_SUBJECT,
            "AWSIoTThingsRegistration",
        ),
    ] {
        let cloud = Cloudlet::start(Options::quick()).unwrap();
        let fleet = common::Fleet::new();
        let registered = cloud.account().change(|account| {
            if let Some(role) = role {
                account.roles.put(role);
            }
            account.register_ca(NewCa {
                pem: &fleet.ca_pem(),
                verification: None,
                mode: CertificateMode::SniOnly,
                active: true,
                auto_registration: true,
                registration_config: Some(RegistrationConfig::Body {
                    template,
                    role_arn: role_arn.map(str::to_owned),
                }),
            })
        });
        registered.unwrap();
        let device = fleet.device_v3("gw-8", subject, "ec -pkeyopt ec_paramgen_curve:P-256");
        publish(&cloud, &device, "mqttv5", "a/b");
        let failed = |event: &Event| matches!(event, Event::Jitp { step: JitpStep::Failed { reason: why }, .. } if why.contains(reason));
        cloud
            .wait_for(PATIENCE, failed)
            .unwrap_or_else(|error| panic!("{reason}: {error}: {:#?}", cloud.events()));
        let status = cloud.certificate(&device.id()).unwrap().status;
        assert_eq!(status, CertificateStatus::PendingActivation, "{reason}");
        assert!(cloud.things().is_empty(), "{reason}");
    }
}

/// developer guide, provision-template: an invalid template is refused when it is created.
#[test]
fn invalid_templates_are_refused() {
    let with =
        |resources: &str| format!("{{\"Parameters\":{{\"P\":{{\"Type\":\"String\"}}}},\"Resources\":{{{resources}}}}}");
    let certificate = r#""c":{"Type":"AWS::IoT::Certificate","Properties":{"CertificateId":{"Ref":"P"}}}"#;
    for (resources, reason) in [
        (String::new(), "exactly one AWS::IoT::Certificate"),
        (
            format!("{certificate},{}", certificate.replace("\"c\"", "\"d\"")),
            "exactly one",
        ),
        (certificate.replace("\"P\"", "\"Q\""), "does not declare"),
        (
            certificate.replace("CertificateId", "CertificateNumber"),
            "CertificateNumber",
        ),
        (
            format!(
                r#"{certificate},"p":{{"Type":"AWS::IoT::Policy","Properties":{{"PolicyName":"a","PolicyDocument":"b"}}}}"#
            ),
            "either PolicyName or PolicyDocument",
        ),
        (
            format!(r#"{certificate},"x":{{"Type":"AWS::S3::Bucket","Properties":{{}}}}"#),
            "AWS::S3::Bucket",
        ),
        (
            format!(
                r#"{certificate},"t":{{"Type":"AWS::IoT::Thing","Properties":{{"ThingName":"a"}},"OverrideSettings":{{"AttributePayload":"MAYBE"}}}}"#
            ),
            "MAYBE",
        ),
    ] {
        let error = Template::parse(&with(&resources)).unwrap_err().to_string();
        assert!(error.contains(reason), "{resources}: {error}");
    }
    assert!(Template::parse(&" ".repeat(10_241)).is_err());
}
