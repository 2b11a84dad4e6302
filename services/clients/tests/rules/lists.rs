//! Lists of clients (L10): masked, in pages, bounded, and by an index whatever the filter is.

use shouwen_access::status::reason_of;
use shouwen_proto::{
    access::v1::CallContext,
    clients::v1::{ClientInput, ListClientsRequest, ListClientsResponse, ResolveClientRequest},
    r#type::v1::ClientClass,
};
use sqlx::{Connection as _, Executor as _};
use tonic::{Code, Response, Status};

use crate::service::{BRANCH, Bed, MORNING, OTHER_BRANCH, hq, input, refused, request_of, staff};

async fn list(
    bed: &Bed,
    who: &CallContext,
    parent: &str,
    filter: &str,
    size: i32,
    token: &str,
) -> Result<ListClientsResponse, Status> {
    let request = ListClientsRequest {
        parent: parent.into(),
        page_size: size,
        page_token: token.into(),
        filter: filter.into(),
    };
    bed.client().list_clients(request_of(who, request)).await.map(Response::into_inner)
}

async fn names(bed: &Bed, parent: &str, filter: &str) -> Vec<String> {
    let listed = list(bed, &hq(), parent, filter, 0, "").await.unwrap();
    listed.clients.into_iter().map(|client| client.name).collect()
}

#[tokio::test]
async fn l10_a_branchs_clients_are_listed_by_id_masked_in_pages() {
    let bed = Bed::at(MORNING).await;
    for number in [3, 1, 5, 2, 4] {
        bed.saved(input(&format!("C-{number}"))).await;
    }
    bed.saved(ClientInput { branch: OTHER_BRANCH.into(), ..input("C-0") }).await;
    let zhang = staff("zhang");
    let first = list(&bed, &zhang, BRANCH, "", 2, "").await.unwrap();
    let second = list(&bed, &zhang, BRANCH, "", 2, &first.next_page_token).await.unwrap();
    let third = list(&bed, &zhang, BRANCH, "", 2, &second.next_page_token).await.unwrap();
    assert_eq!(third.next_page_token, "");
    let listed: Vec<_> =
        [&first, &second, &third].into_iter().flat_map(|page| page.clients.clone()).collect();
    let listed_names: Vec<_> = listed.iter().map(|client| client.name.as_str()).collect();
    assert_eq!(listed_names, ["clients/C-1", "clients/C-2", "clients/C-3", "clients/C-4", "clients/C-5"]);
    for client in &listed {
        assert_eq!(client.display_name, "王**");
        assert!(
            client.phone.starts_with("138****") && client.capital_accounts[0].account.starts_with("****")
        );
    }
    assert_eq!(
        refused(list(&bed, &staff("li"), BRANCH, "", 2, &first.next_page_token).await),
        "PAGE_TOKEN_INVALID"
    );
    assert_eq!(
        refused(list(&bed, &zhang, BRANCH, "vip = true", 2, &first.next_page_token).await),
        "PAGE_TOKEN_INVALID"
    );
    assert_eq!(refused(list(&bed, &zhang, BRANCH, "", -1, "").await), "FIELD_INVALID");
    assert_eq!(refused(list(&bed, &zhang, "b1", "", 0, "").await), "FIELD_INVALID");
    for parent in [OTHER_BRANCH, "branches/-"] {
        let status = list(&bed, &zhang, parent, "", 0, "").await.unwrap_err();
        assert_eq!(
            (status.code(), reason_of(&status).unwrap().as_str()),
            (Code::PermissionDenied, "BRANCH_OUT_OF_REACH")
        );
    }
    assert_eq!(names(&bed, "branches/-", "").await.len(), 6);
}

