//! A sink that counts, and takes a check over what it is given.

use millpond::sink::{Sink, SinkContext};
use millpond::{Data, EventTime, UserError};

use crate::tally::{Local, Tally, Wanted};

/// Adds what it is given up into a [`Tally`].
pub(super) struct TallySink<F> {
    local: Local,
    take: F,
}

impl<F> TallySink<F> {
    /// `take` takes a row in.
    pub(super) fn new(tally: &Tally, wanted: Wanted, take: F) -> Self {
        TallySink { local: tally.local(wanted), take }
    }
}

impl<T: Data, F: Fn(&T, &mut Local) + 'static> Sink<T> for TallySink<F> {
    type Prepared = ();

    fn describe(&self) -> String {
        "tally".to_owned()
    }

    fn open(&mut self, _: SinkContext, _: &[()]) -> Result<(), UserError> {
        Ok(())
    }

    #[inline]
    fn write(&mut self, value: &T, _: EventTime) -> Result<(), UserError> {
        (self.take)(value, &mut self.local);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), UserError> {
        self.local.flush();
        Ok(())
    }

    fn prepare(&mut self, _: u64) -> Result<Option<()>, UserError> {
        Ok(None)
    }

    fn commit(&mut self, (): &()) -> Result<(), UserError> {
        Ok(())
    }
}
