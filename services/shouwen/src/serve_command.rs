//! `shouwen serve`: one service as a process of its own. All configuration is read and checked first; then the process starts, serves, drains, and exports
//! what it has traced, however it ends.

use std::{io, process::ExitCode};

use shouwen_runtime::{
    admin,
    health::Readiness,
    shutdown,
    telemetry::{Metrics, Telemetry},
};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::field::{Empty, display};

use crate::{
    CommandResult,
    cli::{self, ServiceName},
    config::ServeConfig,
    materials::{self, Materials},
    serve::{Listeners, Mutants, Parts, Running, ServeError, bind, start},
    version,
};

pub(crate) async fn run(options: cli::Serve) -> CommandResult {
    let config: ServeConfig = options.settings.load()?;
    if options.print_config {
        print!("{}", shouwen_runtime::config::print_config(&config)?);
        return Ok(ExitCode::SUCCESS);
    }
    materials::check(options.service, &config).await?;
    if options.check {
        println!("the settings are good");
        return Ok(ExitCode::SUCCESS);
    }
    let telemetry = Telemetry::start(&config.telemetry, options.service.service())?;
    let outcome = serve(options.service, config).await;
    telemetry.flush().await;
    outcome.map(|()| ExitCode::SUCCESS)
}

/// Serves until a signal, or until something fails.
async fn serve(service: ServiceName, config: ServeConfig) -> Result<(), ServeError> {
    let stop = shutdown::on_signals()?;
    let admin_stop = CancellationToken::new();
    // A trace of its own. It is never entered: connections that are opened meanwhile and stay would hold on to it.
    let span = tracing::info_span!("start", service = service.service(), otel.status_description = Empty);
    let started = begin(service, config, stop, admin_stop.clone()).await;
    if let Err(error) = &started {
        span.record("otel.status_description", display(error));
    }
    drop(span);
    let (running, admin) = started?;
    if let Some(running) = running {
        running.ended().await?;
    }
    admin_stop.cancel();
    admin.await??;
    Ok(())
}

/// Starts the service, and before it the pages for operators, who see there what it waits for.
async fn begin(
    service: ServiceName,
    config: ServeConfig,
    stop: CancellationToken,
    admin_stop: CancellationToken,
) -> Result<(Option<Running>, JoinHandle<io::Result<()>>), ServeError> {
    let materials = Materials::of(service, &config).await?;
    let listeners = Listeners::bind(service, &config).await?;
    let admin = bind(config.admin_listen).await?;
    let metrics = Metrics::new(service.service())?;
    version::show(&metrics);
    let readiness = Readiness::new();
    let admin_listen = Some(admin.local_addr()?);
    let admin = tokio::spawn(admin::serve_admin(admin, metrics.clone(), readiness.clone(), admin_stop));
    let parts = Parts { metrics, readiness, admin_listen, stop, mutants: Mutants::default() };
    let running = Box::pin(start(service, config, materials, listeners, parts)).await?;
    Ok((running, admin))
}
