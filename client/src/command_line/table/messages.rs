//! Commands about messages.

use super::exit_codes::{NOT_ALLOWED, NOT_RUNNING};
use crate::command_line::spec::{Command, CommandOption, Form, Operand};
use crate::{outbox, publish, subscribe, subscriptions};

/// The qualities of service that AWS IoT supports.
const QOS: &[&str] = &["0", "1"];

pub(super) const PUBLISH: Command = Command {
    name: "publish",
    summary: "publish a message, which is kept until AWS has it",
    forms: &[Form::plain(
        &[
            Operand::required("TOPIC", "the topic"),
            Operand::optional("MESSAGE", "the message").or_empty(),
        ],
        &[
            "--qos",
            "--retain",
            "--wait",
            "--timeout",
            "--content-type",
            "--expiry",
            "--lines",
        ],
        "a message to AWS",
    )],
    description: "\
Publishes MESSAGE, or stdin, through the gateway's MQTT session; {thing} in the
topic stands for the thing name. It prints nothing and exits with 0 once the
message is on the disk. From then on gatepost sends it until AWS has it.

  gatepost publish '{thing}/door' '{\"open\":true}'
  sensor | gatepost publish '{thing}/temperature' --lines",
    options: &[
        CommandOption::value("--qos", "0|1", "0: sent now or refused, never stored (default: 1)").choices(QOS),
        CommandOption::flag("--retain", "make the broker keep it for later subscribers"),
        CommandOption::flag("--wait", "wait until AWS has acknowledged it"),
        CommandOption::value("--timeout", "SECONDS", "the longest --wait (default: 30)"),
        CommandOption::value(
            "--content-type",
            "TYPE",
            "the payload's content type, for its receivers",
        ),
        CommandOption::value("--expiry", "SECONDS", "when the message expires"),
        CommandOption::flag(
            "--lines",
            "publish each line of stdin as a message; empty lines are skipped",
        ),
    ],
    notes: "\
With --lines the command ends at the first line that is refused, and prints its
number: all lines before it were accepted, none after it.",
    exit_codes: &[
        (64, "wrong topic or option"),
        (
            65,
            "AWS refuses the message (it is parked: see gatepost outbox), it expired, or it is larger than 128 KiB",
        ),
        (
            69,
            "the daemon is not running, cannot use its disk, or is offline (--qos 0)",
        ),
        (73, "no room in the outbox or on the disk"),
        (74, "stdin cannot be read"),
        (
            75,
            "temporary, or with --wait: AWS has not acknowledged it in time; it is kept and will be sent",
        ),
        NOT_ALLOWED,
    ],
    run: Some(publish::run),
};

pub(super) const SUBSCRIBE: Command = Command {
    name: "subscribe",
    summary: "subscribe to messages, printed a line each",
    forms: &[Form::plain(
        &[Operand::required("FILTER", "the topic filter")],
        &["--qos", "--name", "--no-ack", "--count"],
        "messages from AWS",
    )],
    description: "\
Prints each message as a line of JSON: topic, payload (payload_base64 where it
is not text), qos, received, and its properties. {thing} in the filter stands
for the thing name, + for any level, # for all further levels.

  gatepost subscribe '{thing}/commands/#' | jq -r .payload",
    options: &[
        CommandOption::value(
            "--qos",
            "0|1",
            "0: AWS does not keep messages while the gateway is offline (default: 1)",
        )
        .choices(QOS),
        CommandOption::value(
            "--name",
            "NAME",
            "a durable subscription: gatepost keeps its messages on the disk while no program reads them; \
             a message is acknowledged once it is printed",
        ),
        CommandOption::flag(
            "--no-ack",
            "with --name: acknowledge nothing; use gatepost subscriptions ack",
        ),
        CommandOption::value("--count", "N", "end after N messages"),
    ],
    notes: "\
After a crash the last printed messages of a durable subscription are printed
again; none is lost. It has one reader: a new one takes over.",
    exit_codes: &[
        (0, "--count was reached"),
        (66, "the durable subscription was deleted"),
        (
            69,
            "the daemon is not running, cannot use its disk, or another reader took over",
        ),
        (
            74,
            "stdout cannot be written (without a message if its reader has ended)",
        ),
        (75, "the daemon stopped, or this program read too slowly"),
        (77, "not allowed by an [[access]] rule, or by AWS"),
    ],
    run: Some(subscribe::run),
};

pub(super) const SUBSCRIPTIONS: Command = Command {
    name: "subscriptions",
    summary: "list, acknowledge and delete durable subscriptions",
    forms: &[
        Form::default_verb("list", &[], &["--json"], "the durable subscriptions"),
        Form::verb(
            "delete",
            &[Operand::required("NAME", "the subscription's name")],
            &[],
            "delete one with its messages",
        ),
        Form::verb(
            "ack",
            &[
                Operand::required("NAME", "the subscription's name"),
                Operand::required("ID", "the message's id"),
            ],
            &[],
            "acknowledge all messages up to ID",
        ),
    ],
    description: "\
gatepost subscribe FILTER --name NAME creates a durable subscription, which
exists until it is deleted. The list has those of this user, or of all users if
the caller may do everything: how many messages wait, their size, and how many
were lost because the subscription was full.",
    options: &[CommandOption::flag("--json", "print a JSON object a line")],
    notes: "",
    exit_codes: &[
        (66, "there is no such subscription"),
        NOT_RUNNING,
        (77, "it belongs to another user"),
    ],
    run: Some(subscriptions::run),
};

pub(super) const OUTBOX: Command = Command {
    name: "outbox",
    summary: "show messages that wait, and those that AWS rejected",
    forms: &[
        Form::default_verb("list", &[], &["--parked", "--json"], "the messages"),
        Form::verb(
            "show",
            &[Operand::required("ID", "the message's number")],
            &["--json"],
            "one message and its properties",
        ),
        Form::verb(
            "purge",
            &[Operand::required(
                "ID|queued|parked",
                "the message's number, queued or parked",
            )],
            &[],
            "delete",
        ),
        Form::verb(
            "retry",
            &[Operand::required("ID|parked", "the message's number or parked")],
            &[],
            "send again",
        ),
    ],
    description: "\
A message is queued, sent (AWS has not answered yet) or parked: AWS rejected it
for the reason that is shown, and gatepost does not send it again by itself.
Once the cause is fixed, retry appends it to the queue. purge deletes messages.
Neither asks for confirmation; both print the number of messages.

For callers who may publish and subscribe to everything.",
    options: &[
        CommandOption::flag("--parked", "only those that AWS rejected"),
        CommandOption::flag("--json", "print a JSON object a line"),
    ],
    notes: "",
    exit_codes: &[
        (66, "there is no such message, or it is gone"),
        NOT_RUNNING,
        NOT_ALLOWED,
    ],
    run: Some(outbox::run),
};
