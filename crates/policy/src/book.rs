//! The snapshot of all approved versions: what holds for a branch at a time (P2), and what a version string means.
//! Everything is merged, checked and read when the book is made, so that looking up costs a search and a reference.

mod history;
mod timeline;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use shouwen_calendar::{Calendar, CalendarData, local_date};
use thiserror::Error;

use self::history::{History, Layers};
use self::timeline::{Changes, Timelines};
use crate::calendar;
use crate::document::{Document, PolicyDocument, to_document};
use crate::documents::{
    CallbacksPolicy, CallsPolicy, ClientsPolicy, ComplaintsPolicy, EscalationPolicy, HoursPolicy,
    OwnershipPolicy, RoutingPolicy,
};
use crate::error::{PolicyError, UnknownVersion, list};
use crate::kind::{Kind, Scope, branch_id};
use crate::version::{PolicyRef, PolicyVersion, Source};

/// All approved versions at one moment. Immutable and cheap to clone; [`PolicyBook::with`] makes the next one.
///
/// A branch is given by its resource name `branches/{branch}` or by its id; `None` asks for the firm's standard. A
/// branch without versions of its own has the firm's.
#[derive(Debug, Clone)]
pub struct PolicyBook {
    snapshot: Arc<Snapshot>,
}

/// A typed policy and the version that a matter beginning under it remembers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effective<T> {
    pub value: T,
    pub version: PolicyRef,
}

/// An effective policy as it is shown to people (P2).
#[derive(Debug, Clone, PartialEq)]
pub struct EffectiveDocument {
    /// Whole: all fields of the kind. Of kind `calendar`: `version`, `covered_until` and, per year, in `years` the
    /// version of the data that hold for it.
    pub document: Document,
    pub version: PolicyRef,
    /// Each field of the document (`years.2027` for the calendar) and where its value comes from.
    pub provenance: Vec<(String, Source)>,
}

/// Versions that do not make a valid book, and the combination in which it shows.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{combination}: {}", list(.errors))]
pub struct InvalidBook {
    /// Version string of the combination, such as `callbacks@firm:2+branches/b1:1`; `policies/{policy}` where one cannot even be read.
    pub combination: String,
    /// Never empty.
    pub errors: Vec<PolicyError>,
}

#[derive(Debug)]
struct Snapshot {
    versions: BTreeMap<(Kind, Scope), History>,
    hours: Timelines<HoursPolicy>,
    ownership: Timelines<OwnershipPolicy>,
    calls: Timelines<CallsPolicy>,
    callbacks: Timelines<CallbacksPolicy>,
    clients: Timelines<ClientsPolicy>,
    complaints: Timelines<ComplaintsPolicy>,
    escalation: Timelines<EscalationPolicy>,
    routing: Timelines<RoutingPolicy>,
    calendars: Changes<Arc<Calendar>>,
}

impl PolicyBook {
    /// The book without any version: the built-in standard and calendar.
    pub fn standard() -> PolicyBook {
        match PolicyBook::load([]) {
            Ok(book) => book,
            // The defaults are compiled in, and a test validates them.
            Err(error) => unreachable!("built-in policies: {error}"),
        }
    }

    /// The book of all these versions, in any order. Every combination of versions that holds at some time for the firm
    /// or a branch must be valid; [`validate_proposal`](crate::validate_proposal) has seen to that before approval, so
    /// a refusal here means that the versions were not approved through it, or by a newer release.
    pub fn load(versions: impl IntoIterator<Item = PolicyVersion>) -> Result<PolicyBook, InvalidBook> {
        let mut held: BTreeMap<(Kind, Scope), History> = BTreeMap::new();
        for version in versions {
            held.entry((version.kind, version.scope.clone())).or_default().insert(version)?;
        }
        Ok(PolicyBook {
            snapshot: Arc::new(Snapshot {
                hours: Timelines::build(&held)?,
                ownership: Timelines::build(&held)?,
                calls: Timelines::build(&held)?,
                callbacks: Timelines::build(&held)?,
                clients: Timelines::build(&held)?,
                complaints: Timelines::build(&held)?,
                escalation: Timelines::build(&held)?,
                routing: Timelines::build(&held)?,
                calendars: calendars(&held)?,
                versions: held,
            }),
        })
    }

    /// This book and one more version. A version that it holds already changes nothing.
    pub fn with(&self, version: PolicyVersion) -> Result<PolicyBook, InvalidBook> {
        if self.versions().any(|held| *held == version) {
            return Ok(self.clone());
        }
        PolicyBook::load(self.versions().cloned().chain([version]))
    }

    /// All versions, by kind and scope, in the order in which they take effect.
    pub fn versions(&self) -> impl Iterator<Item = &PolicyVersion> {
        self.snapshot.versions.values().flat_map(History::iter)
    }

    /// Working hours of a branch at a time (S1).
    pub fn hours(&self, branch: Option<&str>, at: DateTime<Utc>) -> Arc<Effective<HoursPolicy>> {
        self.snapshot.hours.at(branch, at)
    }

