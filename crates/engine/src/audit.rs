//! Proof of the ledger: signed checkpoints that leave the database, and the verification that recomputes the chain against them.
//!
//! Between two exports a superuser who rewrites the whole chain and every checkpoint in the database leaves no contradiction; from the last
//! exported checkpoint backwards nothing can be changed unnoticed.

use std::{cmp::Ordering, collections::BTreeMap};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::{DateTime, Utc};
use ring::signature::{ED25519, Ed25519KeyPair, UnparsedPublicKey};
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use uuid::Uuid;

use crate::ledger;

/// A signed statement of where a ledger stood. Exported as one line of JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    pub service: String,
    pub incarnation: Uuid,
    pub position: i64,
    /// Hexadecimal.
    pub hash: String,
    pub time: DateTime<Utc>,
    /// Base64, Ed25519 over service, incarnation, position, hash and time.
    pub signature: String,
}

impl Checkpoint {
    fn message(&self) -> String {
        format!(
            "shouwen checkpoint\n{}\n{}\n{}\n{}\n{}",
            self.service,
            self.incarnation,
            self.position,
            self.hash,
            self.time.timestamp_micros()
        )
    }

    /// Whether the signature is that of the key.
    pub fn signed_by(&self, public_key: &[u8]) -> bool {
        STANDARD.decode(&self.signature).is_ok_and(|signature| {
            UnparsedPublicKey::new(&ED25519, public_key).verify(self.message().as_bytes(), &signature).is_ok()
        })
    }
}

/// Writes a checkpoint of the present head; `None` for an empty ledger.
pub async fn checkpoint(
    pool: &PgPool,
    service: &str,
    key: &Ed25519KeyPair,
) -> sqlx::Result<Option<Checkpoint>> {
    let head = ledger::head(pool).await?;
    let Some(time) = head.time else { return Ok(None) };
    let mut checkpoint = Checkpoint {
        service: service.to_owned(),
        incarnation: head.incarnation,
        position: head.position,
        hash: hex::encode(&head.hash),
        time,
        signature: String::new(),
    };
    let signature = key.sign(checkpoint.message().as_bytes());
    checkpoint.signature = STANDARD.encode(signature.as_ref());
    sqlx::query!(
        "insert into checkpoint (incarnation, position, hash, time, signature) values ($1, $2, $3, $4, $5)
         on conflict do nothing",
        head.incarnation,
        head.position,
        head.hash,
        time,
        signature.as_ref()
    )
    .execute(pool)
    .await?;
    Ok(Some(checkpoint))
}

/// The checkpoints that the database holds.
pub async fn checkpoints(pool: &PgPool, service: &str) -> sqlx::Result<Vec<Checkpoint>> {
    let rows =
        sqlx::query!("select incarnation, position, hash, time, signature from checkpoint order by position")
            .fetch_all(pool)
            .await?;
    Ok(rows
        .into_iter()
        .map(|row| Checkpoint {
            service: service.to_owned(),
            incarnation: row.incarnation,
            position: row.position,
            hash: hex::encode(row.hash),
            time: row.time,
            signature: STANDARD.encode(row.signature),
        })
        .collect())
}

/// What is wrong with a ledger.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Finding {
    #[error("position {expected} is missing: the next one found is {found}")]
    Gap { expected: i64, found: i64 },
    #[error("position {0} does not follow from its predecessor: a column or the order was changed")]
    Altered(i64),
    #[error("the head says {head}, the ledger ends at {end}")]
    HeadElsewhere { head: i64, end: i64 },
    #[error("the head's hash is not that of the last event")]
    HeadHash,
    #[error("the checkpoint of position {0} has another hash than the ledger")]
    CheckpointDiffers(i64),
    #[error(
        "the checkpoint of position {checkpoint} lies beyond the ledger's end at {end}: the end was cut off"
    )]
    Truncated { checkpoint: i64, end: i64 },
    #[error("the checkpoint of position {0} is not signed by the given key")]
    CheckpointSignature(i64),
    #[error("the checkpoint of position {0} belongs to another incarnation of the ledger")]
    CheckpointIncarnation(i64),
}

/// What a verification found.
#[derive(Clone, Debug, Default)]
pub struct Verification {
    pub events: i64,
    pub checkpoints: usize,
    pub findings: Vec<Finding>,
}

/// How many rows are read at once.
const ROWS: i64 = 2000;
/// After so many findings the rest adds nothing.
const FINDINGS: usize = 100;

/// Recomputes the whole chain, compares it with the head and with the checkpoints given (exported ones and the database's own). `progress`
/// is told how many events were verified, and the total.
pub async fn verify(
    pool: &PgPool,
    checkpoints: &[Checkpoint],
    public_key: &[u8],
    mut progress: impl FnMut(i64, i64),
) -> sqlx::Result<Verification> {
    let head = ledger::head(pool).await?;
    let mut result = Verification { checkpoints: checkpoints.len(), ..Verification::default() };
    let mut at: BTreeMap<i64, Vec<&Checkpoint>> = BTreeMap::new();
    for checkpoint in checkpoints {
        if !checkpoint.signed_by(public_key) {
            result.findings.push(Finding::CheckpointSignature(checkpoint.position));
        } else if checkpoint.incarnation != head.incarnation {
            result.findings.push(Finding::CheckpointIncarnation(checkpoint.position));
        } else {
            at.entry(checkpoint.position).or_default().push(checkpoint);
        }
    }
    let mut position = 0;
    let mut hash = vec![0; 32];
    let mut hash_at_head = None;
    'reading: loop {
        let rows = page(pool, position).await?;
        if rows.is_empty() {
            break;
        }
        for row in rows {
            if row.position != position + 1 {
                result.findings.push(Finding::Gap { expected: position + 1, found: row.position });
            }
            if row.chained(&hash) != row.hash {
                result.findings.push(Finding::Altered(row.position));
            }
            position = row.position;
            hash = row.hash;
            result.events += 1;
            if position == head.position {
                hash_at_head = Some(hash.clone());
            }
            for checkpoint in at.get(&position).into_iter().flatten() {
                if checkpoint.hash != hex::encode(&hash) {
                    result.findings.push(Finding::CheckpointDiffers(position));
                }
            }
            if result.findings.len() >= FINDINGS {
                break 'reading;
            }
        }
        progress(result.events, head.position.max(result.events));
    }
    // Events committed while reading lie beyond the head that was read; fewer than it says are missing.
    let elsewhere = match position.cmp(&head.position) {
        Ordering::Less => true,
        Ordering::Equal => false,
        Ordering::Greater => ledger::head(pool).await?.position < position,
    };
    if elsewhere {
        result.findings.push(Finding::HeadElsewhere { head: head.position, end: position });
    } else if head.position > 0 && hash_at_head.as_ref() != Some(&head.hash) {
        result.findings.push(Finding::HeadHash);
    }
    for (beyond, _) in at.range(position + 1..) {
        result.findings.push(Finding::Truncated { checkpoint: *beyond, end: position });
    }
    Ok(result)
}

/// The next rows in order, also over a gap.
async fn page(pool: &PgPool, position: i64) -> sqlx::Result<Vec<ledger::LedgerRow>> {
    let rows = ledger::after(pool, position, ROWS).await?;
    if !rows.is_empty() {
        return Ok(rows);
    }
    let next = sqlx::query_scalar!("select min(position) from ledger where position > $1", position)
        .fetch_one(pool)
        .await?;
    match next {
        Some(next) => ledger::after(pool, next - 1, ROWS).await,
        None => Ok(Vec::new()),
    }
}
