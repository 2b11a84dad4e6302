//! What the edge asks ownership: who is in the roster, who answers for a case, which employee won a contact. Tests of the edge have a
//! second implementation over a few maps.

use std::future::Future;
use std::sync::Arc;

use shouwen_access::Failure;

use crate::domain::Roster;
use crate::ownership::{CaseView, Claim, Ownership, PendingTouch};

/// The domain behind the edge, in the same process.
pub trait Owners: Send + Sync + 'static {
    /// The roster (名册) as it stands; cheap, called once per request.
    fn roster(&self) -> Arc<Roster>;

    /// The case that `name` leads to, read anew: `cases/{case}` or anything below it, `calls/{contact}` or `contacts/{contact}` (the
    /// case of that contact). Mergers are followed to the survivor. `None` if there is none.
    fn find(&self, name: &str) -> impl Future<Output = Result<Option<CaseView>, Failure>> + Send;

    /// Claims a contact for an employee (O1) and returns the contact's case as it then stands. Idempotent for the winner;
    /// `CONTACT_CLAIMED` for everybody else.
    fn claim(&self, claim: Claim) -> impl Future<Output = Result<CaseView, Failure>> + Send;

    /// First touches that were claimed some time ago and whose call the backend has not confirmed, oldest first.
    fn pending_touches(&self, limit: i64) -> impl Future<Output = Result<Vec<PendingTouch>, Failure>> + Send;

    /// The backend rejected the touch for good: voids it, and its case if that is provisional. Changes nothing unless the touch is
    /// still pending *under this request id*: the winner's second call, with another id, is rejected because the first succeeded.
    /// `contact` is `contacts/{contact}`, `reason` the backend's reason.
    fn void_touch(
        &self,
        contact: &str,
        request_id: &str,
        reason: &str,
    ) -> impl Future<Output = Result<(), Failure>> + Send;
}

impl Owners for Ownership {
    fn roster(&self) -> Arc<Roster> {
        self.roster()
    }

    async fn find(&self, name: &str) -> Result<Option<CaseView>, Failure> {
        self.find(name).await
    }

    async fn claim(&self, claim: Claim) -> Result<CaseView, Failure> {
        self.claim(claim).await
    }

    async fn pending_touches(&self, limit: i64) -> Result<Vec<PendingTouch>, Failure> {
        self.pending_touches(limit).await
    }

    async fn void_touch(&self, contact: &str, request_id: &str, reason: &str) -> Result<(), Failure> {
        self.void_touch(contact, request_id, reason).await
    }
}
