//! `ImportClients`: lines are worked on in chunks as they arrive, each for itself, and what came of them is recorded chunk by chunk. Memory holds one
//! chunk, however long the stream is.
//!
//! The work runs in a task of its own: a caller who goes away breaks the stream, and that too is recorded.

use std::{collections::BTreeSet, time::Duration};

use ring::digest;
use shouwen_access::Failure;
use shouwen_proto::{
    clients::v1::ImportClientsRequest,
    events::v1::{ImportFault, ImportProgressed},
    longrunning::Operation,
};
use shouwen_serving::Call;
use tokio::time::{Instant, timeout_at};
use tonic::{Code, Streaming};

use super::{
    entry, failures, keys, messages,
    saving::{Desk, Line},
};
use crate::domain::{Command, Import, OperationName, State, client::Touched, import::Stage};

/// Lines that are worked on at once.
const CHUNK: usize = 200;
/// How long a chunk waits for further lines: long enough to fill it from a fast stream, short enough for a slow one to be worked on as it arrives.
const LINGER: Duration = Duration::from_millis(25);
/// Why an attempt ended.
const STREAM_BROKEN: &str = "STREAM_BROKEN";
const INTERRUPTED: &str = "INTERRUPTED";

/// One import.
pub(super) struct Importer {
    pub(super) desk: Desk,
    /// With the request key of the whole.
    pub(super) call: Call,
}

/// The operation of a call: always the same for the same request of the same caller.
pub(super) fn operation(call: &Call) -> OperationName {
    let request = call.request.as_ref();
    let text = request.map(|request| format!("{}|{}", request.principal, request.id)).unwrap_or_default();
    OperationName::of_digest(digest::digest(&digest::SHA256, text.as_bytes()).as_ref())
}

/// The stream with what was read ahead.
struct Source {
    stream: Streaming<ImportClientsRequest>,
    ahead: Option<ImportClientsRequest>,
    lines: i64,
}

impl Source {
    /// The next message, if it comes before a time. Dropping the wait loses nothing.
    async fn next(&mut self, until: Option<Instant>) -> Result<ImportClientsRequest, After> {
        if let Some(message) = self.ahead.take() {
            return Ok(message);
        }
        let read = match until {
            Some(until) => timeout_at(until, self.stream.message()).await.map_err(|_| After::More)?,
            None => self.stream.message().await,
        };
        read.map_err(|_| After::Broken)?.ok_or(After::Complete)
    }
}

/// How a chunk ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum After {
    More,
    Complete,
    Broken,
    Stopping,
}

/// A line with its number.
struct Numbered {
    number: i64,
    line: Result<Line, Failure>,
}

impl Importer {
    /// Works on a stream from its first message on, and answers the operation when it is over.
    pub(super) async fn run(
        self,
        first: ImportClientsRequest,
        mut stream: Streaming<ImportClientsRequest>,
    ) -> Result<Operation, Failure> {
        let operation = operation(&self.call);
        let begun = self.submit(Command::BeginImport { operation: operation.clone() }).await?;
        if begun.stage == Stage::Finished {
            while let Ok(Some(_)) = stream.message().await {}
            return Ok(messages::operation(&begun));
        }
        let attempt = begun.attempt;
        let source = Source { stream, ahead: Some(first), lines: 0 };
        let (error, ended) = match self.work(source, &operation, attempt).await {
            Ok(After::Broken) => (STREAM_BROKEN, Err(failures::stream_broken())),
            Ok(After::Stopping) => (INTERRUPTED, Err(Failure::unavailable("SHUTTING_DOWN"))),
            Ok(After::Complete | After::More) => ("", Ok(())),
            Err(failure) => (INTERRUPTED, Err(failure)),
        };
        let recorded = self.submit(Command::EndImport { operation, attempt, error }).await;
        ended?;
        Ok(messages::operation(&recorded?))
    }

    async fn work(
        &self,
        mut source: Source,
        operation: &OperationName,
        attempt: i64,
    ) -> Result<After, Failure> {
        loop {
            let (chunk, after) = self.chunk(&mut source).await;
            if !chunk.is_empty() {
                let progressed = Box::new(self.take(chunk).await?);
                let operation = operation.clone();
                self.submit(Command::ProgressImport { operation, attempt, progressed }).await?;
            }
            if after != After::More {
                return Ok(after);
            }
        }
    }

