//! Stateful streams that you can stop, keep and carry.

pub(crate) mod clock;
pub(crate) mod control;
pub(crate) mod dataflow;
mod error;
pub(crate) mod job;
pub(crate) mod operators;
pub(crate) mod runtime;
pub mod sink;
pub mod source;
pub(crate) mod state;
pub(crate) mod stream;
mod time;

pub use clock::{Clock, ManualClock};
pub use error::{Error, ErrorKind};
pub use operators::broadcast::BroadcastProcess;
pub use operators::connected::CoProcess;
pub use operators::context::{Context, KeyedContext, TimeDomain, Timer};
pub use operators::keyed::KeyedProcess;
pub use operators::process::Process;
pub use runtime::failure::UserError;
pub use sink::{Collect, FileSink, Sink, Stdout};
pub use source::watermark::{WatermarkGenerator, WatermarkStrategy};
pub use source::{Files, Generator, IteratorSource, MalformedRecord, Parsed, ReadStatus, Source, SplitReader};
pub use state::codec::StateValue;
pub use state::descriptor::{StateDescriptor, Ttl, TtlUpdate};
pub use state::handles::{Aggregate, AggregatingState, ListState, MapState, ReducingState, ValueState};
pub use state::operator::{BroadcastState, OperatorListState};
pub use state::setup::{KeyedSetup, OperatorSetup};
pub use stream::connected::{BroadcastConnectedStreams, ConnectedStreams};
pub use stream::env::Env;
pub use stream::keyed::KeyedStream;
pub use stream::plain::{Stream, Sunk};
pub use stream::record::{Data, Key};
pub use time::EventTime;
