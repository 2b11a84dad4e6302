//! Ownership as the edge asks for it: who is responsible for a case, whose a contact is, and which first touches are still owed.

use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use shouwen_access::Failure;
use shouwen_engine::{Actor, AggregateId, Engine, RequestKey, Submission};
use shouwen_runtime::{clock::MachineClock, ids};
use shouwen_serving::{Sealer, refusal};
use shouwen_vault::{Sealed, Subject, Vault};

use crate::{
    api::failures,
    domain::{
        CaseState, Command, OwnershipDomain, Roster, State,
        case::{Complaint, Phase},
        command::{Claim as ClaimCommand, ContactCommand, OwedTouch},
        contact::Touch,
    },
    service, store,
};

/// Whose a case is, as read at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseView {
    /// The case; the survivor, where the named one was merged.
    pub case: String,
    /// The case as the request or the contact names it.
    pub named: String,
    pub epoch: i64,
    /// When it was read, on the machine's clock.
    pub read_at: DateTime<Utc>,
    pub branch: String,
    /// The contact that opened it, `contacts/{contact}`.
    pub contact: String,
    pub first_responder: String,
    pub accountable: String,
    pub handler: String,
    /// Who acts in place of an absent handler or accountable person (O9).
    pub deputies: Vec<String>,
    /// Who overrides at present and may by the roster (O7).
    pub overriding: Option<String>,
    /// Who answered a contact of it.
    pub assistants: Vec<String>,
    /// Complaints of the case and of what leads to it by the name that was asked for, open or not, each with the unit that received it (C2).
    pub complaints: Vec<(String, String)>,
    /// Open or waiting for the client's word.
    pub open: bool,
}

/// The claim of a contact that a backend's method answers.
#[derive(Clone, Debug)]
pub struct Claim {
    pub contact_id: String,
    pub employee: String,
    pub branch: String,
    pub topic: String,
    pub client: String,
    /// A number of `shouwen.type.v1.Channel`.
    pub channel: i32,
    pub method: String,
    pub request: Bytes,
    pub request_id: String,
    pub principal: String,
    pub fingerprint: Vec<u8>,
}

/// A first touch that its backend has not taken yet.
#[derive(Clone, Debug)]
pub struct PendingTouch {
    /// `contacts/{contact}`
    pub contact: String,
    pub employee: String,
    pub principal: String,
    pub method: String,
    pub request: Bytes,
    pub request_id: String,
}

/// A touch younger than this is still in the hands of who made it.
const TOUCH_PATIENCE: TimeDelta = TimeDelta::seconds(15);

/// The ownership of one gateway process.
#[derive(Clone)]
pub struct Ownership {
    pub(crate) engine: Engine<OwnershipDomain>,
    pub(crate) vault: Vault,
    pub(crate) clock: MachineClock,
}

impl Ownership {
    pub fn new(engine: Engine<OwnershipDomain>, vault: Vault, clock: MachineClock) -> Self {
        Self { engine, vault, clock }
    }

    pub fn roster(&self) -> Arc<Roster> {
        self.engine.domain().roster()
    }

    /// The case behind `cases/{case}` or anything below it, `calls/{call}` or `contacts/{contact}`.
    pub async fn find(&self, name: &str) -> Result<Option<CaseView>, Failure> {
        let mut parts = name.split('/');
        let (collection, id) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let (case, contact) = match collection {
            "cases" => (Some(format!("cases/{id}")), None),
            "calls" | "contacts" => (None, Some(format!("contacts/{id}"))),
            _ => return Ok(None),
        };
        let read_at = self.clock.now();
        let found = store::reach::find(self.engine.pool(), case.as_deref(), contact.as_deref())
            .await
            .map_err(|error| refusal::database(&error))?;
        let snapshot = self.engine.domain().snapshot();
        Ok(found.map(|mut found| {
            snapshot.stand(&found.id, &mut found.state, found.now);
            let mut view = view(&found.named, &found.id, &found.state, read_at);
            // C2: a complaint that ended before its case was merged still belongs to the unit that received it.
            for Complaint { name, unit, .. } in found.merged {
                let received = (name, unit);
                if !view.complaints.contains(&received) {
                    view.complaints.push(received);
                }
            }
            view
        }))
    }

