"""Calls the control plane as a fleet's owner does, and as one who errs. Run by control_plane.rs, which sets the
environment; every refusal must change nothing."""

import json
import sys

import botocore.session
from botocore.config import Config
from botocore.exceptions import ClientError

FOLDER = sys.argv[1]
SESSION = botocore.session.get_session()
# Invalid requests that the SDK itself would refuse must reach the cloud.
CONFIG = Config(retries={"max_attempts": 1}, parameter_validation=False)
IOT = SESSION.create_client("iot", config=CONFIG)
IAM = SESSION.create_client("iam", config=CONFIG)
STS = SESSION.create_client("sts", config=CONFIG)
CALLS = 0


def read(name):
    with open(f"{FOLDER}/{name}") as file:
        return file.read()


def call(client, operation, **arguments):
    global CALLS
    CALLS += 1
    answer = getattr(client, operation)(**arguments)
    del answer["ResponseMetadata"]
    return answer


def iot(operation, **arguments):
    return call(IOT, operation, **arguments)


def iam(operation, **arguments):
    return call(IAM, operation, **arguments)


def everything():
    """All that the account holds, to see that a refusal changed nothing."""
    lists = ["list_ca_certificates", "list_certificates", "list_things", "list_thing_types", "list_thing_groups",
             "list_policies", "list_role_aliases", "list_provisioning_templates"]
    return [iot(name) for name in lists] + [iam("list_roles")]


def refused(client, operation, code, status, **arguments):
    before = everything()
    try:
        answer = call(client, operation, **arguments)
    except ClientError as error:
        found = error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]
        assert found == (code, status), (operation, arguments, error.response)
    else:
        raise AssertionError((operation, arguments, "worked", answer))
    assert everything() == before, (operation, "changed something")


def equal(found, wanted, what=""):
    assert found == wanted, (what, found, wanted)


ACCOUNT = call(STS, "get_caller_identity")["Account"]
REGION = SESSION.get_config_variable("region")
ARN = f"arn:aws:iot:{REGION}:{ACCOUNT}"
POLICY = json.dumps({"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Action": "iot:Connect", "Resource": "*"}]})
TRUST = json.dumps({"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Principal": {"Service": "iot.amazonaws.com"}, "Action": "sts:AssumeRole"}]})


def roles():
    role = iam("create_role", RoleName="JITPRole", AssumeRolePolicyDocument=TRUST)["Role"]
    equal((role["Arn"], role["MaxSessionDuration"]), (f"arn:aws:iam::{ACCOUNT}:role/JITPRole", 3600))
    equal(iam("get_role", RoleName="JITPRole")["Role"]["AssumeRolePolicyDocument"], json.loads(TRUST))
    iam("update_role", RoleName="JITPRole", MaxSessionDuration=7200)
    equal(iam("get_role", RoleName="JITPRole")["Role"]["MaxSessionDuration"], 7200)
    managed = "arn:aws:iam::aws:policy/service-role/AWSIoTThingsRegistration"
    iam("attach_role_policy", RoleName="JITPRole", PolicyArn=managed)
    iam("put_role_policy", RoleName="JITPRole", PolicyName="more", PolicyDocument=POLICY)
    attached = iam("list_attached_role_policies", RoleName="JITPRole")["AttachedPolicies"]
    equal(attached, [{"PolicyName": "AWSIoTThingsRegistration", "PolicyArn": managed}])
    equal(iam("list_role_policies", RoleName="JITPRole")["PolicyNames"], ["more"])
    equal(iam("get_role_policy", RoleName="JITPRole", PolicyName="more")["PolicyDocument"], json.loads(POLICY))
    for operation, code, status, arguments in [
        ("create_role", "EntityAlreadyExists", 409, {"RoleName": "JITPRole", "AssumeRolePolicyDocument": TRUST}),
        ("create_role", "MalformedPolicyDocument", 400, {"RoleName": "other", "AssumeRolePolicyDocument": "{"}),
        ("create_role", "ValidationError", 400, {"RoleName": "a b", "AssumeRolePolicyDocument": TRUST}),
        ("create_role", "ValidationError", 400,
         {"RoleName": "other", "AssumeRolePolicyDocument": TRUST, "MaxSessionDuration": 60}),
        ("create_role", "ValidationError", 400, {"AssumeRolePolicyDocument": TRUST}),
        ("get_role", "NoSuchEntity", 404, {"RoleName": "nobody"}),
        ("delete_role", "DeleteConflict", 409, {"RoleName": "JITPRole"}),
        ("delete_role_policy", "NoSuchEntity", 404, {"RoleName": "JITPRole", "PolicyName": "none"}),
        ("put_role_policy", "MalformedPolicyDocument", 400,
         {"RoleName": "JITPRole", "PolicyName": "bad", "PolicyDocument": "[]"}),
        ("list_users", "InvalidAction", 400, {}),
    ]:
        refused(IAM, operation, code, status, **arguments)
    return role["Arn"]


