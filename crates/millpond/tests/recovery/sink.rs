//! A sink in memory that can be asked what it has committed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use millpond::sink::{Sink, SinkContext};
use millpond::{Data, EventTime, UserError};

/// Which subtask's output, of which epoch, of which run.
type Place = (u64, u64, usize);

/// What has been committed. It outlives the runs that write to it, as a directory would.
pub(crate) struct Ledger<T>(Arc<Mutex<BTreeMap<Place, Vec<T>>>>);

impl<T> Clone for Ledger<T> {
    fn clone(&self) -> Self {
        Ledger(Arc::clone(&self.0))
    }
}

impl<T: Data> Ledger<T> {
    pub(crate) fn new() -> Self {
        Ledger(Arc::default())
    }

    pub(crate) fn sink(&self) -> LedgerSink<T> {
        LedgerSink { ledger: self.clone(), context: None, buffer: Vec::new() }
    }

    /// All that has been committed.
    pub(crate) fn records(&self) -> Vec<T> {
        self.0.lock().unwrap().values().flatten().cloned().collect()
    }
}

/// Writes to a [`Ledger`].
pub(crate) struct LedgerSink<T> {
    ledger: Ledger<T>,
    context: Option<SinkContext>,
    buffer: Vec<T>,
}

impl<T: Data> Sink<T> for LedgerSink<T> {
    type Prepared = (Place, Vec<T>);

    fn describe(&self) -> String {
        "ledger".to_owned()
    }

    fn open(&mut self, context: SinkContext, _: &[Self::Prepared]) -> Result<(), UserError> {
        self.context = Some(context);
        Ok(())
    }

    fn write(&mut self, value: &T, _: EventTime) -> Result<(), UserError> {
        self.buffer.push(value.clone());
        Ok(())
    }

    fn prepare(&mut self, epoch: u64) -> Result<Option<Self::Prepared>, UserError> {
        let context = self.context.as_ref().ok_or("a sink is opened before it is used")?;
        let place = (context.run, epoch, context.subtask);
        Ok((!self.buffer.is_empty()).then(|| (place, std::mem::take(&mut self.buffer))))
    }

    fn commit(&mut self, (place, records): &Self::Prepared) -> Result<(), UserError> {
        let mut committed = self.ledger.0.lock().unwrap();
        let first = committed.entry(*place).or_insert_with(|| records.clone());
        // Twice the same is once; two different outputs under one name would be a loss.
        if first.len() != records.len() {
            Err(format!("{place:?} was committed before, and was another").into())
        } else {
            Ok(())
        }
    }
}
