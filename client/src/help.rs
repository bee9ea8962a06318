//! What `--help` prints.

mod messages;

/// What help is wanted about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Topic {
    All,
    Credentials,
    Status,
    Csr,
    Check,
    Env,
    Policy,
    SetupProfile,
    Sign,
    Publish,
    Subscribe,
    Subscriptions,
    Outbox,
}

/// The help about a topic.
pub(crate) fn text(topic: Topic) -> &'static str {
    match topic {
        Topic::All => ALL,
        Topic::Credentials => CREDENTIALS,
        Topic::Status => STATUS,
        Topic::Csr => CSR,
        Topic::Check => CHECK,
        Topic::Env => ENV,
        Topic::Policy => POLICY,
        Topic::SetupProfile => SETUP_PROFILE,
        Topic::Sign => SIGN,
        Topic::Publish => messages::PUBLISH,
        Topic::Subscribe => messages::SUBSCRIBE,
        Topic::Subscriptions => messages::SUBSCRIPTIONS,
        Topic::Outbox => messages::OUTBOX,
    }
}

const ALL: &str = "\
gatepost: asks the gatepost daemon on this machine

Usage: gatepost [--socket PATH] COMMAND

Commands:
  credentials [ALIAS]   temporary AWS credentials, for credential_process
  status                what the gateway is doing, and what to do about it
  check                 what is wrong, and the next step
  csr                   the certificate signing request of the device key
  setup-profile [ALIAS] a profile for the AWS CLI and the SDKs
  env [ALIAS]           what an SDK's container provider needs to know
  sign URL              a request's AWS signature, for curl
  policy                the AWS IoT policy that the configuration needs
  publish TOPIC         a message to AWS, kept until AWS has it
  subscribe FILTER      messages from AWS, a line each
  subscriptions         those that are kept while their program is away
  outbox                messages that wait, and those that AWS did not take
  help [COMMAND]        this text, or more about a command

Options:
  --socket PATH   the daemon's socket (default: $GATEPOST_SOCKET, else
                  /run/gatepost/gatepost.sock)
  -h, --help      this text, or more about a command
  -V, --version   the version of this command

Answers from memory must come within 2 seconds. On failure stdout stays empty,
stderr says why, and the exit code (see sysexits.h) says what kind:
  64 wrong usage            74 stdin or stdout fails
  65 the message is refused 75 temporary: try again
  66 no such thing          76 no gatepost answers there
  69 not ready, or the      77 not allowed
     daemon is not running  78 status: a person must act
  73 no room for a message
";

const CREDENTIALS: &str = "\
gatepost credentials [ALIAS]: temporary AWS credentials

Prints the credentials of the role alias ALIAS, or of the default one, as one
line of JSON: what AWS SDKs and the AWS CLI take from a credential_process. In
~/.aws/config:

  [profile telemetry]
  credential_process = gatepost credentials telemetry

Who may have which alias is decided by the [[access]] rules of the daemon.

Exit codes: 66 no such alias, 69 nothing valid yet or the daemon is not running,
75 temporary, 77 not allowed.
";

const STATUS: &str = "\
gatepost status [--json] [--watch]: what the gateway is doing

Prints what is, since when, and where something is wrong, what to do next. With
--json: the daemon's own document. With --watch: again every two seconds, until
it is interrupted; into a file or a pipe, a line for each change (with --json a
document every time).

Exit codes: 0 ready; 69 waiting for something that comes by itself, or the
daemon is not running; 78 attention: a person must act.
";

const CSR: &str = "\
gatepost csr: the certificate signing request

Prints the PEM certificate signing request of the device key in the token, for
the fleet's certificate authority to sign:

  gatepost csr > gateway.csr

While the daemon is still making it, as it does at its first start, this waits
for it, for up to two minutes.

Exit codes: 69 no key yet or the daemon is not running, 77 not allowed.
";

const CHECK: &str = "\
gatepost check [--json] [--config FILE]: what is wrong, and the next step
gatepost check --as USER: what this user may have, and which rule says so

