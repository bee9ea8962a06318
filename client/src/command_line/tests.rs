mod table;

use std::ffi::OsString;

use super::matches::Matches;
use super::parse::{Action, parse};
use super::{COMMANDS, CommandOption, GLOBAL_OPTIONS, find};
use crate::exit::Exit;

fn words(line: &str) -> impl Iterator<Item = OsString> {
    line.split_whitespace().map(Into::into)
}

/// Parses a valid command line.
pub(crate) fn matches(line: &[&str]) -> Matches {
    match parse(line.iter().map(OsString::from), None).unwrap().action {
        Action::Run(_, matches) => matches,
        _ => panic!("{line:?} runs nothing"),
    }
}

/// Parses a command line and returns it in a canonical form: command, verb, operands, options.
fn understood(line: &str) -> String {
    match parse(words(line), None).unwrap().action {
        Action::Version => "version".to_owned(),
        Action::Help(topic) => format!("help {}", topic.map_or("all", |command| command.name)),
        Action::Run(_, matches) => {
            let command = find(matches.command).unwrap();
            let mut out = command.name.to_owned();
            out.extend(matches.verb.map(|verb| format!(" {verb}")));
            let operands = (0..).map_while(|index| matches.operand(index));
            out.extend(operands.map(|word| format!(" {}", word.to_string_lossy())));
            for option in command.options {
                out.extend(matches.values(option.name).map(|value| match option.value {
                    Some(_) => format!(" {}={}", option.name, value.to_string_lossy()),
                    None => format!(" {}", option.name),
                }));
            }
            out
        }
    }
}

#[test]
fn command_lines_that_are_right() {
    for (line, expected) in [
        ("credentials", "credentials"),
        ("credentials telemetry", "credentials telemetry"),
        ("--socket /s credentials telemetry", "credentials telemetry"),
        ("credentials --socket=/s telemetry", "credentials telemetry"),
        ("credentials telemetry --socket /s", "credentials telemetry"),
        ("credentials -- --odd", "credentials --odd"),
        ("credentials -", "credentials -"),
        ("--json status", "status --json"),
        ("status --watch", "status --watch"),
        ("csr", "csr"),
        ("check --as camera", "check --as=camera"),
        ("--json check --config=/x", "check --config=/x --json"),
        ("policy --account 1", "policy --account=1"),
        (
            "setup-profile telemetry --region=us-east-2 --file /f",
            "setup-profile telemetry --region=us-east-2 --file=/f",
        ),
        (
            "sign --service s3 --region us-east-2 --header a:b https://h/ --header c:d",
            "sign https://h/ --service=s3 --region=us-east-2 --header=a:b --header=c:d",
        ),
        (
            "publish {thing}/a hello --retain --qos=1 --wait --timeout 5",
            "publish {thing}/a hello --qos=1 --retain --wait --timeout=5",
        ),
        ("publish t --lines", "publish t --lines"),
        (
            "subscribe --name n t/# --no-ack --count 3",
            "subscribe t/# --name=n --no-ack --count=3",
        ),
        ("subscriptions", "subscriptions list"),
        ("subscriptions --json list", "subscriptions list --json"),
        ("subscriptions delete n", "subscriptions delete n"),
        ("subscriptions ack n 7", "subscriptions ack n 7"),
        ("outbox", "outbox list"),
        ("outbox --parked --json", "outbox list --parked --json"),
        ("outbox show 7 --json", "outbox show 7 --json"),
        ("outbox purge queued", "outbox purge queued"),
        ("outbox retry --help", "help outbox"),
        ("check -h", "help check"),
        ("help policy", "help policy"),
        ("--help", "help all"),
        ("help", "help all"),
        ("help help", "help all"),
        ("status -h", "help status"),
        ("credentials some alias --help", "help credentials"),
        ("-V", "version"),
        ("status --version", "version"),
    ] {
        assert_eq!(understood(line), expected, "{line}");
    }
    assert_eq!(matches(&["publish", "t", ""]).operand(1).unwrap(), "");
}

