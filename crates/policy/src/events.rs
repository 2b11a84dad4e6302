//! Versions from and to the events of the contract, for the service that approves them and those that follow.

use chrono::{DateTime, Utc};
use prost_types::{Struct, Timestamp};
use shouwen_proto::events::v1::{PolicyAdopted, PolicyApproved};

use crate::document::Document;
use crate::error::PolicyError;
use crate::kind::UnknownKind;
use crate::protobuf::{document_from_struct, document_to_struct};
use crate::version::PolicyVersion;

impl TryFrom<&PolicyApproved> for PolicyVersion {
    type Error = PolicyError;

    /// Fails when the event was written by a release with other kinds, or by nobody of ours.
    fn try_from(event: &PolicyApproved) -> Result<PolicyVersion, PolicyError> {
        version(
            &event.policy,
            &event.kind,
            &event.scope,
            event.revision,
            event.document.as_ref(),
            event.effective_time,
        )
    }
}

impl TryFrom<&PolicyAdopted> for PolicyVersion {
    type Error = PolicyError;

    /// Fails when the event was written by a release with other kinds, or by nobody of ours.
    fn try_from(event: &PolicyAdopted) -> Result<PolicyVersion, PolicyError> {
        version(
            &event.policy,
            &event.kind,
            &event.scope,
            event.revision,
            event.document.as_ref(),
            event.effective_time,
        )
    }
}

impl TryFrom<&PolicyVersion> for PolicyAdopted {
    type Error = PolicyError;

    /// Fails on a document that the contract cannot carry exactly.
    fn try_from(version: &PolicyVersion) -> Result<PolicyAdopted, PolicyError> {
        Ok(PolicyAdopted {
            policy: version.policy.clone(),
            kind: version.kind.to_string(),
            scope: version.scope.to_string(),
            revision: version.revision,
            document: Some(document_to_struct(&version.document)?),
            effective_time: Some(timestamp(version.effective_from)),
        })
    }
}

/// What a following service writes on its own ledger about an approval, unchanged.
pub fn adoption(event: &PolicyApproved) -> PolicyAdopted {
    PolicyAdopted {
        policy: event.policy.clone(),
        kind: event.kind.clone(),
        scope: event.scope.clone(),
        revision: event.revision,
        document: event.document.clone(),
        effective_time: event.effective_time,
    }
}

pub(crate) fn timestamp(at: DateTime<Utc>) -> Timestamp {
    // Always below 2^31.
    let nanos = i32::try_from(at.timestamp_subsec_nanos()).unwrap_or(i32::MAX);
    Timestamp { seconds: at.timestamp(), nanos }
}

/// The moment, if there is one and it can be represented.
pub(crate) fn moment(timestamp: Option<Timestamp>) -> Option<DateTime<Utc>> {
    let timestamp = timestamp?;
    DateTime::from_timestamp(timestamp.seconds, u32::try_from(timestamp.nanos).ok()?)
}

/// The document, if there is one and it can be read.
pub(crate) fn document(fields: Option<&Struct>) -> Result<Document, PolicyError> {
    match fields {
        Some(fields) => document_from_struct(fields),
        None => Err(PolicyError::new(
            "document",
            "it is missing",
            "give the fields to set",
            "缺少内容；请填写要设定的字段",
        )),
    }
}

/// What only a newer release can read.
pub(crate) fn unknown_kind(error: UnknownKind) -> PolicyError {
    let problem = error.to_string();
    let UnknownKind(kind) = error;
    let chinese = format!("无法识别制度类别 {kind:?}；请升级本服务");
    PolicyError::new("kind", problem, "update this service", chinese)
}

fn version(
    policy: &str,
    kind: &str,
    scope: &str,
    revision: i64,
    fields: Option<&Struct>,
    effective_time: Option<Timestamp>,
) -> Result<PolicyVersion, PolicyError> {
    if revision < 1 {
        let chinese = format!("{revision} 不是修订号；从 1 开始计数");
        return Err(PolicyError::new("revision", format!("{revision} is none"), "count from 1", chinese));
    }
    Ok(PolicyVersion {
        policy: policy.into(),
        kind: kind.parse().map_err(unknown_kind)?,
        scope: scope.parse()?,
        revision,
        document: document(fields)?,
        effective_from: moment(effective_time).ok_or_else(|| {
            let chinese = "缺少时间或超出范围；请填写生效时间";
            PolicyError::new("effective_time", "it is missing or out of range", "give a time", chinese)
        })?,
    })
}
