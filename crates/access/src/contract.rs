//! The contract as data: every method of the suite with its `access` option, read from the descriptors once at start. A method
//! without a sound option does not load, and what does not load is not served.
//!
//! It holds what the options say and nothing about callers: who somebody is and whether the conditions hold is judged elsewhere.

mod load;

use std::collections::HashMap;

use http::Uri;
use shouwen_proto::access::v1::CaseRule;

use crate::identity::Roles;
use crate::status::Failure;
use crate::wire;

/// What gRPC itself asks a server.
const INFRASTRUCTURE: [&str; 4] = [
    "/grpc.health.v1.Health/Check",
    "/grpc.health.v1.Health/Watch",
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
];

/// All methods of the suite.
#[derive(Clone, Debug)]
pub struct Contract {
    /// By path, e.g. `/shouwen.calls.v1.CallService/EndCall`.
    methods: HashMap<String, Method>,
}

/// One RPC.
#[derive(Clone, Debug)]
pub struct Method {
    /// The gRPC path, e.g. `/shouwen.calls.v1.CallService/EndCall`.
    pub path: String,
    /// The same for a request.
    pub uri: Uri,
    /// `shouwen.calls.v1`
    pub package: String,
    /// `CallService`
    pub service: String,
    /// `EndCall`
    pub name: String,
    /// The caller sends a stream.
    pub client_streaming: bool,
    /// The answer is a stream.
    pub server_streaming: bool,
    /// Who may call it and on what condition.
    pub access: Access,
    /// The field `request_id` of a unary mutation. A stream's is in its first message, and the service's own affair.
    pub request_id: Option<RequestField>,
    /// The service that serves it.
    pub backend: Backend,
    /// The first sentence of its comment; empty where it has none.
    pub summary: String,
    /// Where it stands in the descriptors, for pages in their order.
    order: usize,
}

impl Method {
    /// One message in, one message out: the context then carries the digest of the request.
    pub const fn is_unary(&self) -> bool {
        !self.client_streaming && !self.server_streaming
    }

    /// Whether a caller with `roles` may come in at all; cases and branches are another matter. `ROLE_REQUIRED` otherwise.
    pub fn admit(&self, roles: Roles) -> Result<(), Failure> {
        if self.access.public || self.access.roles.intersects(roles) {
            Ok(())
        } else {
            Err(Failure::role_required(&self.path, self.access.roles))
        }
    }
}

/// A field of a request that an option names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestField {
    /// Its name, for refusals that name it.
    pub name: String,
    /// How to read it off the wire.
    pub wire: wire::Field,
}

/// Which service serves a method.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Backend {
    /// This one: `calls`, `callbacks`, `ownership`, ...
    Service(String),
    /// The one that the request names in this field; every service offers the method.
    Named(RequestField),
}

/// The `access` option, checked: its fields exist in the request and have the right types. Where the caller sends a stream, they
/// are those of its first message.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "each is a condition of its own, as in the option")]
pub struct Access {
    /// The caller needs one of these; empty only if `public`.
    pub roles: Roles,
    /// The condition on the case, with the field that names it.
    pub case: Option<CaseCondition>,
    /// How an employee's first answer claims the contact (O1).
    pub first_touch: Option<FirstTouch>,
    /// The field that must name a branch within the caller's reach.
    pub branch: Option<RequestField>,
    /// Numbers of the rules, e.g. `O1`.
    pub rules: Vec<String>,
    /// Changes something and carries a request id.
    pub mutation: bool,
    /// Between services of the suite only.
    pub internal: bool,
    /// Nobody needs to be known.
    pub public: bool,
    /// The client's identity must have been verified shortly before (K11); the service decides it.
    pub verified_identity: bool,
    /// A second person is needed (P3, C6); the service decides it.
    pub two_persons: bool,
}

/// What the caller must be to the case that the request names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseCondition {
    /// Never `CASE_RULE_UNSPECIFIED`.
    pub rule: CaseRule,
    /// The field that names the case, the contact, or something below either.
    pub field: RequestField,
    /// An override (O7) stands in for responsibility.
    pub override_allowed: bool,
    /// The method changes something.
    pub mutation: bool,
}

/// The fields of a first touch (O1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirstTouch {
    /// Names the contact, e.g. `calls/{contact}`.
    pub contact: RequestField,
    /// The topic; may be empty in the request.
    pub topic: RequestField,
    /// The client's external id; may be empty in the request.
    pub client: RequestField,
    /// The channel, a number of `shouwen.type.v1.Channel`.
    pub channel: RequestField,
}

