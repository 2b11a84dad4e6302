//! Tampering with the ledger as a superuser, and how it is found.

use ring::signature::{Ed25519KeyPair, KeyPair as _};
use shouwen_engine::{
    audit::{Checkpoint, Finding, Verification, checkpoint, checkpoints, verify},
    ledger,
};
use sqlx::PgPool;

use crate::ground::{Ground, Running, calm, deposit};

const SERVICE: &str = "bank";

/// A ledger of twenty events with checkpoints at 10 and 20, of which the last was exported.
struct Audited {
    ground: Ground,
    engine: Running,
    key: Ed25519KeyPair,
    exported: Checkpoint,
}

fn key() -> Ed25519KeyPair {
    let document = Ed25519KeyPair::generate_pkcs8(&ring::rand::SystemRandom::new()).unwrap();
    Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap()
}

impl Audited {
    async fn new() -> Self {
        let ground = Ground::new().await;
        let engine = ground.engine(calm()).await;
        let key = key();
        assert!(checkpoint(engine.pool(), SERVICE, &key).await.unwrap().is_none(), "nothing to state yet");
        engine.open("accounts/a").await;
        for amount in 1..20 {
            if amount == 10 {
                checkpoint(engine.pool(), SERVICE, &key).await.unwrap().unwrap();
            }
            engine.run(deposit("accounts/a", amount)).await.unwrap();
        }
        let exported = checkpoint(engine.pool(), SERVICE, &key).await.unwrap().unwrap();
        Self { ground, engine, key, exported }
    }

    fn pool(&self) -> &PgPool {
        self.engine.pool()
    }

    async fn verify(&self, checkpoints: &[Checkpoint]) -> Verification {
        verify(self.pool(), checkpoints, self.key.public_key().as_ref(), |_, _| {}).await.unwrap()
    }

    /// What is found with the exported checkpoint.
    async fn findings(&self) -> Vec<Finding> {
        self.verify(std::slice::from_ref(&self.exported)).await.findings
    }

