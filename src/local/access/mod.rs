//! The access rules: their evaluation, the message about a missing rule, and the log of decisions.

mod audit;
mod denied;
mod missing_rule;
mod permission;
mod process_selectors;
mod rules;
mod token_reader;

pub use audit::Audit;
pub use denied::AccessDeniedError;
pub use missing_rule::is_dynamic_user;
pub use permission::Permission;
pub use rules::{AccessRules, RuleTopics};
pub use token_reader::{TokenReader, TokenRecipient};
