use super::options::OPTIONS;
use super::{Command, parse, topic};
use crate::exit::Exit;
use crate::help::Topic;
use crate::setup_profile::Wanted;
use crate::status::View;
use crate::{outbox, publish, sign, subscribe, subscriptions};

fn arguments(line: &str) -> impl Iterator<Item = std::ffi::OsString> {
    line.split_whitespace().map(Into::into)
}

#[test]
fn understood() {
    let alias = |name: &str| Command::Credentials {
        alias: Some(name.into()),
    };
    for (line, command) in [
        ("credentials", Command::Credentials { alias: None }),
        ("credentials telemetry", alias("telemetry")),
        ("--socket /s credentials telemetry", alias("telemetry")),
        ("credentials --socket=/s telemetry", alias("telemetry")),
        ("credentials telemetry --socket /s", alias("telemetry")),
        ("credentials -- --odd", alias("--odd")),
        ("credentials -", alias("-")),
        ("status", Command::Status(View::default())),
        (
            "--json status",
            Command::Status(View {
                json: true,
                watch: false,
            }),
        ),
        (
            "status --watch",
            Command::Status(View {
                json: false,
                watch: true,
            }),
        ),
        ("csr", Command::Csr),
        ("env", Command::Env { alias: None }),
        (
            "policy",
            Command::Gatepostd {
                wish: "--print-policy",
                arguments: vec![],
            },
        ),
        (
            "check --as camera",
            Command::Gatepostd {
                wish: "--check",
                arguments: vec!["--as".into(), "camera".into()],
            },
        ),
        ("check -h", Command::Help(Topic::Check)),
        (
            "--socket /s check",
            Command::Gatepostd {
                wish: "--check",
                arguments: vec![],
            },
        ),
        (
            "policy --account 1",
            Command::Gatepostd {
                wish: "--print-policy",
                arguments: vec!["--account".into(), "1".into()],
            },
        ),
        (
            "setup-profile telemetry --region=us-east-2 --file /f",
            Command::SetupProfile(Wanted {
                alias: Some("telemetry".into()),
                region: Some("us-east-2".into()),
                file: Some("/f".into()),
                ..Wanted::default()
            }),
        ),
        (
            "sign --service s3 --region us-east-2 --header a:b https://h/ --header c:d",
            Command::Sign(sign::Request {
                url: "https://h/".into(),
                service: Some("s3".into()),
                region: Some("us-east-2".into()),
                headers: vec!["a:b".into(), "c:d".into()],
                ..sign::Request::default()
            }),
        ),
        (
            "publish {thing}/a hello --retain --qos=1 --wait --timeout 5 --expiry 60 --content-type text/plain",
            Command::Publish(publish::Wanted {
                topic: "{thing}/a".into(),
                message: Some("hello".into()),
                qos: Some("1".into()),
                retain: true,
                wait: true,
                timeout: Some("5".into()),
                content_type: Some("text/plain".into()),
                expiry: Some("60".into()),
                lines: false,
            }),
        ),
        (
            "publish t --lines",
            Command::Publish(publish::Wanted {
                topic: "t".into(),
                lines: true,
                ..publish::Wanted::default()
            }),
        ),
        (
            "subscribe --name n t/# --no-ack --count 3 --qos 0",
            Command::Subscribe(subscribe::Wanted {
                filter: "t/#".into(),
                qos: Some("0".into()),
                name: Some("n".into()),
                no_ack: true,
                count: Some("3".into()),
            }),
        ),
        (
            "subscriptions",
            Command::Subscriptions(subscriptions::Wish::List { json: false }),
        ),
        (
            "subscriptions list --json",
            Command::Subscriptions(subscriptions::Wish::List { json: true }),
        ),
        (
            "subscriptions delete n",
            Command::Subscriptions(subscriptions::Wish::Delete { name: "n".into() }),
        ),
        (
            "subscriptions ack n 7",
            Command::Subscriptions(subscriptions::Wish::Acknowledge {
                name: "n".into(),
                id: "7".into(),
            }),
        ),
        (
            "outbox",
            Command::Outbox(outbox::Wish::List {
                parked: false,
                json: false,
            }),
        ),
        (
            "outbox list --parked --json",
            Command::Outbox(outbox::Wish::List {
                parked: true,
                json: true,
            }),
        ),
        (
            "outbox show 7 --json",
            Command::Outbox(outbox::Wish::Show {
                id: "7".into(),
                json: true,
            }),
        ),
        (
            "outbox purge queued",
            Command::Outbox(outbox::Wish::Purge { which: "queued".into() }),
        ),
        (
            "outbox retry parked",
            Command::Outbox(outbox::Wish::Retry { which: "parked".into() }),
        ),
        ("outbox retry --help", Command::Help(Topic::Outbox)),
        ("policy --help", Command::Help(Topic::Policy)),
        ("help policy", Command::Help(Topic::Policy)),
        ("--help", Command::Help(Topic::All)),
        ("help", Command::Help(Topic::All)),
        ("help csr", Command::Help(Topic::Csr)),
        ("status -h", Command::Help(Topic::Status)),
        ("credentials some alias --help", Command::Help(Topic::Credentials)),
        ("-V", Command::Version),
        ("status --version", Command::Version),
    ] {
        let invocation = parse(arguments(line), None).unwrap();
        assert_eq!(invocation.command, command, "{line}");
    }
}

