//! Layered configuration: flag over environment over file over default, into a serde struct of the caller's. Nothing
//! is ever applied halfway: all of it is read and checked before anything binds, and a mistyped key is an error that
//! names the key and where it stands.

mod layers;
mod list;
mod period;
mod secret;

pub use layers::{ConfigError, Layers, print_config};
pub use list::list;
pub use period::Period;
pub use secret::Secret;
