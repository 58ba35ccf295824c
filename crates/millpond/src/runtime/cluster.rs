//! How the processes of a job find each other, before timely takes over their connections.
//!
//! Each process listens at its place in the list of hosts. Process 0 leads: the others connect to it and say who they
//! are; once all have, it tells them which run this is and what to restore, and they connect among themselves. It is the
//! same for each attempt, so that all meet again after a failure.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use millpond_snapshot::manifest::Manifest;
use millpond_snapshot::{JobName, Sequence};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::job::options::Cluster;
use crate::job::plan::Plan;
use crate::source::SourcePosition;

/// How long processes wait for each other at the start.
pub(crate) const MEETING_TIMEOUT: Duration = Duration::from_secs(60);
const RETRY: Duration = Duration::from_millis(50);
/// How long a peer may take to say something that is due.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest message; a manifest may be large.
const MESSAGE_BYTES: u32 = 256 << 20;
/// What they say to each other is as one version lays it out.
const MAGIC: &str = concat!("millpond-cluster-1 ", env!("CARGO_PKG_VERSION"));

/// What a process says when it connects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Hello {
    magic: String,
    /// Two processes must run the same job, in the same form.
    fingerprint: String,
    /// And records are sent as bytes that do not say what they are.
    records: String,
    process: usize,
    processes: usize,
    workers: usize,
}

/// What process 0 answers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Answer {
    Welcome(Box<Welcome>),
    Refused(String),
}

/// Which run this is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Welcome {
    pub(crate) job: JobName,
    pub(crate) run: Sequence,
    /// As the entry of that number has it.
    pub(crate) id: String,
    pub(crate) past: Vec<(u64, u64)>,
    pub(crate) first_epoch: u64,
    pub(crate) restored: Option<Manifest>,
    /// For each operator of the plan, its place in that manifest.
    pub(crate) operators: Vec<Option<usize>>,
    pub(crate) positions: Vec<(usize, SourcePosition)>,
}

impl Hello {
    pub(crate) fn new(cluster: &Cluster, plan: &Plan, workers: usize) -> Self {
        let mut fingerprint = String::new();
        for operator in &plan.operators {
            // As JSON, whose parts have an order.
            let states: Vec<_> =
                operator.states.iter().map(|state| (&state.name, state.kind, &state.key, &state.value)).collect();
            let states = serde_json::to_string(&states).unwrap_or_default();
            fingerprint.push_str(&format!("{} {} {:?} {states};", operator.uid, operator.kind, operator.inputs));
        }
        let shapes: Vec<_> = plan.exchanged.iter().map(|shape| shape()).collect();
        let records = serde_json::to_string(&shapes).unwrap_or_default();
        let short = |text: String| millpond_snapshot::ChunkHash::of(text.as_bytes()).to_string();
        Hello {
            magic: MAGIC.to_owned(),
            fingerprint: short(fingerprint),
            records: short(records),
            process: cluster.process,
            processes: cluster.hosts.len(),
            workers,
        }
    }

    /// What is wrong with another process's hello, seen from this one.
    fn mismatch(&self, other: &Hello) -> Option<String> {
        if other.magic != self.magic {
            Some(format!(
                "it speaks '{}', and process {} '{}': give all the same build of the program",
                other.magic, self.process, self.magic
            ))
        } else if other.processes != self.processes || other.workers != self.workers {
            Some(format!(
                "it was started for {} processes and {} workers, and process {} for {} and {}: give all the same --hosts and -p",
                other.processes, other.workers, self.process, self.processes, self.workers
            ))
        } else if other.fingerprint != self.fingerprint {
            Some("it runs another job, or another version or form of it: start the same program with the same options".to_owned())
        } else if other.records != self.records {
            Some("its records have other fields, or in another order, so that neither could read what the other sends: start the same build of the program".to_owned())
        } else {
            None
        }
    }
}

/// This process's place in the cluster.
pub(crate) struct Meeting {
    listener: TcpListener,
    cluster: Cluster,
    hello: Hello,
}

type Sockets = Vec<Option<TcpStream>>;

impl Meeting {
    /// Listens at this process's address.
    pub(crate) fn open(cluster: &Cluster, hello: Hello) -> Result<Self, Error> {
        let address = &cluster.hosts[cluster.process];
        let listener = TcpListener::bind(address.as_str())
            .and_then(|listener| listener.set_nonblocking(true).map(|()| listener))
            .map_err(|error| {
                Error::input(format!("process {} cannot listen at {address}: {error}", cluster.process))
            })?;
        Ok(Meeting { listener, cluster: cluster.clone(), hello })
    }

