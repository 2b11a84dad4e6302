//! `shouwen demo`: starts a private stack on simulated time, lets the driver play the month through it, verifies the ledgers, and says whether all
//! of it agrees.

use std::{
    fs, io,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    process::ExitCode,
};

use chrono::TimeDelta;
use shouwen_access::Principal;
use shouwen_calendar::CalendarData;
use shouwen_runtime::{
    shutdown,
    telemetry::{LogFormat, Telemetry, TelemetryConfig},
};
use sqlx::{Connection as _, Executor as _, PgConnection};
use tokio_util::sync::CancellationToken;

use crate::{
    CommandResult, audit,
    cli::{self, Mutant, ServiceName},
    demo::{self, Expected, Report, Stack},
    private_stack::{PrivateStack, StackOptions, key_folder},
    serve::{Mutants, ServeError},
};

pub(crate) async fn run(options: cli::Demo) -> CommandResult {
    let level = std::env::var("SHOUWEN_TELEMETRY__LEVEL").unwrap_or_else(|_| "error".to_owned());
    let telemetry = Telemetry::start(
        &TelemetryConfig { level, format: LogFormat::Auto, ..TelemetryConfig::default() },
        "demo",
    )?;
    let input = demo::read(&options.input)?;
    let output = options.output.clone();
    let data_dir = output.join("data");
    make_folder(&data_dir)?;
    let start = demo::first_instant(&input);
    let asked_to_stop = shutdown::on_signals()?;
    let stop = CancellationToken::new();
    let mut stack = PrivateStack::start(
        StackOptions {
            data_dir: data_dir.clone(),
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            simulate_from: Some(start),
            administrator: input.administrator(),
            mutants: mutants(options.mutant),
            rate: 0,
        },
        stop,
        |step| eprintln!("shouwen demo: {step} …"),
    )
    .await?;
    let admin_url = stack.admin_url();
    keep_simple(&admin_url).await?;
    let driver = demo::Options {
        output: Some(output.clone()),
        expected: options.expected.clone().map_or(Expected::Script, Expected::File),
        quiet: false,
        calendar: (options.mutant == Some(Mutant::HolidayCounted)).then(wrong_calendar).transpose()?,
    };
    let played = tokio::select! {
        () = asked_to_stop.cancelled() => Err("stopped before the month was over".into()),
        played = demo::run(input, driver_stack(&mut stack, start)?, &driver) => played.map_err(ServeError::from),
    };
    let mut report = match played {
        Ok(report) => report,
        Err(error) => {
            stack.stop().await?;
            return Err(error);
        }
    };
    verify(&admin_url, &data_dir, &mut report).await?;
    stack.stop().await?;
    remove_folder(&data_dir)?;
    report.write(&output)?;
    println!("{report}");
    println!("报告 · report: {}", output.join("report.{txt,json,csv}").display());
    telemetry.flush().await;
    Ok(if report.passed() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// Stands in the folder of a month's cluster from its beginning: only what a demo made does a demo remove.
const MARK: &str = "made-by-shouwen-demo";

/// Makes the folder of the month's cluster. That of a demo which did not come to its end is removed before, since time is simulated on empty
/// ledgers only; anything else in its place is not ours, unless there is nothing in it.
fn make_folder(folder: &Path) -> Result<(), String> {
    let failed = |error: io::Error| format!("{}: {error}", folder.display());
    if folder.symlink_metadata().is_ok() {
        if !folder.join(MARK).is_file() && !is_empty(folder) {
            return Err(format!(
                "{}: is there, and no demo made it; move it away, or give another --output",
                folder.display()
            ));
        }
        remove_folder(folder).map_err(failed)?;
    }
    fs::create_dir_all(folder).map_err(failed)?;
    fs::write(folder.join(MARK), "The next demo removes this folder.\n").map_err(failed)
}

/// Whether it is a folder in which nothing is: what a demo leaves that was killed before it set the mark, or after it removed that.
fn is_empty(folder: &Path) -> bool {
    !folder.is_symlink() && fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none())
}

/// Removes the folder of a month's cluster, the mark last: whatever is left where this is cut short is still known as a demo's.
fn remove_folder(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name() == MARK {
            continue;
        }
        if entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        } else {
            fs::remove_file(entry.path())?;
        }
    }
    fs::remove_dir_all(folder)
}

