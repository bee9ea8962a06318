//! Finds the operation for a method and a path (AWS IoT API Reference, the request syntax of each).

use hyper::Method;
use serde_json::Value;

use super::call::Call;
use super::{attachment, ca, certificate, endpoint, group, job, policy, role_alias, template, thing};
use crate::Error;

/// An operation.
pub(super) struct Route {
    /// The operation, such as `DescribeEndpoint`.
    pub(super) operation: &'static str,
    pub(super) carry_out: fn(&Call<'_>) -> Result<Value, Error>,
}

type Operation = (&'static str, fn(&Call<'_>) -> Result<Value, Error>);

/// Returns the operation for a request, if there is one.
pub(super) fn find(method: &Method, segments: &[&str]) -> Option<Route> {
    let method = method.as_str();
    let found = certificates(method, segments)
        .or_else(|| things(method, segments))
        .or_else(|| jobs(method, segments))
        .or_else(|| policies(method, segments))
        .or_else(|| roles_and_templates(method, segments));
    found.map(|(operation, carry_out)| Route { operation, carry_out })
}

fn certificates(method: &str, segments: &[&str]) -> Option<Operation> {
    Some(match (method, segments) {
        ("GET", ["endpoint"]) => ("DescribeEndpoint", endpoint::describe),
        ("GET", ["registrationcode"]) => ("GetRegistrationCode", ca::registration_code),
        ("DELETE", ["registrationcode"]) => ("DeleteRegistrationCode", ca::delete_registration_code),
        ("POST", ["cacertificate"]) => ("RegisterCACertificate", ca::register),
        ("GET", ["cacertificate", _]) => ("DescribeCACertificate", ca::describe),
        ("PUT", ["cacertificate", _]) => ("UpdateCACertificate", ca::update),
        ("DELETE", ["cacertificate", _]) => ("DeleteCACertificate", ca::delete),
        ("GET", ["cacertificates"]) => ("ListCACertificates", ca::list),
        ("GET", ["certificates-by-ca", _]) => ("ListCertificatesByCA", ca::certificates),
        ("POST", ["certificate", "register"]) => ("RegisterCertificate", certificate::register),
        ("POST", ["certificate", "register-no-ca"]) => {
            ("RegisterCertificateWithoutCA", certificate::register_without_ca)
        }
        ("POST", ["keys-and-certificate"]) => ("CreateKeysAndCertificate", certificate::create_keys),
        ("POST", ["certificates"]) => ("CreateCertificateFromCsr", certificate::create_from_request),
        ("GET", ["certificates"]) => ("ListCertificates", certificate::list),
        ("GET", ["certificates", _]) => ("DescribeCertificate", certificate::describe),
        ("PUT", ["certificates", _]) => ("UpdateCertificate", certificate::update),
        ("DELETE", ["certificates", _]) => ("DeleteCertificate", certificate::delete),
        _ => return None,
    })
}

fn things(method: &str, segments: &[&str]) -> Option<Operation> {
    Some(match (method, segments) {
        ("GET", ["things"]) => ("ListThings", thing::list),
        ("POST", ["things"]) => ("RegisterThing", thing::register_by_template),
        ("POST", ["things", _]) => ("CreateThing", thing::create),
        ("GET", ["things", _]) => ("DescribeThing", thing::describe),
        ("PATCH", ["things", _]) => ("UpdateThing", thing::update),
        ("DELETE", ["things", _]) => ("DeleteThing", thing::delete),
        ("GET", ["things", _, "principals"]) => ("ListThingPrincipals", thing::principals),
        ("PUT", ["things", _, "principals"]) => ("AttachThingPrincipal", thing::attach_principal),
        ("DELETE", ["things", _, "principals"]) => ("DetachThingPrincipal", thing::detach_principal),
        ("GET", ["principals", "things"]) => ("ListPrincipalThings", thing::of_principal),
        ("GET", ["things", _, "thing-groups"]) => ("ListThingGroupsForThing", group::of_thing),
        ("GET", ["thing-types"]) => ("ListThingTypes", group::list_types),
        ("POST", ["thing-types", _]) => ("CreateThingType", group::create_type),
        ("GET", ["thing-types", _]) => ("DescribeThingType", group::describe_type),
        ("PUT", ["thing-groups", "addThingToThingGroup"]) => ("AddThingToThingGroup", group::add_thing),
        ("PUT", ["thing-groups", "removeThingFromThingGroup"]) => ("RemoveThingFromThingGroup", group::remove_thing),
        ("GET", ["thing-groups"]) => ("ListThingGroups", group::list),
        ("POST", ["thing-groups", _]) => ("CreateThingGroup", group::create),
        ("GET", ["thing-groups", _]) => ("DescribeThingGroup", group::describe),
        ("DELETE", ["thing-groups", _]) => ("DeleteThingGroup", group::delete),
        ("GET", ["thing-groups", _, "things"]) => ("ListThingsInThingGroup", group::things),
        _ => return None,
    })
}