def cas(role):
    body = read("template.json")
    config = {"templateBody": body, "roleArn": role}
    code = iot("get_registration_code")["registrationCode"]
    equal(code, read("code"))
    register = {"caCertificate": read("ca.pem"), "verificationCertificate": read("verification.pem"),
                "setAsActive": True, "allowAutoRegistration": True, "registrationConfig": config}

    def changed(**other):
        return {name: value for name, value in {**register, **other}.items() if value is not None}

    for error, status, arguments in [
        ("CertificateValidationException", 400, changed(caCertificate="no PEM")),
        ("CertificateValidationException", 400, changed(caCertificate=read("verification.pem"))),
        ("RegistrationCodeValidationException", 400, changed(verificationCertificate=read("ca.pem"))),
        ("RegistrationCodeValidationException", 400, changed(verificationCertificate=read("forged.pem"))),
        ("InvalidRequestException", 400, changed(verificationCertificate=None)),
        ("InvalidRequestException", 400, changed(certificateMode="SNI_ONLY")),
        ("InvalidRequestException", 400, changed(certificateMode="OTHER")),
        ("InvalidRequestException", 400, changed(registrationConfig={"templateBody": body})),
        ("InvalidRequestException", 400, changed(registrationConfig={"templateBody": "{", "roleArn": role})),
        ("ResourceNotFoundException", 404, changed(registrationConfig={"templateName": "none"})),
        ("InvalidRequestException", 400, changed(setAsActive="perhaps")),
        ("InvalidRequestException", 400, {}),
    ]:
        refused(IOT, "register_ca_certificate", error, status, **arguments)

    registered = iot("register_ca_certificate", **register)
    ca = registered["certificateId"]
    equal(registered["certificateArn"], f"{ARN}:cacert/{ca}")
    described = iot("describe_ca_certificate", certificateId=ca)
    equal(described["registrationConfig"], config)
    description = described["certificateDescription"]
    equal([description[name] for name in ["status", "autoRegistrationStatus", "certificateMode", "certificatePem"]],
          ["ACTIVE", "ENABLE", "DEFAULT", read("ca.pem")])
    refused(IOT, "register_ca_certificate", "ResourceAlreadyExistsException", 409, **register)
    refused(IOT, "delete_ca_certificate", "CertificateStateException", 406, certificateId=ca)
    refused(IOT, "describe_ca_certificate", "ResourceNotFoundException", 404, certificateId="0" * 64)
    refused(IOT, "update_ca_certificate", "InvalidRequestException", 400, certificateId=ca, newStatus="SLEEPING")
    iot("update_ca_certificate", certificateId=ca, newStatus="INACTIVE", newAutoRegistrationStatus="DISABLE")
    description = iot("describe_ca_certificate", certificateId=ca)["certificateDescription"]
    equal([description["status"], description["autoRegistrationStatus"], description["customerVersion"]],
          ["INACTIVE", "DISABLE", 2])
    iot("delete_ca_certificate", certificateId=ca)
    equal(iot("list_ca_certificates")["certificates"], [])
    alone = changed(verificationCertificate=None, certificateMode="SNI_ONLY")
    equal(iot("register_ca_certificate", **alone)["certificateId"], ca)
    iot("delete_registration_code")
    assert iot("get_registration_code")["registrationCode"] != code
    return ca