#[tokio::test]
async fn l10_filters_choose_by_manager_class_and_vip() {
    let bed = Bed::at(MORNING).await;
    let with = |id: &str, yuan: i64, turnover_percent| ClientInput {
        assets_fen: yuan * 100,
        turnover_percent,
        ..input(id)
    };
    bed.saved(with("A", 1_000_000, 300)).await;
    bed.saved(with("B", 1_000_000, 0)).await;
    bed.saved(with("G", 1, 0)).await;
    bed.saved(ClientInput { branch: OTHER_BRANCH.into(), ..with("O", 1_000_000, 300) }).await;
    for (parent, filter, expected) in [
        (BRANCH, "client_class = A", vec!["clients/A"]),
        (BRANCH, "client_class = A AND vip = false", vec![]),
        ("branches/-", "client_class = A", vec!["clients/A", "clients/O"]),
        (BRANCH, "vip = true", vec!["clients/A", "clients/B"]),
        (BRANCH, "vip = false", vec!["clients/G"]),
        ("branches/-", "vip = true", vec!["clients/A", "clients/B", "clients/O"]),
        (BRANCH, "service_manager = employees/an", vec!["clients/G"]),
        ("branches/-", "service_manager = employees/head AND client_class = B", vec!["clients/B"]),
        (OTHER_BRANCH, "service_manager = employees/head", vec![]),
    ] {
        assert_eq!(names(&bed, parent, filter).await, expected, "{parent} {filter}");
    }
    let status = list(&bed, &hq(), BRANCH, "phone = 1", 0, "").await.unwrap_err();
    assert_eq!(
        (status.code(), reason_of(&status).unwrap().as_str()),
        (Code::InvalidArgument, "FILTER_INVALID")
    );
}

/// Forty thousand clients of twenty branches; of every class there are equally many, VIPs are few, and each manager has forty clients.
const FILLED: &str = "
    insert into client (id, version, state)
        select 'clients/f' || n, 1, state || jsonb_build_object(
            'name', 'clients/f' || n, 'branch', 'branches/f' || n % 20, 'manager', 'employees/f' || n / 40,
            'class', (array['a_plus', 'b_plus', 'a', 'b', 'c', 'd', 'c_minus', 'd_minus', 'e', 'f', 'g'])[1 + n / 20 % 11],
            'vip', n % 400 < 20)
        from client, generate_series(1, 40000) n;
    insert into client_lookup (key, client) select sha256(convert_to(n::text, 'UTF8')), 'clients/f' || n from generate_series(1, 40000) n;
    analyze;";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_lists_use_indexes() {
    let mut bed = Bed::at(MORNING).await;
    bed.saved(input("C-1")).await;
    let mut superuser = bed.database.connect().await;
    bed.end(&mut superuser).await;
    let mut filling = bed.database.connect().await;
    filling.execute("set search_path = clients").await.unwrap();
    filling.execute(FILLED).await.unwrap();
    filling.close().await.unwrap();
    bed.end(&mut superuser).await;
    superuser.execute("select pg_stat_reset()").await.unwrap();
    bed.begin().await;
    let everywhere = CallContext { all_branches: true, ..hq() };
    // Often enough for every prepared statement to come to its generic plan.
    let mut asked: i64 = 0;
    for round in 0..12 {
        let branch = format!("branches/f{}", round % 20);
        let manager = format!("service_manager = employees/f{}", round + 3);
        for (parent, filter) in [
            (branch.as_str(), ""),
            (branch.as_str(), "client_class = A_PLUS"),
            (branch.as_str(), "client_class = G AND vip = false"),
            (branch.as_str(), "vip = true"),
            (branch.as_str(), manager.as_str()),
            ("branches/-", manager.as_str()),
            ("branches/-", ""),
        ] {
            let listed = list(&bed, &everywhere, parent, filter, 50, "").await.unwrap();
            assert!(listed.clients.len() <= 50);
            if filter == "client_class = A_PLUS" {
                assert!(listed.clients.iter().all(|client| client.client_class() == ClientClass::APlus));
            }
            asked += 1;
        }
        let lookup = ResolveClientRequest { phone: input("C-1").phone, ..ResolveClientRequest::default() };
        let found = bed.client().resolve_client(request_of(&everywhere, lookup)).await.unwrap().into_inner();
        assert_eq!(found.clients.len(), 1);
        asked += 1;
    }
    bed.end(&mut superuser).await;
    superuser.execute("select pg_stat_clear_snapshot()").await.unwrap();
    let tables = sqlx::query_as::<_, (String, i64, i64)>(
        "select relname::text, seq_scan, idx_tup_fetch + seq_tup_read from pg_stat_user_tables
         where schemaname = 'clients' and relname in ('client', 'client_lookup')",
    )
    .fetch_all(&mut superuser)
    .await
    .unwrap();
    assert_eq!(tables.len(), 2);
    for (table, scans, rows) in tables {
        assert_eq!(scans, 0, "{table} was read as a whole");
        assert!(rows <= asked * 60, "{rows} rows of {table} were read for {asked} lists");
    }
}
