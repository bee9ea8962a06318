//! Commands for operators that change something on this machine.

use super::exit_codes::{NOT_ALLOWED, NOT_RUNNING};
use crate::command_line::spec::{Command, CommandOption, Form, Operand};
use crate::{certificate, gatepostd, log_level, renew, retry};

pub(super) const RETRY: Command = Command {
    name: "retry",
    summary: "make the next attempts now",
    forms: &[
        Form::default_verb("all", &[], &["--wait", "--timeout"], "everything that waits"),
        Form::verb("session", &[], &["--wait", "--timeout"], "the session"),
        Form::verb(
            "credentials",
            &[Operand::optional("ALIAS", "the role alias")],
            &["--wait", "--timeout"],
            "credentials",
        ),
        Form::verb(
            "web-tokens",
            &[Operand::optional("AUDIENCE", "the audience")],
            &["--wait", "--timeout"],
            "web tokens",
        ),
        Form::verb("enrolment", &[], &["--wait", "--timeout"], "the certificate"),
        Form::verb("token", &[], &["--wait", "--timeout"], "the token"),
        Form::verb("listeners", &[], &["--wait", "--timeout"], "the listeners"),
        Form::verb("credentials-files", &[], &["--wait", "--timeout"], "the files"),
    ],
    description: "\
Once the cause of a failure is fixed, for example a policy at AWS, the next
attempt may still be minutes away. This command makes the daemon try now, and
prints what it does. Valid credentials and web tokens are refreshed only if you
name the role alias or the audience. A session that is connected asks AWS again
for what it has refused: the presence topic, and topic filters.

Two attempts are at least 10 s apart, however often you call this, because AWS
limits them. A token that has rejected a PIN is not tried again: start gatepost
again once the PIN is right.

For root, and for those who may publish and subscribe to everything.",
    options: &[
        CommandOption::flag("--wait", "wait for the attempts, and print their outcomes"),
        CommandOption::value("--timeout", "SECONDS", "the longest --wait (default: 60)"),
    ],
    notes: "",
    exit_codes: &[
        (0, "done; with --wait: every attempt succeeded"),
        (66, "no such role alias, or no rule names the audience"),
        (
            69,
            "the daemon is not running; with --wait: an attempt failed or did not end in time, or none is possible yet",
        ),
        (77, "not allowed, or the token has rejected the PIN"),
        (78, "an administrator must act"),
    ],
    run: Some(retry::run),
};

pub(super) const RENEW: Command = Command {
    name: "renew",
    summary: "ask for a new device certificate now",
    forms: &[Form::plain(&[], &["--wait", "--timeout"], "a new certificate")],
    description: "\
Makes the daemon request a new certificate by the method that enrolment.method
names, even if none is due yet. The certificate in use stays in use until AWS
has accepted a connection with the new one; --wait waits for that.

  sudo gatepost renew --wait

However often this is called, there are 10 s between two requests. With the
method file you install each certificate yourself: gatepost certificate install.

For root, and for those who may publish and subscribe to everything.",
    options: &[
        CommandOption::flag("--wait", "wait until AWS has accepted the new certificate"),
        CommandOption::value("--timeout", "SECONDS", "the longest --wait (default: 300)"),
    ],
    notes: "",
    exit_codes: &[
        (0, "asked for; with --wait: AWS has accepted it"),
        (
            69,
            "the daemon is not running, or there is no key or clock yet; with --wait: no certificate was issued, or not accepted in time",
        ),
        NOT_ALLOWED,
        (78, "an administrator must act"),
    ],
    run: Some(renew::run),
};

pub(super) const LOG_LEVEL: Command = Command {
    name: "log-level",
    summary: "show or set how much the running daemon logs",
    forms: &[Form::plain(
        &[Operand::optional("LEVEL", "the log level").choices(&["error", "warn", "info", "debug", "trace"])],
        &["--for"],
        "how much is logged",
    )],
    description: "\
Sets the log level of the running daemon, or prints it. LEVEL is error, warn,
info, debug or trace. It applies until the daemon ends, or for the time of
--for; then the level of GATEPOST_LOG applies again (default: info).

  sudo gatepost log-level debug --for 10min && journalctl -f -u gatepost

Only root may change it.",
    options: &[CommandOption::value(
        "--for",
        "DURATION",
        "how long: 90s, 10min, 2h or 1d (default: until gatepostd ends)",
    )],
    notes: "",
    exit_codes: &[(64, "no such level"), NOT_RUNNING, NOT_ALLOWED],
    run: Some(log_level::run),
};

