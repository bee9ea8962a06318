//! `gatepostd --prepare-token`: what gatepost-tpm-setup has done with a token, with the PIN from standard input.

use std::io::Read as _;
use std::path::Path;

use zeroize::Zeroizing;

use crate::arguments::print;
use crate::foreign_text;
use crate::hardening;
use crate::problem::{Exit, Fatal, Problem};
use crate::secret::SecretString;
use crate::token::{self, Proof, TokenError};

/// The longest PIN that is read.
const MAX_PIN: u64 = 1024;

/// The task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preparation {
    /// Print the labels of all tokens, a line each.
    List,
    /// Make the token and give it the PIN.
    Make,
    /// Try the PIN once, and print what came of it as one word.
    Prove,
}

impl Preparation {
    /// By its word on the command line.
    ///
    /// # Errors
    /// With the words that there are.
    pub fn parse(word: &str) -> Result<Self, String> {
        match word {
            "list" => Ok(Self::List),
            "make" => Ok(Self::Make),
            "prove" => Ok(Self::Prove),
            _ => Err("it is list, make or prove".to_owned()),
        }
    }
}

/// Does it, with the module at `module` and the token named `label`.
///
/// # Errors
/// With what the module answers.
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
            // The script has the word from standard output, and what to tell people from standard error.
            if !matches!(proof, Proof::Good) {
                eprintln!("gatepostd: {proof}");
            }
            print(&format!("{}\n", word(&proof)))
        }
    }
}

/// gatepost-tpm-setup reads these.
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
    // Reserved at once: a buffer that grows would leave copies behind.
    let mut pin = Zeroizing::new(Vec::with_capacity(MAX_PIN as usize + 1));
    std::io::stdin()
        .take(MAX_PIN)
        .read_to_end(&mut pin)
        .map_err(|error| unreadable(foreign_text::clean(error)))?;
    token::parse_pin(&pin).map_err(|fault| unreadable(format!("it {fault}")))
}
