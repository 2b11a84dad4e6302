//! Health and reflection, open to everybody; configuration that cannot be served.

use std::sync::Arc;

use futures_util::stream;
use shouwen_gateway::edge::{BackendConfig, Edge, EdgeConfig, EdgeError, EdgeParts};
use shouwen_runtime::clock::MachineClock;
use shouwen_runtime::cores::Cores;
use shouwen_runtime::health::Readiness;
use tonic::service::Routes;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::{v1, v1alpha};

use crate::backend::{Echo, stage};
use crate::contract::{DESCRIPTORS, contract};
use crate::owners::Maps;
use crate::world::World;

#[tokio::test]
async fn health_follows_readiness_and_knows_every_service() {
    let world = World::new().await;
    let database = world.readiness.component("database");
    let mut client = HealthClient::new(world.channel.clone());
    let mut watching =
        client.watch(HealthCheckRequest { service: String::new() }).await.unwrap().into_inner();
    let mut next = async || watching.message().await.unwrap().unwrap().status();
    assert_eq!(next().await, ServingStatus::NotServing);
    database.ready();
    assert_eq!(next().await, ServingStatus::Serving);
    let service = "shouwen.echo.v1.Echo".to_owned();
    client.check(HealthCheckRequest { service }).await.unwrap();
    let service = "shouwen.nowhere.v1.Nowhere".to_owned();
    assert!(client.check(HealthCheckRequest { service }).await.is_err());
}

#[tokio::test]
async fn reflection_lists_the_contract_in_both_versions() {
    let world = World::new().await;
    let ours = ["shouwen.absent.v1.Absent", "shouwen.echo.v1.Echo", "shouwen.inside.v1.Inside"];

    let mut client = v1::server_reflection_client::ServerReflectionClient::new(world.channel.clone());
    let request = v1::ServerReflectionRequest {
        host: String::new(),
        message_request: Some(v1::server_reflection_request::MessageRequest::ListServices(String::new())),
    };
    let mut answers = client.server_reflection_info(stream::iter([request])).await.unwrap().into_inner();
    let answer = answers.message().await.unwrap().unwrap().message_response;
    let Some(v1::server_reflection_response::MessageResponse::ListServicesResponse(list)) = answer else {
        panic!("{answer:?}");
    };
    let names: Vec<_> = list.service.into_iter().map(|service| service.name).collect();
    assert!(ours.iter().all(|name| names.iter().any(|it| it == name)), "{names:?}");

    let mut client = v1alpha::server_reflection_client::ServerReflectionClient::new(world.channel.clone());
    let symbol = "shouwen.echo.v1.Ping".to_owned();
    let request = v1alpha::ServerReflectionRequest {
        host: String::new(),
        message_request: Some(v1alpha::server_reflection_request::MessageRequest::FileContainingSymbol(
            symbol,
        )),
    };
    let mut answers = client.server_reflection_info(stream::iter([request])).await.unwrap().into_inner();
    let answer = answers.message().await.unwrap().unwrap().message_response;
    assert!(
        matches!(
            answer,
            Some(v1alpha::server_reflection_response::MessageResponse::FileDescriptorResponse(_))
        ),
        "{answer:?}"
    );
}

/// Why there is no edge with this configuration.
async fn refused(change: impl FnOnce(&mut EdgeConfig)) -> EdgeError {
    let dir = tempfile::tempdir().unwrap();
    let keys = dir.path().join("jwks.json");
    std::fs::write(&keys, shouwen_testkit::TestIssuer::new("k1").jwks()).unwrap();
    let mut config = EdgeConfig::default();
    config.tokens.keys = keys.display().to_string();
    change(&mut config);
    let clock = MachineClock::system();
    let parts = EdgeParts {
        contract: contract(),
        descriptors: &DESCRIPTORS,
        owners: Arc::new(Maps::new(clock.clone())),
        services: vec![("inside".to_owned(), Routes::new(Echo::new("inside", &stage().0)))],
        readiness: &Readiness::new(),
        clock,
        cores: Cores::default(),
    };
    Edge::new(config, parts).await.unwrap_err()
}

#[tokio::test]
async fn a_configuration_that_cannot_be_served_is_refused_at_start() {
    let error = refused(|config| config.tokens.keys = String::new()).await;
    assert!(matches!(error, EdgeError::KeySource(_)), "{error}");
    let error = refused(|config| config.tokens.keys = "/nowhere/jwks.json".to_owned()).await;
    assert!(matches!(error, EdgeError::Keys(_)), "{error}");
    let backend = |key: &str, addresses: &[&str]| BackendConfig {
        addresses: addresses.iter().map(ToString::to_string).collect(),
        key_id: "k".to_owned(),
        key: key.into(),
    };
    let good = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";
    for (service, backend, told) in [
        ("echo", backend("", &["127.0.0.1:1"]), "openssl rand"),
        ("echo", backend("c2hvcnQ=", &["127.0.0.1:1"]), "openssl rand"),
        ("echo", backend(good, &[]), "no address"),
        ("echo", backend(good, &["calls"]), "host:port"),
        ("inside", backend(good, &["127.0.0.1:1"]), "this process"),
    ] {
        let error = refused(|config| {
            config.backends.insert(service.to_owned(), backend);
        })
        .await;
        assert!(error.to_string().contains(told), "{error}");
        assert!(!error.to_string().contains(good));
    }
}
