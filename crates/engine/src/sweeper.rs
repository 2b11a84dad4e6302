//! The sweeper: turns due deadlines into ordinary commands, and recomputes deadlines when the calendar has changed (S3).
//!
//! It selects without locking; the batch accepts a deadline's command only while the aggregate still holds that deadline, so each step
//! happens exactly once over any number of replicas. After an outage the missed steps happen in order, each with its true due time.

use futures_util::future::join_all;

use crate::{
    domain::{Actor, AggregateId, Domain, DueDeadline},
    engine::Engine,
    store,
    submission::{Submission, SubmitError},
};

/// How often one sweep asks for pending commands: what is left waits for the next.
const PENDING_ROUNDS: usize = 8;

impl<D: Domain> Engine<D> {
    /// Sweeps until the engine stops.
    pub fn sweep(&self) {
        let engine = self.clone();
        self.0.parts.run(async move {
            let stop = engine.0.stop.clone();
            loop {
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = engine.0.sweep.notified() => {}
                    () = tokio::time::sleep(engine.0.options.sweep_interval) => {}
                }
                let _working = engine.unpaused().await;
                if let Err(error) = engine.sweep_once().await {
                    tracing::warn!(service = D::SERVICE, %error, "deadlines could not be swept");
                }
            }
        });
    }

    /// One sweep. Answers how many deadlines were due.
    pub async fn sweep_once(&self) -> sqlx::Result<usize> {
        let mut swept = 0;
        loop {
            let due = due(self).await?;
            swept += due.len();
            let full = i64::try_from(due.len()).unwrap_or(i64::MAX) >= self.0.options.sweep_commands;
            let answers = join_all(due.into_iter().map(|deadline| self.take_effect(deadline))).await;
            let mut stuck = false;
            for answer in answers {
                if let Err(error) = answer {
                    stuck = true;
                    tracing::error!(service = D::SERVICE, error = %error, "a due deadline had no effect");
                    if matches!(error, SubmitError::Unavailable | SubmitError::OutcomeUnknown) {
                        break;
                    }
                }
            }
            if !full || stuck {
                break;
            }
        }
        swept += self.sweep_pending().await?;
        self.recompute_stale().await?;
        Ok(swept)
    }

    /// Submits what is due by what no state holds, a bounded number of times: one command may free the way for the next.
    async fn sweep_pending(&self) -> sqlx::Result<usize> {
        let mut swept = 0;
        for _ in 0..PENDING_ROUNDS {
            let pending = self.pending().await?;
            let Some(commands) = pending.filter(|commands| !commands.is_empty()) else { break };
            swept += commands.len();
            let submissions = commands.into_iter().map(|command| {
                let mut submission = Submission::new(command, Self::system());
                "pending".clone_into(&mut submission.cause);
                self.submit(submission)
            });
            for answer in join_all(submissions).await {
                if let Err(error) = answer {
                    tracing::error!(service = D::SERVICE, error = %error, "a pending command had no effect");
                }
            }
        }
        Ok(swept)
    }

    /// What is due by what no state holds; nothing is asked of a domain that knows of no such thing. `None` where the domain cannot say.
    pub(crate) async fn pending(&self) -> sqlx::Result<Option<Vec<D::Command>>> {
        if D::STIRRING.is_empty() {
            return Ok(Some(Vec::new()));
        }
        let mut connection = self.0.pool.acquire().await?;
        let now = store::business_time(&mut *connection).await?;
        self.await_answer("pending", self.domain().pending(&mut connection, now)).await.transpose()
    }

    /// Submits the command of a deadline that has come.
    async fn take_effect(&self, deadline: DueDeadline) -> Result<(), SubmitError<D::Rejection>> {
        let command = self.ask("due", |domain| domain.due(&deadline));
        let Some(command) = command else { return Err(SubmitError::Internal) };
        let mut submission = Submission::new(command, Self::system());
        submission.cause = format!("deadline:{}", deadline.step);
        submission.at = Some(deadline.due);
        submission.deadline = Some((deadline.aggregate, deadline.step, deadline.due));
        self.submit(submission).await?;
        Ok(())
    }

    fn system() -> Actor {
        Actor {
            principal: format!("services/{}", D::SERVICE),
            on_behalf: String::new(),
            capacity: "system".to_owned(),
        }
    }

    async fn recompute_stale(&self) -> sqlx::Result<()> {
        let now = self.now().await?;
        let calendar = self.ask("calendar_version", |domain| domain.calendar_version(now)).flatten();
        let Some(calendar) = calendar else { return Ok(()) };
        let stale = sqlx::query_scalar!(
            r#"select distinct aggregate as "aggregate!" from (
                   (select aggregate from deadline where calendar_version <> '' and calendar_version < $1
                    order by calendar_version limit $2)
                   union all
                   (select aggregate from deadline where calendar_version <> '' and calendar_version > $1
                    order by calendar_version limit $2)
               ) stale
               order by 1 limit $2"#,
            calendar,
            self.0.options.sweep_commands
        )
        .fetch_all(&self.0.pool)
        .await?;
        for aggregate in stale.into_iter().map(AggregateId) {
            let command = self.ask("recompute", |domain| domain.recompute(&aggregate)).flatten();
            let Some(command) = command else { continue };
            let mut submission = Submission::new(command, Self::system());
            submission.cause = format!("calendar:{calendar}");
            if let Err(error) = self.submit(submission).await {
                tracing::error!(service = D::SERVICE, error = %error, "deadlines could not be recomputed");
            }
        }
        Ok(())
    }
}

/// The soonest deadlines that have come. The statement's time and not the clock's: only what does not change while it runs can bound the index.
async fn due<D: Domain>(engine: &Engine<D>) -> sqlx::Result<Vec<DueDeadline>> {
    let rows = sqlx::query!(
        "select aggregate, step, due from deadline
         where due <= coalesce((select simulated_at from clock), statement_timestamp())
         order by due, aggregate, step limit $1",
        engine.0.options.sweep_commands
    )
    .fetch_all(&engine.0.pool)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| DueDeadline { aggregate: AggregateId(row.aggregate), step: row.step, due: row.due })
        .collect())
}
