//! Tests of certificates from the source of a mail or a web page, and of invisible characters.

use super::*;

#[test]
fn encodings_of_mails_and_web_pages_are_identified() {
    // The padding of base64 consists of equals signs, too, so there are cases with none, one and two.
    for _ in 0..12 {
        check(material().certificate.trim_end());
    }
}

fn check(pem: &str) {
    let first = |from: &str, to: &str| pem.replacen(from, to, 1);
    let every = |from: &str, to: &str| pem.replace(from, to);
    let padded = format!("Subject: x\n\n{pem}").replace("-----END", "=2D----END");
    let mut missed = Vec::new();
    for (name, file, content) in [
        (
            "=20 in the BEGIN line",
            first("BEGIN ", "BEGIN=20"),
            Content::QuotedPrintable,
        ),
        ("=2D for each hyphen", every("-", "=2D"), Content::QuotedPrintable),
        ("=2d for the first hyphen", first("-", "=2d"), Content::QuotedPrintable),
        (
            "a soft line break behind the BEGIN line",
            first("CERTIFICATE-----", "CERTIFICATE-----="),
            Content::QuotedPrintable,
        ),
        (
            "a soft line break behind each mark",
            every("CERTIFICATE-----", "CERTIFICATE-----="),
            Content::QuotedPrintable,
        ),
        (
            "a soft line break in the BEGIN line",
            first("BEGIN ", "BEGIN =\n"),
            Content::QuotedPrintable,
        ),
        (
            "a soft line break with CR LF",
            first("BEGIN ", "BEGIN =\r\n"),
            Content::QuotedPrintable,
        ),
        (
            "a soft line break in the base64",
            format!("{}=\n{}", &pem[..60], &pem[60..]),
            Content::QuotedPrintable,
        ),
        (
            "=3D for the padding",
            every("=", "=3D").replace("-----END", "=2D----END"),
            Content::QuotedPrintable,
        ),
        (
            "=2B and =2F",
            every("+", "=2B").replace("BEGIN ", "BEGIN=20"),
            Content::QuotedPrintable,
        ),
        ("=0A for line breaks", every("\n", "=0A"), Content::QuotedPrintable),
        ("the source of a mail", padded, Content::QuotedPrintable),
        (
            "&nbsp; in the marks",
            every(" CERTIFICATE", "&nbsp;CERTIFICATE"),
            Content::HtmlEscaped,
        ),
        ("&#45; for hyphens", every("-", "&#45;"), Content::HtmlEscaped),
        ("&#x2D; for hyphens", every("-", "&#x2D;"), Content::HtmlEscaped),
        (
            "&#x3D; and &#43;",
            every("+", "&#43;").replace("BEGIN ", "BEGIN&#32;"),
            Content::HtmlEscaped,
        ),
        ("&#10; for line breaks", every("\n", "&#10;"), Content::HtmlEscaped),
        (
            "a no-break space",
            first("BEGIN ", "BEGIN\u{a0}"),
            Content::ChangedMarks,
        ),
        (
            "no-break spaces",
            every(" CERTIFICATE", "\u{a0}CERTIFICATE"),
            Content::ChangedMarks,
        ),
        (
            "a narrow no-break space",
            first("BEGIN ", "BEGIN\u{202f}"),
            Content::ChangedMarks,
        ),
        (
            "an ideographic space",
            first("BEGIN ", "BEGIN\u{3000}"),
            Content::ChangedMarks,
        ),
        (
            "a thin space beside the blank",
            first("BEGIN ", "BEGIN \u{2009}"),
            Content::ChangedMarks,
        ),
        (
            "a no-break space before the hyphens",
            first("CERTIFICATE-----", "CERTIFICATE\u{a0}-----"),
            Content::ChangedMarks,
        ),
        (
            "a zero-width space behind BEGIN",
            first("BEGIN ", "BEGIN\u{200b} "),
            Content::ChangedMarks,
        ),
        (
            "a zero-width space before the line",
            first("-----BEGIN", "\u{200b}-----BEGIN"),
            Content::ChangedMarks,
        ),
        (
            "a word joiner behind the line",
            first("CERTIFICATE-----", "CERTIFICATE-----\u{2060}"),
            Content::ChangedMarks,
        ),
        (
            "a soft hyphen",
            first("-----BEGIN", "----\u{ad}BEGIN"),
            Content::ChangedMarks,
        ),
    ] {
        let found = parse(file.as_bytes());
        if found != Err(content) {
            missed.push(format!("{name}: {found:?}\n{file}"));
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
    // A no-break space around the lines is white space, too.
    assert!(parse(every("\n", "\u{a0}\n\u{a0}").as_bytes()).is_ok());
}
