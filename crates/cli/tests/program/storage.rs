//! Resources in an S3-compatible store: the real client of the program against a bucket on the loopback.

use reqwest::{Method, RequestBuilder};
use stoa_testkit::databases::{self, TestDb};

use crate::{
    bucket::{Bucket, KEY, SECRET},
    site::{Program, Site, client},
};

fn ask(program: &Program, method: Method, path: &str) -> RequestBuilder {
    client().request(method, program.url(path)).bearer_auth(&program.token)
}

/// An installation whose resources lie at this place of the bucket.
async fn site(db: &TestDb, bucket: &Bucket, place: &str) -> Site {
    let variables = [
        ("STOA_STORAGE", place),
        ("AWS_ENDPOINT", &bucket.endpoint),
        ("AWS_ALLOW_HTTP", "true"),
        ("AWS_REGION", "eu-example-1"),
        ("AWS_ACCESS_KEY_ID", KEY),
        ("AWS_SECRET_ACCESS_KEY", SECRET),
    ];
    Site::with(db, &variables).await
}

/// Bytes that differ everywhere, so that parts in the wrong order show.
fn bytes(size: u32) -> Vec<u8> {
    (0..size / 4).flat_map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes()).collect()
}

#[test]
fn resources_lie_in_a_bucket_small_ones_and_those_of_many_parts() {
    databases::run(async {
        let bucket = Bucket::start("stoa-resources").await;
        let db = databases::sqlite().await;
        let site = site(&db, &bucket, "s3://stoa-resources/works").await;
        let program = site.serve().await;
        let resources = program.project().await;
        let (small, large) = (format!("{resources}/small.csv"), format!("{resources}/large.bin"));

        assert_eq!(ask(&program, Method::PUT, &small).body("a,b\n1,2\n").send().await.unwrap().status(), 201);
        let content = bytes(13 * 1024 * 1024);
        assert_eq!(ask(&program, Method::PUT, &large).body(content.clone()).send().await.unwrap().status(), 201);
        assert!(bucket.parts() >= 3, "a large resource goes in parts");
        assert!(bucket.keys().iter().all(|key| key.starts_with("works/")), "{:?}", bucket.keys());
        assert_eq!(bucket.keys().len(), 2);
        assert!(!site.folder().join("data/blobs").exists(), "nothing lies in the data folder");

        let read = ask(&program, Method::GET, &large).send().await.unwrap();
        assert_eq!(read.bytes().await.unwrap(), content);
        let part = ask(&program, Method::GET, &large).header("range", "bytes=6000000-6000099").send().await.unwrap();
        assert_eq!(part.status(), 206);
        assert_eq!(part.bytes().await.unwrap(), content[6_000_000..6_000_100]);

        assert_eq!(ask(&program, Method::PUT, &small).body("a,b\n3,4\n").send().await.unwrap().status(), 200);
        assert_eq!(ask(&program, Method::GET, &small).send().await.unwrap().text().await.unwrap(), "a,b\n3,4\n");
        assert_eq!(ask(&program, Method::DELETE, &large).send().await.unwrap().status(), 204);
        assert_eq!(ask(&program, Method::GET, &large).send().await.unwrap().status(), 404);
        program.signal("TERM").await;
        assert!(program.ended().await.success());
    });
}

#[test]
fn a_bucket_that_refuses_is_told_and_leaves_nothing_half_done() {
    databases::run(async {
        let bucket = Bucket::start("stoa-resources").await;
        let db = databases::sqlite().await;
        let site = site(&db, &bucket, "s3://another-bucket").await;
        let program = site.serve().await;
        let resources = program.project().await;
        let refused = ask(&program, Method::PUT, &format!("{resources}/small.csv")).body("a,b\n").send().await.unwrap();
        assert_eq!(refused.status(), 503);
        assert_eq!(refused.json::<serde_json::Value>().await.unwrap()["code"], "unavailable");
        assert_eq!(ask(&program, Method::GET, &format!("{resources}/small.csv")).send().await.unwrap().status(), 404);
    });
}
