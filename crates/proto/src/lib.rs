//! The contract in code: generated messages, clients and servers, and the descriptors that the gateway, reflection and the access page read.
//!
//! Nothing here is written by hand but the modules that hold the generated code; behaviour belongs to the services.

/// The compiled descriptors of all `.proto` files, with comments and options.
pub static DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

macro_rules! package {
    ($($name:ident),+) => { $(
        #[allow(clippy::all, clippy::pedantic, missing_docs, reason = "generated code")]
        pub mod $name {
            pub mod v1 {
                include!(concat!(env!("OUT_DIR"), "/shouwen.", stringify!($name), ".v1.rs"));
            }
        }
    )+ };
}

package!(access, callbacks, calls, clients, complaints, events, operator, ownership, policy, routing, r#type);

/// `google.rpc.Status` as a value inside messages.
#[allow(clippy::all, clippy::pedantic, missing_docs, reason = "generated code")]
pub mod rpc {
    include!(concat!(env!("OUT_DIR"), "/google.rpc.rs"));
}

/// `google.longrunning.Operation`.
#[allow(clippy::all, clippy::pedantic, missing_docs, reason = "generated code")]
pub mod longrunning {
    include!(concat!(env!("OUT_DIR"), "/google.longrunning.rs"));
}