    /// Process 0: waits for the others and welcomes them.
    pub(crate) fn lead(&self, welcome: &Welcome) -> Result<Sockets, Error> {
        let deadline = Instant::now() + MEETING_TIMEOUT;
        let mut sockets: Sockets = (0..self.cluster.hosts.len()).map(|_| None).collect();
        while sockets.iter().skip(1).any(Option::is_none) {
            let mut socket = self.accept(deadline, || {
                let missing: Vec<_> = sockets.iter().enumerate().skip(1).filter(|(_, s)| s.is_none()).collect();
                let missing: Vec<_> =
                    missing.iter().map(|(i, _)| format!("{i} ({})", self.cluster.hosts[*i])).collect();
                format!("processes that have not come: {}", missing.join(", "))
            })?;
            let Ok(hello) = receive::<Hello>(&mut socket) else { continue };
            let wrong = self.hello.mismatch(&hello).or_else(|| match sockets.get(hello.process) {
                Some(_) if hello.process == 0 => {
                    Some("it says that it is process 0, which is this one".to_owned())
                }
                Some(_) => None,
                None => Some(format!("there is no process {}", hello.process)),
            });
            match wrong {
                Some(reason) => {
                    let told = Answer::Refused(format!("process 0 refuses process {}: {reason}", hello.process));
                    let _ = send(&mut socket, &told);
                    tracing::warn!("process {} was refused: {reason}", hello.process);
                }
                // One that was started again takes the place of the one before.
                None => sockets[hello.process] = Some(socket),
            }
        }
        for socket in sockets.iter_mut().flatten() {
            send(socket, &Answer::Welcome(Box::new(welcome.clone()))).map_err(lost)?;
        }
        Ok(sockets)
    }

    /// Any other process: goes to process 0, then to the others.
    pub(crate) fn follow(&self) -> Result<(Welcome, Sockets), Error> {
        let deadline = Instant::now() + MEETING_TIMEOUT;
        let me = self.cluster.process;
        let mut sockets: Sockets = (0..self.cluster.hosts.len()).map(|_| None).collect();
        let mut lead = self.connect(0, deadline)?;
        send(&mut lead, &self.hello).map_err(lost)?;
        // Process 0 is the clock: it may be waiting for the others, or for its next attempt.
        lead.set_read_timeout(None).map_err(lost)?;
        let welcome = match receive_patiently::<Answer>(&mut lead).map_err(lost)? {
            Answer::Welcome(welcome) => *welcome,
            Answer::Refused(reason) => return Err(Error::input(reason)),
        };
        sockets[0] = Some(lead);
        let deadline = Instant::now() + MEETING_TIMEOUT;
        for (other, place) in sockets.iter_mut().enumerate().take(me).skip(1) {
            let mut socket = self.connect(other, deadline)?;
            send(&mut socket, &self.hello).map_err(lost)?;
            *place = Some(socket);
        }
        while sockets.iter().skip(me + 1).any(Option::is_none) {
            let mut socket = self.accept(deadline, || "another process has not come".to_owned())?;
            let Ok(hello) = receive::<Hello>(&mut socket) else { continue };
            if self.hello.mismatch(&hello).is_none() && hello.process > me && hello.process < sockets.len() {
                sockets[hello.process] = Some(socket);
            }
        }
        Ok((welcome, sockets))
    }

