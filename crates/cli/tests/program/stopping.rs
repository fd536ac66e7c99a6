//! Stopping under load: what was acknowledged is there afterwards, and what was under way is answered.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde_json::json;
use stoa_store::blobs;
use stoa_testkit::databases::{self, TestDb};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinSet,
};

use crate::site::{Program, Site, client};

/// Connections that create organizations, each as fast as it is answered.
const CONNECTIONS: usize = 8;

/// How many organizations must have been acknowledged before the program is told to stop.
const BEFORE: usize = 40;

/// Connections that create organizations until the program answers no more; each gives the handles acknowledged to it.
struct Load {
    tasks: JoinSet<Vec<String>>,
    acknowledged: Arc<AtomicUsize>,
}

impl Load {
    fn start(program: &Program) -> Self {
        let acknowledged = Arc::new(AtomicUsize::new(0));
        let mut tasks = JoinSet::new();
        for connection in 0..CONNECTIONS {
            let (url, token) = (program.url("/api/v1/organizations"), program.token.clone());
            let acknowledged = Arc::clone(&acknowledged);
            tasks.spawn(async move {
                let client = client();
                let mut handles = Vec::new();
                loop {
                    let handle = format!("load-{connection}-{}", handles.len());
                    let body = json!({"name": handle, "handle": handle});
                    // No answer at all: the program has stopped. An answer that is not complete is none either.
                    let Ok(response) = client.post(&url).bearer_auth(&token).json(&body).send().await else { return handles };
                    let status = response.status();
                    if response.bytes().await.is_err() {
                        return handles;
                    }
                    assert_eq!(status, 201, "an answer under load");
                    handles.push(handle);
                    acknowledged.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        Self { tasks, acknowledged }
    }

    async fn under_way(&self) {
        while self.acknowledged.load(Ordering::SeqCst) < BEFORE {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    async fn acknowledged(self) -> Vec<String> {
        self.tasks.join_all().await.concat()
    }
}

async fn all_there(site: &Site, acknowledged: &[String]) -> Program {
    let program = site.serve().await;
    let kept = program.organizations().await;
    let lost: Vec<_> = acknowledged.iter().filter(|handle| !kept.contains(handle)).collect();
    assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
    assert!(acknowledged.len() >= BEFORE);
    assert!(site.run(&["doctor"]).await.contains("nothing is wrong"));
    program
}

async fn told_to_stop(db: TestDb) {
    let site = Site::new(&db).await;
    let program = site.serve().await;
    let resources = program.project().await;
    let half = vec![b'x'; 100_000];
    let mut upload = TcpStream::connect(&program.address).await.unwrap();
    let head = format!(
        "PUT {resources}/slow.bin HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\ncontent-type: application/octet-stream\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n",
        program.address,
        program.token,
        half.len() * 2,
    );
    upload.write_all(head.as_bytes()).await.unwrap();
    upload.write_all(&half).await.unwrap();
    // An upload is noted before it begins: from here on the request is under way.
    while blobs::count_abandoned(&mut db.db.read().await.unwrap()).await.unwrap() == 0 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let load = Load::start(&program);
    load.under_way().await;
    program.signal("TERM").await;
    let acknowledged = load.acknowledged().await;
    upload.write_all(&half).await.unwrap();
    let mut answer = String::new();
    upload.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 201"), "the upload under way was answered with: {answer}");
    assert!(program.ended().await.success());

    let program = all_there(&site, &acknowledged).await;
    let read = client().get(program.url(&format!("{resources}/slow.bin"))).bearer_auth(&program.token).send().await.unwrap();
    assert_eq!(read.bytes().await.unwrap().len(), half.len() * 2);
    program.signal("TERM").await;
    assert!(program.ended().await.success());
}

async fn killed(db: TestDb) {
    let site = Site::new(&db).await;
    let program = site.serve().await;
    let load = Load::start(&program);
    load.under_way().await;
    program.signal("KILL").await;
    let acknowledged = load.acknowledged().await;
    assert!(!program.ended().await.success());
    all_there(&site, &acknowledged).await;
}

#[test]
fn told_to_stop_under_load_it_answers_what_is_under_way_and_keeps_what_it_acknowledged_sqlite() {
    databases::run(async { told_to_stop(databases::sqlite().await).await });
}

#[test]
fn told_to_stop_under_load_it_answers_what_is_under_way_and_keeps_what_it_acknowledged_postgres() {
    databases::run(async { told_to_stop(databases::postgres().await).await });
}

#[test]
fn killed_under_load_it_keeps_what_it_acknowledged_sqlite() {
    databases::run(async { killed(databases::sqlite().await).await });
}

#[test]
fn killed_under_load_it_keeps_what_it_acknowledged_postgres() {
    databases::run(async { killed(databases::postgres().await).await });
}
