//! Personal data of distinctive clients goes through the whole suite, right and wrong; afterwards it stands nowhere in clear (L10): not in logs of the
//! most talkative level, exported traces, metrics, error texts, masked answers and feeds, and not in a dump of the database.

mod bird;
mod life;
mod provoked;

use std::process::Command;

use shouwen_runtime::postgres_cluster::Binaries;

use crate::harness::{PATIENCE, Shape, Suite, collector::Collector, ledgers, place::SERVICES, policies};
use bird::found;

#[tokio::test]
async fn l10_personal_data_stands_nowhere_in_clear() {
    let collector = Collector::start();
    let set = vec![
        // Of HTTP/2 itself every frame would be told, a hundred times as much as everything else.
        ("telemetry.level", "trace,h2=debug".to_owned()),
        ("telemetry.otlp_endpoint", collector.endpoint()),
    ];
    let suite = Suite::of(Shape { set, ..Shape::default() }).await;
    policies::clients_are_called_at_any_hour(&suite).await;

    let shown = life::lived(&suite).await;
    let refusals = provoked::refusals(&suite).await;
    ledgers::caught_up(&suite).await;
    let mut looked_at = vec![("masked answers".to_owned(), shown), ("error texts".to_owned(), refusals)];
    for service in SERVICES {
        let events = ledgers::events(&suite, service).await;
        looked_at.push((format!("the feed of {service}"), format!("{events:?}").into_bytes()));
    }
    for process in suite.processes() {
        for page in ["/metrics", "/readyz"] {
            let (status, body) = process.page(page).await.unwrap();
            assert_eq!(status, 200, "{}{page}", process.name);
            looked_at.push((format!("{}{page}", process.name), body.into_bytes()));
        }
    }
    // What was not exported yet is exported at the end.
    for process in suite.processes() {
        process.terminate();
        assert_eq!(process.ended(PATIENCE).await.code(), Some(0), "{}", process.name);
        let log = process.log();
        assert!(log.contains("\"level\":\"TRACE\""), "the log of {} is not as talkative", process.name);
        looked_at.push((format!("the log of {}", process.name), log.into_bytes()));
    }
    let traces = collector.received();
    let names = String::from_utf8_lossy(&traces).matches("edge").count();
    assert!(names > 20, "{names} spans of the edge were exported");
    looked_at.push(("exported traces".to_owned(), traces));
    let dump = dumped(&suite).await;
    for there in ["139****0421", "clients/canary", "CREATE TABLE clients.", "CREATE TABLE complaints."] {
        assert!(dump.contains(there), "{there} is not in the dump: it shows nothing");
    }
    looked_at.push(("the dump of the database".to_owned(), dump.into_bytes()));

    let mut leaks = Vec::new();
    for (what, bytes) in &looked_at {
        println!("{what}: {} bytes", bytes.len());
        assert!(!bytes.is_empty(), "{what}");
        leaks.extend(found(bytes).into_iter().map(|leak| format!("{what}: {leak}")));
    }
    assert!(leaks.is_empty(), "in clear:\n{}", leaks.join("\n"));
}

/// Everything in the database, as an operator would take it away.
async fn dumped(suite: &Suite) -> String {
    let beside_the_server = Binaries::find(None).await.unwrap().program("pg_dump");
    let program = if beside_the_server.exists() { beside_the_server } else { "pg_dump".into() };
    let output = Command::new(&program).arg(&suite.place.admin_url).output();
    let output = output.unwrap_or_else(|error| panic!("{}: {error}", program.display()));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
