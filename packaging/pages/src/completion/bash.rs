//! Completion for bash. bash-completion loads the file when `gatepost` is completed for the first time.

use super::line::{Line, Values};
use super::role_aliases::ROLE_ALIASES;

/// Returns the script.
pub(super) fn script(own: &Line, commands: &[Line], others: &[(&str, Line)]) -> String {
    let mut out = String::from("# bash completion for gatepost, made from its command table.\n\n");
    out.push_str(&format!("_gatepost_role_aliases() {{\n    {ROLE_ALIASES}\n}}\n\n"));
    let names: Vec<&str> = commands.iter().map(|line| line.command).collect();
    out.push_str(
        "_gatepost() {\n    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} command word\n",
    );
    out.push_str("    COMPREPLY=()\n    for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n        case $word in\n");
    out.push_str(&format!(
        "        {}) command=${{command:-$word}} ;;\n        esac\n    done\n",
        names.join(" | ")
    ));
    out.push_str("    case $command in\n");
    for line in commands {
        out.push_str(&format!(
            "    {})\n{}        ;;\n",
            line.command,
            complete(line, &names, "        ")
        ));
    }
    out.push_str(&format!("    *)\n{}", complete(own, &names, "        ")));
    out.push_str(&format!(
        "        [[ $cur == -* ]] || COMPREPLY=($(compgen -W \"{}\" -- \"$cur\"))\n        ;;\n    esac\n}}\ncomplete -F _gatepost gatepost\n",
        names.join(" ")
    ));
    for (program, line) in others {
        let function = program.replace('-', "_");
        out.push_str(&format!(
            "\n_{function}() {{\n    local cur=${{COMP_WORDS[COMP_CWORD]}} prev=${{COMP_WORDS[COMP_CWORD - 1]}}\n    COMPREPLY=()\n{}}}\ncomplete -F _{function} {program}\n",
            complete(line, &names, "    ")
        ));
    }
    out
}

fn complete(line: &Line, names: &[&str], indent: &str) -> String {
    let mut out = String::new();
    let with_value = line
        .flags
        .iter()
        .filter_map(|flag| Some((&flag.name, &flag.value.as_ref()?.1)));
    out.push_str(&format!("{indent}case $prev in\n"));
    for (name, values) in with_value {
        out.push_str(&format!("{indent}{name}) {}return ;;\n", reply(values, names)));
    }
    for verb in line.verbs.iter().filter(|verb| verb.argument != Values::Nothing) {
        out.push_str(&format!(
            "{indent}{}) {}return ;;\n",
            verb.name,
            reply(&verb.argument, names)
        ));
    }
    out.push_str(&format!("{indent}esac\n"));
    let flags: Vec<&str> = line.flags.iter().map(|flag| flag.name.as_str()).collect();
    out.push_str(&format!(
        "{indent}if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W \"{}\" -- \"$cur\")); return; fi\n",
        flags.join(" ")
    ));
    if !line.verbs.is_empty() {
        let verbs: Vec<&str> = line.verbs.iter().map(|verb| verb.name).collect();
        out.push_str(&format!(
            "{indent}[[ $prev != {} ]] || COMPREPLY=($(compgen -W \"{}\" -- \"$cur\"))\n",
            line.command,
            verbs.join(" ")
        ));
    }
    let argument = reply(&line.argument, names);
    if !argument.is_empty() {
        out.push_str(&format!("{indent}{}\n", argument.trim_end()));
    }
    out
}

fn reply(values: &Values, names: &[&str]) -> String {
    match values {
        Values::Files => "COMPREPLY=($(compgen -f -- \"$cur\")); ".to_owned(),
        Values::Users => "COMPREPLY=($(compgen -u -- \"$cur\")); ".to_owned(),
        Values::RoleAliases => "COMPREPLY=($(compgen -W \"$(_gatepost_role_aliases)\" -- \"$cur\")); ".to_owned(),
        Values::Commands => format!("COMPREPLY=($(compgen -W \"{}\" -- \"$cur\")); ", names.join(" ")),
        Values::Words(words) => format!("COMPREPLY=($(compgen -W \"{}\" -- \"$cur\")); ", words.join(" ")),
        Values::Nothing => String::new(),
    }
}
