//! What the methods have in common: finding a complaint within the caller's context, sealing its texts, handing an action to the engine.

use std::{collections::BTreeSet, time::Duration};

use shouwen_access::{Caller, Failure};
use shouwen_engine::{AggregateId, Outcome, SubmitError};
use shouwen_proto::{
    access::v1::{Capacity, Role},
    complaints::v1::{Complaint as ComplaintMessage, ComplaintRecord},
    r#type::v1::Private,
};
use shouwen_serving::{Call, Sealer, call::etag_version, refusal};
use shouwen_vault::{Subject, Vault};
use tonic::Response;

use super::{
    Api, failures, messages,
    parse::{self, Form, WantedProposal},
    record,
};
use crate::{
    domain::{
        Command, Complaint, ComplaintName, Rejection, State,
        command::{Act, Action, Filing, Proposing, Who},
        terms::ApprovalLevel,
    },
    store::{
        self,
        projections::{self, KnownCase},
    },
};

/// Fields of a complaint in which texts are sealed.
pub(super) const CLIENT_NAME: &str = "client_name";
pub(super) const PHONE: &str = "phone";
pub(super) const SUBJECT: &str = "subject";
pub(super) const PLACE: &str = "place";
pub(super) const COURSE: &str = "course";
pub(super) const FIRST_PROPOSAL: &str = "first_proposal";
pub(super) const PERSONS_INVOLVED: &str = "persons_involved";
pub(super) const DECLINE_EXPLANATION: &str = "decline_explanation";
pub(super) const PERSON: &str = "communication_person";
pub(super) const CONTENT: &str = "communication_content";
pub(super) const REPLY: &str = "reply";
pub(super) const PROPOSAL: &str = "proposal";
pub(super) const MEASURE: &str = "measure";
pub(super) const NOTE: &str = "measure_note";
pub(super) const REMARKS: &str = "remarks";

/// How long something is waited for of which ownership knows and whose event is still on its way, and how often it is looked for.
pub(super) const ON_ITS_WAY: Duration = Duration::from_secs(1);
pub(super) const LOOK: Duration = Duration::from_millis(25);

impl Api {
    /// The complaint, if the caller's context covers it.
    pub(super) async fn reachable(&self, caller: &Caller, name: &str) -> Result<Complaint, Failure> {
        let parsed = parse::name(name)?;
        let case = parsed.case();
        if !caller.case.as_ref().is_some_and(|view| view.named == case || view.name == case) {
            return Err(failures::case_mismatch(name));
        }
        store::find(self.engine.pool(), &parsed.aggregate())
            .await
            .map_err(|error| refusal::database(&error))?
            .filter(|complaint| complaint.name == parsed)
            .ok_or_else(|| Failure::not_found("complaint", name))
    }

    /// As [`reachable`](Self::reachable), for what only the unit does that received the complaint (C2, C3).
    pub(super) async fn received(&self, caller: &Caller, name: &str) -> Result<Complaint, Failure> {
        let complaint = self.reachable(caller, name).await?;
        if caller.reach.covers(&complaint.receiving_unit) {
            return Ok(complaint);
        }
        Err(failures::branch_out_of_reach(&complaint.receiving_unit))
    }

    /// Hands an action to the engine. An empty `etag` decides whatever has changed meanwhile.
    pub(super) async fn act(
        &self,
        call: &Call,
        complaint: &Complaint,
        etag: &str,
        action: Action,
    ) -> Result<Done, Failure> {
        let employee = call.caller.require_employee()?.to_string();
        let authority = authority(&call.caller, &complaint.receiving_unit);
        let command = Command::Act(Box::new(Act {
            complaint: complaint.name.aggregate(),
            who: Who { employee, authority },
            revision: etag_version(etag)?,
            action,
        }));
        Done::of(call.submit(&self.engine, call.submission(command)).await?)
    }

    /// Records that the record is shown, and shows it; a repetition shows the same without a second entry (L10). Nothing is shown to who repeats it without
    /// the responsibility of then.
    pub(super) async fn show(
        &self,
        call: &Call,
        name: &str,
        purpose: &str,
    ) -> Result<ComplaintRecord, Failure> {
        if call.caller.capacity == Capacity::Replay {
            return Err(refusal::failure::<Rejection>(SubmitError::NotAReplay));
        }
        let purpose = parse::required("purpose", purpose, parse::MIDDLE)?.to_owned();
        let complaint = self.reachable(&call.caller, name).await?;
        let done = self.act(call, &complaint, "", Action::ShowRecord { purpose }).await?;
        record::in_full(&self.vault, &done.0).await
    }

