//! Completion for zsh.

use super::line::{Line, Values};
use super::role_aliases::ROLE_ALIASES;

/// Returns the script.
pub(super) fn script(own: &Line, commands: &[Line], others: &[(&str, Line)]) -> String {
    let programs: Vec<&str> = others.iter().map(|(program, _)| *program).collect();
    let mut out = format!(
        "#compdef gatepost {}\n# Made from the command table of gatepost and the other programs' help.\n\n",
        programs.join(" ")
    );
    out.push_str(&format!(
        "_gatepost_role_aliases() {{\n    local -a aliases\n    aliases=(${{(f)\"$({ROLE_ALIASES})\"}})\n    _describe 'role alias' aliases\n}}\n\n"
    ));
    out.push_str("_gatepost_commands() {\n    local -a commands\n    commands=(\n");
    for line in commands {
        out.push_str(&format!("        '{}:{}'\n", line.command, quoted(line.summary)));
    }
    out.push_str("    )\n    _describe 'command' commands\n}\n\n_gatepost_command() {\n    case $words[1] in\n");
    for line in commands {
        out.push_str(&format!(
            "    {})\n        _arguments -s {}\n        ;;\n",
            line.command,
            arguments(line)
        ));
    }
    out.push_str("    esac\n}\n\ncase $service in\n");
    for (program, line) in others {
        out.push_str(&format!("{program})\n    _arguments -s {}\n    ;;\n", arguments(line)));
    }
    out.push_str(&format!(
        "*)\n    _arguments -s {} '1:command:_gatepost_commands' '*::argument:_gatepost_command'\n    ;;\nesac\n",
        arguments(own)
    ));
    out
}

fn arguments(line: &Line) -> String {
    let flags = line.flags.iter().map(|flag| {
        let meaning = quoted(&flag.meaning)
            .replace('[', "\\[")
            .replace(']', "\\]")
            .replace(':', "\\:");
        match &flag.value {
            Some((value, values)) => format!("'{}=[{meaning}]:{value}:{}'", flag.name, action(values)),
            None => format!("'{}[{meaning}]'", flag.name),
        }
    });
    let verbs: Vec<String> = line
        .verbs
        .iter()
        .map(|verb| format!("{}\\:\"{}\"", verb.name, quoted(verb.summary)))
        .collect();
    let with_operand = line.verbs.iter().filter(|verb| verb.argument != Values::Nothing);
    let cases: Vec<String> = with_operand
        .map(|verb| format!("{}) {} ;;", verb.name, action(&verb.argument)))
        .collect();
    // The verb is the second of the command's own words.
    let after = (!cases.is_empty()).then(|| format!("'2:argument:{{ case $words[2] in {} esac }}'", cases.join(" ")));
    let verbs = (!verbs.is_empty()).then(|| format!("'1:action:(({}))'", verbs.join(" ")));
    let argument = (line.argument != Values::Nothing).then(|| format!("'1:argument:{}'", action(&line.argument)));
    flags
        .chain(verbs)
        .chain(after)
        .chain(argument)
        .collect::<Vec<_>>()
        .join(" ")
}

fn action(values: &Values) -> String {
    let action = match values {
        Values::Files => "_files",
        Values::Users => "_users",
        Values::RoleAliases => "_gatepost_role_aliases",
        Values::Commands => "_gatepost_commands",
        Values::Words(words) => return format!("compadd {}", words.join(" ")),
        Values::Nothing => "( )",
    };
    action.to_owned()
}

fn quoted(text: &str) -> String {
    text.replace('\'', "'\\''")
}
