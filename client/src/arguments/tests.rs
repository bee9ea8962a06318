use super::{Command, parse};
use crate::exit::Exit;
use crate::help::Topic;
use crate::setup_profile::Wanted;
use crate::sign;
use crate::status::View;

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