impl Contract {
    /// Reads an encoded `FileDescriptorSet`, options and comments kept. Every method of a package `shouwen.*` needs a sound
    /// `access` option; the first one without is named in the error.
    pub fn load(descriptors: &[u8]) -> Result<Self, ContractError> {
        load::load(descriptors)
    }

    /// The method at a gRPC path.
    pub fn method(&self, path: &str) -> Option<&Method> {
        self.methods.get(path)
    }

    /// Who serves the method at a gRPC path.
    pub fn backend_of(&self, path: &str) -> Option<&Backend> {
        self.method(path).map(|method| &method.backend)
    }

    /// All methods in the order of the descriptors.
    pub fn methods(&self) -> Vec<&Method> {
        let mut methods: Vec<_> = self.methods.values().collect();
        methods.sort_by_key(|method| method.order);
        methods
    }

    /// The gRPC paths of everything that a server of the suite may have: all methods, health and reflection.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.methods.keys().map(String::as_str).chain(INFRASTRUCTURE)
    }

    /// Whether a path belongs to gRPC itself, health and reflection, which are open to everybody.
    pub fn is_infrastructure(path: &str) -> bool {
        path.starts_with("/grpc.health.v1.Health/") || path.starts_with("/grpc.reflection.")
    }
}

/// Why the contract cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum ContractError {
    /// The bytes are no descriptor set.
    #[error("the descriptors cannot be read")]
    Descriptors(#[source] prost_reflect::DescriptorError),
    /// The set does not contain `shouwen/access/v1/access.proto`.
    #[error("the descriptors do not define the option shouwen.access.v1.access")]
    OptionUndefined,
    /// The option cannot be decoded.
    #[error("{method}: the access option cannot be read")]
    OptionUnreadable {
        /// Path of the method.
        method: String,
        /// What the decoder says.
        #[source]
        source: prost::DecodeError,
    },
    /// What is wrong with the option of one method.
    #[error("{method}: {defect}")]
    Unsound {
        /// Path of the method.
        method: String,
        /// What is wrong.
        defect: Defect,
    },
}

/// What can be wrong with the option of a method.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Defect {
    /// There is none.
    #[error("the method has no access option")]
    Missing,
    /// What names it has make no path of a request.
    #[error("the method's names make no path")]
    NoPath,
    /// Neither roles nor public.
    #[error("the option names no role and is not public")]
    NoRoles,
    /// `ROLE_UNSPECIFIED`, or a number of an enum that this build does not know.
    #[error("the option holds an unknown or unspecified value in `{0}`")]
    UnknownValue(&'static str),
    /// What a service decides under its locks leaves a record.
    #[error("`verified_identity` and `two_persons` need `mutation`: the service decides them with a record")]
    ConditionWithoutRecord,
    /// A public method has no caller that could be held to anything.
    #[error("a public method cannot have roles, conditions, or change anything")]
    PublicRestricted,
    /// The named field is not in the request.
    #[error("`{option}` names the field `{field}`, which the request does not have")]
    FieldMissing {
        /// Field of the option.
        option: &'static str,
        /// Field of the request.
        field: String,
    },
    /// The named field is not a singular field of the right type outside of a oneof.
    #[error("`{option}` names the field `{field}`, which is not a singular {expected}")]
    FieldType {
        /// Field of the option.
        option: &'static str,
        /// Field of the request.
        field: String,
        /// `string` or the enum's name.
        expected: &'static str,
    },
    /// One of the two is useless without the other.
    #[error("`{0}` and `{1}` belong together: set both or none")]
    Unpaired(&'static str, &'static str),
    /// Overrides stand in for responsibility, and there is nothing to stand in for.
    #[error("`override_allowed` needs the case rule RESPONSIBLE or ASSISTING")]
    OverrideWithoutResponsibility,
    /// A first touch makes the case; it cannot also demand one.
    #[error("`first_touch` needs a unary mutation without case rule")]
    FirstTouchMisplaced,
    /// A repeated call could not be recognised.
    #[error("a mutation must have a string field `request_id`")]
    MutationWithoutRequestId,
    /// Then it is a mutation, and somebody forgot to say so.
    #[error("the request has a `request_id`, but the option does not say `mutation`")]
    RequestIdWithoutMutation,
}
