//! The vault on a real Postgres: keys made once, rotated, linked and erased, also under concurrency. Each test has
//! its own database, in which the key table lies in schema `calls`, as a service has it.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::num::NonZeroU32;
use std::str::FromStr as _;
use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use shouwen_testkit::{TestDatabase, until};
use shouwen_vault::{Keyring, MIGRATOR, Place, Plain, RewrapProgress, Sealed, Subject, Vault, VaultError};
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use tokio_util::sync::CancellationToken;

const NAME: Place<'static> = Place { aggregate: "calls/1", field: "name" };
const SUMMARY: Place<'static> = Place { aggregate: "calls/1", field: "summary" };

/// A database with the key table, and connections to it.
struct Fixture {
    pool: PgPool,
    _database: TestDatabase,
}

impl Fixture {
    async fn new() -> Self {
        let database = TestDatabase::create("vault", async |url: &str| {
            let pool = pool(url).await;
            sqlx::query("create schema calls").execute(&pool).await.unwrap();
            MIGRATOR.run(&pool).await.unwrap();
            pool.close().await;
        })
        .await;
        Self { pool: pool(&database.url()).await, _database: database }
    }

    /// A vault with an empty cache, as another process would have it.
    fn vault(&self, keyring: &Keyring) -> Vault {
        Vault::new(self.pool.clone(), keyring.clone(), "calls", 10_000)
    }

    async fn count(&self, condition: &'static str) -> i64 {
        sqlx::query_scalar(condition).fetch_one(&self.pool).await.unwrap()
    }

    async fn run(&self, sql: &'static str) {
        assert_eq!(sqlx::query(sql).execute(&self.pool).await.unwrap().rows_affected(), 1, "{sql}");
    }
}

async fn pool(url: &str) -> PgPool {
    let options = PgConnectOptions::from_str(url).unwrap().options([("search_path", "calls")]);
    PgPoolOptions::new().max_connections(16).connect_with(options).await.unwrap()
}

/// A ring whose keys are made from their ids.
fn ring(ids: &[&str], current: &str) -> Keyring {
    let secret = |seed: &str| {
        let mut bytes = [7; 32];
        bytes[..seed.len()].copy_from_slice(seed.as_bytes());
        BASE64.encode(bytes)
    };
    let mut text = format!("current = \"{current}\"\nindex_key = \"{}\"\n", secret("index"));
    for id in ids {
        writeln!(text, "[[key]]\nid = \"{id}\"\nsecret = \"{}\"", secret(id)).unwrap();
    }
    Keyring::parse(&text).unwrap()
}

fn batch(size: u32) -> NonZeroU32 {
    NonZeroU32::new(size).unwrap()
}

async fn seal_for(vault: &Vault, subjects: impl IntoIterator<Item = Subject>) -> Vec<Sealed> {
    let subjects: Vec<Subject> = subjects.into_iter().collect();
    let texts: Vec<Plain<'_>> =
        subjects.iter().map(|subject| Plain { subject, place: NAME, text: subject.as_str() }).collect();
    vault.seal_many(&texts).await.unwrap()
}

async fn assert_all_open(vault: &Vault, sealed: &[Sealed]) {
    let opened = vault.unseal_many(sealed).await.unwrap();
    assert_eq!(opened.len(), sealed.len());
    for (opened, sealed) in opened.into_iter().zip(sealed) {
        assert_eq!(opened.unwrap(), sealed.subject.as_str());
    }
}

#[tokio::test]
async fn l10_a_sealed_text_opens_in_every_process_of_the_service_and_no_other() {
    let fixture = Fixture::new().await;
    let ring = ring(&["1"], "1");
    let client = Subject::client(7);
    let sealed = fixture.vault(&ring).seal(&client, NAME, "张三").await.unwrap();
    assert_eq!(fixture.vault(&ring).unseal(&sealed).await.unwrap(), "张三");
    assert!(!sealed.ciphertext.windows(3).any(|window| window == "张".as_bytes()));

    let stored: Sealed = serde_json::from_value(serde_json::to_value(&sealed).unwrap()).unwrap();
    assert_eq!(fixture.vault(&ring).unseal(stored.at(NAME).unwrap()).await.unwrap(), "张三");

    let other_service = Vault::new(fixture.pool.clone(), ring.clone(), "callbacks", 10);
    let refused = other_service.unseal(&sealed).await;
    assert!(matches!(refused, Err(VaultError::DamagedKey { .. })), "{refused:?}");
}

