//! A device with a claim certificate, and a cloudlet with a template for it.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;

use cloudlet::account::{PreProvisioningHook, ProvisioningTemplate, TemplateType};
use cloudlet::{CertificateId, CertificateStatus, Cloudlet, Options, Policy, Role, Template};
use serde_json::{Value, json};

use super::{Device, openssl, text};

pub(crate) const CREATE: &str = "$aws/certificates/create-from-csr/json";
pub(crate) const REGISTER: &str = "$aws/provisioning-templates/gateways/provision/json";
pub(crate) const ROLE: &str = "arn:aws:iam::123456789012:role/Provisioning";

/// A device with a claim certificate, and a cloudlet with the template `gateways`.
pub(crate) struct Stage {
    pub(crate) cloud: Cloudlet,
    pub(crate) folder: tempfile::TempDir,
    pub(crate) claim: Device,
}

pub(crate) fn template() -> Value {
    json!({
        "Parameters": {
            "SerialNumber": { "Type": "String" },
            "Site": { "Type": "String", "Default": "Pune" },
            "AWS::IoT::Certificate::Id": { "Type": "String" },
        },
        "Mappings": { "Sites": { "Pune": { "url": "https://pune.example" } } },
        "Resources": {
            "thing": { "Type": "AWS::IoT::Thing", "Properties": {
                "ThingName": { "Fn::Join": ["-", ["gw", { "Ref": "SerialNumber" }]] },
                "AttributePayload": { "site": { "Ref": "Site" } },
            }},
            "certificate": { "Type": "AWS::IoT::Certificate", "Properties": {
                "CertificateId": { "Ref": "AWS::IoT::Certificate::Id" }, "Status": "ACTIVE",
            }},
            "policy": { "Type": "AWS::IoT::Policy", "Properties": { "PolicyName": "device" } },
        },
        "DeviceConfiguration": {
            "url": { "Fn::FindInMap": ["Sites", { "Ref": "Site" }, "url"] },
            "fixed": 1,
        },
    })
}

impl Stage {
    pub(crate) fn new() -> Self {
        Self::with(&template(), None)
    }

    pub(crate) fn with(template: &Value, hook: Option<&str>) -> Self {
        let cloud = Cloudlet::start(Options::quick()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let created = cloud.create_keys_and_certificate().unwrap();
        let claim = Device {
            name: "claiming-1".to_owned(),
            certificate: folder.path().join("claim.pem"),
            key: folder.path().join("claim.key"),
        };
        std::fs::write(&claim.certificate, &created.certificate).unwrap();
        std::fs::write(&claim.key, &created.private_key).unwrap();
        let everything = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iot:*","Resource":"*"}}"#;
        let made = cloud.account().change(|account| {
            account.roles.put(Role::provisioning(ROLE));
            account.policies.create(Policy::new("claim", everything)?)?;
            account.policies.create(Policy::new("device", everything)?)?;
            account.attach_policy(&created.id, "claim")?;
            let body = Template::parse(&template.to_string())?;
            account.templates.create(ProvisioningTemplate {
                pre_provisioning_hook: hook.map(|name| {
                    PreProvisioningHook::new(format!("arn:aws:lambda:us-east-1:123456789012:function:{name}"))
                }),
                ..ProvisioningTemplate::new("gateways", TemplateType::FleetProvisioning, ROLE, body, 0)
            })
        });
        made.unwrap();
        Self { cloud, folder, claim }
    }

    /// Creates a function that runs this script.
    pub(crate) fn function(&self, name: &str, script: &str) {
        let path = self.folder.path().join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        self.cloud.switches().set(|switches| {
            switches.fleet.functions.insert(name.to_owned(), path);
        });
    }

    /// Creates a key and a signing request for it; returns the key's file and the request.
    pub(crate) fn signing_request(&self, key: &str) -> (PathBuf, String) {
        let command = format!("req -newkey {key} -nodes -keyout own.key -out own.csr -subj /O=Example/CN=gw-own");
        openssl(self.folder.path(), &command);
        let text = std::fs::read_to_string(self.folder.path().join("own.csr")).unwrap();
        (self.folder.path().join("own.key"), text)
    }

    /// Sends a request and returns the reply, whose topic ends with `verdict`.
    pub(crate) fn ask(&self, topic: &str, payload: &str, verdict: &str) -> Value {
        let endpoint = self.cloud.mqtt_endpoint();
        let (host, port) = endpoint.split_once(':').unwrap();
        let output = Command::new("mosquitto_rr")
            .args(["-h", host, "-p", port, "-V", "mqttv5", "-q", "1", "-W", "20"])
            .args(["-i", &self.claim.name, "-t", topic, "-e", &format!("{topic}/{verdict}")])
            .args(["-m", payload, "--cafile"])
            .arg(self.cloud.root_ca_path())
            .arg("--cert")
            .arg(&self.claim.certificate)
            .arg("--key")
            .arg(&self.claim.key)
            .output()
            .unwrap();
        serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|_| panic!("{payload}: {}: {:#?}", text(&output), self.cloud.events()))
    }

    pub(crate) fn create(&self) -> Value {
        let (_, request) = self.signing_request("ec -pkeyopt ec_paramgen_curve:P-256");
        self.ask(
            CREATE,
            &json!({ "certificateSigningRequest": request }).to_string(),
            "accepted",
        )
    }

    pub(crate) fn register(&self, created: &Value, parameters: &Value, verdict: &str) -> Value {
        self.register_with(&created["certificateOwnershipToken"], parameters, verdict)
    }

    pub(crate) fn register_with(&self, token: &Value, parameters: &Value, verdict: &str) -> Value {
        let payload = json!({ "certificateOwnershipToken": token, "parameters": parameters });
        self.ask(REGISTER, &payload.to_string(), verdict)
    }

    pub(crate) fn status(&self, reply: &Value) -> Option<CertificateStatus> {
        let id = CertificateId::of_pem(reply["certificatePem"].as_str().unwrap()).unwrap();
        assert_eq!(reply["certificateId"], id.as_str());
        self.cloud.certificate(&id).map(|certificate| certificate.status)
    }
}