    /// Offers, overrides and the answer clock of a branch at a time.
    pub fn ownership(&self, branch: Option<&str>, at: DateTime<Utc>) -> Arc<Effective<OwnershipPolicy>> {
        self.snapshot.ownership.at(branch, at)
    }

    /// Ringing and missed calls of a branch at a time.
    pub fn calls(&self, branch: Option<&str>, at: DateTime<Utc>) -> Arc<Effective<CallsPolicy>> {
        self.snapshot.calls.at(branch, at)
    }

    /// Calling windows, attempts and leases of a branch at a time.
    pub fn callbacks(&self, branch: Option<&str>, at: DateTime<Utc>) -> Arc<Effective<CallbacksPolicy>> {
        self.snapshot.callbacks.at(branch, at)
    }

    /// Classes, coverage, marks and verification of a branch's clients at a time.
    pub fn clients(&self, branch: Option<&str>, at: DateTime<Utc>) -> Arc<Effective<ClientsPolicy>> {
        self.snapshot.clients.at(branch, at)
    }

    /// Limits and approval of the complaints that a branch receives at a time.
    pub fn complaints(&self, branch: Option<&str>, at: DateTime<Utc>) -> Arc<Effective<ComplaintsPolicy>> {
        self.snapshot.complaints.at(branch, at)
    }

    /// How the missed limits of a branch escalate at a time (O10).
    pub fn escalation(&self, branch: Option<&str>, at: DateTime<Utc>) -> Arc<Effective<EscalationPolicy>> {
        self.snapshot.escalation.at(branch, at)
    }

    /// Presence, reservations and the queue of a branch at a time.
    pub fn routing(&self, branch: Option<&str>, at: DateTime<Utc>) -> Arc<Effective<RoutingPolicy>> {
        self.snapshot.routing.at(branch, at)
    }

    /// What a version string of kind `hours`, a [`PolicyRef`] or its text, meant and means: a matter keeps the version
    /// under which it began.
    pub fn resolve_hours(
        &self,
        version: impl AsRef<str>,
    ) -> Result<Arc<Effective<HoursPolicy>>, UnknownVersion> {
        self.resolve(&self.snapshot.hours, version.as_ref())
    }

    /// What a version string of kind `ownership` meant and means.
    pub fn resolve_ownership(
        &self,
        version: impl AsRef<str>,
    ) -> Result<Arc<Effective<OwnershipPolicy>>, UnknownVersion> {
        self.resolve(&self.snapshot.ownership, version.as_ref())
    }

    /// What a version string of kind `calls` meant and means.
    pub fn resolve_calls(
        &self,
        version: impl AsRef<str>,
    ) -> Result<Arc<Effective<CallsPolicy>>, UnknownVersion> {
        self.resolve(&self.snapshot.calls, version.as_ref())
    }

    /// What a version string of kind `callbacks` meant and means.
    pub fn resolve_callbacks(
        &self,
        version: impl AsRef<str>,
    ) -> Result<Arc<Effective<CallbacksPolicy>>, UnknownVersion> {
        self.resolve(&self.snapshot.callbacks, version.as_ref())
    }

    /// What a version string of kind `clients` meant and means.
    pub fn resolve_clients(
        &self,
        version: impl AsRef<str>,
    ) -> Result<Arc<Effective<ClientsPolicy>>, UnknownVersion> {
        self.resolve(&self.snapshot.clients, version.as_ref())
    }

    /// What a version string of kind `complaints` meant and means.
    pub fn resolve_complaints(
        &self,
        version: impl AsRef<str>,
    ) -> Result<Arc<Effective<ComplaintsPolicy>>, UnknownVersion> {
        self.resolve(&self.snapshot.complaints, version.as_ref())
    }

    /// What a version string of kind `escalation` meant and means.
    pub fn resolve_escalation(
        &self,
        version: impl AsRef<str>,
    ) -> Result<Arc<Effective<EscalationPolicy>>, UnknownVersion> {
        self.resolve(&self.snapshot.escalation, version.as_ref())
    }

    /// The calendar at a time: the built-in data with all approved imports in effect laid over them, in the order in
    /// which they took effect (S3). Its [`Calendar::version`] is what deadlines remember.
    pub fn calendar(&self, at: DateTime<Utc>) -> Arc<Calendar> {
        Arc::clone(self.snapshot.calendars.at(at))
    }

    /// How many days after that of a time the calendar then in force has data, see [`Calendar::days_left`] (S3).
    pub fn calendar_days_left(&self, at: DateTime<Utc>) -> i64 {
        self.calendar(at).days_left(local_date(at))
    }

    /// The effective policy of any kind as it is shown to people, with where each value comes from (P2).
    pub fn effective(&self, kind: Kind, branch: Option<&str>, at: DateTime<Utc>) -> EffectiveDocument {
        match kind {
            Kind::Hours => self.document::<HoursPolicy>(branch, at),
            Kind::Ownership => self.document::<OwnershipPolicy>(branch, at),
            Kind::Calls => self.document::<CallsPolicy>(branch, at),
            Kind::Callbacks => self.document::<CallbacksPolicy>(branch, at),
            Kind::Clients => self.document::<ClientsPolicy>(branch, at),
            Kind::Complaints => self.document::<ComplaintsPolicy>(branch, at),
            Kind::Escalation => self.document::<EscalationPolicy>(branch, at),
            Kind::Routing => self.document::<RoutingPolicy>(branch, at),
            Kind::Calendar => self.calendar_document(at),
        }
    }

