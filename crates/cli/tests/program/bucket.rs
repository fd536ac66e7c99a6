//! A bucket on the loopback that speaks as much of the S3 protocol as Stoa uses, and refuses whatever is not signed with
//! its key (AWS Signature Version 4).

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicUsize, Ordering},
    },
};

use aws_lc_rs::{digest, hmac};
use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, Method, Response, StatusCode, Uri, header, request::Parts},
};

pub const KEY: &str = "AKIAEXAMPLE";
pub const SECRET: &str = "a secret of the example";

/// More than any part.
const LARGEST: usize = 64 * 1024 * 1024;

#[derive(Default)]
struct Held {
    objects: BTreeMap<String, Vec<u8>>,
    uploads: HashMap<String, BTreeMap<u32, Vec<u8>>>,
}

struct Inside {
    name: String,
    held: Mutex<Held>,
    parts: AtomicUsize,
}

/// The bucket; it listens as long as the runtime lives.
pub struct Bucket {
    pub endpoint: String,
    inside: Arc<Inside>,
}

impl Bucket {
    pub async fn start(name: &str) -> Self {
        let inside = Arc::new(Inside { name: name.to_owned(), held: Mutex::default(), parts: AtomicUsize::new(0) });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer).with_state(Arc::clone(&inside));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { endpoint, inside }
    }

    /// The keys of all objects.
    pub fn keys(&self) -> Vec<String> {
        self.inside.held().objects.keys().cloned().collect()
    }

    /// How many parts of uploads were taken.
    pub fn parts(&self) -> usize {
        self.inside.parts.load(Ordering::SeqCst)
    }
}

impl Inside {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap()
    }
}

async fn answer(State(bucket): State<Arc<Inside>>, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, LARGEST).await.unwrap().to_vec();
    if !is_signed(&parts, &body) {
        return fault(StatusCode::FORBIDDEN, "SignatureDoesNotMatch");
    }
    let path = parts.uri.path().trim_start_matches('/');
    let (name, key) = path.split_once('/').unwrap_or((path, ""));
    if name != bucket.name {
        return fault(StatusCode::NOT_FOUND, "NoSuchBucket");
    }
    let query = query(&parts.uri);
    match (parts.method.as_str(), query.get("uploadId")) {
        ("POST", _) if query.contains_key("delete") => delete_many(&bucket, &body),
        ("POST", None) if query.contains_key("uploads") => begin(&bucket, key),
        ("PUT", Some(upload)) => part(&bucket, upload, &query, body),
        ("POST", Some(upload)) => complete(&bucket, upload, key),
        ("DELETE", Some(upload)) => {
            bucket.held().uploads.remove(upload);
            plain(StatusCode::NO_CONTENT)
        }
        ("PUT", None) => {
            let tag = etag(&body);
            bucket.held().objects.insert(key.to_owned(), body);
            Response::builder().header(header::ETAG, tag).body(Body::empty()).unwrap()
        }
        ("GET" | "HEAD", None) => read(&bucket, key, &parts.method, &parts.headers),
        ("DELETE", None) => {
            bucket.held().objects.remove(key);
            plain(StatusCode::NO_CONTENT)
        }
        _ => fault(StatusCode::NOT_IMPLEMENTED, "NotImplemented"),
    }
}

fn plain(status: StatusCode) -> Response<Body> {
    Response::builder().status(status).body(Body::empty()).unwrap()
}

fn xml(text: String) -> Response<Body> {
    Response::builder().header(header::CONTENT_TYPE, "application/xml").body(Body::from(text)).unwrap()
}

fn fault(status: StatusCode, code: &str) -> Response<Body> {
    let text = format!("<Error><Code>{code}</Code><Message>{code}</Message></Error>");
    Response::builder().status(status).body(Body::from(text)).unwrap()
}

fn etag(bytes: &[u8]) -> String {
    format!("\"{}\"", &hex(digest::digest(&digest::SHA256, bytes).as_ref())[..32])
}

