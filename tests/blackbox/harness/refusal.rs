//! A refused call as a client of ours would read it: the status, and the details that every refusal carries.

use std::{collections::HashMap, fmt::Debug};

use tonic::{Code, Status};
use tonic_types::{ErrorDetail, ErrorDetails, StatusExt as _};

/// Status and reason of a refusal.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) code: Code,
    pub(crate) reason: String,
    pub(crate) metadata: HashMap<String, String>,
    pub(crate) details: ErrorDetails,
    pub(crate) message: String,
}

impl Refusal {
    /// Reads a status; `None` if it does not come from the suite (a lost connection, for example).
    pub(crate) fn of(status: &Status) -> Option<Self> {
        let details = status.get_error_details();
        let info = details.error_info()?;
        Some(Self {
            code: status.code(),
            reason: info.reason.clone(),
            metadata: info.metadata.clone(),
            message: status.message().to_owned(),
            details,
        })
    }

    /// Code and reason, to compare.
    pub(crate) fn kind(&self) -> (Code, &str) {
        (self.code, &self.reason)
    }
}

/// The refusal that a call must have met. It has exactly one `ErrorInfo`, of this suite, and a text in the caller's language.
pub(crate) fn refused<T: Debug>(answered: Result<T, Status>) -> Refusal {
    let status = answered.expect_err("the call must be refused");
    let infos = status.get_error_details_vec();
    let infos: Vec<_> = infos
        .iter()
        .filter_map(|detail| match detail {
            ErrorDetail::ErrorInfo(info) => Some(info),
            _ => None,
        })
        .collect();
    assert_eq!(infos.len(), 1, "{status:?}");
    assert_eq!(infos[0].domain, "shouwen");
    let refusal = Refusal::of(&status).unwrap();
    let localized = refusal.details.localized_message().expect("a text for people");
    assert!(!localized.message.is_empty());
    refusal
}
