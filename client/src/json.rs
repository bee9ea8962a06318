//! A strict JSON reader (RFC 8259) for the daemon's answers, and a writer for questions and for what is passed on.
//!
//! Stricter than the RFC demands in two points: an object's names must differ, and nesting is bounded.

use std::fmt;

use crate::printable::is_unsafe;

/// The daemon's documents are three deep.
const DEPTH_LIMIT: u8 = 32;

/// A JSON value. It may hold credentials: `Debug` exists for tests only.
#[derive(Clone, PartialEq)]
#[cfg_attr(test, derive(Debug))]
pub enum Value {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// As written: nothing here calculates with fractions.
    Number(String),
    /// A text, with its escapes resolved.
    String(String),
    /// A list.
    Array(Vec<Value>),
    /// Names and values, in their order.
    Object(Vec<(String, Value)>),
}

/// Where the text stops being JSON. Never what stands there: it may be a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotJson {
    offset: usize,
}

impl fmt::Display for NotJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no JSON from byte {} on", self.offset)
    }
}

/// A text as JSON writes it.
pub fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            // A terminal may obey it, and JSON says it as well with an escape.
            letter if is_unsafe(letter) => {
                for unit in letter.encode_utf16(&mut [0; 2]) {
                    quoted.push_str(&format!("\\u{unit:04x}"));
                }
            }
            letter => quoted.push(letter),
        }
    }
    quoted.push('"');
    quoted
}

impl Value {
    /// Reads one value that is the whole text.
    ///
    /// # Errors
    /// With the place where the text stops being JSON.
    pub fn parse(text: &[u8]) -> Result<Self, NotJson> {
        let text = std::str::from_utf8(text).map_err(|error| NotJson {
            offset: error.valid_up_to(),
        })?;
        let mut reader = Reader { text, offset: 0 };
        reader.document().ok_or(NotJson { offset: reader.offset })
    }

    /// The member of an object; null where there is none, as the daemon may be older or newer than this command.
    pub fn get(&self, name: &str) -> &Self {
        const MISSING: &Value = &Value::Null;
        let Self::Object(members) = self else { return MISSING };
        members
            .iter()
            .find(|(member, _)| member == name)
            .map_or(MISSING, |(_, value)| value)
    }

    /// The text of a string.
    pub fn text(&self) -> Option<&str> {
        if let Self::String(text) = self {
            Some(text)
        } else {
            None
        }
    }

    /// The value of a boolean.
    pub fn flag(&self) -> Option<bool> {
        if let Self::Bool(flag) = self { Some(*flag) } else { None }
    }

    /// The value of a number that is whole and not negative.
    pub fn whole_number(&self) -> Option<u64> {
        if let Self::Number(digits) = self {
            digits.parse().ok()
        } else {
            None
        }
    }

    /// The value of a number that is whole.
    pub fn integer(&self) -> Option<i64> {
        if let Self::Number(digits) = self {
            digits.parse().ok()
        } else {
            None
        }
    }

    /// The items of an array; none for anything else.
    pub fn items(&self) -> &[Self] {
        if let Self::Array(items) = self { items } else { &[] }
    }

    /// The members of an object, in their order.
    pub fn members(&self) -> &[(String, Self)] {
        if let Self::Object(members) = self { members } else { &[] }
    }

    /// The value as JSON, in one line.
    pub fn json(&self) -> String {
        let joined = |parts: Vec<String>| parts.join(",");
        match self {
            Self::Null => "null".to_owned(),
            Self::Bool(flag) => flag.to_string(),
            Self::Number(digits) => digits.clone(),
            Self::String(text) => quoted(text),
            Self::Array(items) => format!("[{}]", joined(items.iter().map(Self::json).collect())),
            Self::Object(members) => {
                let member = |(name, value): &(String, Self)| format!("{}:{}", quoted(name), value.json());
                format!("{{{}}}", joined(members.iter().map(member).collect()))
            }
        }
    }

    /// Whether the value is an object.
    pub fn is_object(&self) -> bool {
        matches!(self, Self::Object(_))
    }
}

struct Reader<'a> {
    text: &'a str,
    /// Always on a character's boundary.
    offset: usize,
}

