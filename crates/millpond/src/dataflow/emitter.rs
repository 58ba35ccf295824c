//! An operator's output: a buffer, and the right to send it.

use timely::dataflow::channels::pushers::Output;
use timely::dataflow::operators::Capability;

use super::time::Time;

/// Bytes of records that are sent together, at most.
const BYTES: usize = 32 << 10;
/// Records that are sent together, at most: the more there are, the longer other operators wait while they are worked on.
const RECORDS: usize = 1 << 10;

/// How many of `D` are sent together, at most.
pub(crate) const fn batch_capacity<D>() -> usize {
    let size = if size_of::<D>() == 0 { 1 } else { size_of::<D>() };
    match BYTES / size {
        0 => 1,
        fitting if fitting < RECORDS => fitting,
        _ => RECORDS,
    }
}

/// Collects records and sends them under the capability that the operator holds for this output.
pub(crate) struct Emitter<D: Clone + 'static> {
    buffer: Vec<D>,
    /// How many were sent the last time: as much room is made for the next.
    room: usize,
    output: Output<Time, Vec<D>>,
    capability: Option<Capability<Time>>,
}

impl<D: Clone + 'static> Emitter<D> {
    pub(crate) fn new(output: Output<Time, Vec<D>>, capability: Capability<Time>) -> Self {
        Emitter { buffer: Vec::new(), room: 1, output, capability: Some(capability) }
    }

    /// Adds a record; it leaves with the buffer that it fills, or with the next [`Emitter::flush`].
    #[inline]
    pub(crate) fn emit(&mut self, record: D) {
        self.fill(|buffer, _| buffer.push(record));
    }

    /// Lets `fill` add records to those that have not left; it is told how many fit. They leave as those of
    /// [`Emitter::emit`] do.
    #[inline]
    pub(crate) fn fill<R>(&mut self, fill: impl FnOnce(&mut Vec<D>, usize) -> R) -> R {
        if self.buffer.capacity() == 0 {
            self.buffer.reserve(self.room);
        }
        let capacity = const { batch_capacity::<D>() };
        let room = capacity - self.buffer.len();
        let outcome = fill(&mut self.buffer, room);
        if self.buffer.len() >= capacity {
            self.send();
        }
        outcome
    }

    fn send(&mut self) {
        let Some(capability) = &self.capability else { return };
        self.room = self.buffer.len();
        self.output.activate().give(capability, &mut self.buffer);
        self.buffer.clear();
    }

    /// Sends what is buffered, at the time of the capability as it stands.
    pub(crate) fn flush(&mut self) {
        if !self.buffer.is_empty() {
            self.send();
        }
    }

    /// Sends what is buffered, then promises to send nothing before `time` any more.
    pub(crate) fn advance(&mut self, time: Time) {
        if self.capability.as_ref().is_some_and(|c| *c.time() != time) {
            self.flush();
            if let Some(capability) = &mut self.capability {
                capability.downgrade(&time);
            }
        }
    }

    /// Sends what is buffered, then promises to send nothing any more.
    pub(crate) fn close(&mut self) {
        self.flush();
        self.capability = None;
    }
}