    /// Where each value of the effective policy comes from (P2).
    pub fn provenance(&self, kind: Kind, branch: Option<&str>, at: DateTime<Utc>) -> Vec<(String, Source)> {
        self.effective(kind, branch, at).provenance
    }

    fn resolve<T: PolicyDocument>(
        &self,
        timelines: &Timelines<T>,
        version: &str,
    ) -> Result<Arc<Effective<T>>, UnknownVersion> {
        if let Some(known) = timelines.of(version) {
            return Ok(known);
        }
        // A combination that holds at no time by this book, but did by an earlier one that lacked a version.
        let unknown = |problem: String| UnknownVersion { version: version.into(), problem };
        let named: PolicyRef = version.parse()?;
        if named.kind() != T::KIND {
            return Err(unknown(format!("is not of kind {}", T::KIND)));
        }
        let layers = Layers::of(&self.snapshot.versions, &named)
            .ok_or_else(|| unknown("is not known here yet".into()))?;
        layers.effective().map(Arc::new).map_err(|invalid| unknown(format!("is not valid: {invalid}")))
    }

    fn document<T: PolicyDocument>(&self, branch: Option<&str>, at: DateTime<Utc>) -> EffectiveDocument {
        let layers = Layers::at(&self.snapshot.versions, T::KIND, branch.map(branch_id), at);
        // The standard is what every typed document of this book came from; it is an object.
        let standard = to_document(&T::default()).unwrap_or_default();
        EffectiveDocument {
            provenance: layers.provenance(&standard),
            version: layers.version(),
            document: layers.merged(standard),
        }
    }

    fn calendar_document(&self, at: DateTime<Utc>) -> EffectiveDocument {
        let builtin = CalendarData::builtin();
        let mut years: BTreeMap<i32, (String, Source)> =
            builtin.years().map(|year| (year, (builtin.version().to_owned(), Source::Default))).collect();
        let imports = self.snapshot.versions.get(&(Kind::Calendar, Scope::Firm));
        let mut last = None;
        for version in imports.into_iter().flat_map(|history| history.until(at)) {
            // A book is only made of data that can be read.
            if let Ok(data) = calendar::calendar_data(&version.document) {
                for year in data.years() {
                    years.insert(year, (data.version().to_owned(), version.source()));
                }
            }
            last = Some(version);
        }
        let calendar = self.calendar(at);
        let by_year: Document =
            years.iter().map(|(year, (data, _))| (year.to_string(), json!(data))).collect();
        let document = Document::from_iter([
            ("version".to_owned(), json!(calendar.version())),
            ("covered_until".to_owned(), json!(calendar.covered_until().to_string())),
            ("years".to_owned(), Value::Object(by_year)),
        ]);
        EffectiveDocument {
            document,
            version: PolicyRef::new(Kind::Calendar, last, None),
            provenance: years
                .into_iter()
                .map(|(year, (_, source))| (format!("years.{year}"), source))
                .collect(),
        }
    }
}

impl Default for PolicyBook {
    fn default() -> Self {
        PolicyBook::standard()
    }
}

/// The calendar after each import.
fn calendars(versions: &BTreeMap<(Kind, Scope), History>) -> Result<Changes<Arc<Calendar>>, InvalidBook> {
    let of_branch =
        versions.iter().find(|((kind, scope), _)| *kind == Kind::Calendar && *scope != Scope::Firm);
    if let Some(version) = of_branch.and_then(|(_, history)| history.iter().next()) {
        let error = PolicyError::new(
            "scope",
            format!("{} has a calendar of its own", version.scope),
            "import calendars for the firm: working days are the same everywhere",
            format!("{} 不能有自己的日历；请以 `firm` 为范围导入，各营业部的工作日相同", version.scope),
        );
        return Err(InvalidBook {
            combination: PolicyRef::new(Kind::Calendar, None, Some(version)).to_string(),
            errors: vec![error],
        });
    }
    let history = versions.get(&(Kind::Calendar, Scope::Firm));
    let imports = calendar::imports(history.into_iter().flat_map(History::iter))?;
    let mut calendar = Calendar::builtin();
    let mut changes = Changes::beginning_with(Arc::new(calendar.clone()));
    for (version, data) in imports {
        calendar = calendar.with(data);
        changes.push(version.effective_from, Arc::new(calendar.clone()));
    }
    Ok(changes)
}

/// The moments at which one of these histories changes.
fn moments<'a>(histories: impl IntoIterator<Item = &'a History>) -> BTreeSet<DateTime<Utc>> {
    histories.into_iter().flat_map(History::iter).map(|version| version.effective_from).collect()
}
