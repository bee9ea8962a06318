//! Parses an AWS file as botocore does (configparser's `RawConfigParser`), and lists the faults at which botocore gives up.
//!
//! The SDKs of other languages are less strict. What they would read is parsed in spite of the faults.

use std::borrow::Cow;
use std::collections::BTreeSet;

/// Which of the two files it is: they name profiles differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `[profile NAME]`, but `[default]`.
    Config,
    /// `[NAME]`.
    Credentials,
}

/// A section of a file.
pub(super) struct Section {
    /// The text between the brackets.
    pub(super) header: String,
    /// The line of the header, from 1.
    pub(super) line: usize,
    pub(super) settings: Vec<Setting>,
}

/// A setting. Its value may be a secret, so that there is no `Debug`.
pub(super) struct Setting {
    /// In lower case.
    pub(super) name: String,
    /// The name as it is written.
    pub(super) written_name: String,
    /// Lines after the first one are continuations.
    pub(super) value: String,
    /// From 1.
    pub(super) line: usize,
}

/// The reason why botocore cannot parse a file, and so does nothing at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The file begins with a byte order mark.
    ByteOrderMark,
    /// The file is not UTF-8.
    Encoding,
    /// A line stands before the first section.
    BeforeSections,
    /// A header lacks its closing bracket, or has nothing between the brackets.
    Header,
    /// A line is neither a header nor a setting.
    NoSetting,
    /// A section is there twice.
    RepeatedSection,
    /// A setting is in its section twice.
    RepeatedSetting,
    /// A line of a group of settings is no setting.
    NestedSetting,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::ByteOrderMark => "the file begins with a byte order mark",
            Self::Encoding => "the file is not UTF-8 text",
            Self::BeforeSections => "a line stands before the first section",
            Self::Header => "the name of a section is missing, or the bracket after it",
            Self::NoSetting => "a line is neither a section nor a setting with an equals sign",
            Self::RepeatedSection => "a section is there for the second time",
            Self::RepeatedSetting => "a setting is in its section for the second time",
            Self::NestedSetting => "an indented line below a setting without a value has no equals sign",
        })
    }
}

/// A parsed file.
#[derive(Default)]
pub(super) struct Sections {
    pub(super) sections: Vec<Section>,
    /// Each with its line.
    pub(super) faults: Vec<(usize, Fault)>,
}

impl Sections {
    pub(super) fn parse(bytes: &[u8]) -> Self {
        let mut parsed = Self::default();
        let text = String::from_utf8_lossy(bytes);
        if matches!(text, Cow::Owned(_)) {
            parsed.faults.push((1, Fault::Encoding));
        }
        let text = match text.strip_prefix('\u{feff}') {
            Some(rest) => {
                parsed.faults.push((1, Fault::ByteOrderMark));
                rest
            }
            None => &text,
        };
        // Python takes CR alone for the end of a line as well.
        let mut number = 0;
        let mut indented_by: Option<usize> = None;
        for (part, line) in text
            .split('\n')
            .flat_map(|line| line.strip_suffix('\r').unwrap_or(line).split('\r').enumerate())
        {
            number += usize::from(part == 0);
            parsed.read_line(number, line, &mut indented_by);
        }
        parsed.find_repetitions();
        parsed.check_nested();
        parsed
    }

    /// Reads a line. `indented_by` is the indentation of the setting that a deeper line continues.
    fn read_line(&mut self, number: usize, whole: &str, indented_by: &mut Option<usize>) {
        let line = whole.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            return;
        }
        let indent = whole.len() - whole.trim_start().len();
        if indented_by.is_some_and(|above| indent > above) {
            if let Some(setting) = self.sections.last_mut().and_then(|section| section.settings.last_mut()) {
                setting.value.push('\n');
                setting.value.push_str(line);
            }
            return;
        }
        if let Some(rest) = line.strip_prefix('[') {
            let header = rest.rsplit_once(']').map(|(header, _)| header);
            if header.is_none_or(str::is_empty) {
                self.faults.push((number, Fault::Header));
            }
            self.sections.push(Section {
                header: header.unwrap_or(rest).to_owned(),
                line: number,
                settings: Vec::new(),
            });
            *indented_by = None;
            return;
        }
        let Some(section) = self.sections.last_mut() else {
            self.faults.push((number, Fault::BeforeSections));
            return;
        };
        match line.split_once(['=', ':']) {
            Some((name, value)) if !name.trim().is_empty() => {
                section.settings.push(Setting {
                    name: name.trim().to_lowercase(),
                    written_name: name.trim().to_owned(),
                    value: value.trim().to_owned(),
                    line: number,
                });
                *indented_by = Some(indent);
            }
            _ => self.faults.push((number, Fault::NoSetting)),
        }
    }

    fn find_repetitions(&mut self) {
        let mut headers = BTreeSet::new();
        for section in &self.sections {
            // The section DEFAULT may be repeated.
            if section.header != DEFAULTS && !headers.insert(&section.header) {
                self.faults.push((section.line, Fault::RepeatedSection));
            }
            let mut names = BTreeSet::new();
            for setting in &section.settings {
                if !names.insert(&setting.name) {
                    self.faults.push((setting.line, Fault::RepeatedSetting));
                }
            }
        }
    }

    /// Checks groups of settings, such as those of `s3`: indented lines below a setting without a value.
    fn check_nested(&mut self) {
        let settings = self.sections.iter().flat_map(|section| &section.settings);
        for setting in settings {
            let Some(nested) = setting.value.strip_prefix('\n') else {
                continue;
            };
            if nested.lines().any(|line| !line.contains('=')) {
                self.faults.push((setting.line, Fault::NestedSetting));
            }
        }
    }
}

/// configparser adds the settings of this section to all others.
pub(super) const DEFAULTS: &str = "DEFAULT";
