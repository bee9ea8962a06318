//! The two documents that gatepost is based on, followed step by step with their own commands against the local cloud:
//!
//! - "How do I use JITP with AWS IoT Core?" (<https://repost.aws/knowledge-center/aws-iot-core-jitp-setup>)
//! - "Authorizing direct calls to AWS services using AWS IoT Core credential provider" (AWS IoT developer guide, authorizing-direct-aws)
//!
//! The shell variables `ENDPOINT`, `PORT`, `ACCOUNT` and so on replace what the documents tell readers to replace with their own values.
//! Answers to prompts come from standard input. The AWS CLI finds the local cloud by its environment only.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

#[allow(dead_code, unused_imports, reason = "a part of the support is enough here")]
#[path = "e2e/support/mod.rs"]
mod support;

use std::fs;
use std::time::Duration;

use cloudlet::{Cloudlet, Options};
use rig::shell::Shell;
use rig::token::{SoftHsm, Token};
use rig::wait;
use serde_json::Value;

use support::{Gateway, PIN, THING};

const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn both_articles_run_verbatim_and_then_gatepost_joins() {
    let cloud = Cloudlet::start(Options::quick()).unwrap();
    let mut shell = support::shell(&cloud);
    shell.set("ACCOUNT", shell.text("aws sts get-caller-identity", "/Account"));

    create_the_root_ca(&mut shell);
    register_the_ca(&shell);
    provision_by_the_first_connection(&mut shell, &cloud);
    get_credentials(&mut shell);
    gatepost_joins(&shell, &cloud);
}

/// "Create a self-signed root CA and verification certificate".
fn create_the_root_ca(shell: &mut Shell) {
    shell.step("openssl genrsa -out deviceRootCA.key 2048");
    shell.write(
        "deviceRootCA_openssl.conf",
        r"
[ req ]
distinguished_name       = req_distinguished_name
extensions               = v3_ca
req_extensions           = v3_ca

[ v3_ca ]
basicConstraints         = CA:TRUE

[ req_distinguished_name ]
countryName              = Country Name (2 letter code)
countryName_default      = IN
countryName_min          = 2
countryName_max          = 2
organizationName         = Organization Name (eg, company)
organizationName_default = AMZ
",
    );
    shell.answered(
        "openssl req -new -sha256 -key deviceRootCA.key -nodes -out deviceRootCA.csr -config deviceRootCA_openssl.conf",
        "\n\n",
    );
    shell.step(
        "openssl x509 -req -days 3650 -extfile deviceRootCA_openssl.conf -extensions v3_ca -in deviceRootCA.csr \
         -signkey deviceRootCA.key -out deviceRootCA.pem",
    );
    let code = shell.text("aws iot get-registration-code", "/registrationCode");
    shell.step("openssl genrsa -out verificationCert.key 2048");
    // Country, state, locality, organization, unit, common name, e-mail; challenge password, company.
    shell.answered(
        "openssl req -new -key verificationCert.key -out verificationCert.csr",
        &format!("IN\n.\n.\nAMZ\n.\n{code}\n.\n\n\n"),
    );
    shell.step(
        "openssl x509 -req -in verificationCert.csr -CA deviceRootCA.pem -CAkey deviceRootCA.key -CAcreateserial \
         -out verificationCert.crt -days 500 -sha256",
    );
}

/// "Create a JITP template", and the registration with it.
fn register_the_ca(shell: &Shell) {
    shell.write(
        "trust.json",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow",
            "Principal":{"Service":"iot.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#,
    );
    shell.step("aws iam create-role --role-name JITPRole --assume-role-policy-document file://trust.json");
    for policy in ["AWSIoTThingsRegistration", "AWSIoTLogging", "AWSIoTRuleActions"] {
        shell.step(&format!(
            "aws iam attach-role-policy --role-name JITPRole \
             --policy-arn arn:aws:iam::aws:policy/service-role/{policy}"
        ));
    }
    shell.write("jitp_template.body.json", &template_body());
    shell.step(
        r#"python3 -c 'import json, os; print(json.dumps({"templateBody": open("jitp_template.body.json").read(),
           "roleArn": "arn:aws:iam::" + os.environ["ACCOUNT"] + ":role/JITPRole"}))' > jitp_template.json"#,
    );
    let register = "aws iot register-ca-certificate --ca-certificate file://deviceRootCA.pem \
                    --set-as-active --allow-auto-registration --registration-config file://jitp_template.json";
    // A certificate signed by the CA without the registration code registers nothing.
    let refused = shell.failing(&format!("{register} --verification-cert file://deviceRootCA.pem"));
    assert!(refused.contains("RegistrationCodeValidationException"), "{refused}");
    assert_eq!(
        shell.json("aws iot list-ca-certificates")["certificates"],
        serde_json::json!([])
    );

    let id = shell.text(
        &format!("{register} --verification-cert file://verificationCert.crt"),
        "/certificateId",
    );
    let described = shell.json(&format!("aws iot describe-ca-certificate --certificate-id {id}"));
    assert_eq!(described["certificateDescription"]["status"], "ACTIVE");
    assert_eq!(described["certificateDescription"]["autoRegistrationStatus"], "ENABLE");
}

