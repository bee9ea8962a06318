//! The AWS side as created from config/aws: what the documentation tells people to register is sufficient for a first boot.

use std::os::unix::fs::PermissionsExt;

use cloudlet::{CertificateStatus, Cloudlet, Thing};
use rig::fleet_ca::{FleetCa, SoftwareKey, Validity};
use rig::token::SoftHsm;
use rig::{command, executable};

use crate::support::{self, Gateway, PIN, options};

/// Answers fleet-ca as the AWS CLI does, and fails at an endpoint where nothing listens.
const AWS: &str = r#"#!/bin/sh
[ "$AWS_ENDPOINT_URL" != http://127.0.0.1:1 ] || { echo 'Could not connect to the endpoint URL' >&2; exit 255; }
case "$1 $2" in
"iot get-registration-code") echo 7c3aed ;;
"sts get-caller-identity") echo 123456789012 ;;
*) echo "unexpected: $*" >&2; exit 2 ;;
esac
"#;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/config/aws");

/// Runs the commands that `make fleet-ca` prints, unchanged, and then a gateway whose request that CA signs.
#[test]
fn the_files_and_commands_of_fleet_ca_bring_a_gateway_online() {
    // Both wait for about fifteen starts of the AWS CLI.
    std::thread::scope(|scope| {
        for mode in ["MODE=DEFAULT", "MODE=SNI_ONLY KEY=rsa-2048 ROLE_ALIAS=other"] {
            scope.spawn(move || bring_online_by_fleet_ca(mode));
        }
    });
}

fn bring_online_by_fleet_ca(mode: &str) {
    let cloud = Cloudlet::start(options()).unwrap();
    let shell = support::shell(&cloud);
    let commands = shell.step(&format!("{mode} ORGANIZATION='A/B + C' COUNTRY=IN {FOLDER}/fleet-ca"));
    shell.step(&commands);
    let ca = shell.json("aws iot list-ca-certificates");
    assert_eq!(ca["certificates"][0]["status"], "ACTIVE", "{mode}");

    let token = SoftHsm::new("gateway", PIN).unwrap();
    let mut gateway = Gateway::new(&cloud, &token, &shell.path().join("fleet-ca/fleet-ca.pem"));
    if mode.contains("other") {
        gateway.configure("name = \"telemetry\"", "name = \"other\"");
    }
    gateway.start();
    std::fs::copy(gateway.wait_for_csr(), shell.path().join("device.csr")).unwrap();
    let sign = commands.lines().skip_while(|line| !line.contains("openssl x509"));
    let sign: Vec<&str> = sign.map(|line| line.trim_start_matches("# ")).collect();
    shell.step(&sign.join("\n"));
    let made = shell.step("openssl x509 -in device.pem -noout -text");
    for words in [
        "Version: 3 (0x2)",
        "CA:FALSE",
        "TLS Web Client Authentication",
        "Authority Key Identifier",
    ] {
        assert!(made.contains(words), "{words}: {made}");
    }
    let year =
        shell.step("openssl x509 -in device.pem -noout -checkend 31622400 || echo it ends within a year and a day");
    assert!(year.contains("within"), "{year}");
    gateway.install(&std::fs::read_to_string(shell.path().join("device.pem")).unwrap());
    gateway.wait_online();
    assert!(gateway.status()["session"]["problem"].is_null(), "presence is allowed");
}

