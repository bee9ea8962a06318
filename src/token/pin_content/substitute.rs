//! Recognises text in place of a PIN: a variable, a null value, a path, a command.

use super::names::is_name_of_pin;

/// Returns whether the line is JSON: `{"pin": "1234"}`, `["1234"]`.
pub(super) fn is_json(line: &str) -> bool {
    (line.starts_with('{') && line.ends_with('}') || line.starts_with('[') && line.ends_with(']')) && line.contains('"')
}

/// Returns whether the line is a template or a variable: `${PIN}`, `$(cat pin)`, `{{ pin }}`, `%(pin)s`, `ENC[...]`; and `$PIN`, `%PIN%`,
/// `@PIN@`, `__PIN__` by the name.
pub(super) fn is_unfilled(line: &str) -> bool {
    const PAIRS: [(&str, &str); 9] = [
        ("${", "}"),
        ("$(", ")"),
        ("{{", "}}"),
        ("{%", "%}"),
        ("<%", "%>"),
        ("%(", ")s"),
        ("ENC[", "]"),
        ("#{", "}#"),
        ("$ANSIBLE_VAULT;", ""),
    ];
    if PAIRS
        .iter()
        .any(|(open, close)| line.starts_with(open) && line.ends_with(close))
    {
        return true;
    }
    let marked = |open: &str, close: &str| line.strip_prefix(open)?.strip_suffix(close);
    let name = marked("$", "")
        .or(marked("%", "%"))
        .or(marked("@", "@"))
        .or(marked("__", "__"));
    name.is_some_and(is_name_of_pin)
}

/// Returns whether the line is a null value, such as the `null` of jq.
pub(super) fn is_no_value(line: &str) -> bool {
    const WORDS: [&str; 6] = ["null", "(null)", "none", "nil", "undefined", "[object object]"];
    WORDS.contains(&line.to_ascii_lowercase().as_str())
}

/// Returns whether the line consists of asterisks or bullets, which programs show instead of a PIN.
pub(super) fn is_masked(line: &str) -> bool {
    line.chars().count() > 2
        && line
            .chars()
            .all(|letter| matches!(letter, '*' | '\u{2022}' | '\u{25cf}' | '\u{b7}'))
}

/// Returns whether the line is a path in a system folder, a URL or the name of a secret in a vault. Other text that begins with a slash may
/// be base64.
pub(super) fn is_place(line: &str) -> bool {
    const PREFIXES: [&str; 22] = [
        "/etc/",
        "/run/",
        "/var/",
        "/home/",
        "/root/",
        "/tmp/",
        "/usr/",
        "/opt/",
        "/srv/",
        "/dev/",
        "/mnt/",
        "/media/",
        "/boot/",
        "/proc/",
        "~/",
        "./",
        "../",
        "file:/",
        "arn:aws",
        "vault:",
        "credential:",
        "secret:",
    ];
    let path = line.strip_prefix('@').unwrap_or(line);
    let is_windows = matches!(path.as_bytes(), [drive, b':', b'\\', ..] if drive.is_ascii_alphabetic());
    let scheme = path.split_once("://").map(|(scheme, _)| scheme);
    let is_url =
        scheme.is_some_and(|scheme| scheme.len() > 1 && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    is_url || is_windows || PREFIXES.iter().any(|prefix| path.starts_with(prefix))
}

/// Returns whether the line is a command: `printf '%s\n' 1234`, `cat /etc/pin`, `tpm2_ptool init --userpin=1234`, `--pin 1234`.
pub(super) fn is_command(line: &str) -> bool {
    const COMMANDS: [&str; 7] = [
        "printf '",
        "printf \"",
        "printf %s",
        "echo -n ",
        "echo \"",
        "cat /",
        "sudo ",
    ];
    const OPTIONS: [&str; 4] = ["--pin", "--userpin", "--so-pin", "--sopin"];
    let has_option = || {
        line.split(' ')
            .any(|word| OPTIONS.iter().any(|option| word.split('=').next() == Some(option)))
    };
    COMMANDS.iter().any(|command| line.starts_with(command)) || line.contains(' ') && has_option()
}
