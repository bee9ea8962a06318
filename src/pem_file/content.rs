//! The kinds of content that are not usable certificates, with their descriptions and next steps.

use std::fmt;

/// The content of a file that is not a usable file of certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// Nothing, or only blanks.
    Empty,
    /// Too large for a file of certificates.
    TooLarge,
    /// A certificate signing request.
    SigningRequest,
    /// A private key in any form.
    PrivateKey,
    /// A public key.
    PublicKey,
    /// PKCS#7 as PEM.
    Pkcs7,
    /// PKCS#7 as DER.
    Pkcs7Der,
    /// A TRUSTED CERTIFICATE of OpenSSL, which has a list of purposes after the certificate.
    TrustedCertificate,
    /// PKCS#12.
    Pkcs12,
    /// A Java key store.
    KeyStore,
    /// A certificate revocation list.
    RevocationList,
    /// JSON of the AWS CLI with a certificate in it.
    AwsJson,
    /// Other JSON.
    Json,
    /// HTML or XML.
    Markup,
    /// Line breaks written as `\n`.
    EscapedLineBreaks,
    /// Line breaks replaced by blanks.
    JoinedLines,
    /// URL-encoded text.
    UrlEncoded,
    /// Quoted-printable text, as in the source of a mail.
    QuotedPrintable,
    /// Characters written as HTML references.
    HtmlEscaped,
    /// Lines with a prefix, as in a quotation in a mail, a diff, a comment or with line numbers.
    PrefixedLines,
    /// A BEGIN or END line with other text in it, such as a name, quotation marks or the first line of the base64.
    TextBesideMarks,
    /// BEGIN or END lines that were altered, for example by a word processor.
    ChangedMarks,
    /// The base64 of a certificate without BEGIN and END lines.
    BareBase64,
    /// Invalid UTF-16.
    DamagedUtf16,
    /// A block or DER that lacks its beginning or its end.
    Cut,
    /// A damaged block, which begins in this line.
    Damaged(usize),
    /// A certificate block, with this number, whose content is not a certificate.
    NotX509(usize),
    /// PEM blocks of other kinds.
    OtherBlocks,
    /// Binary data.
    Binary,
    /// Other text.
    Text,
}

impl Content {
    /// Returns the next step.
    pub fn next_step(self) -> &'static str {
        match self {
            Self::SigningRequest => {
                "have it signed by your CA or by AWS (aws iot create-certificate-from-csr), and put the certificate there"
            }
            Self::PrivateKey => {
                "remove it and treat that key as compromised: gatepost's own key never leaves the token, and only a certificate \
                 belongs there"
            }
            Self::PublicKey => "put the certificate there: `gatepost csr` prints the request to have signed",
            Self::Pkcs7 => "take the certificates out of it: openssl pkcs7 -print_certs -in FILE -out NEW",
            Self::Pkcs7Der => {
                "take the certificates out of it: openssl pkcs7 -inform DER -print_certs -in FILE -out NEW"
            }
            Self::TrustedCertificate => "make a plain certificate of it: openssl x509 -in FILE -out NEW",
            Self::Pkcs12 | Self::KeyStore => {
                "take the certificate out of it on another machine (openssl pkcs12 -nokeys -clcerts -in FILE): it may have a \
                 private key, which does not belong on the gateway"
            }
            Self::AwsJson => {
                "save the value of certificatePem alone: add --query certificatePem --output text to the aws command"
            }
            Self::EscapedLineBreaks => "replace each \\n by a line break",
            Self::JoinedLines => "put line breaks in the place of the blanks, or copy the file itself",
            Self::UrlEncoded => "decode it: %0A is a line break, %20 a blank, %2B a plus sign",
            Self::QuotedPrintable => {
                "save the mail's attachment, or decode it: =3D is an equals sign, and one at the end of a line joins it with the \
                 next"
            }
            Self::HtmlEscaped => "download the file itself, or decode it: &#43; is a plus sign, &#61; an equals sign",
            Self::PrefixedLines => "copy the file itself, or remove what stands before each of its lines",
            Self::TextBesideMarks => {
                "copy the file itself, or put the lines -----BEGIN CERTIFICATE----- and -----END CERTIFICATE----- alone"
            }
            Self::ChangedMarks => {
                "copy the file itself, not its text: the lines are -----BEGIN CERTIFICATE----- and -----END CERTIFICATE-----, \
                 with five plain hyphens on each side"
            }
            Self::BareBase64 => "put the lines -----BEGIN CERTIFICATE----- and -----END CERTIFICATE----- around it",
            Self::Cut => "copy the certificate there again, as a whole",
            Self::Empty
            | Self::TooLarge
            | Self::RevocationList
            | Self::Json
            | Self::Markup
            | Self::DamagedUtf16
            | Self::Damaged(_)
            | Self::NotX509(_)
            | Self::OtherBlocks
            | Self::Binary
            | Self::Text => "copy the certificate there again, as PEM: it begins with -----BEGIN CERTIFICATE-----",
        }
    }
}

impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "is empty",
            Self::TooLarge => "is larger than 1 MiB, which no file of certificates is",
            Self::SigningRequest => "is the certificate signing request, not the certificate",
            Self::PrivateKey => "has a private key in it",
            Self::PublicKey => "is a public key, not a certificate",
            Self::Pkcs7 | Self::Pkcs7Der => "is a PKCS#7 file, not a PEM file of certificates",
            Self::TrustedCertificate => "has a TRUSTED CERTIFICATE, OpenSSL's own form, not a plain certificate",
            Self::Pkcs12 => "is a PKCS#12 file, not a certificate",
            Self::KeyStore => "is a Java key store, not a certificate",
            Self::RevocationList => "is a certificate revocation list, not a certificate",
            Self::AwsJson => "is the JSON that the AWS CLI prints, not the certificate in it",
            Self::Json => "is JSON, not a certificate",
            Self::Markup => "is HTML or XML, perhaps an error page, not a certificate",
            Self::EscapedLineBreaks => "has its line breaks written as \\n",
            Self::JoinedLines => "has a certificate in one line, without line breaks",
            Self::UrlEncoded => "has a certificate that is URL-encoded",
            Self::QuotedPrintable => {
                "has a certificate that is quoted-printable, as in the source of a mail (=3D, = at the end of a line)"
            }
            Self::HtmlEscaped => "has a certificate with signs written as HTML writes them (&#43;, &nbsp;)",
            Self::PrefixedLines => {
                "has a certificate with something before each of its lines, as in a mail's quotation, a diff or a comment"
            }
            Self::TextBesideMarks => "has a certificate with other text in its BEGIN or END line",
            Self::ChangedMarks => "has BEGIN or END lines that were changed: their hyphens, letters or blanks",
            Self::BareBase64 => "is a certificate without its BEGIN and END lines",
            Self::DamagedUtf16 => "is UTF-16 text that is damaged",
            Self::Cut => "is cut off: a certificate has no beginning or no end",
            Self::Damaged(line) => return write!(f, "is damaged in the block that begins in line {line}"),
            Self::NotX509(number) => {
                return write!(
                    f,
                    "has a certificate (number {number}) whose content is not an X.509 certificate"
                );
            }
            Self::OtherBlocks => "is a PEM file without a CERTIFICATE block in it",
            Self::Binary => "is a binary file, not a certificate",
            Self::Text => "has no BEGIN CERTIFICATE line in it",
        })
    }
}
