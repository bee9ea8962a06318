//! `gatepostd --prepare-token`: the operations on a token that gatepost-tpm-setup needs. The PIN is read from standard input.

use std::io::Read as _;
use std::path::Path;

use zeroize::Zeroizing;

use crate::foreign_text;
use crate::hardening;
use crate::problem::{Exit, Fatal, Problem};
use crate::secret::SecretString;
use crate::stdout::print;
use crate::token::{self, Proof, TokenError};

/// Maximum number of bytes that are read as the PIN.
const MAX_PIN: u64 = 1024;

/// The task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preparation {
    /// Print the labels of all tokens, a line each.
    List,
    /// Create the token with the PIN.
    Make,
    /// Try the PIN once, and print the result as one word.
    Prove,
}

impl Preparation {
    /// Parses the value of `--prepare-token`.
    ///
    /// # Errors
    /// With a list of the valid values.
    pub fn parse(word: &str) -> Result<Self, String> {
        match word {
            "list" => Ok(Self::List),
            "make" => Ok(Self::Make),
            "prove" => Ok(Self::Prove),
            _ => Err("it is list, make or prove".to_owned()),
        }
    }
}

/// Performs the task with the PKCS#11 module at `module` and the token named `label`.
///
/// # Errors
/// With the error of the module.
pub fn run(preparation: Preparation, module: &Path, label: &str) -> Result<(), Fatal> {
    hardening::no_core_dumps();
    let unavailable = |error: TokenError| match error {
        TokenError::Final(Exit::Configuration, problem) => Fatal::new(Exit::Configuration, problem),
        other => Fatal::new(Exit::Unavailable, other.problem().clone()),
    };
    match preparation {
        Preparation::List => {
            let labels = token::list_labels(module).map_err(unavailable)?;
            print(&labels.iter().map(|label| format!("{label}\n")).collect::<String>())
        }
        Preparation::Make => token::create(module, label, &read_pin()?).map_err(unavailable),
        Preparation::Prove => {
            let proof = token::prove(module, label, &read_pin()?).map_err(unavailable)?;
            // The script reads the word from standard output and shows standard error to the user.
            if !matches!(proof, Proof::Good) {
                eprintln!("gatepostd: {proof}");
            }
            print(&format!("{}\n", word(&proof)))
        }
    }
}

/// Returns the word for a result. gatepost-tpm-setup compares these.
fn word(proof: &Proof) -> &'static str {
    match proof {
        Proof::Good => "good",
        Proof::WrongPin => "wrong-pin",
        Proof::Locked => "locked",
        Proof::LastTry => "last-try",
        Proof::Unexplained(_) => "unexplained",
        Proof::NoPin => "no-pin",
        Proof::NoPinButObjects => "no-pin-but-objects",
    }
}

fn read_pin() -> Result<SecretString, Fatal> {
    let unreadable = |why: String| {
        let problem = Problem::configuration(format!("standard input has no PIN: {why}"));
        Fatal::new(Exit::Usage, problem.next("this is what gatepost-tpm-setup uses"))
    };
    // Reserved in full, because a buffer that grows would leave copies of the PIN in memory.
    let mut pin = Zeroizing::new(Vec::with_capacity(MAX_PIN as usize + 1));
    std::io::stdin()
        .take(MAX_PIN)
        .read_to_end(&mut pin)
        .map_err(|error| unreadable(foreign_text::clean(error)))?;
    token::parse_pin(&pin).map_err(|fault| unreadable(format!("it {fault}")))
}
