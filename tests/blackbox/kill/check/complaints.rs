//! What must hold of every complaint: its steps happened as often as they were acknowledged, its number leaves no gap, each handling has one
//! verification, each dissatisfied client one reopening, and each missed limit went up the ladder rung by rung.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use prost_types::Timestamp;
use shouwen_proto::{
    events::v1::{
        CallbacksEvent, ComplaintLimit, ComplaintsEvent, Event, callbacks_event,
        complaints_event::Event as Happened, event::Body,
    },
    ownership::v1::{Case, case},
};

use super::Ledgers;
use crate::kill::journal::Line;

/// The events of one complaint, each with its time, in their order.
#[derive(Default)]
struct Story(Vec<(DateTime<Utc>, Happened)>);

impl Story {
    fn count(&self, wanted: impl Fn(&Happened) -> bool) -> usize {
        self.0.iter().filter(|(_, happened)| wanted(happened)).count()
    }

    fn find<T>(&self, wanted: impl Fn(&Happened) -> Option<T>) -> Option<(DateTime<Utc>, T)> {
        self.0.iter().find_map(|(time, happened)| Some((*time, wanted(happened)?)))
    }
}

/// Checks every complaint of the complaints' ledger.
pub(super) fn each_went_its_way_once(ledgers: &Ledgers, lines: &[Line], cases: &HashMap<String, Case>) {
    let stories = stories(&ledgers["complaints"]);
    let verifications = verifications(&ledgers["callbacks"]);
    println!("{} complaints", stories.len());
    assert!(!stories.is_empty());
    numbers_have_no_gap(&stories);
    let mut climbed = 0;
    for (id, story) in &stories {
        acknowledged(id, story, lines);
        verified_once(id, story, &verifications);
        climbed += climbed_once(id, story);
        let filed = story.find(|it| match it {
            Happened::ComplaintFiled(filed) => Some(filed.case.clone()),
            _ => None,
        });
        let (_, case) = filed.unwrap();
        assert_eq!(cases[&case].state(), case::State::Closed, "{case}");
        assert!(cases[&case].open_complaints.is_empty(), "{case}");
    }
    println!("{climbed} steps of the ladder");
    assert!(climbed > 0);
}

fn stories(ledger: &[Event]) -> BTreeMap<String, Story> {
    let mut stories: BTreeMap<String, Story> = BTreeMap::new();
    for event in ledger {
        let Some(Body::Complaints(ComplaintsEvent { event: Some(happened) })) = &event.body else { continue };
        if let Some(id) = event.aggregate.strip_prefix("complaints/") {
            stories.entry(id.to_owned()).or_default().0.push((time(event.time), happened.clone()));
        }
    }
    stories
}

/// How many callbacks verify which complaint and round.
fn verifications(ledger: &[Event]) -> HashMap<(String, i32), usize> {
    let mut verifications = HashMap::new();
    for event in ledger {
        let Some(Body::Callbacks(CallbacksEvent { event: Some(happened) })) = &event.body else { continue };
        if let callbacks_event::Event::CallbackScheduled(scheduled) = happened
            && let Some((_, id)) = scheduled.complaint.split_once("/complaints/")
        {
            *verifications.entry((id.to_owned(), scheduled.round)).or_default() += 1;
        }
    }
    verifications
}

/// C15: from 1 upwards in each unit and month.
fn numbers_have_no_gap(stories: &BTreeMap<String, Story>) {
    let mut serials: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
    for (id, story) in stories {
        let accepted = story.find(|it| match it {
            Happened::ComplaintAccepted(accepted) => Some(accepted.number.clone()),
            _ => None,
        });
        let (_, number) = accepted.unwrap_or_else(|| panic!("{id} has no number"));
        let (month, serial) = number.rsplit_once('-').unwrap();
        let new = serials.entry(month.to_owned()).or_default().insert(serial.parse().unwrap());
        assert!(new, "{number} was given twice");
    }
    for (month, serials) in serials {
        assert!(serials.iter().copied().eq(1..=serials.len()), "{month}: {serials:?}");
    }
}