fn query(uri: &Uri) -> BTreeMap<String, String> {
    let pairs = uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
    pairs.map(|pair| pair.split_once('=').unwrap_or((pair, ""))).map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn begin(bucket: &Inside, key: &str) -> Response<Body> {
    let mut held = bucket.held();
    let upload = format!("upload-{}", held.uploads.len());
    held.uploads.insert(upload.clone(), BTreeMap::new());
    let name = &bucket.name;
    xml(format!(
        "<InitiateMultipartUploadResult><Bucket>{name}</Bucket><Key>{key}</Key><UploadId>{upload}</UploadId></InitiateMultipartUploadResult>"
    ))
}

fn part(bucket: &Inside, upload: &str, query: &BTreeMap<String, String>, body: Vec<u8>) -> Response<Body> {
    let number = query.get("partNumber").and_then(|number| number.parse().ok());
    let tag = etag(&body);
    let mut held = bucket.held();
    let (Some(parts), Some(number)) = (held.uploads.get_mut(upload), number) else { return fault(StatusCode::NOT_FOUND, "NoSuchUpload") };
    parts.insert(number, body);
    bucket.parts.fetch_add(1, Ordering::SeqCst);
    Response::builder().header(header::ETAG, tag).body(Body::empty()).unwrap()
}

fn complete(bucket: &Inside, upload: &str, key: &str) -> Response<Body> {
    let mut held = bucket.held();
    let Some(parts) = held.uploads.remove(upload) else { return fault(StatusCode::NOT_FOUND, "NoSuchUpload") };
    let whole: Vec<u8> = parts.into_values().flatten().collect();
    let tag = etag(&whole);
    held.objects.insert(key.to_owned(), whole);
    let name = &bucket.name;
    xml(format!("<CompleteMultipartUploadResult><Bucket>{name}</Bucket><Key>{key}</Key><ETag>{tag}</ETag></CompleteMultipartUploadResult>"))
}

fn read(bucket: &Inside, key: &str, method: &Method, headers: &HeaderMap) -> Response<Body> {
    let held = bucket.held();
    let Some(whole) = held.objects.get(key) else { return fault(StatusCode::NOT_FOUND, "NoSuchKey") };
    let answer = Response::builder().header(header::ETAG, etag(whole)).header(header::LAST_MODIFIED, "Sun, 01 Nov 2026 00:00:00 GMT");
    let range = headers.get(header::RANGE).and_then(|range| range.to_str().ok()?.strip_prefix("bytes=")?.split_once('-'));
    let range = range.map(|(first, last)| (first.parse::<usize>().unwrap(), last.parse::<usize>().unwrap_or(whole.len() - 1)));
    let (status, bytes, answer) = match range {
        None => (StatusCode::OK, whole.clone(), answer),
        Some((first, last)) => {
            let last = last.min(whole.len() - 1);
            let of = format!("bytes {first}-{last}/{}", whole.len());
            (StatusCode::PARTIAL_CONTENT, whole[first..=last].to_vec(), answer.header(header::CONTENT_RANGE, of))
        }
    };
    let answer = answer.status(status).header(header::CONTENT_LENGTH, bytes.len());
    answer.body(if method == Method::HEAD { Body::empty() } else { Body::from(bytes) }).unwrap()
}

fn delete_many(bucket: &Inside, body: &[u8]) -> Response<Body> {
    let text = String::from_utf8_lossy(body);
    let keys = text.split("<Key>").skip(1).filter_map(|rest| rest.split_once("</Key>")).map(|(key, _)| key);
    let mut held = bucket.held();
    let mut deleted = String::new();
    for key in keys {
        held.objects.remove(key);
        deleted.push_str(&format!("<Deleted><Key>{key}</Key></Deleted>"));
    }
    xml(format!("<DeleteResult>{deleted}</DeleteResult>"))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether the request is signed as Signature Version 4 says, with [`KEY`] and [`SECRET`], and its body is the signed one.
fn is_signed(parts: &Parts, body: &[u8]) -> bool {
    let text = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let Some(fields) = text("authorization").strip_prefix("AWS4-HMAC-SHA256 ") else { return false };
    let field = |name: &str| fields.split(',').find_map(|field| field.trim().strip_prefix(name)?.strip_prefix('=')).unwrap_or_default();
    let Some(scope) = field("Credential").strip_prefix(KEY).and_then(|rest| rest.strip_prefix('/')) else { return false };
    let payload = text("x-amz-content-sha256");
    if payload != "UNSIGNED-PAYLOAD" && payload != hex(digest::digest(&digest::SHA256, body).as_ref()) {
        return false;
    }
    let mut query: Vec<String> =
        parts.uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty()).map(str::to_owned).collect();
    query.iter_mut().filter(|pair| !pair.contains('=')).for_each(|pair| pair.push('='));
    query.sort();
    let signed = field("SignedHeaders");
    let headers: String = signed.split(';').map(|name| format!("{name}:{}\n", text(name).trim())).collect();
    let canonical = format!("{}\n{}\n{}\n{headers}\n{signed}\n{payload}", parts.method, parts.uri.path(), query.join("&"));
    let hashed = hex(digest::digest(&digest::SHA256, canonical.as_bytes()).as_ref());
    let to_sign = format!("AWS4-HMAC-SHA256\n{}\n{scope}\n{hashed}", text("x-amz-date"));
    let mac = |key: &[u8], text: &str| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec();
    let key = scope.split('/').fold(format!("AWS4{SECRET}").into_bytes(), |key, step| mac(&key, step));
    field("Signature") == hex(&mac(&key, &to_sign))
}
