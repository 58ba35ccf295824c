//! The operator that runs a sink: it keeps what was prepared until the snapshot that has it is published.

use serde::{Deserialize, Serialize};

use super::part::PartSender;
use crate::dataflow::aligned::{Operator, Outputs, Wake};
use crate::runtime::failure::{Failure, for_each_record};
use crate::runtime::mailbox::Notices;
use crate::runtime::message::{Notice, ToCoordinator};
use crate::sink::{Sink, SinkContext};
use crate::state::operator::OperatorListState;
use crate::stream::record::{Data, Record};
use crate::time::EventTime;

/// The state that holds what was prepared.
pub(crate) const PREPARED: &str = "prepared";

/// What was prepared, and in which epoch.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct PreparedOutput<P> {
    epoch: u64,
    output: P,
}

/// Runs a [`Sink`].
pub(crate) struct SinkOperator<T, S: Sink<T>>
where
    T: Data,
{
    sink: S,
    part: PartSender,
    prepared: OperatorListState<PreparedOutput<S::Prepared>>,
    notices: Notices,
    operator: usize,
    opened: bool,
}

impl<T: Data, S: Sink<T>> SinkOperator<T, S> {
    pub(crate) fn new(
        sink: S,
        part: PartSender,
        prepared: OperatorListState<PreparedOutput<S::Prepared>>,
        notices: Notices,
        operator: usize,
    ) -> Self {
        SinkOperator { sink, part, prepared, notices, operator, opened: false }
    }

    /// Opens the sink and commits what the snapshot had: it was published, so it counts.
    fn open(&mut self) -> Result<(), Failure> {
        if self.opened {
            return Ok(());
        }
        self.opened = true;
        let context = self.part.context();
        let place = SinkContext {
            job: context.job.to_string(),
            run: context.run.0,
            subtask: context.worker,
            parallelism: context.workers,
            restored: context.restored.snapshot.is_some(),
            past: context.past.to_vec(),
        };
        let prepared: Vec<_> = self.prepared.get().into_iter().map(|p| p.output).collect();
        self.sink.open(place, &prepared).map_err(Failure::of)?;
        self.commit(u64::MAX)
    }

    fn commit(&mut self, epoch: u64) -> Result<(), Failure> {
        let (due, later): (Vec<_>, Vec<_>) = self.prepared.get().into_iter().partition(|p| p.epoch <= epoch);
        for prepared in &due {
            self.sink.commit(&prepared.output).map_err(Failure::of)?;
        }
        self.prepared.set(later);
        Ok(())
    }
}

impl<T: Data, S: Sink<T>> Operator for SinkOperator<T, S> {
    type Left = Record<T>;
    type Right = ();
    type Out = ();
    type Side = ();

    fn left(&mut self, batch: &mut Vec<Self::Left>, _: &mut Outputs<(), ()>) -> Result<(), Failure> {
        self.open()?;
        let sink = &mut self.sink;
        for_each_record(batch, |record| sink.write(&record.value, record.timestamp))?;
        sink.flush().map_err(Failure::of)
    }

    fn poll(&mut self, _: &mut Outputs<(), ()>) -> Result<Wake, Failure> {
        self.open()?;
        while let Some(notice) = self.notices.next() {
            if let Notice::Completed(epoch) = notice {
                self.commit(epoch)?;
                let outbox = self.part.context().mailbox.outbox();
                outbox.send(ToCoordinator::Committed { operator: self.operator, epoch });
            }
        }
        Ok(Wake::OnInput)
    }

    fn end_epoch(&mut self, epoch: u64, _: EventTime) -> Result<(), Failure> {
        self.open()?;
        if let Some(output) = self.sink.prepare(epoch).map_err(Failure::of)? {
            self.prepared.add(PreparedOutput { epoch, output });
        }
        self.part.send(self.part.freeze(epoch)?);
        Ok(())
    }
}
