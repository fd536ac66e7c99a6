//! A mail server on loopback that keeps what it is given, or refuses it.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use smtp_proto::{
    AUTH_LOGIN, AUTH_PLAIN, EXT_8BIT_MIME, EXT_AUTH, EhloResponse, Request, Response,
    request::receiver::{DataReceiver, RequestReceiver},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// What a server does with mails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Manner {
    /// Takes each mail.
    Takes,
    /// Takes mails of whoever shows this user name and password.
    Asks {
        /// The user name.
        user: String,
        /// The password.
        password: String,
    },
    /// Says of each recipient what it says of `reply`, such as `451` or `550`.
    Refuses {
        /// The reply.
        reply: u16,
    },
}

/// A mail as the server got it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Received {
    /// The address of the envelope it came from.
    pub from: String,
    /// The addresses of the envelope it goes to.
    pub to: Vec<String>,
    /// Its headers, names in lower case.
    pub headers: BTreeMap<String, String>,
    /// Its body as plain text.
    pub text: String,
    /// Its body as HTML.
    pub html: String,
}

struct Shared {
    manner: Mutex<Manner>,
    received: Mutex<Vec<Received>>,
}

/// A mail server on loopback.
pub struct Mailbox {
    address: SocketAddr,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

fn held<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Mailbox {
    /// Starts a server.
    pub async fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared { manner: Mutex::new(manner), received: Mutex::default() });
        let serving = Arc::clone(&shared);
        let server = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(Conversation::new(Arc::clone(&serving)).hold(stream));
            }
        });
        Self { address, shared, server }
    }

    /// Its address for the configuration; `who` is `user:password@`, or empty.
    pub fn url(&self, who: &str) -> String {
        format!("smtp://{who}{}", self.address)
    }

    /// From now on it does otherwise.
    pub fn change(&self, manner: Manner) {
        *held(&self.shared.manner) = manner;
    }

    /// Takes out what has arrived.
    pub fn take(&self) -> Vec<Received> {
        std::mem::take(&mut *held(&self.shared.received))
    }
}

impl Drop for Mailbox {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// What comes next over the connection.
enum Step {
    Command,
    Data,
    Login(Option<String>),
}

struct Conversation {
    shared: Arc<Shared>,
    step: Step,
    known: bool,
    mail: Received,
    body: Vec<u8>,
    commands: RequestReceiver,
    data: DataReceiver,
}

impl Conversation {
    fn new(shared: Arc<Shared>) -> Self {
        let (commands, data) = (RequestReceiver::default(), DataReceiver::new());
        Self { shared, step: Step::Command, known: false, mail: Received::default(), body: Vec::new(), commands, data }
    }

    async fn hold(mut self, mut stream: TcpStream) {
        if stream.write_all(b"220 mailbox.example ready\r\n").await.is_err() {
            return;
        }
        let mut bytes = vec![0; 8_192];
        while let Ok(count @ 1..) = stream.read(&mut bytes).await {
            let mut rest = bytes[..count].iter();
            while !rest.as_slice().is_empty() {
                let Some(reply) = self.hear(&mut rest) else { continue };
                let bye = reply.starts_with(b"221");
                if stream.write_all(&reply).await.is_err() || bye {
                    return;
                }
            }
        }
    }

    /// Takes the next piece of what was said; answers what to reply, if it was whole.
    fn hear(&mut self, bytes: &mut std::slice::Iter<'_, u8>) -> Option<Vec<u8>> {
        match std::mem::replace(&mut self.step, Step::Command) {
            Step::Command => {
                let request = match self.commands.ingest(bytes) {
                    Ok(request) => request.into_owned(),
                    Err(smtp_proto::Error::NeedsMoreData { .. }) => return None,
                    Err(_) => return Some(reply(500, "that was not understood")),
                };
                Some(self.answer(request))
            }
            Step::Data => {
                if !self.data.ingest(bytes, &mut self.body) {
                    self.step = Step::Data;
                    return None;
                }
                let mut mail = std::mem::take(&mut self.mail);
                read_message(&mut mail, &String::from_utf8_lossy(&self.body));
                held(&self.shared.received).push(mail);
                Some(reply(250, "taken"))
            }
            Step::Login(name) => {
                let line: Vec<u8> = bytes.by_ref().take_while(|byte| **byte != b'\n').copied().collect();
                let said = String::from_utf8(STANDARD.decode(line.trim_ascii()).unwrap_or_default()).unwrap_or_default();
                match name {
                    None => {
                        self.step = Step::Login(Some(said));
                        Some(b"334 UGFzc3dvcmQ6\r\n".to_vec())
                    }
                    Some(name) => Some(self.know(&name, &said)),
                }
            }
        }
    }

