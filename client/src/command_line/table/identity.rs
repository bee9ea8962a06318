//! Commands about the gateway itself.

use super::exit_codes::{NOT_ALLOWED, NOT_RUNNING};
use crate::command_line::spec::{Command, CommandOption, Form, Operand};
use crate::{csr, gatepostd, reload, status, wait};

pub(super) const STATUS: Command = Command {
    name: "status",
    summary: "what the gateway is doing, and what to do about it",
    forms: &[Form::plain(
        &[],
        &["--json", "--watch", "--field"],
        "what the gateway is doing",
    )],
    description: "\
Prints the state of each component, since when, and where something is wrong,
the next step.",
    options: &[
        CommandOption::flag("--json", "print the daemon's own document"),
        CommandOption::flag("--watch", "print it again every two seconds, until interrupted"),
        CommandOption::value(
            "--field",
            "FIELD",
            "print one value of the document, such as session.phase or role_aliases.telemetry.expiration",
        ),
    ],
    notes: "\
With --watch and stdout in a file or a pipe, each change is a line; with --json
as well, each look is a document.",
    exit_codes: &[
        (0, "ready, or the value of --field"),
        (66, "there is no such field"),
        (68, "the daemon is not running, and does not start by itself"),
        (69, "waiting for something that comes by itself"),
        (77, "the PIN is rejected or locked"),
        (78, "a person must act"),
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

A daemon that does not run yet is waited for too. Each change of the state is a
line on stderr.",
    options: &[
        CommandOption::value(
            "--for",
            "STATE",
            "ready (the default), csr: the signing request exists, certificate: the certificate fits the key",
        )
        .choices(WAIT_STATES),
        CommandOption::value("--timeout", "SECONDS", "the longest wait (default: 120; 0: for ever)"),
    ],
    notes: "",
    exit_codes: &[
        (0, "the state is reached"),
        (68, "the time is over, and the daemon is not running"),
        (69, "the time is over, and what is missing comes by itself"),
        (77, "the time is over, and the PIN is rejected or locked"),
        (78, "the time is over, and a person must act"),
    ],
    run: Some(wait::run),
};

pub(super) const CHECK: Command = Command {
    name: "check",
    summary: "what is wrong, and the next step",
    forms: &[Form::plain(
        &[],
        &["--config", "--as", "--json"],
        "what is wrong, and the next step",
    )],
    description: "\
Looks at everything that must be right: configuration, token, PIN, key,
certificate, clock, the way to AWS, the connection, each role alias in AWS's own
words, and one signed call (sts:GetCallerIdentity).

While the daemon runs, it is asked. While it does not, run this as root: each
part is then tried by itself, as the service's user and with the variables of
gatepost.service that you have not set. A PIN is tried once, and a wrong one
counts against the token.",
    options: &[
        CommandOption::value(
            "--config",
            "FILE",
            "the configuration (default: /etc/gatepost/gatepost.toml)",
        ),
        CommandOption::value(
            "--as",
            "USER",
            "only say what this user may have, and which rule says so",
        ),
        CommandOption::flag("--json", "print a document"),
    ],
    notes: "",
    exit_codes: &[
        (0, "nothing failed"),
        (67, "there is no such user"),
        (68, "the daemon is not running, and does not start by itself"),
        (69, "something that comes by itself is missing"),
        (77, "the PIN is rejected or locked"),
        (78, "a person must change something"),
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

While the daemon is still making it, as it does at its first start, this waits
for it, for up to two minutes.",
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
Has the daemon read its configuration again, as `systemctl reload gatepost`
does, and prints the keys whose change is in use now and those whose change
takes effect at a restart. Files with a fault change nothing. Run it as root.",
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
Prints the policy that the configuration needs, with nothing beyond it: the
connection as the thing itself, presence, and the role aliases. For a fleet's
provisioning template, or for

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
    summary: "this text, or more about a command",
    forms: &[Form::plain(
        &[Operand::optional("COMMAND", "the command")],
        &[],
        "this text, or more about a command",
    )],
    description: "",
    options: &[],
    notes: "",
    exit_codes: &[],
    run: None,
};
