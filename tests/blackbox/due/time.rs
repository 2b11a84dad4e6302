//! Business time of ownership as the test moves it. A superuser makes it stand still on the empty ledger, then it goes on as in any simulation.

use chrono::{DateTime, TimeZone as _, Utc};
use futures_util::future::join_all;
use shouwen_calendar::SHANGHAI;
use shouwen_proto::operator::v1::{GetStatusRequest, StepClockRequest};
use shouwen_testkit::until;
use sqlx::PgConnection;

use crate::harness::{PATIENCE, Suite, client::timestamp};

/// A working day whose next two are working days.
pub(super) fn tuesday() -> DateTime<Utc> {
    SHANGHAI.with_ymd_and_hms(2025, 9, 9, 9, 0, 0).unwrap().to_utc()
}

/// Where the time stands.
pub(super) struct Clock(DateTime<Utc>);

impl Clock {
    pub(super) async fn simulated(connection: &mut PgConnection, at: DateTime<Utc>) -> Self {
        let simulate = sqlx::query("update clock set simulated_at = $1").bind(at);
        assert_eq!(simulate.execute(connection).await.unwrap().rows_affected(), 1);
        Self(at)
    }

    /// Moves the time on, to no more than the next deadline, and wakes the sweepers of both gateways at once.
    pub(super) async fn move_on(&mut self, suite: &Suite, to: DateTime<Utc>) {
        self.step(suite, 0, to, false).await;
        self.0 = to;
        join_all((0..suite.gateways.len()).map(|gateway| self.step(suite, gateway, to, true))).await;
    }

    async fn step(&self, suite: &Suite, gateway: usize, to: DateTime<Utc>, release: bool) {
        let (from, to) = (timestamp(self.0), timestamp(to));
        let request = StepClockRequest { service: "ownership".to_owned(), from, to, release };
        suite.employee_at(gateway, "admin").operator().step_clock(request).await.unwrap();
    }
}

/// Both gateways have nothing left to do, now or later.
pub(super) async fn nothing_is_due(suite: &Suite) {
    for gateway in 0..suite.gateways.len() {
        let admin = suite.employee_at(gateway, "admin");
        until("the gateway is idle", PATIENCE, async || {
            let request = GetStatusRequest { service: "ownership".to_owned(), idle_after: Vec::new() };
            let status = admin.operator().get_status(request).await.unwrap().into_inner();
            assert_eq!(status.deadlines, 0, "nothing is above the top: {status:?}");
            (status.outstanding == 0).then_some(())
        })
        .await;
    }
}
