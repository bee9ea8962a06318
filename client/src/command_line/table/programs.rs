//! Commands for programs that use AWS.

use super::exit_codes::{NO_ALIAS, NOT_ALLOWED, NOT_RUNNING};
use crate::command_line::spec::{Command, CommandOption, Form, Operand};
use crate::{credentials, env, exec, setup_profile, sign, token};

const ALIAS: &[Operand] = &[Operand::optional("ALIAS", "the role alias")];
/// The meaning of exit code 69 for commands that need credentials.
const NOTHING_VALID: (u8, &str) = (69, "no valid credentials yet, or the daemon is not running");

pub(super) const CREDENTIALS: Command = Command {
    name: "credentials",
    summary: "temporary AWS credentials, for credential_process",
    forms: &[Form::plain(ALIAS, &[], "temporary AWS credentials")],
    description: "\
Prints the credentials of the role alias ALIAS, or of the default one, as one
line of JSON, as AWS SDKs and the AWS CLI expect it of a credential_process. In
~/.aws/config:

  [profile telemetry]
  credential_process = gatepost credentials telemetry

The [[access]] rules of the daemon decide who may use which role alias. The
command answers within 2 seconds or fails.",
    options: &[],
    notes: "",
    exit_codes: &[NO_ALIAS, NOTHING_VALID, (75, "temporary"), NOT_ALLOWED],
    run: Some(credentials::run),
};

pub(super) const SETUP_PROFILE: Command = Command {
    name: "setup-profile",
    summary: "write a profile for the AWS CLI and the SDKs",
    forms: &[Form::plain(
        ALIAS,
        &["--profile", "--region", "--file", "--credentials-file"],
        "a profile for the AWS CLI and the SDKs",
    )],
    description: "\
Writes a profile whose credentials come from this command into an AWS
configuration file. It asks no questions, changes nothing else in the file, and
prints what it did. A second run changes nothing. It refuses a profile for which
programs would find other credentials first, and a role alias that the running
daemon does not know.",
    options: &[
        CommandOption::value("--profile", "NAME", "the profile (default: ALIAS, or gatepost)"),
        CommandOption::value("--region", "REGION", "the profile's Region (default: none)"),
        CommandOption::value(
            "--file",
            "PATH",
            "the file (default: $AWS_CONFIG_FILE, else ~/.aws/config)",
        ),
        CommandOption::flag(
            "--credentials-file",
            "write into $AWS_SHARED_CREDENTIALS_FILE, else ~/.aws/credentials, for programs that read only that (restic)",
        ),
    ],
    notes: "",
    exit_codes: &[
        NO_ALIAS,
        (
            78,
            "the file cannot be written, or the profile gets its credentials elsewhere",
        ),
    ],
    run: Some(setup_profile::run),
};

pub(super) const ENV: Command = Command {
    name: "env",
    summary: "environment variables for an SDK's container provider",
    forms: &[Form::plain(
        ALIAS,
        &["--token"],
        "for SDKs that get credentials over HTTP",
    )],
    description: "\
Prints, for a shell, the environment variables with which an SDK's container
provider gets the role alias ALIAS, or the default one, from the daemon's
loopback listener:

  eval \"$(gatepost env telemetry)\"

Only the user or group of the caller's [[access]] rule can read the token file
in the output. Credentials that an SDK finds first (AWS_ACCESS_KEY_ID, keys in a
profile) take precedence: they are named on standard error.",
    options: &[CommandOption::flag(
        "--token",
        "print the token itself, for SDKs that know no token file; it changes when gatepost is stopped and started, and at a boot",
    )],
    notes: "",
    exit_codes: &[
        NO_ALIAS,
        NOT_RUNNING,
        NOT_ALLOWED,
        (
            78,
            "the loopback listener is off, or the rule has no token file for this caller",
        ),
    ],
    run: Some(env::run),
};

