//! Reads now and then what only the database knows of the engine and its domain, and keeps it for the gauges.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use opentelemetry::KeyValue;
use tokio::time::Instant;

use super::{Attributes, Gauge, Instruments, Metrics, Reading, held, of_service};
use crate::{batch, domain::Domain, engine::Engine, store};

/// Most overdue deadlines that are counted: enough to be alarmed.
const MOST_OVERDUE: i64 = 10_000;

const CALENDAR: Gauge = Gauge {
    name: "shouwen.calendar.covered",
    unit: "{day}",
    description: "Days for which the imported calendar still has data; below 0 once they have ended (S3)",
};

/// How many days before the imported calendar ends operators are told (S3).
const CALENDAR_NOTICE: i64 = 60;

/// What was read last. A name that was there once stays, at 0: a gauge that nobody sets keeps its value.
#[derive(Default)]
pub(super) struct Sample {
    /// When, or nothing was read yet.
    at: Option<Instant>,
    pub(super) head: i64,
    /// By feed.
    parked: BTreeMap<String, i64>,
    /// By step.
    overdue: BTreeMap<String, i64>,
    readings: BTreeMap<Gauge, BTreeMap<Attributes, i64>>,
}

/// What one round read.
struct Fresh {
    head: i64,
    parked: Vec<(String, i64)>,
    overdue: Vec<(String, i64)>,
    /// `None` where the domain cannot say.
    readings: Option<Vec<Reading>>,
}

impl Sample {
    /// Takes in a round; answers the gauges that were never read before.
    fn take(&mut self, fresh: Fresh) -> Vec<Gauge> {
        self.at = Some(Instant::now());
        self.head = fresh.head;
        replace(&mut self.parked, fresh.parked);
        replace(&mut self.overdue, fresh.overdue);
        let Some(readings) = fresh.readings else { return Vec::new() };
        for values in self.readings.values_mut() {
            replace(values, []);
        }
        let mut new = Vec::new();
        for Reading { gauge, attributes, value } in readings {
            let values = self.readings.entry(gauge).or_insert_with(|| {
                new.push(gauge);
                BTreeMap::new()
            });
            values.insert(attributes, value);
        }
        new
    }
}

/// What operators were told of the calendar's end (S3).
#[derive(Default)]
struct CalendarNotice {
    days: Option<i64>,
}

impl CalendarNotice {
    /// Whether it is to be told: at the start, when the end comes near, and once on each day from then on.
    fn is_due(&mut self, days: i64) -> bool {
        let before = self.days.replace(days);
        days <= CALENDAR_NOTICE && before != Some(days)
    }

    fn tell(&mut self, service: &'static str, days: i64) {
        if !self.is_due(days) {
            return;
        }
        if days < 0 {
            tracing::error!(
                service,
                days,
                "the imported calendar has ended and limits are provisional: import the years that follow"
            );
        } else {
            tracing::warn!(service, days, "the imported calendar ends soon: import the years that follow");
        }
    }
}

fn replace<K: Ord>(values: &mut BTreeMap<K, i64>, fresh: impl IntoIterator<Item = (K, i64)>) {
    for value in values.values_mut() {
        *value = 0;
    }
    values.extend(fresh);
}

impl Metrics {
    pub(super) fn show_sample(&self, Instruments { meter, sample, .. }: &Instruments) {
        let service = self.service;
        let (feeds, last) = (Arc::clone(&self.feeds), Arc::clone(sample));
        meter
            .i64_observable_gauge("shouwen.engine.parked.events")
            .with_unit("{event}")
            .with_description("Events of a feed that are parked, or wait behind one")
            .with_callback(move |observer| {
                let mut parked: BTreeMap<String, i64> =
                    held(&feeds).keys().map(|feed| ((*feed).to_owned(), 0)).collect();
                parked.extend(held(&last).parked.clone());
                for (feed, events) in parked {
                    observer.observe(events, &[of_service(service), KeyValue::new("shouwen.feed", feed)]);
                }
            })
            .build();
        let last = Arc::clone(sample);
        meter
            .i64_observable_gauge("shouwen.engine.deadlines.overdue")
            .with_unit("{deadline}")
            .with_description("Deadlines that have come and did not take effect yet")
            .with_callback(move |observer| {
                for (step, deadlines) in &held(&last).overdue {
                    let step = KeyValue::new("shouwen.step", step.clone());
                    observer.observe(*deadlines, &[of_service(service), step]);
                }
            })
            .build();
        let last = Arc::clone(sample);
        meter
            .f64_observable_gauge("shouwen.engine.sample.age")
            .with_unit("s")
            .with_description("How long ago the database was asked for what metrics show of it")
            .with_callback(move |observer| {
                if let Some(at) = held(&last).at {
                    observer.observe(at.elapsed().as_secs_f64(), &[of_service(service)]);
                }
            })
            .build();
    }

