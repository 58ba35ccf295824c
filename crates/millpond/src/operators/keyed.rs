//! The operator with one keyed input.

use std::marker::PhantomData;

use super::context::{KeyedContext, Timer};
use super::keyed_core::KeyedCore;
use crate::dataflow::aligned::{Operator, Outputs, Wake};
use crate::dataflow::inlet::Turn;
use crate::runtime::failure::{Failure, UserError};
use crate::stream::record::{Data, Key, KeyedRecord, Record};
use crate::time::EventTime;

/// Logic for a keyed stream: it sees each record with the states and timers of the record's key.
///
/// An error or a panic fails the run, and names the operator and the record; what the restart strategy says follows.
pub trait KeyedProcess<K: Key, T: Data>: 'static {
    /// Records of the main output.
    type Out: Data;
    /// Records of the side output; `()` if there is none.
    type Side: Data;
    /// Takes a record in.
    fn process(
        &mut self,
        value: &T,
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

/// A closure as a [`KeyedProcess`] without timers and side output.
pub(crate) struct FromFn<F, O>(pub(crate) F, pub(crate) PhantomData<O>);

impl<K, T, O, F> KeyedProcess<K, T> for FromFn<F, O>
where
    K: Key,
    T: Data,
    O: Data,
    F: FnMut(&T, &mut KeyedContext<'_, K, O, ()>) -> Result<(), UserError> + 'static,
{
    type Out = O;
    type Side = ();
    #[inline]
    fn process(&mut self, value: &T, context: &mut KeyedContext<'_, K, O, ()>) -> Result<(), UserError> {
        (self.0)(value, context)
    }
}

/// Runs a [`KeyedProcess`].
pub(crate) struct KeyedOperator<K, T, P> {
    core: KeyedCore<K>,
    process: P,
    types: PhantomData<T>,
}

impl<K: Key, T, P> KeyedOperator<K, T, P> {
    pub(crate) fn new(core: KeyedCore<K>, process: P) -> Self {
        KeyedOperator { core, process, types: PhantomData }
    }
}

impl<K: Key, T: Data, P: KeyedProcess<K, T>> Operator for KeyedOperator<K, T, P> {
    type Left = KeyedRecord<K, T>;
    type Right = ();
    type Out = Record<P::Out>;
    type Side = Record<P::Side>;

    fn left(
        &mut self,
        batch: &mut Vec<Self::Left>,
        out: &mut Outputs<Self::Out, Self::Side>,
    ) -> Result<(), Failure> {
        let KeyedOperator { core, process, .. } = self;
        core.process(batch, out, |value, context| process.process(value, context))
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
