//! Writes PEM.

use pem::{EncodeConfig, LineEnding, Pem};

/// Encodes DER as PEM: lines of 64 characters, each ended by a line feed, as OpenSSL writes them.
pub fn encode<'a>(label: &str, all: impl IntoIterator<Item = &'a [u8]>) -> String {
    let blocks = all.into_iter().map(|der| Pem::new(label, der));
    let blocks: Vec<Pem> = blocks.collect();
    pem::encode_many_config(&blocks, EncodeConfig::new().set_line_ending(LineEnding::LF))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_block_has_its_lines_and_follows_the_last_one() {
        let [long, short] = [[7; 49].to_vec(), vec![1]];
        let text = encode("CERTIFICATE", [long.as_slice(), short.as_slice()]);
        let lines: Vec<usize> = text.lines().map(str::len).collect();
        assert!(text.starts_with("-----BEGIN CERTIFICATE-----\nBwcH") && !text.contains('\r'));
        assert_eq!(lines.iter().filter(|length| **length == 64).count(), 1);
        assert!(text.contains("-----BEGIN CERTIFICATE-----\nAQ==\n-----END CERTIFICATE-----\n"));
        let read = pem::parse_many(text).unwrap();
        assert_eq!(read.iter().map(Pem::contents).collect::<Vec<_>>(), [long, short]);
        assert_eq!(encode("CERTIFICATE", []), "");
    }
}