Looks at everything that must be right: configuration, token, PIN, key,
certificate, clock, the way to AWS, the connection, each role alias in AWS's own
words, and one signed call (sts:GetCallerIdentity).

While the daemon runs, it is asked. While it does not, run this as root: its
parts are then tried one by one, as the service's user and with the variables
of gatepost.service that you have not set. A PIN is tried once, and a wrong one
counts against the token.

Exit codes: 0 nothing failed, 69 something that comes by itself is missing,
77 the PIN, 78 somebody must change something, 67 there is no such user.
";

const ENV: &str = "\
gatepost env [ALIAS]: for SDKs that get credentials over HTTP

Prints, for a shell, what an SDK's container provider must find in its
environment to get the role alias ALIAS, or the default one, from the daemon's
loopback listener:

  eval \"$(gatepost env telemetry)\"

The token file it names can be read by the user or group of the caller's
[[access]] rule only, and holds another token after each start of the daemon.
Credentials that an SDK finds before these (AWS_ACCESS_KEY_ID, a profile) win.

Exit codes: 66 no such alias, 69 the daemon is not running, 77 not allowed,
78 the loopback listener is off, or the rule has no token file for this caller.
";

const SETUP_PROFILE: &str = "\
gatepost setup-profile [ALIAS]: a profile for the AWS CLI and the SDKs

Writes a profile whose credentials come from this command into an AWS
configuration file. It asks nothing, changes nothing else in the file, and says
what it did; run again, it changes nothing.

Options:
  --profile NAME   the profile (default: ALIAS, or gatepost)
  --region REGION  the profile's Region, if it is to have one
  --file PATH      the file (default: $AWS_CONFIG_FILE, else ~/.aws/config)

Exit codes: 78 the file cannot be written, or the profile gets its credentials
elsewhere.
";

const SIGN: &str = "\
gatepost sign --service NAME --region REGION [OPTIONS] URL: an AWS signature

Prints the header fields that sign a request (SigV4), for a program without an
SDK:

  url=https://BUCKET.s3.us-east-2.amazonaws.com/photo.jpg
  gatepost sign --service s3 --region us-east-2 \"$url\" | curl -H @- \"$url\"

Options:
  --alias ALIAS        the role alias (default: the default one)
  --method METHOD      the method (default: GET)
  --header NAME:VALUE  a header field that will be sent too; may be repeated
  --payload-hash HASH  the body's SHA-256 in hex (sha256sum); needed by a method
                       that has a body
  --unsigned-payload   do without the hash, where the service takes that (S3)
  --expires SECONDS    print a presigned URL instead; it is not good for longer
                       than the credentials

Exit codes: 64 the request cannot be signed, 66 no such alias, 69 nothing valid
yet or the daemon is not running, 77 not allowed.
";

const POLICY: &str = "\
gatepost policy [--config FILE] [--account ID]: the AWS IoT policy

Prints the policy that the configuration needs (default:
/etc/gatepost/gatepost.toml), with nothing beyond it: the connection as the
thing itself, presence, and the role aliases. --account narrows it to an AWS
account. For a fleet's provisioning template, or for

  gatepost policy --account 123456789012 > policy.json
  aws iot create-policy --policy-name gatepost \\
      --policy-document file://policy.json

The daemon need not run. Exit codes: 69 gatepostd is not installed, 78 the
configuration is wrong.
";

#[cfg(test)]
mod tests {
    use super::{Topic, text};

    #[test]
    fn help_fits_a_terminal() {
        for topic in [
            Topic::All,
            Topic::Credentials,
            Topic::Status,
            Topic::Csr,
            Topic::Check,
            Topic::Env,
            Topic::Policy,
            Topic::SetupProfile,
            Topic::Sign,
            Topic::Publish,
            Topic::Subscribe,
            Topic::Subscriptions,
            Topic::Outbox,
        ] {
            assert!(text(topic).ends_with('\n'));
            assert!(text(topic).lines().count() <= 40 && text(topic).lines().all(|line| line.len() <= 80));
        }
    }
}
