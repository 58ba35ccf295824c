//! A sink that commits to memory.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use millpond::sink::SinkContext;
use millpond::{Data, EventTime, Sink, UserError};

/// What has been committed.
pub(crate) struct Collected<O>(Arc<Mutex<Committed<O>>>);

struct Committed<O> {
    items: Vec<O>,
    ids: HashSet<(u64, u64, usize)>,
}

impl<O> Clone for Collected<O> {
    fn clone(&self) -> Self {
        Collected(Arc::clone(&self.0))
    }
}

impl<O: Clone + Ord> Collected<O> {
    pub(crate) fn new() -> Self {
        Collected(Arc::new(Mutex::new(Committed { items: Vec::new(), ids: HashSet::new() })))
    }
    /// Everything that was committed, in order.
    pub(crate) fn sorted(&self) -> Vec<O> {
        let mut items = self.0.lock().unwrap().items.clone();
        items.sort();
        items
    }
}

/// Commits to memory, each thing once.
pub(crate) struct Collector<O> {
    collected: Collected<O>,
    written: Vec<O>,
    context: Option<SinkContext>,
}

impl<O> Collected<O> {
    pub(crate) fn sink(&self) -> Collector<O> {
        Collector { collected: self.clone(), written: Vec::new(), context: None }
    }
}

impl<O: Data> Sink<O> for Collector<O> {
    type Prepared = (u64, u64, usize, Vec<O>);

    fn describe(&self) -> String {
        "collector".to_owned()
    }
    fn open(&mut self, context: SinkContext, _: &[Self::Prepared]) -> Result<(), UserError> {
        self.context = Some(context);
        Ok(())
    }
    fn write(&mut self, value: &O, _: EventTime) -> Result<(), UserError> {
        self.written.push(value.clone());
        Ok(())
    }
    fn prepare(&mut self, epoch: u64) -> Result<Option<Self::Prepared>, UserError> {
        let context = self.context.as_ref().ok_or("not open")?;
        let written = std::mem::take(&mut self.written);
        Ok((!written.is_empty()).then_some((context.run, epoch, context.subtask, written)))
    }
    fn commit(&mut self, (run, epoch, subtask, items): &Self::Prepared) -> Result<(), UserError> {
        let mut committed = self.collected.0.lock().unwrap();
        if committed.ids.insert((*run, *epoch, *subtask)) {
            committed.items.extend(items.iter().cloned());
        }
        Ok(())
    }
}