#[test]
fn an_option_with_one_value_is_refused_when_it_is_given_twice() {
    // Each such option of the table, in every position.
    for command in COMMANDS.iter().filter(|command| command.run.is_some()) {
        let single = |option: &&CommandOption| option.value.is_some() && !option.is_repeatable;
        for option in command.options.iter().chain(GLOBAL_OPTIONS).filter(single) {
            let (name, option) = (command.name, option.name);
            let line = format!("{name} {option}=1 {option}=1");
            let Err(failure) = parse(words(&line), None) else {
                panic!("{line} is not refused")
            };
            assert!(
                failure.message().contains(&format!("{option} is given twice")),
                "{line}"
            );
            assert_eq!(failure.exit(), Exit::Usage);
        }
    }
    let line = [
        "allow",
        "--user=a",
        "--role-alias=a",
        "--role-alias",
        "b",
        "--publish=x",
        "--publish=y",
    ];
    let matches = matches(&line);
    assert_eq!(matches.values("--role-alias").count(), 2);
    assert_eq!(matches.values("--publish").count(), 2);
}

#[test]
fn the_socket_is_the_option_or_the_environment_or_the_default() {
    for (line, environment, socket) in [
        ("csr", None, "/run/gatepost/gatepost.sock"),
        ("csr", Some(""), "/run/gatepost/gatepost.sock"),
        ("csr", Some("/e"), "/e"),
        ("csr --socket /s", Some("/e"), "/s"),
        ("--socket=/s csr", None, "/s"),
        ("--socket=/s check --json", None, "/s"),
    ] {
        let invocation = parse(words(line), environment.map(Into::into)).unwrap();
        assert_eq!(invocation.socket.to_str(), Some(socket), "{line} {environment:?}");
    }
}

#[test]
fn every_mistake_is_one_line_that_names_the_help() {
    for (line, says) in [
        ("", "no command"),
        ("credential", "did you mean credentials?"),
        ("stauts", "did you mean status?"),
        ("frobnicate", "unknown command \"frobnicate\";"),
        ("frobnicate --help", "unknown command"),
        ("credentials a b", "unexpected argument \"b\""),
        ("status now", "gatepost status --help"),
        ("csr x", "unexpected"),
        ("status --jsn", "did you mean --json?"),
        ("-x", "unknown option \"-x\""),
        ("credentials --json", "--json is not an option of gatepost credentials"),
        ("status --profile x", "not an option"),
        ("setup-profile --region", "--region needs a value"),
        ("sign", "--service is needed"),
        ("sign --service s3 https://h", "--region is needed"),
        ("sign --service s3 --region r", "the URL is missing"),
        ("publish", "the topic is missing"),
        ("publish a b c", "unexpected"),
        ("publish a --name n", "not an option"),
        ("publish a --lines=yes", "--lines takes no value"),
        ("subscribe", "the topic filter is missing"),
        ("subscribe a --retain", "not an option"),
        ("subscriptions show", "unknown verb \"show\""),
        ("subscriptions delet x", "did you mean delete?"),
        ("subscriptions delete", "the subscription's name is missing"),
        ("subscriptions delete a --json", "gatepost subscriptions delete"),
        ("subscriptions ack a", "the message's id is missing"),
        ("outbox show", "missing"),
        (
            "outbox purge 7 --parked",
            "--parked is not an option of gatepost outbox purge",
        ),
        ("outbox frobnicate", "gatepost outbox --help"),
        ("policy --account", "needs a value"),
        ("check --as=", "needs a value"),
        ("--socket", "--socket needs a value"),
        ("status --socket=", "needs a value"),
        ("--socket /a check --socket /b", "--socket is given twice"),
        (
            "wait --for raedy",
            "--for is one of ready, csr, certificate, not \"raedy\"; did you mean ready?",
        ),
        ("wait --for READY", "did you mean ready?"),
        ("wait --for certificat", "did you mean certificate?"),
        (
            "log-level verbose",
            "the log level is one of error, warn, info, debug, trace",
        ),
        ("log-level DEBUG", "did you mean debug?"),
        ("publish t --qos 2", "--qos is one of 0, 1, not \"2\""),
        ("subscribe t --qos=-1", "--qos is one of 0, 1"),
        ("retry sesion", "did you mean session?"),
        ("retry credentails", "did you mean credentials?"),
        ("help frobnicate", "unknown command"),
        ("help csr status", "unexpected"),
    ] {
        let Err(failure) = parse(words(line), None) else {
            panic!("{line} is not refused")
        };
        let message = failure.message();
        assert_eq!(failure.exit(), Exit::Usage, "{line}");
        assert!(message.contains(says), "{line}: {message}");
        assert!(
            message.contains("--help") && !message.contains('\n'),
            "{line}: {message}"
        );
    }
    let empty = ["credentials".into(), OsString::new()];
    assert!(parse(empty.into_iter(), None).is_err());
}