/// Returns the article's main template: the thing name is the common name, and the policy allows it its own client ID and topics.
fn template_body() -> String {
    let policy = r#"{"Version":"2012-10-17","Statement":[
        {"Effect":"Allow","Action":["iot:Connect"],
         "Resource":["arn:aws:iot:us-east-1:123456789012:client/${iot:Connection.Thing.ThingName}"]},
        {"Effect":"Allow","Action":["iot:Publish","iot:Receive"],
         "Resource":["arn:aws:iot:us-east-1:123456789012:topic/${iot:Connection.Thing.ThingName}/*"]},
        {"Effect":"Allow","Action":["iot:Subscribe"],
         "Resource":["arn:aws:iot:us-east-1:123456789012:topicfilter/${iot:Connection.Thing.ThingName}/*"]}]}"#;
    serde_json::json!({
        "Parameters": {
            "AWS::IoT::Certificate::CommonName": {"Type": "String"},
            "AWS::IoT::Certificate::Country": {"Type": "String"},
            "AWS::IoT::Certificate::Id": {"Type": "String"},
        },
        "Resources": {
            "thing": {"Type": "AWS::IoT::Thing", "Properties": {
                "ThingName": {"Ref": "AWS::IoT::Certificate::CommonName"},
                "AttributePayload": {"version": "v1", "country": {"Ref": "AWS::IoT::Certificate::Country"}},
            }},
            "certificate": {"Type": "AWS::IoT::Certificate", "Properties": {
                "CertificateId": {"Ref": "AWS::IoT::Certificate::Id"}, "Status": "ACTIVE",
            }},
            "policy": {"Type": "AWS::IoT::Policy", "Properties": {"PolicyDocument": policy}},
        },
    })
    .to_string()
}

/// "Create a device certificate and perform JITP".
fn provision_by_the_first_connection(shell: &mut Shell, cloud: &Cloudlet) {
    let root = cloud.root_ca_path().display().to_string();
    shell.step(&format!("cp '{root}' awsRootCA.pem"));
    shell.step("openssl genrsa -out deviceCert.key 2048");
    shell.answered(
        "openssl req -new -key deviceCert.key -out deviceCert.csr",
        "IN\n.\n.\nAMZ\n.\nDemoThing\n.\n\n\n",
    );
    shell.step(
        "openssl x509 -req -in deviceCert.csr -CA deviceRootCA.pem -CAkey deviceRootCA.key -CAcreateserial \
         -out deviceCert.crt -days 365 -sha256",
    );
    shell.step("cat deviceCert.crt deviceRootCA.pem > deviceCertAndCACert.crt");

    // The local cloud's endpoint has another port than 8883.
    let endpoint = shell.text(
        "aws iot describe-endpoint --endpoint-type iot:Data-ATS",
        "/endpointAddress",
    );
    let (host, port) = endpoint.split_once(':').unwrap();
    shell.set("ENDPOINT", host);
    shell.set("PORT", port);

    let publish = |chain: &str, topic: &str, client_id: &str| {
        format!(
            "mosquitto_pub --cafile awsRootCA.pem --cert {chain} --key deviceCert.key -h $ENDPOINT -p $PORT -q 1 \
             -t {topic} -i {client_id} --tls-version tlsv1.2 -m Hello -d"
        )
    };
    let first = shell.failing(&publish("deviceCertAndCACert.crt", "foo/bar", "anyclientID"));
    assert!(
        first.contains("sending CONNECT") && first.contains("Error: The connection was lost"),
        "{first}"
    );
    wait::until(PATIENCE, "the thing", || {
        shell
            .try_step("aws iot describe-thing --thing-name DemoThing", "")
            .success
    })
    .unwrap();

    let things = shell.json("aws iot list-things");
    assert_eq!(
        things.pointer("/things/0/thingName"),
        Some(&"DemoThing".into()),
        "{things}"
    );
    assert_eq!(
        things.pointer("/things/0/attributes"),
        Some(&serde_json::json!({"version": "v1", "country": "IN"})),
        "{things}"
    );
    let certificate = shell.text("aws iot list-thing-principals --thing-name DemoThing", "/principals/0");
    shell.set("CERTIFICATE_ARN", certificate);
    let id = "aws iot describe-certificate --certificate-id ${CERTIFICATE_ARN##*/}";
    assert_eq!(shell.text(id, "/certificateDescription/status"), "ACTIVE");
    let policies = shell.json("aws iot list-attached-policies --target $CERTIFICATE_ARN");
    assert_eq!(policies["policies"].as_array().map(Vec::len), Some(1), "{policies}");

    // Later connections need only the device's own certificate.
    let seen = cloud.events().len();
    shell.step(&publish("deviceCertAndCACert.crt", "DemoThing/test", "DemoThing"));
    shell.step(&publish("deviceCert.crt", "DemoThing/test", "DemoThing"));
    let delivered = cloud.events().split_off(seen);
    let delivered = delivered.iter().filter(
        |event| matches!(event, cloudlet::Event::Published { topic, length: 5, .. } if topic == "DemoThing/test"),
    );
    assert_eq!(delivered.count(), 2);
    for (topic, client_id) in [("OtherThing/test", "DemoThing"), ("DemoThing/test", "OtherThing")] {
        let refused = shell.failing(&publish("deviceCert.crt", topic, client_id));
        assert!(refused.contains("The connection was lost"), "{refused}");
    }
}

