//! Tests of BEGIN and END lines that were altered by a mail, a diff, source code or a word processor.

use super::*;

#[test]
fn alterations_of_the_lines_are_identified() {
    let pem = material().certificate;
    let pem = pem.trim_end();
    let each = |change: &dyn Fn(usize, &str) -> String| {
        let lines: Vec<String> = pem
            .lines()
            .enumerate()
            .map(|(number, line)| change(number, line))
            .collect();
        lines.join("\n")
    };
    let before = |text: &str| each(&|_, line| format!("{text}{line}"));
    let marks = |from: &str, to: &str| pem.replace(from, to);
    let escaped = pem.replace('\n', "\\n");
    let url = pem.replace('\n', "%0A").replace(' ', "%20").replace('+', "%2B");
    for (name, file, content) in [
        ("a mail's quotation", before("> "), Content::PrefixedLines),
        ("two quotations", before(">> "), Content::PrefixedLines),
        ("a diff's additions", before("+"), Content::PrefixedLines),
        ("a comment of a shell", before("# "), Content::PrefixedLines),
        ("a comment without a blank", before("#"), Content::PrefixedLines),
        ("a comment of C", before("// "), Content::PrefixedLines),
        ("a block comment", before(" * "), Content::PrefixedLines),
        ("a comment of SQL", before("-- "), Content::PrefixedLines),
        ("a comment of an ini file", before("; "), Content::PrefixedLines),
        ("a table", before("| "), Content::PrefixedLines),
        (
            "numbers of cat -n",
            each(&|number, line| format!("{:6}\t{line}", number + 1)),
            Content::PrefixedLines,
        ),
        (
            "numbers of grep -n",
            each(&|number, line| format!("{}:{line}", number + 1)),
            Content::PrefixedLines,
        ),
        (
            "a list",
            each(&|number, line| format!("{}. {line}", number + 1)),
            Content::PrefixedLines,
        ),
        (
            "a journal",
            each(&|number, line| format!("10:04:{number:02} gw app[7]: {line}")),
            Content::PrefixedLines,
        ),
        (
            "strings of C",
            each(&|_, line| format!("\"{line}\\n\"")),
            Content::PrefixedLines,
        ),
        (
            "strings of JavaScript",
            each(&|_, line| format!("'{line}' +")),
            Content::PrefixedLines,
        ),
        (
            "a shell's echo",
            each(&|_, line| format!("echo {line}")),
            Content::PrefixedLines,
        ),
        ("an assignment", format!("CERT=\"{pem}\""), Content::TextBesideMarks),
        ("an export", format!("export CERT='{pem}'\n"), Content::TextBesideMarks),
        ("quotation marks", format!("\"{pem}\""), Content::TextBesideMarks),
        (
            "a YAML string",
            format!("cert: {}", pem.replace('\n', "\n  ")),
            Content::TextBesideMarks,
        ),
        ("a call", format!("load({pem});"), Content::TextBesideMarks),
        (
            "a here-document",
            marks("-----BEGIN", "cat <<X -----BEGIN"),
            Content::TextBesideMarks,
        ),
        (
            "no line break before END",
            marks("\n-----END", "-----END"),
            Content::TextBesideMarks,
        ),
        (
            "a comment behind",
            marks("CERTIFICATE-----", "CERTIFICATE----- # gw-1"),
            Content::TextBesideMarks,
        ),
        ("four hyphens", marks("-----", "----"), Content::ChangedMarks),
        (
            "four hyphens in the first line alone",
            pem.replacen("-----", "----", 1),
            Content::ChangedMarks,
        ),
        (
            "four hyphens behind BEGIN",
            pem.replacen("CERTIFICATE-----", "CERTIFICATE----", 1),
            Content::ChangedMarks,
        ),
        (
            "four hyphens in the last line alone",
            marks("-----END", "----END"),
            Content::ChangedMarks,
        ),
        ("six hyphens", marks("-----", "------"), Content::ChangedMarks),
        ("no hyphens", marks("-----", ""), Content::ChangedMarks),
        (
            "no hyphens in the first line",
            pem.replace("-----BEGIN CERTIFICATE-----", "BEGIN CERTIFICATE"),
            Content::ChangedMarks,
        ),
        (
            "hyphens on one side",
            marks("CERTIFICATE-----", "CERTIFICATE"),
            Content::ChangedMarks,
        ),
        (
            "long dashes",
            marks("-----", "\u{2014}\u{2014}-"),
            Content::ChangedMarks,
        ),
        (
            "minus signs",
            marks("-----", "\u{2212}\u{2212}\u{2212}\u{2212}\u{2212}"),
            Content::ChangedMarks,
        ),
        ("equals signs", marks("-----", "====="), Content::ChangedMarks),
        ("blanks inside", marks("-----", "- - - - -"), Content::ChangedMarks),
        (
            "a blank before the label",
            marks("-----BEGIN", "----- BEGIN"),
            Content::ChangedMarks,
        ),
        (
            "a blank behind the label",
            marks("CERTIFICATE-----", "CERTIFICATE -----"),
            Content::ChangedMarks,
        ),
        (
            "two blanks in the label",
            marks(" CERTIFICATE", "  CERTIFICATE"),
            Content::ChangedMarks,
        ),
        (
            "small letters",
            pem.replace("BEGIN CERTIFICATE", "begin certificate")
                .replace("END CERTIFICATE", "end certificate"),
            Content::ChangedMarks,
        ),
        (
            "a small label",
            marks("CERTIFICATE-", "Certificate-"),
            Content::ChangedMarks,
        ),
        ("a JSON string", format!("\"{escaped}\""), Content::EscapedLineBreaks),
        (
            "an assignment in one line",
            format!("CERT=\"{escaped}\""),
            Content::EscapedLineBreaks,
        ),
        (
            "a YAML string in one line",
            format!("cert: \"{escaped}\""),
            Content::EscapedLineBreaks,
        ),
        (
            "escaped for Windows",
            pem.replace('\n', "\\r\\n"),
            Content::EscapedLineBreaks,
        ),
        ("a form's field", url.clone(), Content::UrlEncoded),
        (
            "a form's field with its name",
            format!("certificate={url}"),
            Content::UrlEncoded,
        ),
        ("hyphens URL-encoded too", url.replace('-', "%2D"), Content::UrlEncoded),
        ("blanks for line breaks", pem.replace('\n', " "), Content::JoinedLines),
        ("nothing for line breaks", pem.replace('\n', ""), Content::JoinedLines),
        (
            "an assignment with blanks",
            format!("CERT={}", pem.replace('\n', " ")),
            Content::JoinedLines,
        ),
        ("bars for line breaks", pem.replace('\n', "|"), Content::JoinedLines),
        ("HTML's line breaks", pem.replace('\n', "<br>"), Content::JoinedLines),
        (
            "a quotation without its end",
            before("> ")[..200].to_owned(),
            Content::Cut,
        ),
        (
            "an assignment without its end",
            format!("CERT=\"{}", &pem[..200]),
            Content::Cut,
        ),
        (
            "prefixes inside alone",
            each(&|_, line| {
                if line.starts_with('-') {
                    line.to_owned()
                } else {
                    format!("> {line}")
                }
            }),
            Content::Damaged(1),
        ),
        ("a JSON object", format!("{{\"cert\": \"{escaped}\"}}"), Content::Json),
        (
            "a JSON array of lines",
            format!("[{}]", each(&|_, line| format!("\"{line}\","))),
            Content::Json,
        ),
        (
            "another block",
            marks("CERTIFICATE-", "ATTRIBUTE CERTIFICATE-"),
            Content::OtherBlocks,
        ),
    ] {
        let found = parse(file.as_bytes()).expect_err(name);
        assert_eq!(found, content, "{name}: {file}");
    }
}

