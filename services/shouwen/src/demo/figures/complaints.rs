//! The month's complaints: what they were, what was found, how they ended, and which limits were kept.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Value, json};
use shouwen_proto::{
    complaints::v1::{Complaint, Limit, complaint::State},
    events::v1::{
        ComplaintEnd, ComplaintKind, ComplaintLimit, Finding, Severity, complaints_event, ownership_event,
    },
    r#type::v1::MeasuresFound,
};

use super::{super::product::Product, Count, channel_key};

const STANDINGS: [&str; 4] = ["kept", "missed", "running", "given_up"];
const LIMITS: [ComplaintLimit; 6] = [
    ComplaintLimit::Acceptance,
    ComplaintLimit::FirstReply,
    ComplaintLimit::DefiniteAnswer,
    ComplaintLimit::Proposal,
    ComplaintLimit::Outcome,
    ComplaintLimit::Settlement,
];

pub(super) fn figures(product: &Product) -> Value {
    let told = Told::of(product);
    json!({
        "filed": told.count.get("filed"),
        "kinds": told.count.pick(&["complaint", "opinion", "suggestion", "inquiry"]),
        "channels": told.channels.pick(&["phone", "counter", "email", "web", "letter", "opinion_book"]),
        "severities": told.count.pick(&["minor", "serious", "grave"]),
        "vip": told.count.get("vip"),
        "findings": told.findings.pick(&["upheld", "partly_upheld", "not_upheld"]),
        "marks": told.findings.pick(&["beyond_authority", "malicious"]),
        "steps": told.count.pick(&[
            "accepted", "declined", "communications", "replies", "proposals", "approvals", "returned", "measures_done",
            "measures_not_done", "handled", "reopened",
        ]),
        "states": states(product),
        "ends": ends(product),
        "limits": LIMITS.map(|kind| (limit_key(kind), limits(product, kind))).into_iter().collect::<BTreeMap<_, _>>(),
        "verifications": told.verifications.pick(&[
            "recorded", "satisfied", "dissatisfied", "carried_out", "not_carried_out", "without_effect", "superseded",
        ]),
        "numbers": told.numbers,
        "moved_accountabilities": moved(product),
    })
}

/// What the ledger tells.
#[derive(Debug, Default)]
struct Told<'a> {
    count: Count,
    channels: Count,
    /// Findings and marks of each complaint's last proposal.
    findings: Count,
    verifications: Count,
    /// How many numbers each unit gave in each month (C15).
    numbers: BTreeMap<&'a str, BTreeMap<&'a str, i64>>,
}

impl<'a> Told<'a> {
    fn of(product: &'a Product) -> Self {
        use complaints_event::Event as Of;
        let mut told = Self::default();
        let mut proposals = HashMap::new();
        let mut numbers: HashMap<&str, &str> = HashMap::new();
        for (event, body) in product.of_complaints() {
            let complaint = event.aggregate.as_str();
            match body {
                Of::ComplaintFiled(filed) => {
                    told.count.add("filed", true);
                    told.count.add(kind_key(filed.kind()), true);
                    told.channels.add(channel_key(filed.channel()), true);
                }
                Of::ComplaintAccepted(accepted) => {
                    told.count.add("accepted", true);
                    told.count.add(severity_key(accepted.severity()), true);
                    told.count.add("vip", accepted.vip);
                    numbers.insert(complaint, &accepted.number);
                }
                Of::ComplaintDeclined(declined) => {
                    told.count.add("declined", true);
                    numbers.insert(complaint, &declined.number);
                }
                Of::HandlingProposed(proposed) => {
                    told.count.add("proposals", true);
                    proposals.insert(complaint, proposed);
                }
                Of::MeasureRecorded(measure) => {
                    told.count.add(if measure.done { "measures_done" } else { "measures_not_done" }, true);
                }
                Of::VerificationRecorded(verification) => {
                    let satisfied = if verification.satisfied { "satisfied" } else { "dissatisfied" };
                    told.verifications.add("recorded", true);
                    told.verifications.add(satisfied, true);
                    told.verifications.add(measures_key(verification.measures()), true);
                    told.verifications.add("superseded", !verification.supersedes_reason.is_empty());
                }
                Of::CommunicationRecorded(_) => told.count.add("communications", true),
                Of::ReplyRecorded(_) => told.count.add("replies", true),
                Of::ProposalApproved(_) => told.count.add("approvals", true),
                Of::ProposalReturned(_) => told.count.add("returned", true),
                Of::HandlingCompleted(_) => told.count.add("handled", true),
                Of::ComplaintReopened(_) => told.count.add("reopened", true),
                _ => {}
            }
        }
        for proposed in proposals.into_values() {
            told.findings.add(finding_key(proposed.finding()), true);
            told.findings.add("beyond_authority", proposed.beyond_authority);
            told.findings.add("malicious", proposed.malicious);
        }
        for number in numbers.into_values() {
            let mut parts = number.rsplitn(3, '-').skip(1);
            let (month, unit) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
            *told.numbers.entry(unit).or_default().entry(month).or_default() += 1;
        }
        told
    }
}

