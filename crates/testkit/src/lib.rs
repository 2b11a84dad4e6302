//! What the tests of all crates need: a throw-away Postgres with a database per test, tokens, certificates, and one
//! bounded wait. It is for tests only, so it panics with a clear text instead of returning errors, and it knows no
//! service and no schema.

mod database;
mod postgres;
mod tls;
mod token;
mod waiting;

pub use database::TestDatabase;
pub use postgres::TestPostgres;
pub use tls::{TestCa, TestCertificate};
pub use token::{TestIssuer, TokenKey};
pub use waiting::until;
