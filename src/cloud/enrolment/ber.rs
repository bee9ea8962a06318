//! Reads BER one element at a time, with definite and indefinite lengths.
//!
//! PKCS#7 of real EST servers is BER and not always DER: some write every outer element with an indefinite length (X.690, 8.1.3.6).

/// The nesting depth of a PKCS#7 is about 8. The limit keeps a hostile answer from exhausting the stack.
const MAX_DEPTH: usize = 24;

/// Tag of a SEQUENCE.
pub(super) const SEQUENCE: u8 = 0x30;
/// Tag of a SET.
pub(super) const SET: u8 = 0x31;
/// Tag of an OBJECT IDENTIFIER.
pub(super) const OBJECT_IDENTIFIER: u8 = 0x06;
/// Tag of a constructed element with the context-specific number 0.
pub(super) const CONTEXT_0: u8 = 0xa0;

/// Bit of the tag that marks a constructed element, whose content is other elements.
const CONSTRUCTED: u8 = 0x20;
/// The octets that end an indefinite length.
const END_OF_CONTENTS: [u8; 2] = [0, 0];

/// The bytes are not well-formed BER, or nested too deeply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BerError;

/// One element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Element<'a> {
    /// The first octet: class, constructed bit and number.
    pub(super) tag: u8,
    /// The content, without the octets that end an indefinite length.
    pub(super) content: &'a [u8],
    /// The whole element.
    pub(super) raw: &'a [u8],
}

impl<'a> Element<'a> {
    /// Returns the elements in the content of this one.
    pub(super) fn children(&self) -> Elements<'a> {
        Elements { rest: self.content }
    }
}

/// An iterator over consecutive elements.
#[derive(Clone, Copy, Debug)]
pub(super) struct Elements<'a> {
    rest: &'a [u8],
}

impl<'a> Elements<'a> {
    /// Iterates over the elements in `bytes`.
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Reads the next element; `None` at the end.
    ///
    /// # Errors
    /// If the bytes are not an element.
    pub(super) fn next(&mut self) -> Result<Option<Element<'a>>, BerError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let (element, rest) = split(self.rest, 0)?;
        self.rest = rest;
        Ok(Some(element))
    }

    /// Reads the next element, which must have this tag.
    ///
    /// # Errors
    /// If there is none, or it has another tag.
    pub(super) fn expect(&mut self, tag: u8) -> Result<Element<'a>, BerError> {
        self.next()?.filter(|element| element.tag == tag).ok_or(BerError)
    }
}

/// Splits off the first element. The bytes behind it are not examined.
fn split(bytes: &[u8], depth: usize) -> Result<(Element<'_>, &[u8]), BerError> {
    let [tag, first, after @ ..] = bytes else {
        return Err(BerError);
    };
    // Tag numbers above 30 take more octets, and do not occur in anything that is read here.
    if depth > MAX_DEPTH || *tag == 0 || tag & 0x1f == 0x1f {
        return Err(BerError);
    }
    let (content, rest) = match *first {
        0x80 => split_indefinite(*tag, after, depth)?,
        length @ 0..0x80 => after.split_at_checked(usize::from(length)).ok_or(BerError)?,
        long => {
            let (octets, after) = after.split_at_checked(usize::from(long & 0x7f)).ok_or(BerError)?;
            if octets.len() > 4 {
                return Err(BerError);
            }
            let length = octets
                .iter()
                .fold(0_u32, |length, octet| length << 8 | u32::from(*octet));
            let length = usize::try_from(length).map_err(|_| BerError)?;
            after.split_at_checked(length).ok_or(BerError)?
        }
    };
    let raw = bytes.get(..bytes.len() - rest.len()).ok_or(BerError)?;
    let element = Element {
        tag: *tag,
        content,
        raw,
    };
    Ok((element, rest))
}

/// Finds the end of an element of indefinite length, by reading the elements inside.
fn split_indefinite(tag: u8, bytes: &[u8], depth: usize) -> Result<(&[u8], &[u8]), BerError> {
    if tag & CONSTRUCTED == 0 {
        return Err(BerError);
    }
    let mut rest = bytes;
    loop {
        if let Some(after) = rest.strip_prefix(&END_OF_CONTENTS) {
            let content = bytes.get(..bytes.len() - rest.len()).ok_or(BerError)?;
            return Ok((content, after));
        }
        (_, rest) = split(rest, depth + 1)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_every_form_are_read() {
        let long = [&[0x30, 0x82, 0x01, 0x00][..], &[7; 256]].concat();
        let padded = [0x30, 0x84, 0, 0, 0, 1, 9];
        for (bytes, content_length, rest) in [
            (&[0x30, 0x00][..], 0, 0),
            (&[0x02, 0x01, 0x05, 0xff], 1, 1),
            (&long, 256, 0),
            (&padded, 1, 0),
            (&[0x30, 0x80, 0x00, 0x00], 0, 0),
            (&[0x30, 0x80, 0x02, 0x01, 0x05, 0x00, 0x00, 0xff], 3, 1),
            // An indefinite length inside another, and content that looks like an end.
            (&[0x30, 0x80, 0xa0, 0x80, 0x04, 0x02, 0, 0, 0, 0, 0, 0], 8, 0),
        ] {
            let (element, after) = split(bytes, 0).unwrap();
            assert_eq!(
                (element.content.len(), after.len()),
                (content_length, rest),
                "{bytes:x?}"
            );
            assert_eq!(element.raw.len() + after.len(), bytes.len());
        }
    }

    #[test]
    fn invalid_elements_are_refused() {
        let deep = [0x30, 0x80].repeat(10_000);
        for bytes in [
            &[][..],
            &[0x30],
            &[0x30, 0x01],
            &[0x30, 0x82, 0x01],
            &[0x30, 0x85, 0, 0, 0, 0, 1, 9],
            &[0x30, 0xff],
            &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff],
            &[0x00, 0x00],
            &[0x1f, 0x81, 0x01, 0x00],
            &[0x04, 0x80, 0x00, 0x00],
            &[0x30, 0x80],
            &[0x30, 0x80, 0x02, 0x01, 0x05],
            &[0x30, 0x80, 0x02, 0x01, 0x05, 0x00],
            &deep,
        ] {
            assert_eq!(split(bytes, 0), Err(BerError), "{bytes:x?}");
        }
        assert_eq!(Elements::new(&[]).next(), Ok(None));
        assert_eq!(Elements::new(&[2, 0]).expect(SEQUENCE), Err(BerError));
    }
}