pub(super) const EXEC: Command = Command {
    name: "exec",
    summary: "run a program with credentials in its environment",
    forms: &[Form::plain(
        &[
            Operand::required("ALIAS", "the role alias"),
            Operand::program("-- PROGRAM [ARGUMENT...]", "the program, after --"),
        ],
        &["--region", "--at-least", "--quiet"],
        "with credentials",
    )],
    description: "\
Executes PROGRAM in its own place, with the credentials of the role alias ALIAS
in the environment, for programs that only look there:

  gatepost exec telemetry -- s3cmd put reading.json s3://BUCKET/

Variables that would give the program other credentials are removed. It gets no
new ones while it runs: standard error and AWS_CREDENTIAL_EXPIRATION say how
long these are valid. Of other users only root can see them; the program's own
children can.",
    options: &[
        CommandOption::value(
            "--region",
            "REGION",
            "the AWS Region (default: that of the environment, else of the gateway's endpoint)",
        ),
        CommandOption::value(
            "--at-least",
            "SECONDS",
            "fail (75) unless the credentials are valid for this long",
        ),
        CommandOption::flag("--quiet", "do not print how long the credentials are valid"),
    ],
    notes: "Otherwise the exit code is that of the program.",
    exit_codes: &[
        NO_ALIAS,
        NOTHING_VALID,
        (75, "temporary"),
        NOT_ALLOWED,
        (126, "the program cannot be executed"),
        (127, "there is no such program"),
    ],
    run: Some(exec::run),
};

pub(super) const SIGN: Command = Command {
    name: "sign",
    summary: "a request's AWS signature, for curl",
    forms: &[Form::plain(
        &[Operand::required("URL", "the URL")],
        &[
            "--service",
            "--region",
            "--alias",
            "--method",
            "--header",
            "--payload-hash",
            "--unsigned-payload",
            "--expires",
        ],
        "an AWS signature",
    )],
    description: "\
Prints the header fields that sign a request (SigV4), for a program without an
SDK:

  url=https://BUCKET.s3.us-east-2.amazonaws.com/photo.jpg
  gatepost sign --service s3 --region us-east-2 \"$url\" | curl -H @- \"$url\"",
    options: &[
        CommandOption::value("--service", "NAME", "the AWS service, such as s3").required(),
        CommandOption::value("--region", "REGION", "the AWS Region").required(),
        CommandOption::value("--alias", "ALIAS", "the role alias (default: the default one)"),
        CommandOption::value("--method", "METHOD", "the method (default: GET)"),
        CommandOption::value(
            "--header",
            "NAME:VALUE",
            "a header field that will be sent too; may be repeated",
        )
        .repeatable(),
        CommandOption::value(
            "--payload-hash",
            "HASH",
            "the body's SHA-256 in hex (sha256sum); needed by a method that has a body",
        ),
        CommandOption::flag(
            "--unsigned-payload",
            "leave the hash out, if the service allows that (S3)",
        ),
        CommandOption::value(
            "--expires",
            "SECONDS",
            "print a presigned URL instead; it is valid for at most as long as the credentials",
        ),
    ],
    notes: "",
    exit_codes: &[
        (64, "the request cannot be signed"),
        NO_ALIAS,
        NOTHING_VALID,
        NOT_ALLOWED,
    ],
    run: Some(sign::run),
};

pub(super) const TOKEN: Command = Command {
    name: "token",
    summary: "a token for a login to a service outside AWS",
    forms: &[Form::plain(
        &[Operand::required("AUDIENCE", "the service that the token is for")],
        &[],
        "a token for a service outside AWS",
    )],
    description: "\
Prints a web identity token (a JWT of AWS STS, GetWebIdentityToken) that states
which role this gateway has. The service AUDIENCE, such as HashiCorp Vault or an
API of your own, accepts it as a login, so that programs need no stored secret.
The token is valid for 15 minutes at most; it is meant for one login:

  vault write -field=token auth/jwt/login role=gateway \\
    jwt=\"$(gatepost token https://vault.example)\"

The [[access]] rules of the daemon (tokens) decide who may have a token for
which audience. The command answers within 2 seconds or fails.",
    options: &[],
    notes: "",
    exit_codes: &[NOTHING_VALID, (75, "temporary"), NOT_ALLOWED],
    run: Some(token::run),
};