    /// The texts of a complaint are sealed under the subject whose name it holds.
    pub(super) fn words(&self, complaint: &Complaint) -> Result<Words<'_>, Failure> {
        let name = complaint.record.client_name.as_ref().ok_or_else(Failure::internal)?;
        Ok(Words { vault: &self.vault, subject: name.subject.clone(), complaint: complaint.name.aggregate() })
    }

    /// The client's external id, as far as the complaint or its case knows it.
    pub(super) async fn client_of(&self, complaint: &Complaint) -> Result<String, Failure> {
        if !complaint.client.is_empty() {
            return Ok(complaint.client.clone());
        }
        let known = projections::known_case(self.engine.pool(), complaint.name.case())
            .await
            .map_err(|error| refusal::database(&error))?;
        Ok(known.map(|known| known.client).unwrap_or_default())
    }

    /// Whose case it is. A case that was opened this very moment is waited for, shortly.
    pub(super) async fn known_case(&self, case: &str) -> Result<KnownCase, Failure> {
        let looking = async {
            loop {
                match projections::known_case(self.engine.pool(), case).await {
                    Ok(Some(known)) => return Ok(known),
                    Ok(None) => tokio::time::sleep(LOOK).await,
                    Err(error) => return Err(refusal::database(&error)),
                }
            }
        };
        tokio::time::timeout(ON_ITS_WAY, looking)
            .await
            .unwrap_or_else(|_| Err(failures::case_not_known_yet(case)))
    }
}

/// The case that a new complaint hangs under: the survivor, where the named one was merged.
pub(super) fn case_in_view<'a>(caller: &'a Caller, parent: &str) -> Result<&'a str, Failure> {
    caller
        .case
        .as_ref()
        .filter(|view| view.named == parent || view.name == parent)
        .map(|view| view.name.as_str())
        .ok_or_else(|| failures::case_mismatch(parent))
}

/// Whose words the texts of a case are: the client's, or the contact's while the client is unknown.
pub(super) fn subject(case: &KnownCase) -> Subject {
    if case.client.is_empty() { Subject::new(case.contact.clone()) } else { Subject::client(&case.client) }
}

/// How far the caller's roles reach in approving what a unit received (C6).
fn authority(caller: &Caller, receiving_unit: &str) -> Option<ApprovalLevel> {
    let roles = caller.roles;
    if roles.contains(Role::CompanyLeader) {
        Some(ApprovalLevel::CompanyLeader)
    } else if roles.contains(Role::Hq) {
        Some(ApprovalLevel::Hq)
    } else {
        (roles.contains(Role::Lead) && caller.reach.covers(receiving_unit))
            .then_some(ApprovalLevel::BranchHead)
    }
}

/// Seals texts of one complaint.
pub(super) struct Words<'a> {
    pub(super) vault: &'a Vault,
    pub(super) subject: Subject,
    pub(super) complaint: AggregateId,
}

impl Words<'_> {
    /// Fields given as name and text, in order. An empty text stays absent.
    pub(super) async fn seal<const N: usize>(
        &self,
        fields: [(&str, &str); N],
    ) -> Result<[Option<Private>; N], Failure> {
        Sealer { vault: self.vault, subject: &self.subject, aggregate: &self.complaint.0 }.seal(fields).await
    }

    /// A record form with its texts sealed.
    pub(super) async fn filing(
        &self,
        form: Form,
        name: ComplaintName,
        client: String,
        filed_by: String,
    ) -> Result<Filing, Failure> {
        let [client_name, phone, subject, place, course, first_proposal, persons_involved] = self
            .seal([
                (CLIENT_NAME, form.client_name.expose()),
                (PHONE, form.phone.expose()),
                (SUBJECT, &form.subject),
                (PLACE, &form.place),
                (COURSE, &form.course),
                (FIRST_PROPOSAL, &form.first_proposal),
                (PERSONS_INVOLVED, &form.persons_involved),
            ])
            .await?;
        // Each once.
        let complained_about: BTreeSet<String> =
            form.complained_about.into_iter().map(|about| about.employee).collect();
        Ok(Filing {
            name,
            kind: form.kind,
            channel: form.channel,
            category: form.category,
            receiving_unit: form.receiving_unit,
            client,
            client_name,
            client_name_masked: form.client_name.masked(),
            phone,
            phone_masked: form.phone.masked(),
            subject,
            place,
            course,
            first_proposal,
            persons_involved,
            complained_about: complained_about.into_iter().collect(),
            occurred: form.occurred,
            received: form.received,
            filed_by,
        })
    }

    /// A proposal with its texts sealed.
    pub(super) async fn proposing(&self, wanted: WantedProposal) -> Result<Proposing, Failure> {
        let [text] = self.seal([(PROPOSAL, &wanted.text)]).await?;
        let mut measures = Vec::with_capacity(wanted.measures.len());
        for (responsible, text) in wanted.measures {
            let [text] = self.seal([(MEASURE, &text)]).await?;
            measures.push((responsible.employee, text));
        }
        let WantedProposal { finding, beyond_authority, malicious, .. } = wanted;
        Ok(Proposing { finding, beyond_authority, malicious, text, measures })
    }
}

/// A complaint after a command.
pub(super) struct Done(Complaint);

impl Done {
    pub(super) fn of(outcome: Outcome<State>) -> Result<Self, Failure> {
        match outcome.state {
            Some(State::Complaint(complaint)) => Ok(Self(*complaint)),
            _ => Err(Failure::internal()),
        }
    }

    pub(super) fn respond(&self) -> Response<ComplaintMessage> {
        Response::new(messages::complaint(&self.0))
    }
}
