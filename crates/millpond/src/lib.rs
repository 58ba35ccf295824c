//! Stateful streams that you can stop, keep and carry.
//!
//! A job reads streams, keeps state by key, and writes results. Its **savepoints** are consistent snapshots of all it
//! knows, taken while it runs, kept until somebody deletes them, and good for starting the same job, a changed one, or
//! one with more or fewer workers from exactly that moment.
//!
//! ```
//! use millpond::{Collect, IteratorSource, Job, RunOptions, WatermarkStrategy};
//!
//! let counts = Collect::new();
//! let sink = counts.clone();
//! let job = Job::new("words", move |env| {
//!     let words = || "to be or not to be".split(' ').map(str::to_owned);
//!     env.source(IteratorSource::new(words), WatermarkStrategy::none())
//!         .uid("words")
//!         .key_by(|word| word.clone())
//!         .count()
//!         .uid("count")
//!         .sink(sink.sink())
//!         .uid("out");
//!     Ok(())
//! });
//! job.run(RunOptions { store: Some("memory://words".to_owned()), ..RunOptions::default() })?;
//! assert!(counts.items().contains(&("be".to_owned(), 2)));
//! # Ok::<(), millpond::Error>(())
//! ```
//!
//! * What a job is written with: [`Env`], [`Stream`], [`KeyedStream`], [`windows`], [`joins`].
//! * Functions with state: [`KeyedProcess`], [`CoProcess`], [`BroadcastProcess`], [`Process`]; they declare their states
//!   with a [`KeyedSetup`] or an [`OperatorSetup`].
//! * Where records come from and go to: [`source`], [`sink`]; event time: [`WatermarkStrategy`].
//! * Running it: [`Program`] for a `main`, [`Job`] from other code.
//!
//! What is guaranteed: state counts each record once, whatever fails and whenever; so does output, where the sink
//! allows it ([`FileSink`] does). A snapshot that can be seen is complete.

// What tests of the engine share with those of its users names it so.
#[cfg(test)]
extern crate self as millpond;

pub(crate) mod clock;
pub(crate) mod control;
pub(crate) mod dataflow;
mod error;
pub(crate) mod job;
pub mod joins;
pub(crate) mod operators;
pub(crate) mod runtime;
pub mod sink;
pub mod source;
pub(crate) mod state;
pub(crate) mod stream;
mod time;
pub mod windows;

pub use clock::{Clock, ManualClock};
pub use error::{Error, ErrorKind};
pub use job::job::{Job, RunReport, RunningJob};
pub use job::options::{Cluster, Listen, PendingOutput, RunOptions, StateBackend};
pub use job::program::Program;
pub use operators::broadcast::BroadcastProcess;
pub use operators::connected::CoProcess;
pub use operators::context::{Context, KeyedContext, TimeDomain, Timer};
pub use operators::keyed::KeyedProcess;
pub use operators::process::Process;
pub use runtime::failure::{Permanent, UserError};
pub use runtime::restart::RestartStrategy;
pub use runtime::session::RunEnd;
pub use sink::{Collect, FileSink, Sink, Stdout};
pub use source::watermark::{WatermarkGenerator, WatermarkStrategy};
pub use source::{
    Files, Generator, IteratorSource, MalformedRecord, Parsed, ReadBatch, ReadStatus, Source, SourcePosition,
    SplitReader,
};
pub use state::codec::StateValue;
pub use state::descriptor::{StateDescriptor, Ttl, TtlUpdate};
pub use state::evolution::descriptors::{MapDescriptor, TypedDescriptor};
pub use state::handles::{Aggregate, AggregatingState, ListState, MapState, ReducingState, ValueState};
pub use state::operator::{BroadcastState, OperatorListState};
pub use state::setup::{KeyedSetup, OperatorSetup};
pub use stream::connected::{BroadcastConnectedStreams, ConnectedStreams};
pub use stream::env::Env;
pub use stream::keyed::KeyedStream;
pub use stream::plain::{Stream, Sunk};
pub use stream::record::{Data, Key};
pub use time::EventTime;
pub use windows::TimeOffset;
