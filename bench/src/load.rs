//! The load: a number of connections that are kept open, each of which asks again as soon as it was answered.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Request, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, task::JoinSet};

use crate::{Failure, machine};

/// A request of the load.
pub type Asked = Request<Full<Bytes>>;
/// Makes the request of a number; none when there is nothing left to ask.
pub type Make = Arc<dyn Fn(u64) -> Option<Asked> + Send + Sync>;

/// What is asked of whom.
#[derive(Clone)]
pub struct Load {
    address: SocketAddr,
    pid: u32,
    connections: usize,
    statuses: &'static [u16],
    make: Make,
    next: Arc<AtomicU64>,
}

/// What one round measured.
#[derive(Debug, Clone, Copy)]
pub struct Round {
    /// Answers a second.
    pub rate: f64,
    /// CPU time an answer took in the process that gave it, in microseconds.
    pub cpu: f64,
}

impl Round {
    /// From counts and times in seconds.
    pub fn new(done: u64, seconds: f64, cpu: f64) -> Self {
        let done = f64::from(u32::try_from(done).unwrap_or(u32::MAX));
        Self { rate: done / seconds, cpu: cpu * 1e6 / done }
    }
}

impl Load {
    /// A load on a process that listens at `address`; any other status than these fails the measurement.
    pub fn new(address: SocketAddr, pid: u32, connections: usize, statuses: &'static [u16], make: Make) -> Self {
        Self { address, pid, connections, statuses, make, next: Arc::default() }
    }

    /// Asks for a while.
    ///
    /// # Errors
    /// [`Failure`] with the first unexpected answer, or when nothing was left to ask.
    pub async fn round(&self, lasts: Duration) -> Result<Round, Failure> {
        let mut senders = Vec::with_capacity(self.connections);
        for _ in 0..self.connections {
            let stream = TcpStream::connect(self.address).await?;
            stream.set_nodelay(true)?;
            let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
            tokio::spawn(connection);
            senders.push(sender);
        }
        let cpu = machine::cpu_seconds(self.pid)?;
        let began = machine::now();
        let mut tasks = JoinSet::new();
        for sender in senders {
            tasks.spawn(one_after_the_other(self.clone(), sender, began + lasts));
        }
        let mut done = 0;
        while let Some(finished) = tasks.join_next().await {
            done += finished.map_err(|error| Failure::new(format!("a connection of the load broke: {error}")))??;
        }
        let seconds = began.elapsed().as_secs_f64();
        if done == 0 {
            return Err(Failure::new("there was nothing left to ask: prepare more"));
        }
        Ok(Round::new(done, seconds, machine::cpu_seconds(self.pid)? - cpu))
    }
}

async fn one_after_the_other(load: Load, mut sender: http1::SendRequest<Full<Bytes>>, until: std::time::Instant) -> Result<u64, Failure> {
    let mut done = 0;
    // At least once, however late a busy machine gets to it.
    while done == 0 || machine::now() < until {
        let Some(request) = (load.make)(load.next.fetch_add(1, Ordering::Relaxed)) else { break };
        sender.ready().await?;
        let answer = sender.send_request(request).await?;
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await?.to_bytes();
        if !load.statuses.contains(&status) {
            return Err(Failure::new(format!("the load was answered {status}: {}", String::from_utf8_lossy(&body))));
        }
        done += 1;
    }
    Ok(done)
}

impl Load {
    /// Asks so many times, one after the other; how long each answer took.
    ///
    /// # Errors
    /// [`Failure`] with the first unexpected answer.
    pub async fn times(&self, count: usize) -> Result<Vec<Duration>, Failure> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        let mut times = Vec::with_capacity(count);
        for _ in 0..count {
            let Some(request) = (self.make)(self.next.fetch_add(1, Ordering::Relaxed)) else { break };
            sender.ready().await?;
            let began = machine::now();
            let answer = sender.send_request(request).await?;
            let status = answer.status().as_u16();
            let body = answer.into_body().collect().await?.to_bytes();
            times.push(began.elapsed());
            if !self.statuses.contains(&status) {
                return Err(Failure::new(format!("the load was answered {status}: {}", String::from_utf8_lossy(&body))));
            }
        }
        Ok(times)
    }
}

/// A `GET` that is the same each time.
pub fn get(address: SocketAddr, path: &str, header: (&'static str, String)) -> Make {
    let path = path.to_owned();
    Arc::new(move |_| {
        let request = Request::get(&path).header("host", address.to_string()).header(header.0, &header.1);
        request.body(Full::default()).ok()
    })
}