#[test]
fn fleet_ca_overwrites_no_key_and_names_mistakes() {
    let cloud = Cloudlet::start(options()).unwrap();
    let mut shell = support::shell(&cloud);
    let fleet_ca = format!("{FOLDER}/fleet-ca");
    shell.step(&fleet_ca);
    let folder = shell.path().join("fleet-ca");
    let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
    let made = (read("fleet-ca.key"), read("fleet-ca.pem"));
    // The AWS CLI has answered once. From here on a script does so, because each of its starts takes about a second of CPU time.
    std::fs::create_dir(shell.path().join("bin")).unwrap();
    executable::write(&shell.path().join("bin/aws"), AWS).unwrap();
    let path = format!("{}:{}", shell.path().join("bin").display(), command::search_path());
    shell.set("PATH", path);
    let key = std::fs::metadata(shell.path().join("fleet-ca/fleet-ca.key")).unwrap();
    assert_eq!(key.permissions().mode() & 0o777, 0o600);
    shell.step(&format!("NAME=other DAYS=1 {fleet_ca}"));
    assert_eq!((read("fleet-ca.key"), read("fleet-ca.pem")), made);

    for (mistake, said) in [
        ("MODE=OTHER", "DEFAULT or SNI_ONLY"),
        ("KEY=dsa OUT=new", "ec-p256 or rsa-2048"),
        ("DAYS=ten OUT=new", "DAYS=ten: it is a number of days"),
        ("DEVICE_DAYS=0 OUT=new", "DEVICE_DAYS=0: it is a number of days"),
        ("OUT=/dev/null/x", "/dev/null"),
        (
            "AWS_MAX_ATTEMPTS=1 AWS_ENDPOINT_URL=http://127.0.0.1:1 OUT=new",
            "REGISTRATION_CODE",
        ),
    ] {
        let told = shell.failing(&format!("{mistake} {fleet_ca}"));
        assert!(told.contains(said), "{mistake}: {told}");
    }
    assert!(!shell.path().join("new/fleet-ca.key.new").exists());

    // A folder with its own .gitignore keeps it, and the key is not added to its repository.
    shell.step("git init -q own && echo target >own/.gitignore");
    for _ in 0..2 {
        shell.step(&format!("OUT=own {fleet_ca}"));
    }
    let taken = shell.step("git -C own status --porcelain --untracked-files=all");
    assert!(
        taken.contains("fleet-ca.pem") && !taken.contains("fleet-ca.key"),
        "{taken}"
    );
    let ignored = std::fs::read_to_string(shell.path().join("own/.gitignore")).unwrap();
    assert!(
        ignored.starts_with("target\n") && ignored.matches("fleet-ca.key").count() == 1,
        "{ignored}"
    );

    // Git ignores everything in the folder, and a failed command never leaves an empty file.
    shell.step("git init -q repository && cp -r fleet-ca repository/");
    assert_eq!(
        shell.step("git -C repository status --porcelain --untracked-files=all"),
        ""
    );
    assert!(read("commands.sh").starts_with(b"# Just-in-time provisioning"));
    shell.failing(&format!(
        "AWS_ENDPOINT_URL=http://127.0.0.1:1 OUT=new {fleet_ca} >commands.sh"
    ));
    let kept = std::fs::read_to_string(shell.path().join("commands.sh")).unwrap();
    assert!(kept.starts_with("# fleet-ca has failed"), "{kept}");

    // Without access to AWS the template is created nevertheless, with a note about the reach of its policy.
    shell.set("AWS_ENDPOINT_URL", "http://127.0.0.1:1");
    let printed = shell.try_step(&format!("MODE=SNI_ONLY OUT=alone {fleet_ca}"), "");
    assert!(
        printed.success && printed.both.contains("account *"),
        "{}",
        printed.both
    );
}

/// The CloudFormation template contains copies of the policy and the provisioning template, which must be identical to the originals.
#[test]
fn the_cloudformation_template_matches_the_policy_files() {
    let cloud = Cloudlet::start(options()).unwrap();
    let compare = r#"
import json, sys, yaml

class Loader(yaml.SafeLoader):
    pass

# !Sub's text is what counts; what else is looked up is no part of this.
Loader.add_multi_constructor("!", lambda loader, tag, node: node.value)
folder = sys.argv[1]
resources = yaml.load(open(f"{folder}/gatepost.yaml"), Loader)["Resources"]

def text(value):
    for old, new in [("${AWS::Partition}", "aws"), ("${AWS::Region}", "REGION"), ("${AWS::AccountId}", "ACCOUNT"),
                     ("${RoleAliasName}", "ROLE_ALIAS"), ("${!", "${"), ("${GatewayPolicy}", "gatepost")]:
        value = value.replace(old, new)
    return value

policy = json.loads(text(json.dumps(resources["GatewayPolicy"]["Properties"]["PolicyDocument"])))
assert policy == json.load(open(f"{folder}/policy.json")), policy
template = json.loads(text(resources["ProvisioningTemplate"]["Properties"]["TemplateBody"]))
assert template == json.load(open(f"{folder}/provisioning-template.json")), template
"#;
    let shell = support::shell(&cloud);
    shell.write("compare.py", compare);
    shell.step(&format!("'{}' compare.py {FOLDER}", command::python().display()));
}