fn states(product: &Product) -> Value {
    let mut count = Count::default();
    for complaint in &product.complaints {
        let state = match complaint.state() {
            State::Filed => "filed",
            State::Handling => "handling",
            State::Proposed => "proposed",
            State::Approved => "approved",
            State::Handled => "handled",
            State::Closed => "closed",
            State::Declined => "declined",
            State::Unspecified => "unknown",
        };
        count.add(state, true);
    }
    count.pick(&["filed", "handling", "proposed", "approved", "handled", "closed", "declined"])
}

fn ends(product: &Product) -> Value {
    let mut count = Count::default();
    for complaint in &product.complaints {
        let end = match (complaint.state(), complaint.end()) {
            (State::Declined, _) => "declined",
            (State::Closed, ComplaintEnd::Satisfied) => "satisfied",
            (State::Closed, ComplaintEnd::Unreachable) => "unreachable",
            (State::Closed, ComplaintEnd::Explained) => "explained",
            (State::Closed, ComplaintEnd::Answered) => "answered",
            _ => "none",
        };
        count.add(end, true);
    }
    count.pick(&["satisfied", "declined", "unreachable", "explained", "answered"])
}

fn limits(product: &Product, kind: ComplaintLimit) -> Value {
    let mut count = Count::default();
    for complaint in &product.complaints {
        for limit in complaint.limits.iter().filter(|limit| limit.limit() == kind) {
            count.add(standing(complaint, limit), true);
        }
    }
    count.pick(&STANDINGS)
}

fn standing(complaint: &Complaint, limit: &Limit) -> &'static str {
    let ended = matches!(complaint.state(), State::Closed | State::Declined);
    match (limit.missed, limit.met_time.is_some()) {
        (true, _) => "missed",
        (false, true) => "kept",
        (false, false) if ended || limit.round < complaint.round => "given_up",
        (false, false) => "running",
    }
}

/// O12: how often the accountability went to somebody else.
fn moved(product: &Product) -> usize {
    let moved = |event: &ownership_event::Event| matches!(event, ownership_event::Event::AccountabilityMoved(moved) if moved.from != moved.accountable);
    product.of_ownership().filter(|(_, event)| moved(event)).count()
}

fn kind_key(kind: ComplaintKind) -> &'static str {
    match kind {
        ComplaintKind::Complaint => "complaint",
        ComplaintKind::Opinion => "opinion",
        ComplaintKind::Suggestion => "suggestion",
        ComplaintKind::Inquiry => "inquiry",
        ComplaintKind::Unspecified => "unknown",
    }
}

fn severity_key(severity: Severity) -> &'static str {
    match severity {
        Severity::Minor => "minor",
        Severity::Serious => "serious",
        Severity::Grave => "grave",
        Severity::Unspecified => "unknown",
    }
}

fn finding_key(finding: Finding) -> &'static str {
    match finding {
        Finding::Upheld => "upheld",
        Finding::PartlyUpheld => "partly_upheld",
        Finding::NotUpheld => "not_upheld",
        Finding::Unspecified => "unknown",
    }
}

fn measures_key(found: MeasuresFound) -> &'static str {
    match found {
        MeasuresFound::CarriedOut => "carried_out",
        MeasuresFound::NotCarriedOut => "not_carried_out",
        MeasuresFound::WithoutEffect => "without_effect",
        MeasuresFound::Unspecified => "unknown",
    }
}

fn limit_key(kind: ComplaintLimit) -> &'static str {
    match kind {
        ComplaintLimit::Acceptance => "acceptance",
        ComplaintLimit::FirstReply => "first_reply",
        ComplaintLimit::DefiniteAnswer => "definite_answer",
        ComplaintLimit::Proposal => "proposal",
        ComplaintLimit::Outcome => "outcome",
        ComplaintLimit::Settlement => "settlement",
        ComplaintLimit::Unspecified => "unknown",
    }
}
