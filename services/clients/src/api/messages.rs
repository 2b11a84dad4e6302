//! States as the contract shows them: personal data masked (L10).

use chrono::{DateTime, Utc};
use prost::Message as _;
use prost_types::Any;
use shouwen_access::Failure;
use shouwen_policy::PolicyBook;
use shouwen_proto::{
    clients::v1::{
        CapitalAccount, Client as ClientMessage, ImportProgress, Verification as VerificationMessage,
    },
    events::v1::{IdentityFactor, ImportFault},
    longrunning::{Operation, operation},
    rpc::Status as RpcStatus,
    r#type::v1::{ClientClass as ClientClassMessage, Position as PositionMessage},
};
use tonic::Code;

use crate::domain::{
    Client, Factor, Import,
    codec::timestamp,
    import::Stage,
    verification::{self, Verification},
};

/// The type of an operation's metadata and response.
const PROGRESS: &str = "type.googleapis.com/shouwen.clients.v1.ImportProgress";

/// A client, masked.
pub(super) fn client(client: &Client) -> ClientMessage {
    ClientMessage {
        name: client.name.to_string(),
        etag: client.revision.to_string(),
        branch: client.branch.clone(),
        display_name: client.display_name_masked.clone(),
        phone: client.phone_masked.clone(),
        identity_number: client.identity_number_masked.clone(),
        capital_accounts: client
            .accounts
            .iter()
            .map(|account| CapitalAccount {
                account: account.masked.clone(),
                custodian_bank: account.bank.clone(),
                primary: account.primary,
            })
            .collect(),
        assets_fen: client.assets_fen,
        turnover_percent: client.turnover_percent,
        client_class: client.class.map_or(ClientClassMessage::Unspecified, ClientClassMessage::from).into(),
        vip: client.vip,
        core: client.core,
        service_manager: client.manager.clone(),
        coverage: PositionMessage::from(client.coverage).into(),
        verification_locked_until: locked_until(client),
        create_time: timestamp(client.entered),
        update_time: timestamp(client.changed),
        policy_version: client.policy_version.clone(),
    }
}

/// An employee's verification of a client (K11).
pub(super) fn verification(
    client: &Client,
    employee: &str,
    book: &PolicyBook,
) -> Result<VerificationMessage, Failure> {
    let running = client.verifications.running.get(employee).ok_or_else(Failure::internal)?;
    let Verification { id, expires, policy_version, matched, failed, passed, securities: _ } = running;
    let policy = verification::policy(policy_version, book)?;
    let missing = if *passed { 0 } else { verification::missing(running.counted(), &policy) };
    let factors =
        |factors: &[Factor]| factors.iter().map(|factor| IdentityFactor::from(*factor).into()).collect();
    Ok(VerificationMessage {
        client: client.name.to_string(),
        verification: id.clone(),
        employee: employee.to_owned(),
        passed: *passed,
        matched: factors(matched),
        failed: factors(failed),
        factors_missing: i32::try_from(missing).unwrap_or(i32::MAX),
        expire_time: timestamp(*expires),
        locked_until: locked_until(client),
    })
}

fn locked_until(client: &Client) -> Option<prost_types::Timestamp> {
    client.verifications.locked_until.and_then(|until: DateTime<Utc>| timestamp(until))
}

/// An import as an operation.
pub(super) fn operation(import: &Import) -> Operation {
    let progress = Any { type_url: PROGRESS.to_owned(), value: progress(import).encode_to_vec() };
    let result = match &import.stage {
        Stage::Running => None,
        Stage::Finished => Some(operation::Result::Response(progress.clone())),
        Stage::Broken { error } => Some(operation::Result::Error(RpcStatus {
            code: Code::Aborted.into(),
            message: format!(
                "{error}: not all lines were worked on, those taken stay. Send all lines again with the same request_id."
            ),
            details: Vec::new(),
        })),
    };
    Operation {
        name: import.name.to_string(),
        metadata: Some(progress),
        done: import.stage != Stage::Running,
        result,
    }
}

fn progress(import: &Import) -> ImportProgress {
    ImportProgress {
        lines: import.lines,
        created: import.created,
        updated: import.updated,
        unchanged: import.unchanged,
        rejected: import.rejected,
        faults: import.faults.iter().map(ImportFault::from).collect(),
    }
}
