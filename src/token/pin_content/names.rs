//! Recognises names of a PIN, and assignments and comments with them.

/// Names of a PIN in assignments and in variables.
const NAMES: [&str; 14] = [
    "pin",
    "pins",
    "userpin",
    "sopin",
    "tokenpin",
    "tpmpin",
    "pinval",
    "pinvalue",
    "pincode",
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "pwd",
];
/// Names of a PIN in assignments only, which elsewhere may be a part of the PIN.
const OTHER_NAMES: [&str; 4] = ["pass", "userpass", "secret", "key"];

/// Returns whether a word is a name of a PIN.
pub(super) fn is_name_of_pin(text: &str) -> bool {
    has_word_of(&NAMES, text)
}

/// Returns whether the line is an assignment: `PIN=1234`, `export TOKEN_PIN=1234`, `pin: 1234`, `"passwd": 1234`, `- user-pin = 1234`,
/// `Enter PIN: 1234`, `PIN 1234`.
pub(super) fn is_assignment(line: &str) -> bool {
    const WORDS: [&str; 7] = ["export ", "set ", "declare ", "let ", "const ", "Environment=", "- "];
    let line = WORDS.iter().find_map(|word| line.strip_prefix(word)).unwrap_or(line);
    let Some((name, value)) = line.split_once(['=', ':']) else {
        return is_name_and_number(line);
    };
    let name = name.trim().trim_matches(['"', '\'']);
    // `secret==` may be base64.
    let has_value = !value.trim_matches(['=', ' ']).is_empty();
    name.split(' ').any(is_name_of_pin) && name.split(' ').all(is_plain) || has_value && has_word_of(&OTHER_NAMES, name)
}

/// Returns whether the line is a name and a PIN, as in `PIN 1234`. A passphrase may begin with such a name, but one of two words rarely has
/// a digit.
fn is_name_and_number(line: &str) -> bool {
    line.split_once(' ').is_some_and(|(name, value)| {
        is_name_of_pin(name) && !value.contains(' ') && value.bytes().any(|byte| byte.is_ascii_digit())
    })
}

/// Returns whether the line has a comment: `1234 # the PIN`, `1234 // user PIN`, `# PIN`. A comment with another mark than ` # ` must name
/// the PIN.
pub(super) fn has_comment(line: &str) -> bool {
    const MARKS: [&str; 5] = [" #", " //", " ;", " --", " <-"];
    let names_pin = |comment: &str| {
        let words = comment.split(|letter: char| !letter.is_alphanumeric());
        words.filter(|word| !word.is_empty()).any(is_name_of_pin)
    };
    let behind = |mark: &&str| line.split_once(*mark).is_some_and(|(_, comment)| names_pin(comment));
    line.starts_with("# ") || line.contains(" # ") || MARKS.iter().any(behind)
}

/// Returns whether the line is a placeholder: `CHANGEME`, `change-me`, `YOUR_PIN_HERE`. A single word in lower case may be a default PIN.
pub(super) fn is_placeholder(line: &str) -> bool {
    const ORDERS: [&str; 7] = ["changeme", "replaceme", "fillme", "fillmein", "fixme", "todo", "tbd"];
    const MARKS: [&str; 6] = ["your", "insert", "enter", "put", "replace", "here"];
    let lower = line.to_ascii_lowercase();
    let words: Vec<&str> = lower.split(['_', '-', '.', ' ']).collect();
    let is_order = ORDERS.contains(&words.concat().as_str()) && words.concat() != line;
    let is_mark = |word: Option<&&str>| word.is_some_and(|word| MARKS.contains(word));
    let is_request = (is_mark(words.first()) || is_mark(words.last())) && words.iter().any(|word| is_name_of_pin(word));
    is_order || is_request
}

fn has_word_of(names: &[&str], text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let without_number = |word: &str| names.contains(&word.trim_end_matches(|letter: char| letter.is_ascii_digit()));
    is_plain(&lower) && lower.split(['_', '-', '.']).any(without_number)
}

/// Returns whether a word has only characters that are allowed in names.
fn is_plain(word: &str) -> bool {
    word.bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'))
}
