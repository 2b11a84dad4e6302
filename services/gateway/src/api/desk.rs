//! `DeskService`.

use std::{pin::Pin, sync::Arc};

use futures_util::{Stream, StreamExt as _};
use shouwen_access::{
    Caller, Failure,
    page_token::{PageTokens, Query},
};
use shouwen_engine::ledger;
use shouwen_proto::{
    access::v1::Role,
    routing::v1::{
        DeskChange, DeskChanges, DeskHeartbeat, DeskItem, DeskItemKind, DeskSnapshot, WatchDeskRequest,
        WatchDeskResponse, desk_change, desk_service_server, watch_desk_response::Event,
    },
};
use shouwen_serving::{refusal, timestamps::to_proto};
use tonic::{Code, Request, Response, Status};

use super::{employee, within_reach};
use crate::{
    desk::{self, Cursor, Ended, Seen, bell::Bell},
    domain::desk::Kind,
    ownership::Ownership,
    store::desk::{
        Row,
        read::{Change, Reader},
    },
};

/// Serves desks.
pub struct DeskServer {
    pub(crate) ownership: Ownership,
    pub(crate) pages: PageTokens,
    pub(crate) bell: Arc<Bell>,
}

#[tonic::async_trait]
impl desk_service_server::DeskService for DeskServer {
    type WatchDeskStream = Pin<Box<dyn Stream<Item = Result<WatchDeskResponse, Status>> + Send>>;

    async fn watch_desk(
        &self,
        request: Request<WatchDeskRequest>,
    ) -> Result<Response<Self::WatchDeskStream>, Status> {
        let caller = Caller::from_request(&request)?.clone();
        let message = request.into_inner();
        let reader = self.reader(&caller, &message.employee)?;
        let engine = &self.ownership.engine;
        let cursors = Cursors { pages: self.pages.clone(), caller: caller.clone(), reader: reader.clone() };
        let incarnation = ledger::head(engine.pool())
            .await
            .map_err(|error| refusal::database(&error))?
            .incarnation
            .to_string();
        let after = cursors.open(&message.cursor)?;
        if let Some(after) = &after {
            if after.incarnation != incarnation {
                return Err(incarnation_changed().into());
            }
            desk::check(engine, after.position).await.map_err(|ended| failure(&ended))?;
        }
        let language = caller.language;
        let seen = desk::watch(engine, &self.bell, reader, after.map(|after| after.position))
            .map(move |seen| match seen {
                Ok(seen) => Ok(response(&cursors, &incarnation, seen)),
                Err(ended) => Err(failure(&ended).to_status(language)),
            })
            .take_until(Box::pin(engine.stopping()));
        Ok(Response::new(Box::pin(seen)))
    }
}

impl DeskServer {
    /// Whose desk it is and who watches, for who may see it: the employee, a lead of the branch, HQ.
    fn reader(&self, caller: &Caller, name: &str) -> Result<Reader, Failure> {
        let me = caller.require_employee()?.to_string();
        let whose = if name.is_empty() { me.clone() } else { employee("employee", name)? };
        let roster = self.ownership.roster();
        if whose != me {
            if !(caller.roles.contains(Role::Lead) || caller.roles.contains(Role::Hq)) {
                return Err(Failure::new(
                    Code::PermissionDenied,
                    "DESK_OF_COLLEAGUE",
                    format!("The desk of `{whose}` is seen by themselves, a lead of their branch and HQ; watch your own."),
                    format!("`{whose}` 的待办仅本人、本营业部主管及总部可见，请查看自己的待办。"),
                )
                .with("employee", &whose));
            }
            let known =
                roster.employee(&whose).ok_or_else(|| Failure::not_found("employee", whose.clone()))?;
            within_reach(caller, &known.branch)?;
        }
        desk::reader(&self.ownership.engine, &whose, &me).ok_or_else(|| Failure::not_found("employee", whose))
    }
}

/// Cursors of one caller for one desk.
struct Cursors {
    pages: PageTokens,
    caller: Caller,
    reader: Reader,
}