/// The clean-up of the CloudFormation template, run as Lambda runs it, against the API of the local cloud.
#[test]
fn the_clean_up_deletes_what_has_expired_and_nothing_else() {
    let ca = FleetCa::new().unwrap();
    let cloud = Cloudlet::start(options()).unwrap();
    let id = cloud
        .register_ca(&ca.ca_pem().unwrap(), cloud.article_template())
        .unwrap();
    let mut certificates = Vec::new();
    for validity in [Validity::Expired, Validity::Now, Validity::NotYet, Validity::Expired] {
        let key = SoftwareKey::new(&format!("/CN=gw-{}", certificates.len())).unwrap();
        let pem = ca.sign_v3_valid(&key.csr_path(), validity).unwrap();
        let made = cloud.account().change(|account| {
            account.registry.put_thing(Thing::new("gw-0"))?;
            let id = account.register_certificate(&pem, CertificateStatus::Active, true)?;
            account.attach_thing(&id, "gw-0")?;
            Ok(id)
        });
        certificates.push(made.unwrap());
    }
    let policy = cloud.account().change(|account| {
        account
            .policies
            .create(cloudlet::Policy::seed_with_credentials("123456789012", "us-east-1"))?;
        let name = account
            .policies
            .in_force()
            .next()
            .map(|policy| policy.name().to_owned())
            .unwrap();
        for id in &certificates {
            account.attach_policy(id, &name)?;
        }
        Ok(name)
    });
    let run = r#"
import os, sys, time, yaml

class Loader(yaml.SafeLoader):
    pass

Loader.add_multi_constructor("!", lambda loader, tag, node: node.value)
resources = yaml.load(open(f"{sys.argv[1]}/gatepost.yaml"), Loader)["Resources"]
code = resources["CleanUpFunction"]["Properties"]["Code"]["ZipFile"]
assert len(code) <= 4096, len(code)
# Certificates that were registered a moment ago count as old.
os.environ["CA"], os.environ["DAYS"] = sys.argv[2], sys.argv[3]
scope = {}
exec(code, scope)

class Context:
    def get_remaining_time_in_millis(self):
        return int(sys.argv[4])

time.sleep(1.1)
print(scope["handler"]({}, Context()))
"#;
    let shell = support::shell(&cloud);
    shell.write("run.py", run);
    let clean_up = |days: &str, left: &str| {
        let python = command::python();
        shell.step(&format!(
            "'{}' run.py {FOLDER} {} {days} {left}",
            python.display(),
            id.as_str()
        ))
    };
    // Nothing has been expired for so long, and there may be no time left.
    assert!(clean_up("30", "900000").ends_with("\n0\n"));
    assert!(clean_up("0", "1000").contains("left for tomorrow"));
    assert_eq!(cloud.account().read(|account| account.certificates.iter().count()), 4);
    let said = clean_up("0", "900000");
    assert!(said.contains("2 expired certificates deleted"), "{said}");
    let kept = cloud.account().read(|account| {
        account
            .certificates
            .iter()
            .map(|known| (known.id.clone(), known.status))
            .collect::<Vec<_>>()
    });
    let mut expected = vec![
        (certificates[1].clone(), CertificateStatus::Active),
        (certificates[2].clone(), CertificateStatus::Active),
    ];
    expected.sort_by(|one, other| one.0.as_str().cmp(other.0.as_str()));
    assert_eq!(kept, expected);
    assert!(
        policy.is_ok() && cloud.things().len() == 1,
        "the thing and the policy stay"
    );
}
