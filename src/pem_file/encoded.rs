//! Decodes base64, base64url and hexadecimal digits anywhere in a text.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

/// The fewest decoded bytes that are examined. The shortest private key has 48 bytes.
const SHORTEST: usize = 40;
/// The length of the base64 that shows whether it encodes DER or text.
const HEAD: usize = 16;
/// The length of the base64 that suffices to recognise a key.
const DER_HEAD: usize = 256;
/// The fewest digits of the offset at the beginning of a line of a dump.
const OFFSET_DIGITS: usize = 6;
/// The most digits in a group of bytes of a dump.
const GROUP_DIGITS: usize = 4;

/// Decodes the base64 in a text. Returns the results that look like DER or text.
pub(super) fn decode_base64(text: &str) -> Vec<Vec<u8>> {
    // An equals sign is padding or an assignment, so a run ends there.
    text.split('=').flat_map(decode_run).collect()
}

/// The words of base64 in a run, joined, and the positions where each word begins.
struct Run {
    base64: String,
    starts: Vec<usize>,
}

/// Joins the words of base64 or base64url in a text.
fn join_words(text: &str) -> Run {
    let (mut base64, mut starts) = (String::new(), Vec::new());
    let mut is_inside = false;
    for letter in text.chars() {
        let letter = match letter {
            '-' => '+',
            '_' => '/',
            letter => letter,
        };
        let is_part = letter.is_ascii_alphanumeric() || matches!(letter, '+' | '/');
        if is_part {
            if !is_inside {
                starts.push(base64.len());
            }
            base64.push(letter);
        }
        is_inside = is_part;
    }
    Run { base64, starts }
}

/// Decodes a run from the beginning of each word, because other words may precede the base64.
fn decode_run(text: &str) -> Vec<Vec<u8>> {
    let Run { base64, starts } = join_words(text);
    let mut found: Vec<Vec<u8>> = Vec::new();
    let mut last_text: Option<usize> = None;
    for start in starts {
        let rest = base64.get(start..).unwrap_or_default();
        // A word at a multiple of four after the beginning of decoded text is a part of that text.
        if last_text.is_some_and(|last| (start - last).is_multiple_of(4)) {
            continue;
        }
        let head = decode(rest.get(..HEAD).unwrap_or_default());
        let decoded = match head.as_slice() {
            [0x30, ..] => decode(rest.get(..DER_HEAD).unwrap_or(rest)),
            head if !head.is_empty() && head.iter().all(is_text) => {
                last_text = Some(start);
                decode(rest)
            }
            _ => continue,
        };
        found.push(decoded);
    }
    found.retain(|bytes| bytes.len() >= SHORTEST);
    found
}

/// Decodes the complete groups of four characters.
fn decode(base64: &str) -> Vec<u8> {
    let length = base64.len() - base64.len() % 4;
    let whole = base64.get(..length).unwrap_or_default();
    STANDARD_NO_PAD.decode(whole).unwrap_or_default()
}

fn is_text(byte: &u8) -> bool {
    byte.is_ascii_graphic() || byte.is_ascii_whitespace()
}

/// Decodes consecutive lines of hexadecimal digits: plain, with colons, as an array in source code, or as a dump of `xxd` and
/// similar programs.
pub(super) fn decode_hex(text: &str) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    let mut bytes: Vec<u8> = Vec::new();
    for line in text
        .split(['\n', '\r'])
        .filter(|line| !line.trim().is_empty())
        .chain([""])
    {
        let more = decode_hex_line(line);
        if more.is_empty() {
            found.push(std::mem::take(&mut bytes));
        } else {
            bytes.extend(more);
        }
    }
    found.retain(|bytes| bytes.len() >= SHORTEST);
    found
}

/// Decodes the longest series of hexadecimal words in a line.
fn decode_hex_line(line: &str) -> Vec<u8> {
    let words = line.split(|letter: char| letter.is_whitespace() || ",:;\"'(){}[]\\=".contains(letter));
    let words: Vec<&str> = words
        .map(|word| word.strip_prefix("0x").or(word.strip_prefix('x')).unwrap_or(word))
        .filter(|word| !word.is_empty())
        .collect();
    let is_dump =
        matches!(words.as_slice(), [offset, group, ..] if offset.len() >= OFFSET_DIGITS && group.len() <= GROUP_DIGITS);
    let words = words.get(usize::from(is_dump)..).unwrap_or_default();
    let series = words.split(|word| !is_hex(word)).map(<[&str]>::concat);
    let longest = series.max_by_key(String::len).unwrap_or_default();
    let (pairs, _) = longest.as_bytes().as_chunks::<2>();
    let byte = |pair: &[u8; 2]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    pairs.iter().filter_map(byte).collect()
}

fn is_hex(word: &str) -> bool {
    word.len().is_multiple_of(2) && word.bytes().all(|byte| byte.is_ascii_hexdigit())
}