impl Cursors {
    fn with<T>(&self, then: impl FnOnce(&PageTokens, &Query<'_>) -> T) -> T {
        let arguments: Vec<&str> = std::iter::once(&self.reader.employee)
            .chain(&self.reader.recipients)
            .map(String::as_str)
            .collect();
        then(&self.pages, &Query { method: "WatchDesk", caller: &self.caller, arguments: &arguments })
    }

    fn issue(&self, cursor: &Cursor) -> String {
        let text = format!("{} {}", cursor.incarnation, cursor.position);
        self.with(|pages, query| pages.issue(query, text.as_bytes()))
    }

    fn open(&self, cursor: &str) -> Result<Option<Cursor>, Failure> {
        let bytes = self.with(|pages, query| pages.open(query, cursor)).map_err(|_| cursor_invalid())?;
        bytes.map(|bytes| read(&bytes).ok_or_else(cursor_invalid)).transpose()
    }
}

fn read(bytes: &[u8]) -> Option<Cursor> {
    let (incarnation, position) = str::from_utf8(bytes).ok()?.split_once(' ')?;
    Some(Cursor { incarnation: incarnation.to_owned(), position: position.parse().ok()? })
}

fn response(cursors: &Cursors, incarnation: &str, seen: Seen) -> WatchDeskResponse {
    let at = |position| cursors.issue(&Cursor { incarnation: incarnation.to_owned(), position });
    match seen {
        Seen::Waiting { rows, complete, position } => WatchDeskResponse {
            cursor: if complete { at(position) } else { String::new() },
            event: Some(Event::Snapshot(DeskSnapshot {
                items: rows.into_iter().map(item).collect(),
                complete,
            })),
        },
        Seen::Changes { changes, position } => WatchDeskResponse {
            cursor: at(position),
            event: Some(Event::Changes(DeskChanges { changes: changes.into_iter().map(change).collect() })),
        },
        Seen::Alive { position } => {
            WatchDeskResponse { cursor: at(position), event: Some(Event::Heartbeat(DeskHeartbeat {})) }
        }
    }
}

fn change(change: Change) -> DeskChange {
    let kind = match (change.gone, change.follows) {
        (true, _) => desk_change::Kind::Cleared,
        (false, true) => desk_change::Kind::Changed,
        (false, false) => desk_change::Kind::Added,
    };
    DeskChange { kind: kind.into(), item: Some(item(change.row)) }
}

fn item(row: Row) -> DeskItem {
    let kind = match Kind::parse(&row.kind) {
        Some(Kind::Offer) => DeskItemKind::Offer,
        Some(Kind::Overdue) => DeskItemKind::Overdue,
        Some(Kind::Escalation) => DeskItemKind::Escalation,
        Some(Kind::Callback) => DeskItemKind::Callback,
        Some(Kind::Unreached) => DeskItemKind::Unreached,
        Some(Kind::Complaint) => DeskItemKind::Complaint,
        Some(Kind::Approval) => DeskItemKind::Approval,
        Some(Kind::Measure) => DeskItemKind::Measure,
        Some(Kind::Reservation) => DeskItemKind::Reservation,
        Some(Kind::Unstaffed) => DeskItemKind::Unstaffed,
        Some(Kind::Transfer) => DeskItemKind::Transfer,
        Some(Kind::Returned) => DeskItemKind::Returned,
        Some(Kind::Message) => DeskItemKind::Message,
        Some(Kind::Satisfaction) => DeskItemKind::Satisfaction,
        None => DeskItemKind::Unspecified,
    };
    DeskItem {
        item: format!("{} {} {}", row.recipient, row.kind, row.subject),
        kind: kind.into(),
        subject: row.subject,
        case: row.case_name,
        branch: row.branch,
        due_time: row.due.map(to_proto),
        since_time: Some(to_proto(row.since_time)),
        level: row.level,
        recipient: row.recipient,
    }
}

fn cursor_invalid() -> Failure {
    Failure::new(
        Code::InvalidArgument,
        "CURSOR_INVALID",
        "The cursor does not belong to you and this desk as it is now; begin without one.",
        "该游标不属于您当前的待办，请不带游标重新开始。",
    )
    .field("cursor", "the last cursor received for this desk, or empty", "该待办最近收到的游标，或留空")
}

fn incarnation_changed() -> Failure {
    Failure::new(
        Code::FailedPrecondition,
        "INCARNATION_CHANGED",
        "The ledger was restored or moved; begin without a cursor.",
        "账本已恢复或迁移，请不带游标重新开始。",
    )
}

fn failure(ended: &Ended) -> Failure {
    match ended {
        Ended::Database(error) => refusal::database(error),
        Ended::BeyondHead => Failure::new(
            Code::OutOfRange,
            "CURSOR_BEYOND_HEAD",
            "The cursor lies beyond the last change; begin without one.",
            "游标超出最近的变更，请不带游标重新开始。",
        ),
        Ended::Forgotten => Failure::new(
            Code::OutOfRange,
            "CURSOR_BELOW_RETENTION",
            "Changes after the cursor are no longer kept; begin without one.",
            "游标之后的变更已不再保留，请不带游标重新开始。",
        ),
        Ended::Changed => Failure::new(
            Code::Aborted,
            "DESK_CHANGED",
            "Roles or branch of the employee have changed; begin without a cursor.",
            "该员工的角色或营业部已变更，请不带游标重新开始。",
        ),
    }
}
