//! Finds PEM blocks (RFC 7468) in lines, which may each have the prefix of a journal.

const BEGIN: &str = "-----BEGIN";
const END: &str = "-----END";
const DASHES: &str = "-----";

/// BEGIN and END marks in a line.
#[derive(Debug)]
pub(super) struct Marks<'a> {
    /// The text before the first mark.
    before: &'a str,
    /// Whether a block is open behind the last mark.
    is_open: bool,
}

/// A PEM block whose END line was not read yet.
#[derive(Debug)]
pub(super) struct OpenBlock {
    /// Number of words before the BEGIN mark: the prefix of each of its lines.
    prefix_words: usize,
}

impl<'a> Marks<'a> {
    /// Returns the marks in a line; `None` if it has none, or only mentions those of a certificate, as the next steps of gatepost's own
    /// messages do.
    pub(super) fn find(line: &'a str) -> Option<Self> {
        let first = [BEGIN, END].iter().filter_map(|mark| line.find(mark)).min()?;
        let before = line.get(..first).unwrap_or_default();
        (!is_mention(before, line)).then(|| Self {
            before,
            // `cat` joins an END line with the BEGIN line of the next file if the first file lacks its last line break.
            is_open: line.rfind(BEGIN) > line.rfind(END),
        })
    }

    /// Returns the block that is open behind the line.
    pub(super) fn open_block(&self) -> Option<OpenBlock> {
        self.is_open.then(|| OpenBlock {
            prefix_words: self.before.split_whitespace().count(),
        })
    }
}

impl OpenBlock {
    /// Returns whether a line without a mark may be part of the block: it has at most two words besides the prefix, as the header field
    /// `DEK-Info: AES-128-CBC,1A2B` has (RFC 1421, 4.6). So a block without its END line does not hide the rest of a text.
    pub(super) fn may_contain(&self, line: &str) -> bool {
        line.split_whitespace().count() <= self.prefix_words + 2
    }
}

/// Returns whether a line only mentions the marks of a certificate: a sentence leads to the first one.
fn is_mention(before: &str, line: &str) -> bool {
    let mut labels = line.split(DASHES).skip(1).step_by(2);
    before.trim_end().ends_with(char::is_alphabetic)
        && labels.all(|label| ["BEGIN CERTIFICATE", "END CERTIFICATE"].contains(&label))
}
