//! What can be asked of this service: by people, by imports, by events of ownership.

use std::sync::Arc;

use shouwen_access::Reach;
use shouwen_engine::AggregateId;
use shouwen_proto::events::v1::{ClientSaved, ImportProgressed, PolicyAdopted};

use super::{
    factor::Factor,
    key::OpaqueKey,
    lookups::Lookup,
    name::{ClientName, OperationName},
    roster::BranchRoster,
};

/// One command.
#[derive(Clone, Debug)]
pub enum Command {
    /// A policy version was approved in ownership (P1).
    AdoptPolicy(Box<PolicyAdopted>),
    /// Enters a client or replaces its file (L1).
    Save(Box<Save>),
    /// A lead hands the client over (L8).
    Assign {
        client: ClientName,
        employee: String,
        roster: Arc<BranchRoster>,
        reason: String,
        etag: Option<i64>,
    },
    /// The roster has changed: somebody else serves the client if its manager cannot any more (L8).
    Reassign { client: ClientName, roster: Arc<BranchRoster> },
    /// K11
    StartVerification { client: ClientName, employee: String, verification: String },
    /// K11: what the client said, as the key that it would have on file.
    AnswerVerification {
        client: ClientName,
        employee: String,
        verification: String,
        factor: Factor,
        key: OpaqueKey,
        /// The key of the code, whichever factor asks for it; `None` where the answer is no security.
        security: Option<OpaqueKey>,
    },
    /// An employee looks for a client by a number (L10).
    RecordLookup(Lookup),
    /// Shows the file in full (L10).
    Disclose { client: ClientName, employee: String, purpose: String },
    /// A deadline has come. No state of this release holds one: locks and expiry are compared with the time (K11).
    Due { aggregate: AggregateId },
    /// Begins an import, or begins it anew.
    BeginImport { operation: OperationName },
    /// Lines of the import's attempt were worked on.
    ProgressImport { operation: OperationName, attempt: i64, progressed: Box<ImportProgressed> },
    /// The import's attempt is over; `error` is empty where every line was worked on.
    EndImport { operation: OperationName, attempt: i64, error: &'static str },
}

/// A client's file as it was entered.
#[derive(Clone, Debug)]
pub struct Save {
    pub client: ClientName,
    /// Sealed; without what follows from the figures, and without the evidence.
    pub file: Box<ClientSaved>,
    /// L9; empty for none.
    pub evidence: String,
    /// Whom the input names as service manager (L8).
    pub manager: Option<String>,
    /// Of the file's branch.
    pub roster: Arc<BranchRoster>,
    /// What the caller reaches: an existing file may belong to another branch.
    pub reach: Reach,
    pub etag: Option<i64>,
}

impl Command {
    /// The one aggregate that it is about.
    pub fn aggregate(&self) -> AggregateId {
        match self {
            Self::AdoptPolicy(adopted) => AggregateId(adopted.policy.clone()),
            Self::Save(save) => save.client.aggregate(),
            Self::Assign { client, .. }
            | Self::Reassign { client, .. }
            | Self::StartVerification { client, .. }
            | Self::AnswerVerification { client, .. }
            | Self::Disclose { client, .. } => client.aggregate(),
            Self::RecordLookup(lookup) => lookup.aggregate(),
            Self::Due { aggregate } => aggregate.clone(),
            Self::BeginImport { operation }
            | Self::ProgressImport { operation, .. }
            | Self::EndImport { operation, .. } => operation.aggregate(),
        }
    }
}
