//! Memory, for tests.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use super::{Sink, SinkContext};
use crate::runtime::failure::UserError;
use crate::stream::record::Data;
use crate::time::EventTime;

#[derive(Debug, thiserror::Error)]
#[error(
    "one Collect is used by two sinks, or by two jobs with the same name: subtask {subtask} of run {run} of job '{job}' has \
     opened it already. Make a Collect for each"
)]
struct UsedTwice {
    job: String,
    run: u64,
    subtask: usize,
}

/// Collects the records that were committed, each once, whatever fails and is restarted in this process.
///
/// It is a handle: clones collect into the same place. One job may have one sink to it. The records themselves become
/// part of snapshots until they are committed, so it is meant for tests.
///
/// ```
/// use millpond::Collect;
/// let results = Collect::<u64>::new();
/// let sink = results.sink(); // give this to Stream::sink
/// assert!(results.items().is_empty());
/// ```
pub struct Collect<T>(Arc<Mutex<Collection<T>>>);

struct Collection<T> {
    items: Vec<T>,
    committed: HashSet<CollectedId>,
    opened: HashSet<(String, u64, usize)>,
}

impl<T> Clone for Collect<T> {
    fn clone(&self) -> Self {
        Collect(Arc::clone(&self.0))
    }
}

impl<T> Default for Collect<T> {
    fn default() -> Self {
        let collection = Collection { items: Vec::new(), committed: HashSet::new(), opened: HashSet::new() };
        Collect(Arc::new(Mutex::new(collection)))
    }
}

impl<T: Data> Collect<T> {
    /// A place with nothing in it.
    pub fn new() -> Self {
        Collect::default()
    }

    /// A sink that collects here.
    pub fn sink(&self) -> CollectSink<T> {
        CollectSink { collect: self.clone(), context: None, items: Vec::new() }
    }

    /// What has been committed so far, in the order of the commits.
    pub fn items(&self) -> Vec<T> {
        self.lock().items.clone()
    }
}

impl<T> Collect<T> {
    fn lock(&self) -> MutexGuard<'_, Collection<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Collects into a [`Collect`].
pub struct CollectSink<T> {
    collect: Collect<T>,
    context: Option<SinkContext>,
    items: Vec<T>,
}

impl<T> Drop for CollectSink<T> {
    /// The next attempt of the same run opens it anew.
    fn drop(&mut self) {
        if let Some(SinkContext { job, run, subtask, .. }) = self.context.take() {
            self.collect.lock().opened.remove(&(job, run, subtask));
        }
    }
}

/// What a subtask collected in an epoch.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
struct CollectedId {
    job: String,
    run: u64,
    epoch: u64,
    subtask: usize,
}

/// What was collected in an epoch and is not committed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Collected<T> {
    id: CollectedId,
    items: Vec<T>,
}

impl<T: Data> Sink<T> for CollectSink<T> {
    type Prepared = Collected<T>;

    fn describe(&self) -> String {
        "collect".to_owned()
    }

    fn open(&mut self, context: SinkContext, _: &[Collected<T>]) -> Result<(), UserError> {
        let SinkContext { job, run, subtask, .. } = context.clone();
        if !self.collect.lock().opened.insert((job.clone(), run, subtask)) {
            return Err(UsedTwice { job, run, subtask }.into());
        }
        self.context = Some(context);
        Ok(())
    }

    fn write(&mut self, value: &T, _: EventTime) -> Result<(), UserError> {
        self.items.push(value.clone());
        Ok(())
    }

    fn prepare(&mut self, epoch: u64) -> Result<Option<Collected<T>>, UserError> {
        let items = std::mem::take(&mut self.items);
        let context = self.context.as_ref().ok_or("a sink was used before it was opened")?;
        let SinkContext { job, run, subtask, .. } = context.clone();
        Ok((!items.is_empty()).then(|| Collected { id: CollectedId { job, run, epoch, subtask }, items }))
    }

    fn commit(&mut self, prepared: &Collected<T>) -> Result<(), UserError> {
        let mut collection = self.collect.lock();
        if collection.committed.insert(prepared.id.clone()) {
            collection.items.extend(prepared.items.iter().cloned());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(collect: &Collect<u32>, run: u64) -> CollectSink<u32> {
        let mut sink = collect.sink();
        let context =
            SinkContext { job: "job".into(), run, subtask: 0, parallelism: 1, restored: run > 1, past: vec![] };
        sink.open(context, &[]).unwrap();
        sink
    }

    #[test]
    fn what_was_prepared_is_seen_once_it_is_committed_and_once_only() {
        let collect = Collect::new();
        let mut sink = opened(&collect, 1);
        sink.write(&1, EventTime::MIN).unwrap();
        sink.write(&2, EventTime::MIN).unwrap();
        let first = sink.prepare(5).unwrap().unwrap();
        assert!(sink.prepare(6).unwrap().is_none());
        sink.write(&3, EventTime::MIN).unwrap();
        let lost = sink.prepare(7).unwrap().unwrap();
        assert!(collect.items().is_empty());
        sink.commit(&first).unwrap();
        assert_eq!(collect.items(), [1, 2]);

        // The run fails before epoch 7 is complete; the next one commits epoch 5 again and repeats epoch 7.
        drop((sink, lost));
        let mut sink = opened(&collect, 2);
        let restored: Collected<u32> = serde_json::from_str(&serde_json::to_string(&first).unwrap()).unwrap();
        sink.commit(&restored).unwrap();
        sink.write(&3, EventTime::MIN).unwrap();
        let again = sink.prepare(7).unwrap().unwrap();
        sink.commit(&again).unwrap();
        assert_eq!(collect.items(), [1, 2, 3]);
    }

    #[test]
    fn two_sinks_to_one_collection_are_refused() {
        let collect = Collect::<u32>::new();
        let first = opened(&collect, 1);
        let context =
            SinkContext { job: "job".into(), run: 1, subtask: 0, parallelism: 1, restored: false, past: vec![] };
        let error = collect.sink().open(context, &[]).unwrap_err();
        assert!(error.to_string().contains("used by two sinks"), "{error}");
        drop(first);
    }
}
