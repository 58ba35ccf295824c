//! The operator with one input and no key; it may have operator state.

use std::marker::PhantomData;

use super::context::Context;
use super::part::PartSender;
use crate::dataflow::aligned::{Operator, Outputs};
use crate::runtime::failure::{Failure, UserError, for_each_record};
use crate::stream::record::{Data, Record};
use crate::time::EventTime;

/// Logic for a stream without a key.
pub trait Process<T: Data>: 'static {
    /// Records of the main output.
    type Out: Data;
    /// Records of the side output; `()` if there is none.
    type Side: Data;
    /// Takes a record in.
    fn process(&mut self, value: &T, context: &mut Context<'_, Self::Out, Self::Side>) -> Result<(), UserError>;
    /// Event time has come to `watermark`.
    fn on_watermark(
        &mut self,
        _watermark: EventTime,
        _context: &mut Context<'_, Self::Out, Self::Side>,
    ) -> Result<(), UserError> {
        Ok(())
    }
}

/// Runs a [`Process`].
pub(crate) struct ProcessOperator<T, P> {
    part: PartSender,
    process: P,
    watermark: EventTime,
    types: PhantomData<T>,
}

impl<T, P> ProcessOperator<T, P> {
    pub(crate) fn new(part: PartSender, process: P) -> Self {
        ProcessOperator { part, process, watermark: EventTime::MIN, types: PhantomData }
    }
}

impl<T: Data, P: Process<T>> Operator for ProcessOperator<T, P> {
    type Left = Record<T>;
    type Right = ();
    type Out = Record<P::Out>;
    type Side = Record<P::Side>;

    fn left(
        &mut self,
        batch: &mut Vec<Self::Left>,
        out: &mut Outputs<Self::Out, Self::Side>,
    ) -> Result<(), Failure> {
        let now = self.part.context().clock.now();
        let (process, watermark) = (&mut self.process, self.watermark);
        for_each_record(batch, |record| {
            process.process(&record.value, &mut Context { out, timestamp: record.timestamp, watermark, now })
        })
    }

    fn watermark(
        &mut self,
        watermark: EventTime,
        out: &mut Outputs<Self::Out, Self::Side>,
    ) -> Result<(), Failure> {
        self.watermark = watermark;
        let now = self.part.context().clock.now();
        let process = &mut self.process;
        for_each_record(&[watermark], |_| {
            process.on_watermark(watermark, &mut Context { out, timestamp: watermark, watermark, now })
        })
    }

    fn end_epoch(&mut self, epoch: u64, _watermark: EventTime) -> Result<(), Failure> {
        self.part.send(self.part.freeze(epoch)?);
        Ok(())
    }
}