def certificates(ca):
    pem = read("device.pem")
    refused(IOT, "register_certificate", "CertificateValidationException", 400, certificatePem=read("stranger.pem"))
    registered = iot("register_certificate", certificatePem=pem, setAsActive=True)
    identifier = registered["certificateId"]
    described = iot("describe_certificate", certificateId=identifier)["certificateDescription"]
    equal([described[name] for name in ["status", "caCertificateId", "certificatePem", "certificateArn"]],
          ["ACTIVE", ca, pem, registered["certificateArn"]])
    equal([known["certificateId"] for known in iot("list_certificates_by_ca", caCertificateId=ca)["certificates"]],
          [identifier])
    stranger = iot("register_certificate_without_ca", certificatePem=read("stranger.pem"))["certificateId"]
    iot("update_certificate", certificateId=stranger, newStatus="REVOKED")
    for operation, error, status, arguments in [
        ("register_certificate", "ResourceAlreadyExistsException", 409, {"certificatePem": pem}),
        ("update_certificate", "CertificateStateException", 406, {"certificateId": stranger, "newStatus": "ACTIVE"}),
        ("update_certificate", "InvalidRequestException", 400,
         {"certificateId": identifier, "newStatus": "PENDING_ACTIVATION"}),
        ("delete_certificate", "CertificateStateException", 406, {"certificateId": identifier}),
        ("describe_certificate", "ResourceNotFoundException", 404, {"certificateId": "0" * 64}),
    ]:
        refused(IOT, operation, error, status, **arguments)
    iot("delete_certificate", certificateId=stranger)
    return registered["certificateArn"], identifier


