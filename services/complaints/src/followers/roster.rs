//! Reading ownership's feed again where it was read without taking note of employees: before this service did, or by an older release while a newer one
//! is rolled out.
//!
//! The feed's follower notes employees with its cursor; this closes what it has passed over and writes nothing but that. It is no follower: where nothing
//! was passed over it only looks, now and then.

use std::time::Duration;

use shouwen_engine::{Engine, FeedSource};
use shouwen_proto::events::v1::{Cursor, WatchRequest, watch_response::Item};

use super::ownership::{FEED, entered, position};
use crate::{
    store::roster::{self, Gap},
    write_path::ComplaintsDomain,
};

/// How often is looked for a gap, and for how long a failed reading rests.
const EVERY: Duration = Duration::from_secs(10);
/// How many positions are read before it is noted how far.
const AT_ONCE: i64 = 1_000;

/// Closes the gap in what is known of employees.
pub(crate) struct ReadAgain {
    pub(crate) engine: Engine<ComplaintsDomain>,
    /// Of ownership.
    pub(crate) source: FeedSource,
}

impl ReadAgain {
    /// Until the engine stops, over outages. Several replicas may be at it.
    pub(crate) async fn run(self) {
        let stopping = self.engine.stopping();
        tokio::pin!(stopping);
        loop {
            tokio::select! {
                () = &mut stopping => return,
                closed = self.close() => {
                    if let Err(reason) = closed {
                        tracing::warn!(reason, "employees could not be read from ownership's feed; trying again");
                    }
                }
            }
            tokio::select! {
                () = &mut stopping => return,
                () = tokio::time::sleep(EVERY) => {}
            }
        }
    }

    async fn close(&self) -> Result<(), String> {
        while let Some(gap) = roster::gap(self.engine.pool()).await.map_err(|error| error.to_string())? {
            tracing::info!(from = gap.from, to = gap.to, "employees are read from ownership's feed");
            self.read(gap).await?;
        }
        Ok(())
    }

    /// Reads to the end of the gap; how far it came is kept, so that nothing is read twice after an outage.
    async fn read(&self, gap: Gap) -> Result<(), String> {
        let Gap { incarnation, mut from, to } = gap;
        let after = Cursor { incarnation, position: from };
        let request = WatchRequest { service: FEED.to_owned(), after: Some(after) };
        let mut stream = (self.source)(request).await.map_err(|status| status.message().to_owned())?;
        let mut employees = Vec::new();
        while from < to {
            let response = stream.message().await.map_err(|status| status.message().to_owned())?;
            let Some(response) = response else { return Err("the feed ended".to_owned()) };
            let Some(Item::Event(event)) = response.item else { continue };
            employees.extend(entered(&event));
            let at = position(&event);
            if at >= to || at - from >= AT_ONCE {
                roster::note(self.engine.pool(), from, at, &employees)
                    .await
                    .map_err(|error| error.to_string())?;
                self.engine.progressed();
                employees.clear();
                from = at;
            }
        }
        Ok(())
    }
}