impl Reader<'_> {
    fn document(&mut self) -> Option<Value> {
        let value = self.value(DEPTH_LIMIT)?;
        self.space();
        self.peek().is_none().then_some(value)
    }

    fn value(&mut self, depth: u8) -> Option<Value> {
        let depth = depth.checked_sub(1)?;
        self.space();
        match self.peek()? {
            '{' => self.object(depth),
            '[' => self.array(depth),
            '"' => self.string().map(Value::String),
            't' => self.word("true", Value::Bool(true)),
            'f' => self.word("false", Value::Bool(false)),
            'n' => self.word("null", Value::Null),
            _ => self.number().map(Value::Number),
        }
    }

    fn object(&mut self, depth: u8) -> Option<Value> {
        let mut members: Vec<(String, Value)> = Vec::new();
        self.list('{', '}', |reader| {
            reader.space();
            let name = reader.string()?;
            reader.space();
            reader.take(':')?;
            let value = reader.value(depth)?;
            // Two readers could otherwise take two different values out of one document.
            let new = members.iter().all(|(before, _)| *before != name);
            new.then(|| members.push((name, value)))
        })?;
        Some(Value::Object(members))
    }

    fn array(&mut self, depth: u8) -> Option<Value> {
        let mut items = Vec::new();
        self.list('[', ']', |reader| {
            items.push(reader.value(depth)?);
            Some(())
        })?;
        Some(Value::Array(items))
    }

    /// What objects and arrays share: `item` between brackets, separated by commas.
    fn list(&mut self, open: char, close: char, mut item: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.take(open)?;
        self.space();
        if self.take(close).is_some() {
            return Some(());
        }
        loop {
            item(self)?;
            self.space();
            if self.take(close).is_some() {
                return Some(());
            }
            self.take(',')?;
        }
    }

    fn string(&mut self) -> Option<String> {
        self.take('"')?;
        let mut text = String::new();
        loop {
            match self.next()? {
                '"' => return Some(text),
                '\\' => text.push(self.escape()?),
                c if c < ' ' => return None,
                c => text.push(c),
            }
        }
    }

    fn escape(&mut self) -> Option<char> {
        Some(match self.next()? {
            c @ ('"' | '\\' | '/') => c,
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => match self.utf16_unit()? {
                high @ 0xd800..=0xdbff => {
                    self.take('\\')?;
                    self.take('u')?;
                    let low = self.utf16_unit()?;
                    char::decode_utf16([high, low]).next()?.ok()?
                }
                unit => char::from_u32(unit.into())?,
            },
            _ => return None,
        })
    }

    fn utf16_unit(&mut self) -> Option<u16> {
        let mut unit = 0;
        for _ in 0..4 {
            unit = unit * 16 + u16::try_from(self.next()?.to_digit(16)?).ok()?;
        }
        Some(unit)
    }

    fn number(&mut self) -> Option<String> {
        let start = self.offset;
        self.take('-');
        if self.take('0').is_none() {
            self.digits()?;
        }
        if self.take('.').is_some() {
            self.digits()?;
        }
        if self.take('e').or_else(|| self.take('E')).is_some() {
            self.take('+').or_else(|| self.take('-'));
            self.digits()?;
        }
        self.text.get(start..self.offset).map(str::to_owned)
    }

    fn digits(&mut self) -> Option<()> {
        let start = self.offset;
        while self.peek().is_some_and(|c| c.is_ascii_digit()) {
            self.next();
        }
        (self.offset > start).then_some(())
    }

    fn word(&mut self, word: &str, value: Value) -> Option<Value> {
        word.chars().try_for_each(|c| self.take(c))?;
        Some(value)
    }

    fn space(&mut self) {
        while self.peek().is_some_and(|c| matches!(c, ' ' | '\t' | '\n' | '\r')) {
            self.next();
        }
    }

    fn take(&mut self, wanted: char) -> Option<()> {
        (self.peek()? == wanted).then(|| self.offset += wanted.len_utf8())
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.offset += c.len_utf8();
        Some(c)
    }

    fn peek(&self) -> Option<char> {
        self.text.get(self.offset..)?.chars().next()
    }
}

#[cfg(test)]
mod tests;