    /// Reads lines while they come fast, each client at most once: a later line about the same client is a change of the former.
    async fn chunk(&self, source: &mut Source) -> (Vec<Numbered>, After) {
        let mut chunk = Vec::new();
        let mut seen: BTreeSet<String> = BTreeSet::new();
        let stopping = self.desk.engine.stopping();
        tokio::pin!(stopping);
        let mut until = None;
        loop {
            let next = tokio::select! {
                next = source.next(until) => next,
                () = &mut stopping => Err(After::Stopping),
            };
            let message = match next {
                Ok(message) => message,
                Err(after) => return (chunk, after),
            };
            let client = message.client.as_ref().map(|client| client.name.clone()).unwrap_or_default();
            if chunk.len() == CHUNK || seen.contains(&client) {
                source.ahead = Some(message);
                return (chunk, After::More);
            }
            seen.insert(client);
            until.get_or_insert_with(|| Instant::now() + LINGER);
            source.lines += 1;
            chunk.push(self.numbered(source.lines, &message));
        }
    }

    fn numbered(&self, ordinal: i64, message: &ImportClientsRequest) -> Numbered {
        let number = if message.line > 0 { message.line } else { ordinal };
        let line = entry::parse(message.client.as_ref()).map(|entry| Line {
            entry,
            etag: None,
            call: self.line_call(ordinal, message),
        });
        Numbered { number, line }
    }

    /// A line's own request: the same line at the same place of the same import is taken once, whoever has changed the client since.
    fn line_call(&self, ordinal: i64, message: &ImportClientsRequest) -> Call {
        let mut call = self.call.clone();
        if let Some(request) = &mut call.request {
            let client = message.client.as_ref().map(prost::Message::encode_to_vec).unwrap_or_default();
            let digest = digest::digest(&digest::SHA256, &client);
            let content = keys::request(&self.desk.vault.blind_index(), digest.as_ref());
            request.id = format!("{}/{ordinal}/{content}", request.id);
            request.fingerprint = digest.as_ref().to_vec();
            call.bytes = client.len();
        }
        call
    }

    /// Works on a chunk and counts what came of it.
    async fn take(&self, chunk: Vec<Numbered>) -> Result<ImportProgressed, Failure> {
        let mut progressed = ImportProgressed {
            lines: i64::try_from(chunk.len()).unwrap_or(i64::MAX),
            ..ImportProgressed::default()
        };
        let mut faults: Vec<(usize, ImportFault)> = Vec::new();
        let mut numbers = Vec::with_capacity(chunk.len());
        let mut lines = Vec::with_capacity(chunk.len());
        for (index, Numbered { number, line }) in chunk.into_iter().enumerate() {
            match line {
                Ok(line) => {
                    numbers.push((index, number));
                    lines.push(line);
                }
                Err(failure) => faults.push((index, self.fault(number, &failure))),
            }
        }
        for ((index, number), saved) in numbers.into_iter().zip(self.desk.save(&lines).await?) {
            match saved {
                Ok(outcome) => {
                    let client = outcome.state.as_ref().and_then(State::client);
                    match client.and_then(|client| client.touched) {
                        Some(_) if outcome.replayed => progressed.unchanged += 1,
                        Some(Touched::Entered) => progressed.created += 1,
                        Some(Touched::Changed) => progressed.updated += 1,
                        None => progressed.unchanged += 1,
                    }
                }
                Err(failure) if passes(&failure) => return Err(failure),
                Err(failure) => faults.push((index, self.fault(number, &failure))),
            }
        }
        faults.sort_by_key(|(index, _)| *index);
        progressed.rejected = faults.into_iter().map(|(_, fault)| fault).collect();
        Ok(progressed)
    }

    fn fault(&self, line: i64, failure: &Failure) -> ImportFault {
        ImportFault {
            line,
            field: failure.metadata("field").unwrap_or_default().to_owned(),
            reason: failure.reason().to_owned(),
            description: failure.message(self.call.caller.language).to_owned(),
        }
    }

    /// A command on the operation: never remembered as the whole request, whose answer is the operation itself.
    async fn submit(&self, command: Command) -> Result<Import, Failure> {
        let mut submission = self.call.submission(command);
        submission.request = None;
        let outcome = self.desk.engine.submit(submission).await.map_err(shouwen_serving::refusal::failure)?;
        outcome.state.as_ref().and_then(State::import).cloned().ok_or_else(Failure::internal)
    }
}

/// Whether a failure lies in the circumstances and not in the line: all lines are sent again then.
fn passes(failure: &Failure) -> bool {
    matches!(failure.code(), Code::Unavailable | Code::ResourceExhausted | Code::Aborted)
}