/// The cluster is small and is removed with the demo: nobody waits for its disk, plans anew what was planned before, or tells who does what.
async fn keep_simple(admin_url: &str) -> Result<(), ServeError> {
    let mut connection = PgConnection::connect(admin_url).await?;
    for statement in [
        "alter system set synchronous_commit = off",
        "alter system set plan_cache_mode = force_generic_plan",
        "alter system set track_activities = off",
        "alter system set update_process_title = off",
        "select pg_reload_conf()",
    ] {
        connection.execute(statement).await?;
    }
    connection.close().await?;
    Ok(())
}

fn mutants(mutant: Option<Mutant>) -> Mutants {
    let on = |which| mutant == Some(which);
    Mutants {
        ownership: shouwen_gateway::domain::Mutants {
            offers_never_expire: on(Mutant::OffersNeverExpire),
            second_first_responder: on(Mutant::SecondFirstResponder),
        },
        complaints: shouwen_complaints::Mutants {
            day_of_acceptance_not_counted: on(Mutant::DayOfAcceptanceNotCounted),
            dissatisfied_does_not_reopen: on(Mutant::DissatisfiedDoesNotReopen),
        },
    }
}

/// The built-in calendar in which the day after National Day 2025 works.
fn wrong_calendar() -> Result<String, ServeError> {
    let text = CalendarData::builtin().to_toml();
    let wrong = text.replace("\"2025-10-02\",", "");
    if wrong == text {
        return Err("the built-in calendar does not name 2025-10-02 as expected".into());
    }
    let data = CalendarData::parse(&wrong)?;
    // Another content needs another name.
    Ok(wrong.replacen(data.version(), "mutant-2025", 1))
}

/// The stack as the driver sees it: an address and tokens.
fn driver_stack(stack: &mut PrivateStack, start: chrono::DateTime<chrono::Utc>) -> Result<Stack, ServeError> {
    let issuer = stack.take_issuer().ok_or("the issuer of tokens is in use")?;
    Ok(Stack {
        address: format!("http://{}", stack.address),
        start,
        token: Box::new(move |subject| {
            Principal::of_subject(subject)
                .map(|subject| crate::private_stack::sign(&issuer, &subject, TimeDelta::hours(12)))
                .unwrap_or_default()
        }),
    })
}

async fn verify(admin_url: &str, data_dir: &Path, report: &mut Report) -> Result<(), ServeError> {
    let key = key_folder(&data_dir.canonicalize()?)?.audit_key()?;
    for service in ServiceName::ALL.map(ServiceName::service) {
        let result = audit::verify_service(admin_url, service, &key).await?;
        let line = audit::line(service, &result);
        let outcome = if result.findings.is_empty() { Ok(line) } else { Err(line) };
        report.extra.push((format!("ledger {service}"), outcome));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_demo_removes_what_a_demo_made_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("output/data");
        make_folder(&folder).unwrap();
        fs::create_dir(folder.join("postgres")).unwrap();
        make_folder(&folder).unwrap();
        assert!(folder.join(MARK).is_file() && !folder.join("postgres").exists());
        // Killed before it set the mark, or after it removed that, it leaves nothing but the folder.
        fs::remove_file(folder.join(MARK)).unwrap();
        make_folder(&folder).unwrap();
        assert!(folder.join(MARK).is_file());
        fs::create_dir_all(folder.join("postgres/base")).unwrap();
        remove_folder(&folder).unwrap();
        assert!(!folder.exists());

        let place = |name: &str| dir.path().join(name);
        fs::create_dir_all(place("folder/precious")).unwrap();
        fs::write(place("file"), "precious").unwrap();
        std::os::unix::fs::symlink("/nowhere", place("link")).unwrap();
        for name in ["folder", "file", "link"] {
            let refused = make_folder(&place(name)).unwrap_err();
            assert!(refused.contains(name) && refused.contains("--output"), "{refused}");
            assert!(place(name).symlink_metadata().is_ok(), "{name} is gone");
        }
    }
}
