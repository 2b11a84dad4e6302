//! What gRPC itself asks a server: health, and reflection in both versions over the whole contract. Open to everybody.

use shouwen_access::Contract;
use shouwen_runtime::health::Readiness;
use tonic::service::Routes;
use tonic_reflection::server::Builder;

/// Health of the server as a whole and of every service of the contract, and its descriptors.
pub(super) async fn routes(
    contract: &Contract,
    descriptors: &[u8],
    readiness: &Readiness,
) -> Result<Routes, tonic_reflection::server::Error> {
    let mut services: Vec<_> = contract
        .methods()
        .into_iter()
        .map(|method| format!("{}.{}", method.package, method.service))
        .collect();
    services.sort_unstable();
    services.dedup();
    let names: Vec<_> = services.iter().map(String::as_str).collect();
    let reflection = || Builder::configure().register_encoded_file_descriptor_set(descriptors);
    Ok(Routes::new(readiness.health_service(&names).await)
        .add_service(reflection().build_v1()?)
        .add_service(reflection().build_v1alpha()?)
        .prepare())
}