    fn accept(&self, deadline: Instant, missing: impl Fn() -> String) -> Result<TcpStream, Error> {
        loop {
            match self.listener.accept() {
                Ok((socket, _)) => {
                    let ready = socket.set_nonblocking(false).and_then(|()| socket.set_nodelay(true));
                    if ready.and_then(|()| socket.set_read_timeout(Some(PATIENCE))).is_ok() {
                        return Ok(socket);
                    }
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(Error::failed(format!("no connection can be accepted: {error}"))),
            }
            if Instant::now() > deadline {
                return Err(Error::failed(format!(
                    "the processes did not meet within {MEETING_TIMEOUT:?}; {}",
                    missing()
                )));
            }
            std::thread::sleep(RETRY);
        }
    }

    fn connect(&self, process: usize, deadline: Instant) -> Result<TcpStream, Error> {
        let host = &self.cluster.hosts[process];
        loop {
            let addresses = host
                .to_socket_addrs()
                .map_err(|error| Error::input(format!("--hosts: {host} is not an address HOST:PORT: {error}")))?;
            let connected =
                addresses.into_iter().find_map(|address| TcpStream::connect_timeout(&address, PATIENCE).ok());
            if let Some(socket) = connected {
                socket.set_nodelay(true).and_then(|()| socket.set_read_timeout(Some(PATIENCE))).map_err(lost)?;
                return Ok(socket);
            }
            if Instant::now() > deadline {
                return Err(Error::failed(format!(
                    "process {process} at {host} did not come within {MEETING_TIMEOUT:?}"
                )));
            }
            std::thread::sleep(RETRY);
        }
    }
}

fn lost(error: std::io::Error) -> Error {
    Error::failed(format!("the connection to another process was lost: {error}"))
}

fn send<T: Serialize>(socket: &mut TcpStream, message: &T) -> std::io::Result<()> {
    let bytes = serde_json::to_vec(message)?;
    let length = u32::try_from(bytes.len()).ok().filter(|length| *length <= MESSAGE_BYTES);
    let length = length.ok_or_else(|| std::io::Error::other("a message is too long"))?;
    socket.write_all(&length.to_be_bytes())?;
    socket.write_all(&bytes)?;
    socket.flush()
}

/// Reads a message of at most 64 KiB, from a peer that nothing is known of.
fn receive<T: DeserializeOwned>(socket: &mut TcpStream) -> std::io::Result<T> {
    receive_bounded(socket, 64 << 10)
}

/// Reads a message from process 0, which this process was told to trust.
fn receive_patiently<T: DeserializeOwned>(socket: &mut TcpStream) -> std::io::Result<T> {
    receive_bounded(socket, MESSAGE_BYTES)
}

fn receive_bounded<T: DeserializeOwned>(socket: &mut TcpStream, most: u32) -> std::io::Result<T> {
    let mut length = [0; 4];
    socket.read_exact(&mut length)?;
    let length = u32::from_be_bytes(length);
    if length > most {
        return Err(std::io::Error::other(format!("a message of {length} bytes, expected at most {most}")));
    }
    let mut bytes = Vec::new();
    socket.take(u64::from(length)).read_to_end(&mut bytes)?;
    socket.set_read_timeout(None)?;
    Ok(serde_json::from_slice(&bytes)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::IteratorSource;
    use crate::source::watermark::WatermarkStrategy;
    use crate::stream::env::Env;
    use crate::stream::record::Data;

    #[derive(Clone, Debug, Serialize, Deserialize)]
    struct Visit {
        page: u64,
        seconds: u64,
    }

    #[derive(Clone, Debug, Serialize, Deserialize)]
    struct Renamed {
        page: u64,
        minutes: u64,
    }

    #[derive(Clone, Debug, Serialize, Deserialize)]
    struct Swapped {
        seconds: u64,
        page: u64,
    }

    fn hello(define: impl Fn(&Env<'static>)) -> Hello {
        let env = Env::planning(2);
        define(&env);
        let plan = Plan::new(env.0.drafts.take(), env.0.exchanged.take()).unwrap();
        let hosts = vec!["a:1".to_owned(), "b:1".to_owned()];
        Hello::new(&Cluster { hosts, process: 0 }, &plan, 2)
    }

    /// Counts what `visit` makes, by a key that says nothing of it.
    fn counting<T: Data>(visit: fn(u64) -> T) -> impl Fn(&Env<'static>) {
        move |env| {
            let visits = move || (0..9).map(visit);
            let visits = env.source(IteratorSource::new(visits), WatermarkStrategy::none()).rebalance();
            let _ = visits.key_by(|_| 1_u64).count().uid("counts");
        }
    }

    #[test]
    fn a_process_whose_records_are_laid_out_otherwise_is_refused() {
        let ours = hello(counting(|n| Visit { page: n, seconds: n }));
        assert_eq!(ours.mismatch(&hello(counting(|n| Visit { page: n, seconds: 1 }))), None);
        let others = [
            hello(counting(|n| Renamed { page: n, minutes: n })),
            hello(counting(|n| Swapped { page: n, seconds: n })),
        ];
        for other in others {
            let problem = ours.mismatch(&other).unwrap();
            assert!(problem.contains("the same build"), "{problem}");
        }
    }

    #[test]
    fn a_process_of_another_version_or_another_job_is_refused() {
        let ours = hello(counting(|n| n));
        let newer = Hello { magic: "millpond-cluster-1 99.0.0".to_owned(), ..ours.clone() };
        assert!(ours.mismatch(&newer).unwrap().contains("99.0.0"));
        let other = hello(|env| {
            let _ = env.source(IteratorSource::new(|| 0..9_u64), WatermarkStrategy::none()).key_by(|n| *n).count();
        });
        assert!(ours.mismatch(&other).unwrap().contains("another job"));
        assert!(ours.mismatch(&Hello { workers: 3, ..ours.clone() }).unwrap().contains("-p"));
    }
}