def things(principal):
    made = iot("create_thing", thingName="gw-7", attributePayload={"attributes": {"site": "pune"}})
    equal(made["thingArn"], f"{ARN}:thing/gw-7")
    equal(iot("create_thing", thingName="gw-7", attributePayload={"attributes": {"site": "pune"}}), made)
    iot("create_thing_type", thingTypeName="gateway", thingTypeProperties={"thingTypeDescription": "a gateway"})
    iot("create_thing_group", thingGroupName="pune")
    for operation, error, status, arguments in [
        ("create_thing", "ResourceAlreadyExistsException", 409, {"thingName": "gw-7"}),
        ("create_thing", "InvalidRequestException", 400, {"thingName": "gw.7"}),
        ("create_thing", "InvalidRequestException", 400, {"thingName": "g" * 129}),
        ("create_thing", "ResourceNotFoundException", 404, {"thingName": "gw-8", "thingTypeName": "none"}),
        ("create_thing", "InvalidRequestException", 400,
         {"thingName": "gw-8", "attributePayload": {"attributes": {"site": "a b"}}}),
        ("create_thing", "InvalidRequestException", 400, {"thingName": "gw-8", "thingTypeName": 7}),
        ("update_thing", "VersionConflictException", 409, {"thingName": "gw-7", "expectedVersion": 9}),
        ("describe_thing", "ResourceNotFoundException", 404, {"thingName": "none"}),
        ("create_thing_type", "ResourceAlreadyExistsException", 409, {"thingTypeName": "gateway"}),
        ("add_thing_to_thing_group", "ResourceNotFoundException", 404,
         {"thingGroupName": "none", "thingName": "gw-7"}),
        ("attach_thing_principal", "InvalidRequestException", 400,
         {"thingName": "gw-7", "principal": "arn:aws:iot:eu-west-1:1:cert/00"}),
        ("attach_thing_principal", "ResourceNotFoundException", 404, {"thingName": "none", "principal": principal}),
    ]:
        refused(IOT, operation, error, status, **arguments)
    iot("update_thing", thingName="gw-7", thingTypeName="gateway",
        attributePayload={"attributes": {"floor": "2", "site": ""}, "merge": True})
    described = iot("describe_thing", thingName="gw-7")
    equal([described[name] for name in ["attributes", "thingTypeName", "version"]], [{"floor": "2"}, "gateway", 2])
    iot("add_thing_to_thing_group", thingGroupName="pune", thingName="gw-7")
    equal(iot("list_things_in_thing_group", thingGroupName="pune")["things"], ["gw-7"])
    equal([group["groupName"] for group in iot("list_thing_groups_for_thing", thingName="gw-7")["thingGroups"]],
          ["pune"])
    iot("attach_thing_principal", thingName="gw-7", principal=principal)
    equal(iot("list_thing_principals", thingName="gw-7")["principals"], [principal])
    equal(iot("list_principal_things", principal=principal)["things"], ["gw-7"])
    refused(IOT, "delete_thing", "InvalidRequestException", 400, thingName="gw-7")
    iot("detach_thing_principal", thingName="gw-7", principal=principal)
    for number in range(5):
        iot("create_thing", thingName=f"page-{number}")
    first = iot("list_things", maxResults=4)
    rest = iot("list_things", maxResults=4, nextToken=first["nextToken"])
    names = [thing["thingName"] for thing in first["things"] + rest["things"]]
    equal((names, "nextToken" in rest), (["gw-7"] + [f"page-{number}" for number in range(5)], False))
    equal(len(iot("list_things", attributeName="floor", attributeValue="2")["things"]), 1)
    refused(IOT, "list_things", "InvalidRequestException", 400, maxResults=251)
    refused(IOT, "list_things", "InvalidRequestException", 400, nextToken="x")


def policies(principal):
    made = iot("create_policy", policyName="p", policyDocument=POLICY)
    equal((made["policyArn"], made["policyVersionId"]), (f"{ARN}:policy/p", "1"))
    other = POLICY.replace("iot:Connect", "iot:Publish")
    for number in range(2, 6):
        version = iot("create_policy_version", policyName="p", policyDocument=other, setAsDefault=number == 3)
        equal((version["policyVersionId"], version["isDefaultVersion"]), (str(number), number == 3))
    equal(iot("get_policy", policyName="p")["policyDocument"], other)
    iot("set_default_policy_version", policyName="p", policyVersionId="1")
    equal(iot("get_policy", policyName="p")["policyDocument"], POLICY)
    iot("attach_policy", policyName="p", target=principal)
    equal([known["policyName"] for known in iot("list_attached_policies", target=principal)["policies"]], ["p"])
    equal([known["policyName"] for known in iot("list_principal_policies", principal=principal)["policies"]], ["p"])
    equal(iot("list_targets_for_policy", policyName="p")["targets"], [principal])
    equal(iot("list_policy_principals", policyName="p")["principals"], [principal])
    for operation, error, status, arguments in [
        ("create_policy", "ResourceAlreadyExistsException", 409, {"policyName": "p", "policyDocument": POLICY}),
        ("create_policy", "MalformedPolicyException", 400, {"policyName": "q", "policyDocument": "{}"}),
        ("create_policy", "MalformedPolicyException", 400, {"policyName": "q", "policyDocument": POLICY + " " * 9 + "x"}),
        ("create_policy", "MalformedPolicyException", 400,
         {"policyName": "q", "policyDocument": POLICY.replace("iot:Connect", "iot:" + "x" * 2048)}),
        ("create_policy", "InvalidRequestException", 400, {"policyName": "a b", "policyDocument": POLICY}),
        ("create_policy", "InvalidRequestException", 400, {"policyName": "q"}),
        ("create_policy", "InvalidRequestException", 400, {"policyName": "q", "policyDocument": 7}),
        ("create_policy_version", "VersionsLimitExceededException", 409, {"policyName": "p", "policyDocument": POLICY}),
        ("get_policy_version", "ResourceNotFoundException", 404, {"policyName": "p", "policyVersionId": "9"}),
        ("get_policy_version", "InvalidRequestException", 400, {"policyName": "p", "policyVersionId": "x"}),
        ("delete_policy_version", "DeleteConflictException", 409, {"policyName": "p", "policyVersionId": "1"}),
        ("delete_policy", "DeleteConflictException", 409, {"policyName": "p"}),
        ("attach_policy", "ResourceNotFoundException", 404, {"policyName": "none", "target": principal}),
        ("attach_policy", "InvalidRequestException", 400, {"policyName": "p", "target": f"{ARN}:thinggroup/pune"}),
        ("get_policy", "ResourceNotFoundException", 404, {"policyName": "none"}),
    ]:
        refused(IOT, operation, error, status, **arguments)
    iot("detach_policy", policyName="p", target=principal)
    for number in range(2, 6):
        iot("delete_policy_version", policyName="p", policyVersionId=str(number))
    iot("delete_policy", policyName="p")


