//! Properties of the parser for arbitrary bytes.

use proptest::prelude::*;

use super::*;

static CERTIFICATE: std::sync::LazyLock<String> = std::sync::LazyLock::new(|| material().certificate);

proptest! {
    #[test]
    fn no_bytes_are_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = parse(&bytes);
    }

    #[test]
    fn no_text_of_blocks_is_a_panic(text in "(-----(BEGIN|END) [A-Z ]{0,12}-----|[A-Za-z0-9+/=]{0,20}|[\r\n ]|\\\\n|.){0,30}") {
        let _ = parse(text.as_bytes());
    }

    #[test]
    fn der_that_was_changed_is_no_panic(place in 0_usize..300, value in any::<u8>(), length in 0_usize..400) {
        let mut der = der_of(&CERTIFICATE);
        if let Some(byte) = der.get_mut(place) {
            *byte = value;
        }
        der.truncate(length);
        let _ = parse(&der);
    }

    #[test]
    fn white_space_changes_nothing(blanks in proptest::collection::vec("[ \t]{0,3}", 40), line_break in "\n|\r\n|\r|\n\n") {
        let mut file = String::new();
        for (line, blank) in CERTIFICATE.lines().zip(blanks.iter().cycle()) {
            file.push_str(&format!("{blank}{line}{blank}{line_break}"));
        }
        let found = parse(file.as_bytes()).unwrap();
        prop_assert_eq!(found.certificates.first().map(|der| der.to_vec()), Some(der_of(&CERTIFICATE)));
    }
}
