//! Whom a request names has to be in the roster: where a name is mistyped, recusal would protect nobody (O12).

use shouwen_access::Failure;
use shouwen_serving::refusal;

use super::{
    Api,
    desk::{LOOK, ON_ITS_WAY},
    failures,
};
use crate::store::roster;

/// An employee whom a request names, and the field that does.
#[derive(Debug)]
pub(super) struct Named {
    pub(super) field: String,
    /// `employees/{employee}`
    pub(super) employee: String,
}

impl Api {
    /// Refuses who is not in the roster. Who was entered this very moment is waited for, shortly. Entries stay for good, so who is known is known under the
    /// locks as well.
    pub(super) async fn in_roster(&self, named: &[&Named]) -> Result<(), Failure> {
        if named.is_empty() {
            return Ok(());
        }
        let looking = async {
            while self.stranger(named).await?.is_some() {
                tokio::time::sleep(LOOK).await;
            }
            Ok::<(), Failure>(())
        };
        if let Ok(looked) = tokio::time::timeout(ON_ITS_WAY, looking).await {
            return looked;
        }
        // In this order: where nothing had been passed over, a stranger is none of whom the feed has told.
        let gap = roster::gap(self.engine.pool()).await.map_err(|error| refusal::database(&error))?;
        match self.stranger(named).await? {
            None => Ok(()),
            Some(stranger) if gap.is_some() => Err(failures::roster_not_known_yet(stranger)),
            Some(stranger) => Err(failures::employee_unknown(stranger)),
        }
    }

    /// The first of them of whom ownership has not told.
    async fn stranger<'a>(&self, named: &[&'a Named]) -> Result<Option<&'a Named>, Failure> {
        let employees: Vec<String> = named.iter().map(|named| named.employee.clone()).collect();
        let known =
            roster::known(self.engine.pool(), &employees).await.map_err(|error| refusal::database(&error))?;
        Ok(named.iter().copied().find(|named| !known.contains(&named.employee)))
    }
}
