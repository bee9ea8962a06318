//! A strict JSON parser (RFC 8259) for the daemon's responses, and a writer.
//!
//! It is stricter than the RFC in two points: the names in an object must be unique, and nesting is limited.

use std::fmt;

use crate::printable::is_unsafe;

/// Maximum nesting. The daemon's documents are three levels deep.
const DEPTH_LIMIT: u8 = 32;

/// A JSON value. It may hold credentials, so `Debug` exists for tests only.
#[derive(Clone, PartialEq)]
#[cfg_attr(test, derive(Debug))]
pub enum Value {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number as it is written: nothing here calculates with fractions.
    Number(String),
    /// A text, with its escapes resolved.
    String(String),
    /// A list.
    Array(Vec<Value>),
    /// Names and values, in order.
    Object(Vec<(String, Value)>),
}

/// The position at which the text is not valid JSON. The text itself is never shown, because it may be a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotJson {
    offset: usize,
}

impl fmt::Display for NotJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no JSON from byte {} on", self.offset)
    }
}

/// Writes a text as a JSON string.
pub fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            // A terminal may interpret it, and an escape means the same in JSON.
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
    /// Parses a text that is a single value.
    ///
    /// # Errors
    /// With the position at which the text is not valid JSON.
    pub fn parse(text: &[u8]) -> Result<Self, NotJson> {
        let text = std::str::from_utf8(text).map_err(|error| NotJson {
            offset: error.valid_up_to(),
        })?;
        let mut reader = Reader { text, offset: 0 };
        reader.document().ok_or(NotJson { offset: reader.offset })
    }

    /// Returns a member of an object; null if it is missing, because the daemon may be older or newer than this command.
    pub fn get(&self, name: &str) -> &Self {
        const MISSING: &Value = &Value::Null;
        let Self::Object(members) = self else { return MISSING };
        members
            .iter()
            .find(|(member, _)| member == name)
            .map_or(MISSING, |(_, value)| value)
    }

    /// Returns the text of a string.
    pub fn text(&self) -> Option<&str> {
        if let Self::String(text) = self {
            Some(text)
        } else {
            None
        }
    }

    /// Returns the value of a boolean.
    pub fn flag(&self) -> Option<bool> {
        if let Self::Bool(flag) = self { Some(*flag) } else { None }
    }

    /// Returns the value of a non-negative integer.
    pub fn whole_number(&self) -> Option<u64> {
        if let Self::Number(digits) = self {
            digits.parse().ok()
        } else {
            None
        }
    }

    /// Returns the value of an integer.
    pub fn integer(&self) -> Option<i64> {
        if let Self::Number(digits) = self {
            digits.parse().ok()
        } else {
            None
        }
    }

    /// Returns the items of an array; none for other values.
    pub fn items(&self) -> &[Self] {
        if let Self::Array(items) = self { items } else { &[] }
    }

    /// Returns the members of an object, in order.
    pub fn members(&self) -> &[(String, Self)] {
        if let Self::Object(members) = self { members } else { &[] }
    }

    /// Returns the value as JSON, in one line.
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

    /// Returns whether the value is an object.
    pub fn is_object(&self) -> bool {
        matches!(self, Self::Object(_))
    }
}

struct Reader<'a> {
    text: &'a str,
    /// Always at a character boundary.
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
            // Otherwise two parsers could read two different values from one document.
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

    /// Parses the common part of objects and arrays: `item`s between brackets, separated by commas.
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