    fn answer(&mut self, request: Request<String>) -> Vec<u8> {
        let manner = held(&self.shared.manner).clone();
        match request {
            Request::Ehlo { .. } => {
                let mut hello = EhloResponse::new("mailbox.example".to_owned());
                hello.capabilities = EXT_8BIT_MIME;
                if matches!(manner, Manner::Asks { .. }) {
                    hello.capabilities |= EXT_AUTH;
                    hello.auth_mechanisms = AUTH_PLAIN | AUTH_LOGIN;
                }
                let mut text = Vec::new();
                hello.write(&mut text).expect("a vector takes everything");
                text
            }
            Request::Auth { mechanism: AUTH_PLAIN, initial_response } => {
                let said = STANDARD.decode(initial_response).unwrap_or_default();
                let mut parts = said.split(|byte| *byte == 0).skip(1).map(|part| String::from_utf8_lossy(part).into_owned());
                let (name, password) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
                self.know(&name, &password)
            }
            Request::Auth { .. } => {
                self.step = Step::Login(None);
                b"334 VXNlcm5hbWU6\r\n".to_vec()
            }
            Request::Mail { from } if matches!(manner, Manner::Asks { .. }) && !self.known => {
                reply(530, &format!("who is {}?", from.address))
            }
            Request::Mail { from } => {
                self.mail = Received { from: from.address, ..Received::default() };
                reply(250, "go on")
            }
            Request::Rcpt { to } => match manner {
                Manner::Refuses { reply: code } => reply(code, "not now, not here"),
                Manner::Takes | Manner::Asks { .. } => {
                    self.mail.to.push(to.address);
                    reply(250, "go on")
                }
            },
            Request::Data => {
                self.step = Step::Data;
                self.body.clear();
                self.data = DataReceiver::new();
                reply(354, "go on")
            }
            Request::Quit => reply(221, "bye"),
            _ => reply(250, "fine"),
        }
    }

    fn know(&mut self, name: &str, word: &str) -> Vec<u8> {
        self.known = matches!(&*held(&self.shared.manner), Manner::Asks { user, password } if user == name && password == word);
        if self.known { reply(235, "welcome") } else { reply(535, "these credentials are not known") }
    }
}

fn reply(code: u16, text: &str) -> Vec<u8> {
    let mut said = Vec::new();
    Response { code, esc: [0, 0, 0], message: text.to_owned() }.write(&mut said).expect("a vector takes everything");
    said
}

/// Reads headers and the two bodies of a multipart message.
fn read_message(mail: &mut Received, message: &str) {
    let (head, body) = message.split_once("\r\n\r\n").unwrap_or((message, ""));
    mail.headers = headers(head);
    let kind = mail.headers.get("content-type").cloned().unwrap_or_default();
    let Some(boundary) = kind.split("boundary=\"").nth(1).and_then(|rest| rest.split('"').next()) else {
        body.clone_into(&mut mail.text);
        return;
    };
    for part in body.split(&format!("--{boundary}")) {
        let Some((head, body)) = part.trim_start_matches("\r\n").split_once("\r\n\r\n") else { continue };
        let headers = headers(head);
        let text = decode(headers.get("content-transfer-encoding").map_or("7bit", String::as_str), body.trim_end_matches("\r\n"));
        match headers.get("content-type").map_or("", String::as_str).split(';').next() {
            Some("text/plain") => mail.text = text,
            Some("text/html") => mail.html = text,
            _ => {}
        }
    }
}

fn headers(head: &str) -> BTreeMap<String, String> {
    let unfolded = head.replace("\r\n ", " ").replace("\r\n\t", " ");
    let pairs = unfolded.lines().filter_map(|line| line.split_once(':'));
    pairs.map(|(name, value)| (name.trim().to_lowercase(), words(value.trim()))).collect()
}

/// Undoes the encoded words of RFC 2047, of which lettre writes only those in base64.
fn words(value: &str) -> String {
    let mut read = String::new();
    let mut rest = value;
    while let Some((before, after)) = rest.split_once("=?utf-8?b?") {
        let Some((encoded, following)) = after.split_once("?=") else { break };
        read.push_str(if read.is_empty() { before } else { before.trim() });
        read.push_str(&String::from_utf8_lossy(&STANDARD.decode(encoded).unwrap_or_default()));
        rest = following;
    }
    read + rest
}

fn decode(encoding: &str, body: &str) -> String {
    match encoding {
        "base64" => String::from_utf8_lossy(&STANDARD.decode(body.replace("\r\n", "")).unwrap_or_default()).into_owned(),
        "quoted-printable" => {
            let joined = body.replace("=\r\n", "");
            let mut bytes = Vec::new();
            let mut parts = joined.split('=');
            bytes.extend_from_slice(parts.next().unwrap_or_default().as_bytes());
            for part in parts {
                let (code, rest) = part.split_at(part.len().min(2));
                bytes.extend(u8::from_str_radix(code, 16));
                bytes.extend_from_slice(rest.as_bytes());
            }
            String::from_utf8_lossy(&bytes).into_owned()
        }
        _ => body.to_owned(),
    }
}