pub(super) const ALLOW: Command = Command {
    name: "allow",
    summary: "add an access rule, such as the one in an error message",
    forms: &[Form::plain(
        &[],
        &[
            "--user",
            "--group",
            "--uid",
            "--gid",
            "--unit",
            "--role-alias",
            "--publish",
            "--subscribe",
            "--audience",
            "--dry-run",
            "--config",
        ],
        "add an access rule",
    )],
    description: "\
Adds an [[access]] rule as a new file in conf.d of the configuration that
gatepostd uses, and makes gatepostd load it. The rule is checked together with
the whole configuration before it is written. Permissions that are granted
already are not written again. Run it as root.

  gatepost allow --user camera --role-alias video
  gatepost allow --unit door.service --publish '{thing}/door/#' --dry-run",
    options: &[
        CommandOption::value("--user", "USER", "for this user"),
        CommandOption::value("--group", "GROUP", "for this group's members"),
        CommandOption::value("--uid", "UID", "for this user, by its number"),
        CommandOption::value("--gid", "GID", "for this primary group, by its number"),
        CommandOption::value("--unit", "UNIT", "for this service or scope, such as camera.service"),
        CommandOption::value(
            "--role-alias",
            "ALIAS",
            "allow the credentials of ALIAS, or of all (*); may be repeated",
        )
        .repeatable(),
        CommandOption::value(
            "--publish",
            "TOPIC",
            "allow publishing to TOPIC, which may have wildcards; may be repeated",
        )
        .repeatable(),
        CommandOption::value("--subscribe", "FILTER", "allow subscribing to FILTER; may be repeated").repeatable(),
        CommandOption::value("--audience", "AUDIENCE", "allow tokens for AUDIENCE; may be repeated").repeatable(),
        CommandOption::flag("--dry-run", "show the rule and where it would be written"),
        CommandOption::value(
            "--config",
            "FILE",
            "the configuration (default: that of gatepost.service, or else /etc/gatepost/gatepost.toml)",
        ),
    ],
    notes: "\
If several of --user, --group, --uid, --gid and --unit are given, a caller must
match all of them. A * in quotes or a topic like # allows more than a program
needs.",
    exit_codes: &[
        (0, "the rule is in effect"),
        (64, "no configuration can have such a rule"),
        (69, "gatepostd is not installed"),
        (73, "the file cannot be written: run it as root"),
        (78, "the configuration is wrong already"),
    ],
    run: Some(gatepostd::allow),
};

pub(super) const CERTIFICATE: Command = Command {
    name: "certificate",
    summary: "show the device certificate, or install a new one",
    forms: &[
        Form::default_verb("show", &[], &["--json"], "the certificate in use"),
        Form::verb(
            "install",
            &[Operand::required("FILE", "the file")],
            &["--wait", "--timeout", "--config"],
            "check a certificate, and install it",
        ),
    ],
    description: "\
install reads FILE, or stdin if FILE is -, as PEM or DER. The certificate must
be for the key in the token, and its chain, name and validity must be usable;
otherwise nothing is changed, and the reason is printed. The previous file is
kept with .previous at the end of its name. Run it as root.

gatepost tries the new certificate on a separate connection. The old one stays
in use until AWS has accepted the new one; --wait waits for that.

  sudo gatepost certificate install gateway.pem --wait
  ca-client fetch | sudo gatepost certificate install -",
    options: &[
        CommandOption::flag("--json", "print a document"),
        CommandOption::flag("--wait", "wait until AWS has accepted a connection with it"),
        CommandOption::value("--timeout", "SECONDS", "the longest --wait (default: 300)"),
        CommandOption::value(
            "--config",
            "FILE",
            "the configuration (default: that of gatepost.service, or else /etc/gatepost/gatepost.toml)",
        ),
    ],
    notes: "",
    exit_codes: &[
        (0, "shown; or installed, and with --wait: accepted by AWS"),
        (65, "the certificate cannot be used; nothing was changed"),
        (66, "there is no certificate yet"),
        (
            69,
            "the daemon is not running, the key is not known yet, or with --wait: not accepted in time",
        ),
        (73, "the file cannot be written: run it as root"),
        (
            78,
            "the configuration is wrong, or with --wait: an administrator must act",
        ),
    ],
    run: Some(certificate::run),
};

pub(super) const SUPPORT: Command = Command {
    name: "support",
    summary: "collect information for support, without secrets",
    forms: &[Form::plain(&[], &["--output", "--config"], "a support bundle")],
    description: "\
Collects into one text: the versions, the status, gatepost check and its
findings, the configuration, owners and modes of gatepost's files, the states
of its units, the last lines of their journal, and the metrics. It works
without the daemon and for every user; run it as root so that nothing is left
out.

  sudo gatepost support --output gateway.txt

PINs, keys, tokens, credentials, and passwords in addresses are removed. Names
of users, files, topics and hosts stay: look it through before you send it.",
    options: &[
        CommandOption::value(
            "--output",
            "FILE",
            "write to FILE, which must not exist (default: stdout)",
        ),
        CommandOption::value(
            "--config",
            "FILE",
            "the configuration (default: that of gatepost.service, or else /etc/gatepost/gatepost.toml)",
        ),
    ],
    notes: "",
    exit_codes: &[
        (69, "gatepostd is not installed"),
        (73, "FILE exists, or cannot be written"),
    ],
    run: Some(gatepostd::support),
};
