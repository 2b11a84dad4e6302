//! `shouwen healthcheck`: for probes of containers that have no other client.

use std::{process::ExitCode, time::Duration};

use shouwen_runtime::{
    channel::{ChannelOptions, connect},
    tls::ClientTls,
};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use crate::{CommandResult, cli};

pub(crate) async fn run(options: &cli::Healthcheck) -> CommandResult {
    let channel =
        connect(&[&options.address], &ChannelOptions { tls: tls(options), ..ChannelOptions::default() })?;
    let mut client = HealthClient::new(channel);
    let asked = client.check(HealthCheckRequest { service: String::new() });
    let answer = match tokio::time::timeout(Duration::from_secs(options.timeout), asked).await {
        Err(_) => return Ok(not_ready(&format!("no answer within {} s", options.timeout))),
        Ok(Err(status)) => return Ok(not_ready(status.message())),
        Ok(Ok(answer)) => answer.into_inner(),
    };
    if answer.status() == ServingStatus::Serving {
        println!("{} is serving", options.address);
        return Ok(ExitCode::SUCCESS);
    }
    Ok(not_ready(answer.status().as_str_name()))
}

/// Whom to trust and what to show; nothing where the address alone says whether TLS is spoken.
fn tls(options: &cli::Healthcheck) -> Option<ClientTls> {
    let tls = ClientTls {
        ca: options.ca.clone(),
        certificate: options.cert.clone(),
        key: options.key.clone(),
        server_name: options.server_name.clone(),
    };
    (tls != ClientTls::default()).then_some(tls)
}

fn not_ready(reason: &str) -> ExitCode {
    eprintln!("not ready: {reason}");
    ExitCode::from(1)
}