    /// What somebody does who may write everything: computes the chain anew from a position on, head and all.
    async fn rewrite(&self) {
        let mut hash = vec![0; 32];
        let mut position = 0;
        for row in ledger::after(self.pool(), 0, 1000).await.unwrap() {
            hash = row.chained(&hash);
            position = row.position;
            let update =
                format!("update ledger set hash = '\\x{}' where position = {position}", hex::encode(&hash));
            self.ground.tamper(&update).await;
        }
        let head =
            format!("update ledger_head set position = {position}, hash = '\\x{}'", hex::encode(&hash));
        self.ground.tamper(&head).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_untouched_ledger_verifies() {
    let audited = Audited::new().await;
    let own = checkpoints(audited.pool(), SERVICE).await.unwrap();
    assert_eq!(own.iter().map(|checkpoint| checkpoint.position).collect::<Vec<_>>(), [10, 20]);
    assert_eq!(own[1], audited.exported);
    // As it is exported: a line of JSON.
    let line = serde_json::to_string(&audited.exported).unwrap();
    let read: Checkpoint = serde_json::from_str(&line).unwrap();
    let mut told = Vec::new();
    let public = audited.key.public_key().as_ref().to_vec();
    let all = [own, vec![read]].concat();
    let verification = verify(audited.pool(), &all, &public, |done, of| told.push((done, of))).await.unwrap();
    assert_eq!(verification.findings, []);
    assert_eq!((verification.events, verification.checkpoints), (20, 3));
    assert_eq!(told, [(20, 20)]);
    // Stating the same twice changes nothing.
    assert_eq!(checkpoint(audited.pool(), SERVICE, &audited.key).await.unwrap().unwrap(), audited.exported);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_empty_ledger_verifies() {
    let ground = Ground::new().await;
    let pool = ground.pool("bank").await;
    assert_eq!(verify(&pool, &[], &[], |_, _| {}).await.unwrap().findings, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_flipped_byte_is_found_in_any_column() {
    let audited = Audited::new().await;
    let columns = [
        ("payload", "set_byte(payload, 3, get_byte(payload, 3) # 1)"),
        ("hash", "set_byte(hash, 31, get_byte(hash, 31) # 128)"),
        ("type", "'Deposited'"),
        ("aggregate", "'accounts/b'"),
        ("version", "version + 100"),
        ("actor", "'serviceAccounts/crn'"),
        ("on_behalf", "'employees/mi'"),
        ("capacity", "''"),
        ("case_name", "'cases/1'"),
        ("branch", "'branches/1'"),
        ("request_id", "'r'"),
        ("cause", "'deadline:offer'"),
        ("time", "time + interval '1 us'"),
    ];
    for (column, value) in columns {
        audited.ground.tamper("create table kept as select * from ledger where position = 7").await;
        audited.ground.tamper(&format!("update ledger set {column} = {value} where position = 7")).await;
        let found = audited.findings().await;
        // A hash is wrong itself, and what follows does not follow from it.
        let expected: &[Finding] = if column == "hash" {
            &[Finding::Altered(7), Finding::Altered(8)]
        } else {
            &[Finding::Altered(7)]
        };
        assert_eq!(found, expected, "{column}");
        audited.ground.tamper("delete from ledger where position = 7; insert into ledger select * from kept; drop table kept").await;
    }
    assert_eq!(audited.findings().await, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_deleted_row_is_found() {
    let audited = Audited::new().await;
    audited.ground.tamper("delete from ledger where position = 7").await;
    assert_eq!(audited.findings().await, [Finding::Gap { expected: 7, found: 8 }, Finding::Altered(8)]);
    audited.ground.tamper("delete from ledger where position = 1").await;
    assert_eq!(audited.findings().await[0], Finding::Gap { expected: 1, found: 2 });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_inserted_row_is_found() {
    let audited = Audited::new().await;
    audited
        .ground
        .tamper(
            "update ledger set position = position + 100 where position >= 7;
             update ledger set position = position - 99 where position >= 100;
             insert into ledger select 7, type, aggregate, version, payload, actor, on_behalf, capacity, case_name, branch,
                                       request_id, cause, time, hash from ledger where position = 6",
        )
        .await;
    let found = audited.findings().await;
    assert!(found.contains(&Finding::Altered(7)) && found.contains(&Finding::Altered(8)), "{found:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_row_appended_past_the_head_is_found() {
    let audited = Audited::new().await;
    audited
        .ground
        .tamper(
            "insert into ledger select 21, type, aggregate, version + 1, payload, actor, on_behalf, capacity, case_name, branch,
                                       request_id, cause, time, hash from ledger where position = 20",
        )
        .await;
    let found = audited.findings().await;
    assert_eq!(found, [Finding::Altered(21), Finding::HeadElsewhere { head: 20, end: 21 }]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_rows_that_changed_places_are_found() {
    let audited = Audited::new().await;
    audited
        .ground
        .tamper(
            "update ledger set position = 1000 where position = 7;
             update ledger set position = 7 where position = 8;
             update ledger set position = 8 where position = 1000",
        )
        .await;
    assert_eq!(audited.findings().await, [Finding::Altered(7), Finding::Altered(8), Finding::Altered(9)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_tail_cut_off_is_found_by_the_head_and_by_a_checkpoint() {
    let audited = Audited::new().await;
    audited.ground.tamper("delete from ledger where position > 15").await;
    let found = audited.findings().await;
    assert!(found.contains(&Finding::HeadElsewhere { head: 20, end: 15 }), "{found:?}");
    // The head was set back as well: only what left the database tells.
    audited
        .ground
        .tamper("update ledger_head h set position = 15, hash = l.hash, time = l.time from ledger l where l.position = 15")
        .await;
    assert_eq!(audited.verify(&[]).await.findings, []);
    assert_eq!(audited.findings().await, [Finding::Truncated { checkpoint: 20, end: 15 }]);
    // Also when as many other events follow.
    for _ in 0..10 {
        audited.engine.run(crate::ground::open(&format!("notes/{}", uuid()), None)).await.unwrap();
    }
    assert_eq!(audited.findings().await, [Finding::CheckpointDiffers(20)]);
}

fn uuid() -> String {
    shouwen_runtime::ids::new_v7().to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_chain_rewritten_as_a_whole_is_found_by_an_exported_checkpoint() {
    let audited = Audited::new().await;
    audited.ground.tamper("update ledger set on_behalf = 'employees/somebody' where position = 7").await;
    audited.rewrite().await;
    assert_eq!(audited.verify(&[]).await.findings, [], "without a checkpoint nothing contradicts it");
    assert_eq!(audited.findings().await, [Finding::CheckpointDiffers(20)]);
    // The database's own checkpoints can be rewritten too, but not signed.
    let own = checkpoints(audited.pool(), SERVICE).await.unwrap();
    let found = audited.verify(&own).await.findings;
    assert_eq!(found, [Finding::CheckpointDiffers(10), Finding::CheckpointDiffers(20)]);
    audited
        .ground
        .tamper("update checkpoint c set hash = l.hash from ledger l where l.position = c.position")
        .await;
    let own = checkpoints(audited.pool(), SERVICE).await.unwrap();
    let found = audited.verify(&own).await.findings;
    assert_eq!(found, [Finding::CheckpointSignature(10), Finding::CheckpointSignature(20)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_head_that_says_something_else_is_found() {
    let audited = Audited::new().await;
    audited.ground.tamper("update ledger_head set hash = decode(repeat('ab', 32), 'hex')").await;
    assert_eq!(audited.findings().await, [Finding::HeadHash]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_checkpoint_of_another_key_service_or_incarnation_proves_nothing() {
    let audited = Audited::new().await;
    let mut claimed = audited.exported.clone();
    claimed.service = "shop".to_owned();
    assert_eq!(audited.verify(&[claimed]).await.findings, [Finding::CheckpointSignature(20)]);
    let other = key();
    assert!(!audited.exported.signed_by(other.public_key().as_ref()));
    audited.ground.tamper("update ledger_head set incarnation = gen_random_uuid()").await;
    assert_eq!(audited.findings().await, [Finding::CheckpointIncarnation(20)]);
}