/// Each acknowledged step happened once in each round.
fn acknowledged(id: &str, story: &Story, lines: &[Line]) {
    let said = |what: &str| {
        let mine = lines.iter().filter(|line| line.what == what && line.about.ends_with(id));
        mine.count()
    };
    let happened = [
        ("filed", story.count(|it| matches!(it, Happened::ComplaintFiled(_)))),
        ("taken-up", story.count(|it| matches!(it, Happened::ComplaintAccepted(_)))),
        ("proposed", story.count(|it| matches!(it, Happened::HandlingProposed(_)))),
        ("approved", story.count(|it| matches!(it, Happened::ProposalApproved(_)))),
        ("told", story.count(|it| matches!(it, Happened::ReplyRecorded(_)))),
        ("measured", story.count(|it| matches!(it, Happened::MeasureRecorded(_)))),
        ("handled", story.count(|it| matches!(it, Happened::HandlingCompleted(_)))),
    ];
    for (what, times) in happened {
        assert_eq!(times, said(what), "{what} of complaint {id}");
    }
}

/// C9, C10: one verification for each handling, one reopening for each dissatisfied client, one end.
fn verified_once(id: &str, story: &Story, verifications: &HashMap<(String, i32), usize>) {
    let (mut rounds, mut dissatisfied, mut satisfied) = (Vec::new(), 0, 0);
    for (_, happened) in &story.0 {
        match happened {
            Happened::HandlingCompleted(completed) => {
                assert_eq!(
                    verifications.get(&(id.to_owned(), completed.round)),
                    Some(&1),
                    "{id} {completed:?}"
                );
                rounds.push(completed.round);
            }
            Happened::VerificationRecorded(recorded) if recorded.satisfied => satisfied += 1,
            Happened::VerificationRecorded(_) => dissatisfied += 1,
            _ => {}
        }
    }
    let expected: Vec<i32> = (1..).take(dissatisfied + 1).collect();
    assert_eq!(rounds, expected, "{id}");
    assert_eq!(story.count(|it| matches!(it, Happened::ComplaintReopened(_))), dissatisfied, "{id}");
    assert_eq!((satisfied, story.count(|it| matches!(it, Happened::ComplaintClosed(_)))), (1, 1), "{id}");
}

/// O10: the limit of acceptance, which had passed when it was set, was missed once, and each level that was to be told before the acceptance was told once,
/// in their order; no other limit passed. Returns how many limits climbed.
fn climbed_once(id: &str, story: &Story) -> usize {
    let (_, due) = story
        .find(|it| match it {
            Happened::ComplaintFiled(filed) => Some(time(filed.acceptance.as_ref().unwrap().due)),
            _ => None,
        })
        .unwrap();
    let (met, ()) = story.find(|it| matches!(it, Happened::ComplaintAccepted(_)).then_some(())).unwrap();
    let (mut missed, mut to_tell, mut told) = (Vec::new(), Vec::new(), Vec::new());
    for (_, happened) in &story.0 {
        match happened {
            Happened::ComplaintLimitMissed(it) => {
                missed.push((it.limit(), time(it.due)));
                to_tell.extend(it.steps.iter().map(|step| (step.level(), time(step.due))));
            }
            Happened::ComplaintEscalated(it) => {
                assert_eq!((it.limit(), time(it.due)), (ComplaintLimit::Acceptance, due), "{id}");
                told.push((it.level(), time(it.step_due)));
            }
            _ => {}
        }
    }
    let expected = if due <= met { vec![(ComplaintLimit::Acceptance, due)] } else { Vec::new() };
    assert_eq!(missed, expected, "{id}");
    to_tell.retain(|(_, at)| *at <= met);
    assert_eq!(told, to_tell, "{id}");
    told.len()
}

fn time(time: Option<Timestamp>) -> DateTime<Utc> {
    let time = time.unwrap();
    DateTime::from_timestamp(time.seconds, u32::try_from(time.nanos).unwrap()).unwrap()
}
