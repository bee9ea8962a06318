//! Commands about the gateway itself.

use super::exit_codes::{NOT_ALLOWED, NOT_RUNNING};
use crate::command_line::spec::{Command, CommandOption, Form, Operand};
use crate::{csr, gatepostd, reload, status, wait};

pub(super) const STATUS: Command = Command {
    name: "status",
    summary: "show the state of the gateway and the next steps",
    forms: &[Form::plain(
        &[],
        &["--json", "--watch", "--field"],
        "the state of the gateway",
    )],
    description: "\
Prints the state of each component, since when it has this state, and the next
step for each problem.",
    options: &[
        CommandOption::flag("--json", "print the daemon's own document"),
        CommandOption::flag("--watch", "print it again every two seconds until interrupted"),
        CommandOption::value(
            "--field",
            "FIELD",
            "print one value of the document, such as session.phase or role_aliases.telemetry.expiration",
        ),
    ],
    notes: "\
With --watch, if stdout is a file or a pipe, each change is a line; with --json
each query prints a document.",
    exit_codes: &[
        (0, "ready, or the value of --field"),
        (66, "there is no such field"),
        (68, "the daemon is not running, and will not start by itself"),
        (69, "waiting for something that resolves itself"),
        (77, "the PIN is rejected or locked"),
        (78, "an administrator must act"),
    ],
    run: Some(status::run),
};

/// The states that `gatepost wait` can wait for.
pub(crate) const WAIT_STATES: &[&str] = &["ready", "csr", "certificate"];

pub(super) const WAIT: Command = Command {
    name: "wait",
    summary: "wait until the gateway is ready",
    forms: &[Form::plain(
        &[],
        &["--for", "--timeout"],
        "wait until the gateway is ready",
    )],
    description: "\
For scripts and units that need the gateway in a certain state:

  gatepost wait --for csr --timeout 300 && gatepost csr > gateway.csr

The command also waits for a daemon that is not running yet. Each change of the
state is a line on stderr.",
    options: &[
        CommandOption::value(
            "--for",
            "STATE",
            "ready (the default), csr: the signing request exists, certificate: the certificate is for the key",
        )
        .choices(WAIT_STATES),
        CommandOption::value("--timeout", "SECONDS", "the longest wait (default: 120; 0: for ever)"),
    ],
    notes: "",
    exit_codes: &[
        (0, "the state is reached"),
        (68, "timeout, and the daemon is not running"),
        (69, "timeout, waiting for something that resolves itself"),
        (77, "timeout, and the PIN is rejected or locked"),
        (78, "timeout, and an administrator must act"),
    ],
    run: Some(wait::run),
};

pub(super) const CHECK: Command = Command {
    name: "check",
    summary: "show what is wrong, and the next steps",
    forms: &[Form::plain(
        &[],
        &["--config", "--as", "--json"],
        "show what is wrong, and the next steps",
    )],
    description: "\
Checks everything that must be right: configuration, token, PIN, key,
certificate, clock, network, connection, each role alias with AWS's own answer,
and one signed call (sts:GetCallerIdentity).

If the daemon is running, it is asked. If it is not, run this as root: each part
is then tried separately, as the user of the service and with the variables of
gatepost.service that you have not set. A PIN is tried once; the token counts a
wrong one.",
    options: &[
        CommandOption::value(
            "--config",
            "FILE",
            "the configuration (default: /etc/gatepost/gatepost.toml)",
        ),
        CommandOption::value("--as", "USER", "only show what this user is allowed, and by which rule"),
        CommandOption::flag("--json", "print a document"),
    ],
    notes: "",
    exit_codes: &[
        (0, "nothing failed"),
        (67, "there is no such user"),
        (68, "the daemon is not running, and will not start by itself"),
        (69, "waiting for something that resolves itself"),
        (77, "the PIN is rejected or locked"),
        (78, "an administrator must act"),
    ],
    run: Some(gatepostd::check),
};

pub(super) const CSR: Command = Command {
    name: "csr",
    summary: "the certificate signing request of the device key",
    forms: &[Form::plain(&[], &[], "the certificate signing request")],
    description: "\
Prints the PEM certificate signing request of the device key in the token, for
the fleet's certificate authority to sign:

  gatepost csr > gateway.csr

If the daemon is still creating it, as at its first start, the command waits for
up to two minutes.",
    options: &[],
    notes: "",
    exit_codes: &[(69, "no key yet, or the daemon is not running"), NOT_ALLOWED],
    run: Some(csr::run),
};

pub(super) const RELOAD: Command = Command {
    name: "reload",
    summary: "load the changed configuration",
    forms: &[Form::plain(&[], &[], "load the changed configuration")],
    description: "\
Makes the daemon load its configuration, as `systemctl reload gatepost` does,
and prints which changed keys are in use now and which need a restart. If a file
has a fault, nothing changes. Run it as root.",
    options: &[],
    notes: "",
    exit_codes: &[
        NOT_RUNNING,
        (77, "not root"),
        (78, "the files are wrong, and nothing was changed"),
    ],
    run: Some(reload::run),
};

pub(super) const POLICY: Command = Command {
    name: "policy",
    summary: "the AWS IoT policy that the configuration needs",
    forms: &[Form::plain(&[], &["--config", "--account"], "the AWS IoT policy")],
    description: "\
Prints the policy that the configuration needs and nothing more: the connection
as the thing itself, presence, topics and role aliases. Use it in a fleet's
provisioning template, or with

  gatepost policy --account 123456789012 > policy.json
  aws iot create-policy --policy-name gatepost \\
      --policy-document file://policy.json

The daemon need not run.",
    options: &[
        CommandOption::value(
            "--config",
            "FILE",
            "the configuration (default: /etc/gatepost/gatepost.toml)",
        ),
        CommandOption::value("--account", "ID", "the AWS account (default: any)"),
    ],
    notes: "",
    exit_codes: &[(69, "gatepostd is not installed"), (78, "the configuration is wrong")],
    run: Some(gatepostd::policy),
};

pub(super) const HELP: Command = Command {
    name: "help",
    summary: "this text, or help for a command",
    forms: &[Form::plain(
        &[Operand::optional("COMMAND", "the command")],
        &[],
        "this text, or help for a command",
    )],
    description: "",
    options: &[],
    notes: "",
    exit_codes: &[],
    run: None,
};
