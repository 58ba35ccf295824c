//! The operator with two keyed inputs that share states and timers.

use std::marker::PhantomData;

use super::context::{KeyedContext, Timer};
use super::keyed_core::KeyedCore;
use crate::dataflow::aligned::{Operator, Outputs, Wake};
use crate::dataflow::inlet::Turn;
use crate::runtime::failure::{Failure, UserError};
use crate::stream::record::{Data, Key, KeyedRecord, Record};
use crate::time::EventTime;

/// Logic for two streams with the same key, which share the key's states and timers.
pub trait CoProcess<K: Key, L: Data, R: Data>: 'static {
    /// Records of the main output.
    type Out: Data;
    /// Records of the side output; `()` if there is none.
    type Side: Data;
    /// Takes a record of the first stream in.
    fn left(
        &mut self,
        value: &L,
        context: &mut KeyedContext<'_, K, Self::Out, Self::Side>,
    ) -> Result<(), UserError>;
    /// Takes a record of the second stream in.
    fn right(
        &mut self,
        value: &R,
        context: &mut KeyedContext<'_, K, Self::Out, Self::Side>,
    ) -> Result<(), UserError>;
    /// A timer of the key fires.
    fn on_timer(
        &mut self,
        _timer: Timer,
        _context: &mut KeyedContext<'_, K, Self::Out, Self::Side>,
    ) -> Result<(), UserError> {
        Ok(())
    }
}

/// Runs a [`CoProcess`].
pub(crate) struct CoOperator<K, L, R, P> {
    core: KeyedCore<K>,
    process: P,
    types: PhantomData<(L, R)>,
}

impl<K: Key, L, R, P> CoOperator<K, L, R, P> {
    pub(crate) fn new(core: KeyedCore<K>, process: P) -> Self {
        CoOperator { core, process, types: PhantomData }
    }
}

impl<K: Key, L: Data, R: Data, P: CoProcess<K, L, R>> Operator for CoOperator<K, L, R, P> {
    type Left = KeyedRecord<K, L>;
    type Right = KeyedRecord<K, R>;
    type Out = Record<P::Out>;
    type Side = Record<P::Side>;

    fn left(
        &mut self,
        batch: &mut Vec<Self::Left>,
        out: &mut Outputs<Self::Out, Self::Side>,
    ) -> Result<(), Failure> {
        let CoOperator { core, process, .. } = self;
        core.process(batch, out, |value, context| process.left(value, context))
    }

    fn right(
        &mut self,
        batch: &mut Vec<Self::Right>,
        out: &mut Outputs<Self::Out, Self::Side>,
    ) -> Result<(), Failure> {
        let CoOperator { core, process, .. } = self;
        core.process(batch, out, |value, context| process.right(value, context))
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
