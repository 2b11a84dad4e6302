//! Who calls, what the contract allows them, and how a refusal is told: tokens of the edge, signed contexts between services,
//! access options read from the descriptors, and the one error builder of the suite.
//!
//! It deliberately knows neither the roster nor a single method: who an employee is and who is responsible for a case is
//! looked up elsewhere, and every rule about a method comes from its `access` option.

pub mod context;
pub mod contract;
pub mod identity;
pub mod language;
pub mod layer;
pub mod matrix;
pub mod page_token;
pub mod status;
pub mod token;
pub mod wire;

pub use context::caller::Caller;
pub use contract::Contract;
pub use identity::{BranchName, EmployeeName, Principal, Reach, Roles, ServiceAccountName};
pub use language::Language;
pub use layer::RequireContext;
pub use page_token::PageTokens;
pub use status::Failure;
