//! A control server that says what a test tells it to, and the command that speaks to it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};
use std::thread::{JoinHandle, spawn};

/// An answer: status and body.
pub(crate) type Answer = (u16, &'static str);

/// A server that gives its answers one after the other and is then gone.
pub(crate) struct Server {
    pub(crate) address: String,
    heard: Arc<Mutex<Vec<String>>>,
    thread: JoinHandle<()>,
}

impl Server {
    pub(crate) fn start(answers: impl IntoIterator<Item = Answer>) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let heard = Arc::<Mutex<Vec<String>>>::default();
        let answers: Vec<Answer> = answers.into_iter().collect();
        let notes = Arc::clone(&heard);
        let thread = spawn(move || {
            for answer in answers {
                let (stream, _) = listener.accept().unwrap();
                notes.lock().unwrap().push(exchange(stream, answer));
            }
        });
        Server { address, heard, thread }
    }

    /// Runs the command against it.
    pub(crate) fn run(&self, line: &str) -> Output {
        command(&format!("{line} --address {}", self.address))
    }

    /// What it was asked, once it has given all its answers: `METHOD PATH BODY`.
    pub(crate) fn heard(self) -> Vec<String> {
        self.thread.join().unwrap();
        Arc::try_unwrap(self.heard).unwrap().into_inner().unwrap()
    }
}

fn exchange(stream: TcpStream, (status, body): Answer) -> String {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    let asked = line.rsplit_once(' ').unwrap().0.to_owned();
    let mut length = 0;
    loop {
        line.clear();
        reader.read_line(&mut line).unwrap();
        if line.trim().is_empty() {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut sent = vec![0; length];
    reader.read_exact(&mut sent).unwrap();
    let length = body.len();
    let head = format!("HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n");
    let mut stream = reader.into_inner();
    stream.write_all((head + body).as_bytes()).unwrap();
    format!("{asked} {}", String::from_utf8(sent).unwrap()).trim_end().to_owned()
}

/// Runs the command with these arguments.
pub(crate) fn command(line: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_millpond"))
        .args(line.split_whitespace())
        .env_remove("MILLPOND_ADDRESS")
        .env("http_proxy", "http://127.0.0.1:9")
        .output()
        .unwrap()
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}
