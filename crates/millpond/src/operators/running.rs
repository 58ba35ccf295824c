//! The operator of sums, counts and folds: what has come of a key so far, for each of its records.

use std::marker::PhantomData;

use super::keyed_core::KeyedCore;
use crate::dataflow::aligned::{Operator, Outputs, Wake};
use crate::dataflow::inlet::Turn;
use crate::runtime::failure::Failure;
use crate::stream::record::{Data, Key, KeyedRecord, Record};
use crate::time::EventTime;

/// Gives a record's key to what `step` makes of the record. It is the key that came with it: none is copied.
pub(crate) struct RunningOperator<K, T, O, F> {
    core: KeyedCore<K>,
    step: F,
    /// What has come of the batch at hand; for its room.
    results: Vec<Option<O>>,
    types: PhantomData<T>,
}

impl<K: Key, T, O, F> RunningOperator<K, T, O, F> {
    pub(crate) fn new(core: KeyedCore<K>, step: F) -> Self {
        RunningOperator { core, step, results: Vec::new(), types: PhantomData }
    }
}

impl<K: Key, T: Data, O: Data, F: FnMut(&T) -> Option<O> + 'static> Operator for RunningOperator<K, T, O, F> {
    type Left = KeyedRecord<K, T>;
    type Right = ();
    type Out = Record<(K, O)>;
    type Side = Record<()>;

    fn left(
        &mut self,
        batch: &mut Vec<Self::Left>,
        out: &mut Outputs<Self::Out, Self::Side>,
    ) -> Result<(), Failure> {
        let RunningOperator { core, step, results, .. } = self;
        results.reserve(batch.len());
        core.process(batch, out, |value, _| {
            results.push(step(value));
            Ok(())
        })?;
        for (KeyedRecord { key, record, .. }, result) in batch.drain(..).zip(results.drain(..)) {
            if let Some(result) = result {
                out.main.emit(Record { timestamp: record.timestamp, value: (key, result) });
            }
        }
        Ok(())
    }

    fn watermark(
        &mut self,
        watermark: EventTime,
        out: &mut Outputs<Self::Out, Self::Side>,
    ) -> Result<(), Failure> {
        self.core.advance(watermark, out, |_, _| Ok(()))
    }

    fn turn(&self) -> Turn {
        self.core.turn()
    }

    fn poll(&mut self, out: &mut Outputs<Self::Out, Self::Side>) -> Result<Wake, Failure> {
        self.core.poll(out, |_, _| Ok(()))
    }

    fn end_epoch(&mut self, epoch: u64, watermark: EventTime) -> Result<(), Failure> {
        self.core.end_epoch(epoch, watermark)
    }
}