def role_aliases(role):
    name = "tele=metry@1-a,b_c"
    made = iot("create_role_alias", roleAlias=name, roleArn=role)
    equal(made, {"roleAlias": name, "roleAliasArn": f"{ARN}:rolealias/{name}"})
    iot("update_role_alias", roleAlias=name, credentialDurationSeconds=900)
    described = iot("describe_role_alias", roleAlias=name)["roleAliasDescription"]
    equal([described[field] for field in ["roleArn", "owner", "credentialDurationSeconds"]], [role, ACCOUNT, 900])
    for operation, error, status, arguments in [
        ("create_role_alias", "ResourceAlreadyExistsException", 409, {"roleAlias": name, "roleArn": role}),
        ("create_role_alias", "InvalidRequestException", 400, {"roleAlias": "a/b", "roleArn": role}),
        ("create_role_alias", "InvalidRequestException", 400, {"roleAlias": "a" * 129, "roleArn": role}),
        ("create_role_alias", "InvalidRequestException", 400, {"roleAlias": "b", "roleArn": "role"}),
        ("create_role_alias", "InvalidRequestException", 400,
         {"roleAlias": "b", "roleArn": role, "credentialDurationSeconds": 899}),
        ("update_role_alias", "InvalidRequestException", 400,
         {"roleAlias": name, "credentialDurationSeconds": 43201}),
        ("update_role_alias", "ResourceNotFoundException", 404, {"roleAlias": "none"}),
        ("delete_role_alias", "ResourceNotFoundException", 404, {"roleAlias": "none"}),
    ]:
        refused(IOT, operation, error, status, **arguments)
    equal(iot("list_role_aliases")["roleAliases"], [name])
    iot("delete_role_alias", roleAlias=name)


def templates(role):
    body = read("template.json")
    new = {"templateName": "jitp", "templateBody": body, "provisioningRoleArn": role, "enabled": True, "type": "JITP"}
    equal(iot("create_provisioning_template", **new)["defaultVersionId"], 1)
    version = iot("create_provisioning_template_version", templateName="jitp", templateBody=body, setAsDefault=True)
    equal((version["versionId"], version["isDefaultVersion"]), (2, True))
    described = iot("describe_provisioning_template", templateName="jitp")
    equal([described[name] for name in ["type", "defaultVersionId", "templateBody", "provisioningRoleArn"]],
          ["JITP", 2, body, role])
    for operation, error, status, arguments in [
        ("create_provisioning_template", "ResourceAlreadyExistsException", 409, new),
        ("create_provisioning_template", "InvalidRequestException", 400, {**new, "templateName": "a b"}),
        ("create_provisioning_template", "InvalidRequestException", 400, {**new, "templateName": "b", "type": "X"}),
        ("create_provisioning_template", "InvalidRequestException", 400,
         {**new, "templateName": "b", "templateBody": "{}"}),
        ("delete_provisioning_template_version", "DeleteConflictException", 409,
         {"templateName": "jitp", "versionId": 2}),
        ("describe_provisioning_template", "ResourceNotFoundException", 404, {"templateName": "none"}),
    ]:
        refused(IOT, operation, error, status, **arguments)
    iot("delete_provisioning_template_version", templateName="jitp", versionId=1)
    equal([known["versionId"] for known in
           iot("list_provisioning_template_versions", templateName="jitp")["versions"]], [2])