#[test]
fn the_socket_is_the_option_or_the_environment_or_the_default() {
    for (line, environment, socket) in [
        ("csr", None, "/run/gatepost/gatepost.sock"),
        ("csr", Some(""), "/run/gatepost/gatepost.sock"),
        ("csr", Some("/e"), "/e"),
        ("csr --socket /s", Some("/e"), "/s"),
        ("--socket=/s csr", None, "/s"),
    ] {
        let invocation = parse(arguments(line), environment.map(Into::into)).unwrap();
        assert_eq!(invocation.socket.to_str(), Some(socket), "{line} {environment:?}");
    }
}

#[test]
fn refused_in_one_line() {
    for line in [
        "",
        "credential",
        "credentials a b",
        "status now",
        "csr x",
        "status --jsn",
        "-x",
        "credentials --json",
        "setup-profile --json",
        "status --profile x",
        "setup-profile --region",
        "csr --json",
        "csr --watch",
        "sign",
        "credentials --service s3",
        "publish",
        "publish a b c",
        "publish a --name n",
        "publish a --lines=yes",
        "subscribe",
        "subscribe a b",
        "subscribe a --retain",
        "subscriptions show",
        "subscriptions delete",
        "subscriptions delete a b",
        "subscriptions delete a --json",
        "subscriptions ack a",
        "outbox show",
        "outbox purge",
        "outbox retry queued",
        "outbox frobnicate",
        "outbox purge 7 --parked",
        "outbox purge 7 --json",
        "status --json=yes",
        "env --json",
        "--socket",
        "status --socket=",
        "help frobnicate",
        "help csr status",
        "frobnicate --help",
    ] {
        let failure = parse(arguments(line), None).unwrap_err();
        assert_eq!(failure.exit(), Exit::Usage, "{line}");
        assert!(
            failure.message().contains("--help") && !failure.message().contains('\n'),
            "{line}"
        );
    }
    assert!(parse(["credentials".into(), "".into()].into_iter(), None).is_err());
}

/// The man page and the completions are made from the help.
#[test]
fn every_option_is_in_the_help_of_its_commands() {
    let help = |command: &str| crate::help::text(topic(Some(command.into())).unwrap());
    let everywhere = crate::help::text(Topic::All);
    for known in OPTIONS {
        let texts: Vec<&str> = match known.commands {
            [] => vec![everywhere],
            commands => commands.iter().map(|command| help(command)).collect(),
        };
        for text in texts {
            let (_, after) = text.split_once(known.name).expect(known.name);
            // Two blanks part a flag from what it means, one an option from its value.
            let value = after.strip_prefix(' ').is_some_and(|word| !word.starts_with(' '));
            assert_eq!(value, known.value, "{}: {text}", known.name);
        }
    }
}
