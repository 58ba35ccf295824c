//! The operator with a keyed input and one that every subtask sees whole.

use std::cell::Cell;
use std::marker::PhantomData;
use std::rc::Rc;

use super::context::{Context, KeyedContext, Timer};
use super::keyed_core::KeyedCore;
use crate::dataflow::aligned::{Operator, Outputs, Wake};
use crate::dataflow::inlet::Turn;
use crate::runtime::failure::{Failure, UserError, for_each_record};
use crate::stream::record::{Data, Key, KeyedRecord, Record};
use crate::time::EventTime;

/// Logic for a keyed stream and a broadcast one. Broadcast state (declared with
/// [`OperatorSetup::broadcast`](crate::OperatorSetup::broadcast)) can be changed in
/// [`BroadcastProcess::broadcast`] only, and must be changed the same way in every subtask.
pub trait BroadcastProcess<K: Key, T: Data, B: Data>: 'static {
    /// Records of the main output.
    type Out: Data;
    /// Records of the side output; `()` if there is none.
    type Side: Data;
    /// Takes a record of the keyed stream in.
    fn process(
        &mut self,
        value: &T,
        context: &mut KeyedContext<'_, K, Self::Out, Self::Side>,
    ) -> Result<(), UserError>;
    /// Takes a record of the broadcast stream in; every subtask gets it.
    fn broadcast(&mut self, value: &B, context: &mut Context<'_, Self::Out, Self::Side>) -> Result<(), UserError>;
    /// A timer of the key fires.
    fn on_timer(
        &mut self,
        _timer: Timer,
        _context: &mut KeyedContext<'_, K, Self::Out, Self::Side>,
    ) -> Result<(), UserError> {
        Ok(())
    }
}

/// Runs a [`BroadcastProcess`].
pub(crate) struct BroadcastOperator<K, T, B, P> {
    core: KeyedCore<K>,
    process: P,
    writable: Rc<Cell<bool>>,
    types: PhantomData<(T, B)>,
}

impl<K: Key, T, B, P> BroadcastOperator<K, T, B, P> {
    pub(crate) fn new(core: KeyedCore<K>, process: P, writable: Rc<Cell<bool>>) -> Self {
        BroadcastOperator { core, process, writable, types: PhantomData }
    }
}

impl<K: Key, T: Data, B: Data, P: BroadcastProcess<K, T, B>> Operator for BroadcastOperator<K, T, B, P> {
    type Left = KeyedRecord<K, T>;
    type Right = Record<B>;
    type Out = Record<P::Out>;
    type Side = Record<P::Side>;

    fn left(
        &mut self,
        batch: &mut Vec<Self::Left>,
        out: &mut Outputs<Self::Out, Self::Side>,
    ) -> Result<(), Failure> {
        let BroadcastOperator { core, process, .. } = self;
        core.process(batch, out, |value, context| process.process(value, context))
    }

    fn right(
        &mut self,
        batch: &mut Vec<Self::Right>,
        out: &mut Outputs<Self::Out, Self::Side>,
    ) -> Result<(), Failure> {
        let BroadcastOperator { core, process, writable, .. } = self;
        core.read_clock();
        writable.set(true);
        let outcome = for_each_record(batch, |record| {
            process.broadcast(&record.value, &mut core.context(record.timestamp, out))
        });
        writable.set(false);
        outcome
    }

    fn watermark(
        &mut self,
        watermark: EventTime,
        out: &mut Outputs<Self::Out, Self::Side>,
    ) -> Result<(), Failure> {
        let process = &mut self.process;
        self.core.advance(watermark, out, |timer, context| process.on_timer(timer, context))
    }

    fn turn(&self) -> Turn {
        self.core.turn()
    }

    fn poll(&mut self, out: &mut Outputs<Self::Out, Self::Side>) -> Result<Wake, Failure> {
        let process = &mut self.process;
        self.core.poll(out, |timer, context| process.on_timer(timer, context))
    }

    fn end_epoch(&mut self, epoch: u64, watermark: EventTime) -> Result<(), Failure> {
        self.core.end_epoch(epoch, watermark)
    }
}
