//! An operator's output: a buffer, and the right to send it.

use timely::dataflow::channels::pushers::Output;
use timely::dataflow::operators::Capability;

use super::time::Time;

/// Records a buffer holds before it is sent: 8 KiB of them, as timely's own buffers.
fn capacity<D>() -> usize {
    timely::container::buffer::default_capacity::<D>()
}

/// Collects records and sends them under the capability that the operator holds for this output.
pub(crate) struct Emitter<D: Clone + 'static> {
    buffer: Vec<D>,
    output: Output<Time, Vec<D>>,
    capability: Option<Capability<Time>>,
}

impl<D: Clone + 'static> Emitter<D> {
    pub(crate) fn new(output: Output<Time, Vec<D>>, capability: Capability<Time>) -> Self {
        Emitter { buffer: Vec::new(), output, capability: Some(capability) }
    }

    /// Adds a record; it leaves with the buffer that it fills, or with the next [`Emitter::flush`].
    #[inline]
    pub(crate) fn emit(&mut self, record: D) {
        if self.buffer.capacity() == 0 {
            self.buffer.reserve_exact(capacity::<D>());
        }
        self.buffer.push(record);
        if self.buffer.len() == self.buffer.capacity() {
            self.send();
        }
    }

    fn send(&mut self) {
        let Some(capability) = &self.capability else { return };
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