#[test]
fn yaml_and_markdown_around_a_certificate_are_ignored() {
    let pem = material().certificate;
    for (name, file) in [
        ("a block of YAML", format!("cert: |\n  {}", pem.replace('\n', "\n  "))),
        (
            "a folded block of YAML",
            format!("cert: >-\n    {}", pem.replace('\n', "\n    ")),
        ),
        ("Markdown", format!("```pem\n{pem}```\n")),
        ("a here-document", format!("cat <<EOF\n{pem}EOF\n")),
        (
            "a copy that is commented out",
            format!("{pem}# {}", pem.replace('\n', "\n# ")),
        ),
    ] {
        let found = parse(file.as_bytes()).unwrap_or_else(|content| panic!("{name}: {content}"));
        assert_eq!(found.certificates.len(), 1, "{name}");
    }
}

#[test]
fn a_key_or_a_request_is_reported_before_its_alterations() {
    let Material { key, request, .. } = material();
    for (pem, content) in [(key, Content::PrivateKey), (request, Content::SigningRequest)] {
        for file in [
            pem.replace('\n', "\n> "),
            format!("> {}", pem.replace('\n', "\n> ")),
            format!("X=\"{pem}\""),
            pem.replace('\n', "%0A"),
            pem.replacen("-----", "----", 1),
        ] {
            assert_eq!(parse(file.as_bytes()).unwrap_err(), content, "{file}");
        }
    }
}