#[tokio::test]
async fn l10_a_value_moved_to_another_field_or_subject_is_refused() {
    let fixture = Fixture::new().await;
    let vault = fixture.vault(&ring(&["1"], "1"));
    let (one, other) = (Subject::client(1), Subject::client(2));
    let sealed = vault.seal(&one, NAME, "张三").await.unwrap();
    vault.seal(&other, NAME, "李四").await.unwrap();
    let mut moved = [sealed.clone(), sealed.clone(), sealed.clone(), sealed];
    moved[0].field = "summary".into();
    moved[1].aggregate = "calls/2".into();
    moved[2].subject = other;
    let last = moved[3].ciphertext.len() - 1;
    moved[3].ciphertext[last] ^= 1;
    for outcome in vault.unseal_many(&moved).await.unwrap() {
        assert!(matches!(outcome, Err(VaultError::Tampered { .. })), "{outcome:?}");
    }
}

#[tokio::test]
async fn a_subject_nobody_sealed_for_has_no_key() {
    let fixture = Fixture::new().await;
    let vault = fixture.vault(&ring(&["1"], "1"));
    let mut sealed = vault.seal(&Subject::client(1), NAME, "张三").await.unwrap();
    sealed.subject = Subject::client(2);
    assert!(
        matches!(vault.unseal(&sealed).await, Err(VaultError::NoKey { subject }) if subject == Subject::client(2))
    );
    assert_eq!(fixture.count("select count(*) from data_key").await, 1, "opening makes no key");
}

