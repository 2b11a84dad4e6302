//! `shouwen up`: everything in one process, ready to be called.

use std::process::ExitCode;

use chrono::TimeDelta;
use shouwen_access::Principal;
use shouwen_runtime::{
    admin, shutdown,
    telemetry::{LogFormat, Telemetry, TelemetryConfig},
};
use tokio::net::TcpListener;

use crate::{
    CommandResult, cli,
    private_stack::{PrivateStack, StackOptions},
    serve::Mutants,
};

/// The first administrator of a new data directory.
pub(crate) const ADMINISTRATOR: &str = "employees/admin";

pub(crate) async fn run(options: cli::Up) -> CommandResult {
    let level = std::env::var("SHOUWEN_TELEMETRY__LEVEL").unwrap_or_else(|_| "warn".to_owned());
    let telemetry = Telemetry::start(
        &TelemetryConfig { level, format: LogFormat::Auto, ..TelemetryConfig::default() },
        "shouwen",
    )?;
    let stop = shutdown::on_signals()?;
    let admin = TcpListener::bind(options.admin_listen).await.map_err(|error| {
        format!("cannot listen on {}: {error}; choose another with --admin-listen", options.admin_listen)
    })?;
    let stack = PrivateStack::start(
        StackOptions {
            data_dir: options.data.data_dir.clone(),
            listen: options.listen,
            simulate_from: options.simulate_from,
            administrator: ADMINISTRATOR.to_owned(),
            mutants: Mutants::default(),
            rate: 100,
        },
        stop.clone(),
        |step| eprintln!("shouwen: {step} …"),
    )
    .await?;
    tokio::spawn(admin::serve_admin(admin, stack.metrics.clone(), stack.readiness.clone(), stop));
    println!("{}", greeting(&stack, &options));
    stack.run_to_end().await?;
    telemetry.flush().await;
    Ok(ExitCode::SUCCESS)
}

fn administrator() -> Option<Principal> {
    Principal::of_subject(ADMINISTRATOR)
}

fn greeting(stack: &PrivateStack, options: &cli::Up) -> String {
    let address = stack.address;
    let token =
        administrator().and_then(|subject| stack.token(&subject, TimeDelta::hours(12))).unwrap_or_default();
    format!(
        "\nshouwen is ready at http://{address} (data in {data}; Ctrl-C stops it)\n\
         Metrics and readiness: http://{admin}/metrics, /readyz\n\n\
         A token for {ADMINISTRATOR}, the first administrator, for 12 hours:\n\n  export TOKEN={token}\n\n\
         Three calls to try (`buf` comes from PyPI as `buf-bin`):\n\n  \
         buf curl --protocol grpc --http2-prior-knowledge --list-methods http://{address}\n  \
         buf curl --protocol grpc --http2-prior-knowledge -H \"authorization: Bearer $TOKEN\" -d '{{\"service\":\"ownership\"}}' \\\n    \
         http://{address}/shouwen.operator.v1.OperatorService/GetStatus\n  \
         buf curl --protocol grpc --http2-prior-knowledge -H \"authorization: Bearer $TOKEN\" \\\n    \
         -d '{{\"entries\":[{{\"branch\":{{\"name\":\"branches/changzhi\",\"displayName\":\"长治营业部\"}}}}],\"requestId\":\"{id}\"}}' \\\n    \
         http://{address}/shouwen.ownership.v1.RosterService/ImportRoster\n",
        data = options.data.data_dir.display(),
        admin = options.admin_listen,
        id = shouwen_runtime::ids::new_v4(),
    )
}
