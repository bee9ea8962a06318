//! The mistakes in PIN files.

use std::fmt;

/// A mistake in a PIN file. The messages never repeat anything from the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::token) enum PinFault {
    Empty,
    Utf16,
    ByteOrderMark,
    NotUtf8,
    TooLong,
    SeveralLines,
    EmptyLines,
    Control,
    Invisible,
    BlankAround,
    Quoted,
    Assignment,
    Uri,
    Json,
    Unfilled,
    NoValue,
    Masked,
    Escaped,
    UrlEncoded,
    Place,
    Command,
    EchoOption,
    Comment,
    HalfQuoted,
    KeyMaterial,
}

impl fmt::Display for PinFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "is empty",
            Self::Utf16 => "is UTF-16, as Windows editors write it; a PIN is UTF-8",
            Self::ByteOrderMark => "begins with a byte order mark, which would count as part of the PIN",
            Self::NotUtf8 => "is not UTF-8",
            Self::TooLong => "is longer than any PIN (255 bytes)",
            Self::SeveralLines => "has more than one line",
            Self::EmptyLines => "has empty lines before or after the PIN",
            Self::Control => "has a control character in the PIN",
            Self::Invisible => "has an invisible character in the PIN",
            Self::BlankAround => "has a blank before or after the PIN",
            Self::Quoted => "has the PIN in quotes or brackets, which would count as part of it",
            Self::Assignment => "has a name before the PIN, as in PIN=...; it must hold the PIN alone",
            Self::Uri => "holds a pkcs11: URI; it must hold the PIN alone",
            Self::Json => "holds JSON; it must hold the PIN alone",
            Self::Unfilled => "holds a variable or a placeholder that was not replaced",
            Self::NoValue => "holds the word that programs write where there is no value",
            Self::Masked => "holds asterisks or bullets, which some program shows in the PIN's place",
            Self::Escaped => {
                "has a line break or characters written with backslashes, which would count as part of the PIN"
            }
            Self::UrlEncoded => "has the PIN URL-encoded (%31%32...), which would count as part of it",
            Self::Place => {
                "names the place where the PIN is (a path, a URL or a vault's name); it must hold the PIN itself"
            }
            Self::Command => "holds a command; it must hold the PIN alone",
            Self::EchoOption => "begins with an option of echo, which the echo of some shells writes as text",
            Self::Comment => "has a comment behind or before the PIN; it must hold the PIN alone",
            Self::HalfQuoted => "has a quote on one side of the PIN, which would count as part of it",
            Self::KeyMaterial => "holds a key or a certificate; it must hold the PIN alone",
        })
    }
}