#[tokio::test]
async fn many_texts_of_many_subjects_keep_their_order() {
    let fixture = Fixture::new().await;
    let ring = ring(&["1"], "1");
    let subjects: Vec<Subject> = (0..300).map(|n| Subject::client(n * 7 % 100)).collect();
    let sealed = seal_for(&fixture.vault(&ring), subjects.clone()).await;
    assert!(sealed.iter().map(|sealed| &sealed.subject).eq(&subjects));
    assert_eq!(fixture.count("select count(*) from data_key").await, 100);
    assert_all_open(&fixture.vault(&ring), &sealed).await;
    assert_eq!(fixture.vault(&ring).unseal_many([]).await.unwrap().len(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn l10_64_first_sealers_of_one_subject_agree_on_one_key() {
    let fixture = Fixture::new().await;
    let ring = ring(&["1"], "1");
    let mut sealers = tokio::task::JoinSet::new();
    for n in 0..64 {
        let vault = fixture.vault(&ring);
        sealers.spawn(async move { vault.seal(&Subject::client(7), SUMMARY, &n.to_string()).await.unwrap() });
    }
    let sealed = sealers.join_all().await;
    assert_eq!(fixture.count("select count(*) from data_key").await, 1);
    let opened = fixture.vault(&ring).unseal_many(&sealed).await.unwrap();
    let opened: BTreeSet<String> = opened.into_iter().map(Result::unwrap).collect();
    assert_eq!(opened.len(), 64);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sealers_of_the_same_new_subjects_in_any_order_do_not_block_each_other() {
    let fixture = Fixture::new().await;
    let ring = ring(&["1"], "1");
    let mut sealers = tokio::task::JoinSet::new();
    for n in 0..16 {
        let vault = fixture.vault(&ring);
        let subjects: Vec<Subject> = (0..50).map(|m| Subject::client((m * 7 + n) % 50)).collect();
        sealers.spawn(async move { seal_for(&vault, subjects).await });
    }
    let sealed = sealers.join_all().await.concat();
    assert_eq!(fixture.count("select count(*) from data_key").await, 50);
    assert_all_open(&fixture.vault(&ring), &sealed).await;
}

#[tokio::test]
async fn l10_after_rotation_and_rewrapping_the_old_key_is_not_needed() {
    let fixture = Fixture::new().await;
    let sealed = seal_for(&fixture.vault(&ring(&["1"], "1")), (0..25).map(Subject::client)).await;
    fixture.vault(&ring(&["1"], "1")).erase(&Subject::client("gone")).await.unwrap();

    let rotated = fixture.vault(&ring(&["1", "2"], "2"));
    let new = seal_for(&rotated, [Subject::contact("new")]).await;
    assert_all_open(&rotated, &sealed).await;
    let mut steps = Vec::new();
    while steps.last().is_none_or(RewrapProgress::worth_repeating) {
        steps.push(rotated.rewrap(batch(10)).await.unwrap());
    }
    assert_eq!(steps.iter().map(|step| step.rewrapped).collect::<Vec<_>>(), [10, 10, 5]);
    assert_eq!(steps[1].older_in_use, ["1"]);
    assert!(!steps[1].finished() && steps[2].finished());
    let idle = rotated.rewrap(batch(10)).await.unwrap();
    assert_eq!(idle, RewrapProgress { rewrapped: 0, damaged: 0, older_in_use: Vec::new() });

    let without_old = fixture.vault(&ring(&["2"], "2"));
    assert_all_open(&without_old, &sealed).await;
    assert_all_open(&without_old, &new).await;
}

#[tokio::test]
async fn l10_upkeep_wraps_every_key_anew_also_what_a_process_with_the_former_ring_makes_later() {
    let fixture = Fixture::new().await;
    let former = fixture.vault(&ring(&["1", "2"], "1"));
    let mut sealed = seal_for(&former, (0..1200).map(Subject::client)).await;
    let under_former = "select count(*) from data_key where kek_id = '1'";
    assert_eq!(fixture.count(under_former).await, 1200);

    let rotated = fixture.vault(&ring(&["1", "2"], "2"));
    let stop = CancellationToken::new();
    let upkeep = tokio::spawn({
        let stop = stop.clone();
        async move { rotated.keep_wrapped(Duration::from_millis(10), stop).await }
    });
    let none_left = async || {
        until("every key under the newest", Duration::from_secs(30), async || {
            (fixture.count(under_former).await == 0).then_some(())
        })
        .await;
    };
    none_left().await;
    sealed.extend(seal_for(&former, [Subject::contact("late")]).await);
    none_left().await;
    stop.cancel();
    upkeep.await.unwrap();

    assert_eq!(fixture.count("select count(*) from data_key where kek_id = '2'").await, 1201);
    assert_all_open(&fixture.vault(&ring(&["2"], "2")), &sealed).await;
}

#[tokio::test]
async fn a_key_taken_away_too_early_is_named() {
    let fixture = Fixture::new().await;
    let sealed = seal_for(&fixture.vault(&ring(&["1"], "1")), [Subject::client(1)]).await;
    let without_old = fixture.vault(&ring(&["2"], "2"));
    let refused = without_old.unseal(&sealed[0]).await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the data key of clients/1 is wrapped by key \"1\", which is not in the key ring; add it"
    );
    let progress = without_old.rewrap(batch(10)).await.unwrap();
    assert_eq!(progress, RewrapProgress { rewrapped: 0, damaged: 0, older_in_use: vec!["1".into()] });
    assert!(!progress.worth_repeating());
}

#[tokio::test]
async fn a_damaged_key_is_reported_and_holds_up_no_other() {
    let fixture = Fixture::new().await;
    let sealed = seal_for(&fixture.vault(&ring(&["1"], "1")), (0..3).map(Subject::client)).await;
    fixture.run("update data_key set wrapped = set_byte(wrapped, 20, get_byte(wrapped, 20) # 1) where subject = 'clients/1'").await;
    let vault = fixture.vault(&ring(&["1", "2"], "2"));
    let progress = vault.rewrap(batch(10)).await.unwrap();
    assert_eq!(progress, RewrapProgress { rewrapped: 2, damaged: 1, older_in_use: vec!["1".into()] });
    let opened = vault.unseal_many(&sealed).await.unwrap();
    assert!(opened[0].is_ok() && opened[2].is_ok());
    assert!(matches!(&opened[1], Err(VaultError::DamagedKey { kek_id, .. }) if kek_id == "1"));
}

#[tokio::test]
async fn l10_a_wrapped_key_copied_to_another_subject_is_refused() {
    let fixture = Fixture::new().await;
    let ring = ring(&["1"], "1");
    let mut sealed = seal_for(&fixture.vault(&ring), [Subject::client(1), Subject::client(2)]).await;
    fixture.run("update data_key set wrapped = (select wrapped from data_key where subject = 'clients/1') where subject = 'clients/2'").await;
    sealed[0].subject = Subject::client(2);
    let refused = fixture.vault(&ring).unseal(&sealed[0]).await;
    assert!(matches!(refused, Err(VaultError::DamagedKey { .. })), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rewrapping_beside_sealing_erasing_and_other_rewrapping_loses_no_key() {
    let fixture = Fixture::new().await;
    let old = fixture.vault(&ring(&["1", "2"], "1"));
    let sealed = seal_for(&old, (0..200).map(Subject::client)).await;
    let rotated = ring(&["1", "2"], "2");
    let mut rewrappers = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let vault = fixture.vault(&rotated);
        rewrappers.spawn(async move {
            let mut rewrapped = 0;
            loop {
                let progress = vault.rewrap(batch(7)).await.unwrap();
                assert_eq!(progress.damaged, 0);
                rewrapped += progress.rewrapped;
                if !progress.worth_repeating() {
                    return rewrapped;
                }
            }
        });
    }
    let erasing = tokio::spawn(async move {
        for n in 0..20 {
            old.erase(&Subject::client(n * 10)).await.unwrap();
            seal_for(&old, [Subject::contact(n)]).await;
        }
    });
    rewrappers.join_all().await;
    erasing.await.unwrap();
    let last = fixture.vault(&rotated);
    while !last.rewrap(batch(50)).await.unwrap().finished() {}

    assert_eq!(fixture.count("select count(*) from data_key where kek_id = '2'").await, 200 - 20 + 20);
    for (n, outcome) in
        fixture.vault(&ring(&["2"], "2")).unseal_many(&sealed).await.unwrap().iter().enumerate()
    {
        match outcome {
            Ok(text) => assert!(n % 10 != 0 && *text == format!("clients/{n}")),
            Err(VaultError::Erased { .. }) => assert_eq!(n % 10, 0),
            Err(error) => panic!("{error}"),
        }
    }
}

#[tokio::test]
async fn l10_erasure_is_final_and_remembered() {
    let fixture = Fixture::new().await;
    let ring = ring(&["1"], "1");
    let (gone, kept) = (Subject::client(1), Subject::client(2));
    let vault = fixture.vault(&ring);
    let sealed = seal_for(&vault, [gone.clone(), kept.clone()]).await;

    assert_eq!(vault.erase(&gone).await.unwrap(), std::slice::from_ref(&gone));
    for vault in [vault.clone(), fixture.vault(&ring)] {
        assert!(
            matches!(vault.unseal(&sealed[0]).await, Err(VaultError::Erased { subject }) if subject == gone)
        );
        assert!(matches!(vault.seal(&gone, NAME, "张三").await, Err(VaultError::Erased { .. })));
        let listed = vault.unseal_many(&sealed).await.unwrap();
        assert!(matches!(listed[0], Err(VaultError::Erased { .. })));
        assert_eq!(listed[1].as_deref().unwrap(), "clients/2", "one erased subject hides no other");
    }
    assert!(vault.erase(&gone).await.unwrap().is_empty(), "a repetition changes nothing");
    assert_eq!(fixture.count("select count(*) from data_key where wrapped is null").await, 1);

    let unknown = Subject::client("never seen");
    assert_eq!(vault.erase(&unknown).await.unwrap(), std::slice::from_ref(&unknown));
    assert!(matches!(vault.seal(&unknown, NAME, "李四").await, Err(VaultError::Erased { .. })));
}

#[tokio::test]
async fn l10_a_linked_contact_keeps_its_key_and_is_erased_with_its_client() {
    let fixture = Fixture::new().await;
    let ring = ring(&["1"], "1");
    let vault = fixture.vault(&ring);
    let (external, client) = (Subject::client("crm-77"), Subject::client("0198"));
    let contacts = [Subject::contact(1), Subject::contact(2), Subject::contact(3)];
    let sealed = seal_for(&vault, contacts.clone()).await;

    vault.link(&contacts[0], &external).await.unwrap();
    vault.link(&external, &client).await.unwrap();
    vault.link(&contacts[1], &client).await.unwrap();
    vault.link(&contacts[1], &client).await.unwrap();
    vault.link(&contacts[2], &Subject::client("other")).await.unwrap();
    vault.link(&client, &client).await.unwrap();
    assert_all_open(&fixture.vault(&ring), &sealed).await;
    assert_eq!(
        fixture.count("select count(*) from data_key where linked_to = 'clients/0198'").await,
        2,
        "linking a linked contact again changes nothing"
    );

    let erased: BTreeSet<Subject> = vault.erase(&client).await.unwrap().into_iter().collect();
    assert_eq!(erased, BTreeSet::from([client.clone(), external, contacts[0].clone(), contacts[1].clone()]));
    let opened = vault.unseal_many(&sealed).await.unwrap();
    assert!(matches!(opened[0], Err(VaultError::Erased { .. })));
    assert!(matches!(opened[1], Err(VaultError::Erased { .. })));
    assert!(opened[2].is_ok());

    let refused = vault.link(&contacts[2], &client).await;
    assert!(matches!(refused, Err(VaultError::Erased { subject }) if subject == client));
    assert!(vault.unseal(&sealed[2]).await.is_ok(), "a refused link changes nothing");
}

#[tokio::test]
async fn a_corrected_identification_replaces_the_link() {
    let fixture = Fixture::new().await;
    let vault = fixture.vault(&ring(&["1"], "1"));
    let contact = Subject::contact(1);
    let sealed = seal_for(&vault, [contact.clone()]).await;
    vault.link(&contact, &Subject::client("wrong")).await.unwrap();
    vault.link(&contact, &Subject::client("right")).await.unwrap();
    vault.erase(&Subject::client("wrong")).await.unwrap();
    assert_all_open(&vault, &sealed).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn l10_no_contact_linked_beside_an_erasure_stays_open() {
    let fixture = Fixture::new().await;
    let ring = ring(&["1"], "1");
    let vault = fixture.vault(&ring);
    let (external, client) = (Subject::client("crm-77"), Subject::client("0198"));
    vault.link(&external, &client).await.unwrap();
    let contacts: Vec<Subject> = (0..40).map(Subject::contact).collect();
    let sealed = seal_for(&vault, contacts.clone()).await;
    let mut tasks = tokio::task::JoinSet::new();
    for (n, contact) in contacts.iter().cloned().enumerate() {
        let (vault, to) = (vault.clone(), if n % 2 == 0 { external.clone() } else { client.clone() });
        tasks.spawn(async move {
            match vault.link(&contact, &to).await {
                Ok(()) => true,
                Err(VaultError::Erased { .. }) => false,
                Err(error) => panic!("{error}"),
            }
        });
        if n == 20 {
            let (vault, client) = (fixture.vault(&ring), client.clone());
            tasks.spawn(async move { !vault.erase(&client).await.unwrap().is_empty() });
        }
    }
    tasks.join_all().await;
    let linked_and_open = "select count(*) from data_key where linked_to is not null and wrapped is not null";
    assert_eq!(fixture.count(linked_and_open).await, 0);
    let opened = fixture.vault(&ring).unseal_many(&sealed).await.unwrap();
    let open = opened.iter().filter(|outcome| outcome.is_ok()).count();
    let unlinked =
        fixture.count("select count(*) from data_key where subject like 'contacts/%' and linked_to is null");
    assert_eq!(i64::try_from(open).unwrap(), unlinked.await);
}

#[tokio::test]
async fn l10_a_link_waits_for_an_erasure_under_way_and_is_refused_after_it() {
    let fixture = Fixture::new().await;
    let vault = fixture.vault(&ring(&["1"], "1"));
    let (contact, client) = (Subject::contact(1), Subject::client(1));
    seal_for(&vault, [contact.clone(), client.clone()]).await;
    let mut erasure = fixture.pool.begin().await.unwrap();
    sqlx::query(
        "update data_key set wrapped = null, kek_id = null, erased_at = now() where subject = 'clients/1'",
    )
    .execute(&mut *erasure)
    .await
    .unwrap();
    let link = tokio::spawn(async move { vault.link(&contact, &client).await });
    let waiting = "select count(*) from pg_stat_activity
                   where datname = current_database() and wait_event_type = 'Lock'";
    until("the link waits", Duration::from_secs(10), async || {
        (fixture.count(waiting).await > 0).then_some(())
    })
    .await;
    assert!(!link.is_finished());
    erasure.commit().await.unwrap();
    assert!(matches!(link.await.unwrap(), Err(VaultError::Erased { .. })));
    assert_eq!(fixture.count("select count(*) from data_key where linked_to is not null").await, 0);
}

#[tokio::test]
async fn the_migration_has_its_own_history_and_can_be_repeated() {
    let fixture = Fixture::new().await;
    MIGRATOR.run(&fixture.pool).await.unwrap();
    assert_eq!(fixture.count("select count(*) from calls.vault_migrations").await, 1);
    let stray = "select count(*) from pg_class where relname = '_sqlx_migrations'";
    assert_eq!(fixture.count(stray).await, 0);
}

#[tokio::test]
async fn without_its_table_the_vault_says_so_and_names_no_value() {
    let database = TestDatabase::empty().await;
    let vault = Vault::new(pool(&database.url()).await, ring(&["1"], "1"), "calls", 10);
    let error = vault.seal(&Subject::client(1), NAME, "张三").await.unwrap_err();
    assert_eq!(error.to_string(), "the key table could not be read or written");
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.contains("data_key") && !source.contains("张三"), "{source}");
}
