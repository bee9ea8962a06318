//! Completion for fish.

use super::line::{Line, Values, VerbLine};
use super::role_aliases::ROLE_ALIASES;

/// Returns the script.
pub(super) fn script(own: &Line, commands: &[Line], others: &[(&str, Line)]) -> String {
    let mut out = String::from("# fish completion for gatepost, made from its command table.\n\n");
    out.push_str(&format!(
        "function __gatepost_role_aliases\n    {ROLE_ALIASES}\nend\n\n"
    ));
    let names: Vec<&str> = commands.iter().map(|line| line.command).collect();
    let none_yet = format!("not __fish_seen_subcommand_from {}", names.join(" "));
    out.push_str("complete -c gatepost -f\n");
    for line in commands {
        let summary = quoted(line.summary);
        out.push_str(&format!(
            "complete -c gatepost -n '{none_yet}' -a {} -d '{summary}'\n",
            line.command
        ));
    }
    put(&mut out, "gatepost", own, Some(&none_yet), &names);
    for line in commands {
        let chosen = format!("__fish_seen_subcommand_from {}", line.command);
        put(&mut out, "gatepost", line, Some(&chosen), &names);
    }
    for (program, line) in others {
        out.push_str(&format!("complete -c {program} -f\n"));
        put(&mut out, program, line, None, &names);
    }
    out
}

fn put(out: &mut String, program: &str, line: &Line, when: Option<&str>, names: &[&str]) {
    let when = when.map(|when| format!(" -n '{when}'")).unwrap_or_default();
    if let Some(words) = words(&line.argument, names) {
        out.push_str(&format!("complete -c {program}{when} -a '{words}'\n"));
    }
    let verbs: Vec<&str> = line.verbs.iter().map(|verb| verb.name).collect();
    for VerbLine {
        name,
        summary,
        argument,
    } in &line.verbs
    {
        out.push_str(&format!(
            "complete -c {program} -n '__fish_seen_subcommand_from {}; and not __fish_seen_subcommand_from {}' -a {name} -d '{}'\n",
            line.command,
            verbs.join(" "),
            quoted(summary)
        ));
        let chosen = format!(
            "__fish_seen_subcommand_from {}; and __fish_seen_subcommand_from {name}",
            line.command
        );
        match argument {
            Values::Files => out.push_str(&format!("complete -c {program} -n '{chosen}' -F\n")),
            other => {
                if let Some(words) = words(other, names) {
                    out.push_str(&format!("complete -c {program} -n '{chosen}' -a '{words}'\n"));
                }
            }
        }
    }
    for flag in &line.flags {
        let name = flag.name.trim_start_matches('-');
        let meaning = quoted(&flag.meaning);
        let value = match flag.value.as_ref().map(|(_, values)| values) {
            None => String::new(),
            Some(Values::Files) => " -r -F".to_owned(),
            Some(other) => words(other, names).map_or(" -x".to_owned(), |words| format!(" -x -a '{words}'")),
        };
        let described = if meaning.is_empty() {
            String::new()
        } else {
            format!(" -d '{meaning}'")
        };
        out.push_str(&format!("complete -c {program}{when} -l {name}{value}{described}\n"));
    }
}

fn words(values: &Values, names: &[&str]) -> Option<String> {
    match values {
        Values::Users => Some("(__fish_complete_users)".to_owned()),
        Values::RoleAliases => Some("(__gatepost_role_aliases)".to_owned()),
        Values::Commands => Some(names.join(" ")),
        Values::Words(words) => Some(words.join(" ")),
        Values::Files | Values::Nothing => None,
    }
}

fn quoted(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\'', "\\'")
}