/// "How to use a certificate to get a security token".
fn get_credentials(shell: &mut Shell) {
    shell.write(
        "trustpolicyforiot.json",
        r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow",
            "Principal":{"Service":"credentials.iot.amazonaws.com"},"Action":"sts:AssumeRole"}}"#,
    );
    shell.write(
        "thingpolicy.json",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:AssumeRoleWithCertificate",
            "Resource":"arn:aws:iot:us-east-1:123456789012:rolealias/deviceRoleAlias"}]}"#,
    );
    let endpoint = shell.text(
        "aws iot describe-endpoint --endpoint-type iot:CredentialProvider",
        "/endpointAddress",
    );
    shell.set("PROVIDER", endpoint);
    let ask = |thing: &str| {
        format!(
            "curl -sS -w '\\n%{{http_code}}' --cert deviceCert.crt --key deviceCert.key \
             -H 'x-amzn-iot-thingname: {thing}' --cacert awsRootCA.pem \
             https://$PROVIDER/role-aliases/deviceRoleAlias/credentials"
        )
    };
    let refused = |thing: &str, status: &str, message: &str| {
        let answer = shell.step(&ask(thing));
        assert_eq!(answer, format!("{{\"message\":\"{message}\"}}\n{status}"), "{thing}");
    };

    let role = shell.text(
        "aws iam create-role --role-name s3-access-role --assume-role-policy-document file://trustpolicyforiot.json",
        "/Role/Arn",
    );
    shell.step(&format!(
        "aws iot create-role-alias --role-alias deviceRoleAlias --role-arn {role} --credential-duration-seconds 3600"
    ));
    refused("DemoThing", "403", "Access Denied");
    shell.step("aws iot create-policy --policy-name Thing_Policy_Name --policy-document file://thingpolicy.json");
    shell.step("aws iot attach-policy --policy-name Thing_Policy_Name --target $CERTIFICATE_ARN");
    refused("OtherThing", "403", "Invalid thing name passed");

    let answer = shell.step(&ask("DemoThing"));
    let (body, status) = answer.rsplit_once('\n').unwrap();
    assert_eq!(status, "200", "{answer}");
    let answer: Value = serde_json::from_str(body).unwrap();
    let field = |name: &str| answer["credentials"][name].as_str().unwrap().to_owned();
    let arn = shell.text(
        &format!(
            "AWS_ACCESS_KEY_ID={} AWS_SECRET_ACCESS_KEY={} AWS_SESSION_TOKEN={} aws sts get-caller-identity",
            field("accessKeyId"),
            field("secretAccessKey"),
            field("sessionToken"),
        ),
        "/Arn",
    );
    let id = shell.step("echo -n ${CERTIFICATE_ARN##*/}");
    assert_eq!(
        arn,
        format!("arn:aws:sts::123456789012:assumed-role/s3-access-role/{id}")
    );
}

/// gatepost joins the same cloud as a second thing, with the same CA and the same alias.
fn gatepost_joins(shell: &Shell, cloud: &Cloudlet) {
    let token = SoftHsm::new("gateway", PIN).unwrap();
    let mut gateway = Gateway::new(cloud, &token as &dyn Token, &shell.path().join("deviceRootCA.pem"));
    gateway.configure("name = \"telemetry\"", "name = \"deviceRoleAlias\"");
    gateway.start();
    fs::copy(gateway.wait_for_csr(), shell.path().join("device.csr")).unwrap();
    shell.step(
        "openssl x509 -req -in device.csr -CA deviceRootCA.pem -CAkey deviceRootCA.key -CAcreateserial \
         -out device.crt -days 365 -sha256",
    );
    gateway.install(&fs::read_to_string(shell.path().join("device.crt")).unwrap());
    gateway.wait_for_text("session.phase", "connected");
    // Its policy lacks the permission for credentials, like the article's; the operator attaches it, and the gateway recovers.
    gateway.wait_for_words("role_aliases.0.problem.message", "Access Denied");
    let principal = shell.text(
        &format!("aws iot list-thing-principals --thing-name {THING}"),
        "/principals/0",
    );
    shell.step(&format!(
        "aws iot attach-policy --policy-name Thing_Policy_Name --target {principal}"
    ));
    // After a refusal the next attempt is minutes away; a restart makes one at once.
    gateway.stop();
    gateway.start();
    gateway.wait_online();
    let names = shell.json("aws iot list-things --query things[].thingName");
    assert_eq!(names, serde_json::json!(["DemoThing", THING]));
}
