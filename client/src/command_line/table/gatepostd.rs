//! The command line of the daemon. Its parser, help, man page and completions are made from this table.

use super::operator;
use crate::command_line::spec::{CommandOption, Mode, Program};

const CHECK: CommandOption = CommandOption::flag(
    "--check",
    "check everything that must be right, from the configuration to a signed call, and exit; `gatepost check` runs this",
);
const AS: CommandOption = CommandOption::value("--as", "USER", "with --check: only show what this user is allowed");
const JSON: CommandOption = CommandOption::flag("--json", "with --check: print a document");
const CHECK_CONFIG: CommandOption = CommandOption::flag(
    "--check-config",
    "print what is wrong with the configuration and exit: with 0 if nothing is, with 78 otherwise",
);
const PRINT_POLICY: CommandOption = CommandOption::flag(
    "--print-policy",
    "print the AWS IoT policy that the configuration needs; `gatepost policy` runs this",
);
const ACCOUNT: CommandOption =
    CommandOption::value("--account", "ID", "with --print-policy: the AWS account (default: any)");
const ALLOW: CommandOption = CommandOption::flag(
    "--allow",
    "add an access rule; `gatepost allow` runs this, and its help lists the options",
);
const INSTALL_CERTIFICATE: CommandOption = CommandOption::value(
    "--install-certificate",
    "FILE",
    "install the certificate in FILE (- for stdin) if it can be used; `gatepost certificate install` runs this",
);
const STDIN: CommandOption =
    CommandOption::flag("--stdin", "with --install-certificate: the content of FILE is on stdin");
const SUPPORT: CommandOption = CommandOption::flag(
    "--support",
    "collect information for support, without secrets; `gatepost support` runs this",
);
const PREPARE_TOKEN: CommandOption = CommandOption::value(
    "--prepare-token",
    "list|make|prove",
    "what gatepost-tpm-setup does with a token: list the labels, make a token, or prove a PIN by trying it once; the PIN is read from stdin",
)
.choices(&["list", "make", "prove"]);
const REMOVE_CREDENTIALS_FILES: CommandOption = CommandOption::flag(
    "--remove-credentials-files",
    "remove the credentials files that a run has left, and end; the unit runs this when it is stopped",
);
const MODULE: CommandOption = CommandOption::value("--module", "FILE", "with --prepare-token: the PKCS#11 module");
const TOKEN: CommandOption = CommandOption::value("--token", "LABEL", "with --prepare-token: the token's label");
const CONFIG: CommandOption = CommandOption::value(
    "--config",
    "FILE",
    "read FILE, and conf.d/*.toml beside it (default: /etc/gatepost/gatepost.toml)",
);
const HELP: CommandOption = CommandOption::flag("--help", "this text").short("-h");
const VERSION: CommandOption = CommandOption::flag("--version", "the version of this program").short("-V");

/// The daemon.
pub static GATEPOSTD: Program = Program {
    name: "gatepostd",
    summary: "keeps one gateway's identity on AWS IoT Core",
    usage: "[--config FILE] [--check | --check-config | --print-policy]",
    description: "\
As a daemon it generates its key in a TPM or another PKCS#11 token, lets AWS
provision the gateway by its certificate, keeps one MQTT session, and provides
temporary AWS credentials and topics to local programs on
/run/gatepost/gatepost.sock, as its access rules allow. Usually systemd starts
it: gatepost.service.",
    options: &[
        CONFIG,
        CHECK,
        AS,
        JSON,
        CHECK_CONFIG,
        PRINT_POLICY,
        ACCOUNT,
        ALLOW,
        INSTALL_CERTIFICATE,
        STDIN,
        SUPPORT,
        PREPARE_TOKEN,
        MODULE,
        TOKEN,
        REMOVE_CREDENTIALS_FILES,
        HELP,
        VERSION,
    ],
    notes: "\
Environment: GATEPOST_LOG=error|warn|info|debug|trace (default: info);
STATE_DIRECTORY, RUNTIME_DIRECTORY and CREDENTIALS_DIRECTORY as systemd sets
them. `gatepost status` shows the state of a running gatepostd.",
};

/// The actions of gatepostd other than running as a daemon. `--config` is an option of every mode.
pub static GATEPOSTD_MODES: &[Mode] = &[
    Mode {
        option: CHECK,
        options: &[AS, JSON],
    },
    Mode {
        option: CHECK_CONFIG,
        options: &[],
    },
    Mode {
        option: PRINT_POLICY,
        options: &[ACCOUNT],
    },
    Mode {
        option: ALLOW,
        options: operator::ALLOW.options,
    },
    Mode {
        option: INSTALL_CERTIFICATE,
        options: &[STDIN],
    },
    Mode {
        option: SUPPORT,
        options: &[],
    },
    Mode {
        option: PREPARE_TOKEN,
        options: &[MODULE, TOKEN],
    },
    Mode {
        option: REMOVE_CREDENTIALS_FILES,
        options: &[],
    },
];