fn jobs(method: &str, segments: &[&str]) -> Option<Operation> {
    Some(match (method, segments) {
        ("PUT", ["jobs", _]) => ("CreateJob", job::create),
        ("GET", ["jobs", _]) => ("DescribeJob", job::describe),
        ("PUT", ["jobs", _, "cancel"]) => ("CancelJob", job::cancel),
        ("GET", ["things", _, "jobs", _]) => ("DescribeJobExecution", job::describe_execution),
        _ => return None,
    })
}

fn policies(method: &str, segments: &[&str]) -> Option<Operation> {
    Some(match (method, segments) {
        ("GET", ["policies"]) => ("ListPolicies", policy::list),
        ("POST", ["policies", _]) => ("CreatePolicy", policy::create),
        ("GET", ["policies", _]) => ("GetPolicy", policy::get),
        ("DELETE", ["policies", _]) => ("DeletePolicy", policy::delete),
        ("POST", ["policies", _, "version"]) => ("CreatePolicyVersion", policy::create_version),
        ("GET", ["policies", _, "version"]) => ("ListPolicyVersions", policy::list_versions),
        ("GET", ["policies", _, "version", _]) => ("GetPolicyVersion", policy::get_version),
        ("PATCH", ["policies", _, "version", _]) => ("SetDefaultPolicyVersion", policy::set_default_version),
        ("DELETE", ["policies", _, "version", _]) => ("DeletePolicyVersion", policy::delete_version),
        ("PUT", ["target-policies", _]) => ("AttachPolicy", attachment::attach),
        ("POST", ["target-policies", _]) => ("DetachPolicy", attachment::detach),
        ("POST", ["attached-policies", _]) => ("ListAttachedPolicies", attachment::policies_of_target),
        ("POST", ["policy-targets", _]) => ("ListTargetsForPolicy", attachment::targets_of_policy),
        ("PUT", ["principal-policies", _]) => ("AttachPrincipalPolicy", attachment::attach_principal),
        ("DELETE", ["principal-policies", _]) => ("DetachPrincipalPolicy", attachment::detach_principal),
        ("GET", ["principal-policies"]) => ("ListPrincipalPolicies", attachment::policies_of_principal),
        ("GET", ["policy-principals"]) => ("ListPolicyPrincipals", attachment::principals_of_policy),
        _ => return None,
    })
}

fn roles_and_templates(method: &str, segments: &[&str]) -> Option<Operation> {
    Some(match (method, segments) {
        ("GET", ["role-aliases"]) => ("ListRoleAliases", role_alias::list),
        ("POST", ["role-aliases", _]) => ("CreateRoleAlias", role_alias::create),
        ("GET", ["role-aliases", _]) => ("DescribeRoleAlias", role_alias::describe),
        ("PUT", ["role-aliases", _]) => ("UpdateRoleAlias", role_alias::update),
        ("DELETE", ["role-aliases", _]) => ("DeleteRoleAlias", role_alias::delete),
        ("POST", ["provisioning-templates"]) => ("CreateProvisioningTemplate", template::create),
        ("GET", ["provisioning-templates"]) => ("ListProvisioningTemplates", template::list),
        ("GET", ["provisioning-templates", _]) => ("DescribeProvisioningTemplate", template::describe),
        ("PATCH", ["provisioning-templates", _]) => ("UpdateProvisioningTemplate", template::update),
        ("DELETE", ["provisioning-templates", _]) => ("DeleteProvisioningTemplate", template::delete),
        ("POST", ["provisioning-templates", _, "versions"]) => {
            ("CreateProvisioningTemplateVersion", template::create_version)
        }
        ("GET", ["provisioning-templates", _, "versions"]) => {
            ("ListProvisioningTemplateVersions", template::list_versions)
        }
        ("GET", ["provisioning-templates", _, "versions", _]) => {
            ("DescribeProvisioningTemplateVersion", template::describe_version)
        }
        ("DELETE", ["provisioning-templates", _, "versions", _]) => {
            ("DeleteProvisioningTemplateVersion", template::delete_version)
        }
        _ => return None,
    })
}
