//! `stoa serve`

use std::{future::Future, net::SocketAddr, process::ExitCode, time::Duration};

use stoa_actions::{Stoa, jobs};
use stoa_domain::looks::Looks;
use stoa_server::{App, mail};
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;

use super::{Failure, Outcome, failure::print, install};
use crate::config::Config;

/// How long requests under way may take after the order to stop.
const GRACE: Duration = Duration::from_secs(25);

/// Serves until told to stop.
pub async fn run(config: &Config) -> Outcome {
    let stoa = install::stoa(config).await?;
    let listener = bind(config.listen).await?;
    print(&format!("Stoa listens on http://{}", listener.local_addr().map_err(Failure::new)?))?;
    serve(install::app(config, stoa), listener, told_to_stop()).await
}

/// Takes the address.
///
/// # Errors
/// [`Failure`] that names the address.
pub async fn bind(listen: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(listen).await.map_err(|error| Failure::because(&format!("can't listen on {listen}"), &error))
}

/// Serves until `stop` is over, then lets running requests end, and closes the database.
///
/// # Errors
/// [`Failure`].
pub async fn serve(app: App, listener: TcpListener, stop: impl Future<Output = ()> + Send + 'static) -> Outcome {
    let stopping = CancellationToken::new();
    let mut background = JoinSet::new();
    let stoa = app.stoa.clone();
    start_background(&mut background, &stoa, &stopping);
    background.spawn(send_mail(app.clone(), stopping.clone()));
    let router = stoa_server::router(app);
    // What the start needed and nobody needs any more, such as the API's document, goes back to the system when this thread
    // ends, which it does as soon as it was idle for a while.
    drop(tokio::task::spawn_blocking(|| ()));
    let stopped = stopping.clone();
    let shutdown = async move {
        stop.await;
        tracing::info!("stopping; requests under way may end");
        stopped.cancel();
    };
    let server = stoa_server::serve(listener, router, shutdown);
    let late = async {
        stopping.cancelled().await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        served = server => served.map_err(Failure::new)?,
        () = late => tracing::warn!("some requests did not end in time and were cut off"),
    }
    stopping.cancel();
    while background.join_next().await.is_some() {}
    stoa.db.close().await?;
    tracing::info!("stopped");
    Ok(ExitCode::SUCCESS)
}

/// How often the jobs run.
const JOBS: Duration = Duration::from_secs(60);

/// Starts what runs beside the requests: the access index follows the log, and the jobs clean up.
fn start_background(background: &mut JoinSet<()>, stoa: &Stoa, stopping: &CancellationToken) {
    let (access, clock, stop) = (stoa.access.clone(), stoa.clock.clone(), stopping.clone());
    background.spawn(async move {
        access.follow(|| clock.now(), stop.cancelled()).await;
    });
    let (stoa, stop) = (stoa.clone(), stopping.clone());
    background.spawn(async move {
        let mut ticks = tokio::time::interval(JOBS);
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                _ = ticks.tick() => {}
            }
            if let Err(error) = jobs::tick(&stoa, stoa.clock.now()).await {
                tracing::warn!(%error, "a job failed; it runs again in a minute");
            }
        }
    });
}

/// How long a mail under way may take after the order to stop.
const LAST_MAIL: Duration = Duration::from_secs(10);

/// Writes the mails that the logs call for, and sends what is due, until told to stop.
async fn send_mail(app: App, stop: CancellationToken) {
    let mut looks = Looks::default();
    let mut ticks = tokio::time::interval(mail::EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut failing = false;
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            _ = ticks.tick() => {}
        }
        let round = async {
            mail::write(&app.stoa, &mut looks).await?;
            if let Some(mailer) = &app.mailer {
                mailer.deliver(&app.stoa, || !stop.is_cancelled()).await?;
            }
            Ok::<_, stoa_actions::Error>(())
        };
        // A mail under way may end, so that it is not sent again; if that takes too long, its lease leads the next process to it.
        let late = async {
            stop.cancelled().await;
            tokio::time::sleep(LAST_MAIL).await;
        };
        let outcome = tokio::select! {
            () = late => break,
            outcome = round => outcome,
        };
        match outcome {
            Ok(()) => failing = false,
            Err(error) if failing => tracing::debug!(%error, "mails are still not written or sent"),
            Err(error) => {
                failing = true;
                tracing::warn!(%error, "mails are not written or sent; tried again in a moment");
            }
        }
    }
}

/// Over when the process is told to stop: SIGINT or SIGTERM.
pub async fn told_to_stop() {
    let terminate = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(error) => {
                tracing::warn!(%error, "SIGTERM can't be heard");
                std::future::pending::<()>().await;
            }
        }
    };
    tokio::select! {
        heard = tokio::signal::ctrl_c() => {
            if let Err(error) = heard {
                tracing::warn!(%error, "SIGINT can't be heard");
            }
        }
        () = terminate => {}
    }
}
