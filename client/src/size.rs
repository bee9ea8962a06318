//! Formats numbers of bytes for people.

/// Formats a size as "340 B", "12 kB" or "64 MB", rounded down to no less than two digits.
pub(crate) fn size(bytes: u64) -> String {
    let mut amount = bytes;
    for unit in ["B", "kB", "MB", "GB"] {
        if amount < 10_000 {
            return format!("{amount} {unit}");
        }
        amount /= 1000;
    }
    format!("{amount} TB")
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn digits_are_rounded() {
        for (bytes, said) in [
            (0, "0 B"),
            (9_999, "9999 B"),
            (10_000, "10 kB"),
            (67_108_864, "67 MB"),
            (u64::MAX, "18446744 TB"),
        ] {
            assert_eq!(size(bytes), said);
        }
    }
}