def register_thing(identifier):
    """RegisterThing with each OverrideSettings, as the developer guide has it (provision-template)."""
    iot("update_certificate", certificateId=identifier, newStatus="INACTIVE")

    def register(attributes, overrides=None, **more):
        thing = {"Type": "AWS::IoT::Thing", "Properties": {
            "ThingName": {"Ref": "Name"}, "AttributePayload": attributes, "ThingGroups": ["pune"], **more}}
        if overrides:
            thing["OverrideSettings"] = overrides
        body = {"Parameters": {"Name": {"Type": "String"}, "Site": {"Type": "String", "Default": "goa"}},
                "Resources": {"thing": thing,
                              "certificate": {"Type": "AWS::IoT::Certificate", "Properties": {
                                  "CertificateId": identifier, "Status": "ACTIVE"}},
                              "policy": {"Type": "AWS::IoT::Policy", "Properties": {"PolicyDocument": json.loads(POLICY)}}}}
        return {"templateBody": json.dumps(body), "parameters": {"Name": "made"}}

    arns = iot("register_thing", **register({"site": {"Ref": "Site"}, "floor": "1"}))["resourceArns"]
    equal((arns["thing"], arns["certificate"]), (f"{ARN}:thing/made", f"{ARN}:cert/{identifier}"))
    described = iot("describe_thing", thingName="made")
    equal(described["attributes"], {"site": "goa", "floor": "1"})
    equal(iot("describe_certificate", certificateId=identifier)["certificateDescription"]["status"], "ACTIVE")
    for override, wanted in [
        ("DO_NOTHING", {"site": "goa", "floor": "1"}),
        ("MERGE", {"site": "goa", "floor": "2"}),
        ("REPLACE", {"floor": "2"}),
    ]:
        iot("register_thing", **register({"floor": "2"}, {"AttributePayload": override}))
        equal(iot("describe_thing", thingName="made")["attributes"], wanted, override)
    # An identical document refers to the same policy.
    equal(len(iot("list_policies")["policies"]), 1)
    refused(IOT, "register_thing", "ConflictingResourceUpdateException", 409,
            **register({"floor": "3"}, {"AttributePayload": "FAIL"}))
    for changed in [{"parameters": {}}, {"parameters": {"Name": "a.b"}}, {"templateBody": "{"}, {"templateBody": None}]:
        refused(IOT, "register_thing", "InvalidRequestException", 400, **{**register({}), **changed})
    refused(IOT, "register_thing", "ResourceNotFoundException", 404, **register({}, ThingTypeName="none"))


ROLE = roles()
CA = cas(ROLE)
PRINCIPAL, IDENTIFIER = certificates(CA)
things(PRINCIPAL)
policies(PRINCIPAL)
role_aliases(ROLE)
templates(ROLE)
register_thing(IDENTIFIER)
equal(iot("describe_endpoint", endpointType="iot:Data-ATS")["endpointAddress"], read("mqtt"))
equal(iot("describe_endpoint", endpointType="iot:CredentialProvider")["endpointAddress"], read("credentials"))
refused(IOT, "describe_endpoint", "InvalidRequestException", 400, endpointType="iot:Jobs-Data")
refused(IOT, "list_jobs", "UnknownOperationException", 404)
print(CALLS)
