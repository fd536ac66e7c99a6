//! `stoa serve`

use std::{future::Future, net::SocketAddr, process::ExitCode, time::Duration};

use stoa_actions::{Stoa, jobs};
use stoa_server::App;
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
    serve(stoa, listener, told_to_stop()).await
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
pub async fn serve(stoa: Stoa, listener: TcpListener, stop: impl Future<Output = ()> + Send + 'static) -> Outcome {
    let stopping = CancellationToken::new();
    let mut background = JoinSet::new();
    start_background(&mut background, &stoa, &stopping);
    let router = stoa_server::router(App::new(stoa.clone()));
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
