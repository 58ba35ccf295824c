//! A sink that counts, and takes a check over what it is given.

use millpond::sink::{Sink, SinkContext};
use millpond::{Data, EventTime, UserError};

use crate::outcome::{Local, Tally};

/// Adds what it is given up into a [`Tally`].
pub(super) struct TallySink<F> {
    tally: Tally,
    local: Local,
    check: F,
}

impl<F> TallySink<F> {
    /// `check` makes a number of a row.
    pub(super) fn new(tally: &Tally, check: F) -> Self {
        TallySink { tally: tally.clone(), local: Local::default(), check }
    }
}

impl<T: Data, F: Fn(&T) -> u64 + 'static> Sink<T> for TallySink<F> {
    type Prepared = ();

    fn describe(&self) -> String {
        "tally".to_owned()
    }

    fn open(&mut self, _: SinkContext, _: &[()]) -> Result<(), UserError> {
        Ok(())
    }

    #[inline]
    fn write(&mut self, value: &T, _: EventTime) -> Result<(), UserError> {
        self.local.take((self.check)(value));
        Ok(())
    }

    fn flush(&mut self) -> Result<(), UserError> {
        self.tally.add(&mut self.local);
        Ok(())
    }

    fn prepare(&mut self, _: u64) -> Result<Option<()>, UserError> {
        Ok(None)
    }

    fn commit(&mut self, (): &()) -> Result<(), UserError> {
        Ok(())
    }
}