    fn take(&self, instruments: &Instruments, fresh: Fresh) {
        // Gauges are made without the sample held: while others are being read, making one waits for that.
        let new = held(&instruments.sample).take(fresh);
        for gauge in new {
            self.show_gauge(instruments, gauge);
        }
    }

    fn show_gauge(&self, Instruments { meter, sample, .. }: &Instruments, gauge: Gauge) {
        let (sample, service): (Arc<Mutex<Sample>>, _) = (Arc::clone(sample), self.service);
        meter
            .i64_observable_gauge(gauge.name)
            .with_unit(gauge.unit)
            .with_description(gauge.description)
            .with_callback(move |observer| {
                for (attributes, value) in held(&sample).readings.get(&gauge).into_iter().flatten() {
                    let mut of: Vec<KeyValue> = vec![of_service(service)];
                    of.extend(attributes.iter().map(|(name, value)| KeyValue::new(*name, value.clone())));
                    observer.observe(*value, &of);
                }
            })
            .build();
    }
}

impl<D: Domain> Engine<D> {
    /// Samples until the engine stops; not at all where there is no meter.
    pub(crate) fn keep_sampling(&self) {
        if self.0.metrics.instruments.is_none() {
            return;
        }
        let engine = self.clone();
        self.0.parts.run(async move {
            let stop = engine.0.stop.clone();
            let mut notice = CalendarNotice::default();
            loop {
                let sampling = batch::within(&engine.0.options, engine.sample(&mut notice));
                tokio::select! {
                    () = stop.cancelled() => return,
                    sampled = sampling => if let Err(error) = sampled {
                        tracing::warn!(service = D::SERVICE, %error, "metrics could not be read");
                    }
                }
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(engine.0.options.sample_interval) => {}
                }
            }
        });
    }

    async fn sample(&self, notice: &mut CalendarNotice) -> sqlx::Result<()> {
        let Some(instruments) = &self.0.metrics.instruments else { return Ok(()) };
        let mut connection = self.0.pool.acquire().await?;
        let head = crate::ledger::head(&mut *connection).await?.position;
        let parked = sqlx::query!(r#"select feed, count(*) as "events!" from parked_event group by feed"#)
            .fetch_all(&mut *connection)
            .await?;
        let overdue = sqlx::query!(
            r#"select step, count(*) as "deadlines!" from (
                   select step from deadline
                   where due <= coalesce((select simulated_at from clock), statement_timestamp())
                   order by due limit $1
               ) overdue
               group by step"#,
            MOST_OVERDUE
        )
        .fetch_all(&mut *connection)
        .await?;
        let mut readings =
            self.await_answer("readings", self.domain().readings(&mut connection)).await.transpose()?;
        let now = store::business_time(&mut *connection).await?;
        if let Some(days) = self.ask("calendar_days_left", |domain| domain.calendar_days_left(now)).flatten()
        {
            if let Some(readings) = &mut readings {
                readings.push(CALENDAR.reads(days));
            }
            notice.tell(D::SERVICE, days);
        }
        let fresh = Fresh {
            head,
            parked: parked.into_iter().map(|row| (row.feed, row.events)).collect(),
            overdue: overdue.into_iter().map(|row| (row.step, row.deadlines)).collect(),
            readings,
        };
        self.0.metrics.take(instruments, fresh);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s3_the_calendars_end_is_told_sixty_days_ahead_and_once_a_day() {
        let mut notice = CalendarNotice::default();
        let mut told =
            |days: &[i64]| -> Vec<i64> { days.iter().copied().filter(|days| notice.is_due(*days)).collect() };
        assert_eq!(told(&[62, 61, 61, 60, 60, 60, 59, 59]), [60, 59]);
        assert!(told(&[424, 424]).is_empty(), "more was imported");
        assert_eq!(told(&[60, 1, 0, 0, -1, -1, -2]), [60, 1, 0, -1, -2]);
        let mut begun_late = CalendarNotice::default();
        assert!(begun_late.is_due(-30) && !begun_late.is_due(-30));
    }
}