    /// Claims a contact for an employee (O1); `CONTACT_CLAIMED` when another one was first.
    pub async fn claim(&self, claim: Claim) -> Result<CaseView, Failure> {
        let contact = format!("contacts/{}", claim.contact_id);
        let sealer =
            Sealer { vault: &self.vault, subject: &Subject::contact(&claim.contact_id), aggregate: &contact };
        // The request may hold what the client said: it waits sealed.
        let text = hex::encode(&claim.request);
        let [request] = sealer.seal([("touch_request", &text)]).await?;
        let command = Command::Contact(ContactCommand::Claim(ClaimCommand {
            contact: AggregateId(contact.clone()),
            case: AggregateId(format!("cases/{}", ids::new_v7())),
            employee: claim.employee.clone(),
            branch: claim.branch.clone(),
            topic: topic(&claim.topic)?,
            channel: claim.channel,
            client: client(&claim.client)?,
            touch: Some(OwedTouch {
                method: claim.method.clone(),
                request,
                request_id: claim.request_id.clone(),
            }),
        }));
        let mut submission = Submission::new(
            command,
            Actor {
                principal: claim.principal.clone(),
                on_behalf: claim.employee.clone(),
                capacity: String::new(),
            },
        );
        submission.branch.clone_from(&claim.branch);
        submission.request = Some(RequestKey {
            principal: format!("{} {}", claim.principal, claim.employee),
            method: format!("claim {}", claim.method),
            id: claim.request_id,
            fingerprint: claim.fingerprint,
        });
        let read_at = self.clock.now();
        let outcome = self.engine.submit(submission).await.map_err(failures::failure)?;
        // Whether an override still counts is for a reading to say (O7).
        let tells =
            |state: &CaseState| state.overriding.is_none() && !matches!(state.phase, Phase::Merged { .. });
        let fresh = match (&outcome.state, outcome.replayed) {
            (Some(State::Case(state)), false) if tells(state) => {
                Some(view(&outcome.primary.0, &outcome.primary.0, state, read_at))
            }
            _ => None,
        };
        match fresh {
            Some(view) => Ok(view),
            // Claimed before: what counts is whose it is now. What came to nothing stays so under its request id: word of it may still be on its way.
            None if store::cases::is_voided(self.engine.pool(), &contact)
                .await
                .map_err(|error| refusal::database(&error))? =>
            {
                Err(failures::touch_voided(&contact))
            }
            None => self.find(&contact).await?.ok_or_else(Failure::internal),
        }
    }

    /// First touches that are still owed, oldest first.
    pub async fn pending_touches(&self, limit: i64) -> Result<Vec<PendingTouch>, Failure> {
        let now = self.engine.now().await.map_err(|error| refusal::database(&error))?;
        let rows = store::cases::pending(self.engine.pool(), now - TOUCH_PATIENCE, limit)
            .await
            .map_err(|error| refusal::database(&error))?;
        let mut touches = Vec::with_capacity(rows.len());
        for row in rows {
            let state = row.state.0;
            let Touch::Pending { method, request, request_id, principal } = state.touch else { continue };
            // One request that cannot be opened keeps none of the others waiting.
            let request = match self.open(request.as_ref()).await {
                Ok(request) => request,
                Err(failure) => {
                    let reason = failure.reason();
                    tracing::error!(contact = row.id, reason, "a pending first touch cannot be opened");
                    continue;
                }
            };
            touches.push(PendingTouch {
                contact: row.id,
                employee: state.employee,
                principal,
                method,
                request,
                request_id,
            });
        }
        Ok(touches)
    }

    async fn open(&self, request: Option<&Sealed>) -> Result<Bytes, Failure> {
        let Some(sealed) = request else { return Ok(Bytes::new()) };
        let text = self.vault.unseal(sealed).await.map_err(|error| refusal::vault(&error))?;
        hex::decode(text).map(Bytes::from).map_err(|_| Failure::internal())
    }

    /// Takes in what the ledger says of roster and policies, so that the next call finds what this one wrote.
    pub(crate) async fn catch_up(&self) -> Result<(), Failure> {
        service::catch_up(&self.engine).await.map_err(|error| refusal::database(&error))
    }

    /// Takes a claim back whose call its backend refuses for good; nothing happens where that call is not owed any more.
    pub async fn void_touch(&self, contact: &str, request_id: &str, reason: &str) -> Result<(), Failure> {
        let command = Command::Contact(ContactCommand::VoidTouch {
            contact: AggregateId(contact.to_owned()),
            request_id: request_id.to_owned(),
            reason: reason.to_owned(),
        });
        let actor = Actor {
            principal: "services/gateway".to_owned(),
            on_behalf: String::new(),
            capacity: "system".to_owned(),
        };
        self.engine.submit(Submission::new(command, actor)).await.map_err(failures::failure)?;
        Ok(())
    }
}

fn view(named: &str, case: &str, state: &CaseState, read_at: DateTime<Utc>) -> CaseView {
    CaseView {
        case: case.to_owned(),
        named: named.to_owned(),
        epoch: state.epoch,
        read_at,
        branch: state.branch.clone(),
        contact: state.contact.clone(),
        first_responder: state.first_responder.clone(),
        accountable: state.accountable.clone(),
        handler: state.handler.clone(),
        deputies: state.deputies.iter().map(|deputy| deputy.employee.clone()).collect(),
        overriding: state.overriding.as_ref().map(|running| running.employee.clone()),
        assistants: state.assistants.iter().chain(&state.answered).cloned().collect(),
        complaints: state.complaints.iter().map(|it| (it.name.clone(), it.unit.clone())).collect(),
        open: state.is_live(),
    }
}

/// A topic as the firm codes it; empty means `general`.
pub(crate) fn topic(text: &str) -> Result<String, Failure> {
    if text.is_empty() {
        return Ok("general".to_owned());
    }
    let fits = text.len() <= 40
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if fits {
        return Ok(text.to_owned());
    }
    Err(Failure::field_invalid(
        "topic",
        "must be 1-40 lower case letters, digits or hyphens, or empty for `general`",
        "须为 1-40 个小写字母、数字或连字符，留空表示 `general`",
    ))
}

/// A client's external id.
pub(crate) fn client(text: &str) -> Result<Option<String>, Failure> {
    if text.is_empty() {
        return Ok(None);
    }
    let fits = text.len() <= 64
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'));
    if fits {
        return Ok(Some(text.to_owned()));
    }
    Err(Failure::field_invalid(
        "client",
        "must be the client's external id: 1-64 of letters, digits and `. _ -`",
        "须为客户的外部编号：1-64 个字母、数字或 `. _ -`",
    ))
}
