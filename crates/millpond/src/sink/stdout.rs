//! Standard output.

use std::io::{self, Write};

use super::{Sink, SinkContext};
use crate::runtime::failure::UserError;
use crate::stream::record::Data;
use crate::time::EventTime;

#[derive(Debug, thiserror::Error)]
enum StdoutError {
    #[error("standard output was closed by whoever read it: nothing more can be written")]
    Closed,
    #[error("standard output cannot be written: {0}")]
    Write(io::Error),
}

/// Writes records to standard output, each as a line of JSON, at least once: what was written after the last snapshot
/// is written again after a failure. Lines of different subtasks are never mixed.
pub struct Stdout {
    buffer: Vec<u8>,
    out: Box<dyn Write>,
}

impl Stdout {
    /// Standard output of this process.
    #[expect(clippy::new_without_default, reason = "a default would say less")]
    pub fn new() -> Self {
        Stdout::to(io::stdout())
    }

    fn to(out: impl Write + 'static) -> Self {
        Stdout { buffer: Vec::new(), out: Box::new(out) }
    }
}

impl<T: Data> Sink<T> for Stdout {
    type Prepared = ();

    fn describe(&self) -> String {
        "standard output".to_owned()
    }

    fn open(&mut self, _: SinkContext, _: &[()]) -> Result<(), UserError> {
        Ok(())
    }

    fn write(&mut self, value: &T, _: EventTime) -> Result<(), UserError> {
        let whole_lines = self.buffer.len();
        if let Err(error) = serde_json::to_writer(&mut self.buffer, value) {
            self.buffer.truncate(whole_lines);
            return Err(error.into());
        }
        self.buffer.push(b'\n');
        Ok(())
    }

    fn flush(&mut self) -> Result<(), UserError> {
        let outcome = self.out.write_all(&self.buffer).and_then(|()| self.out.flush());
        self.buffer.clear();
        outcome.map_err(|error| match error.kind() {
            io::ErrorKind::BrokenPipe => StdoutError::Closed.into(),
            _ => StdoutError::Write(error).into(),
        })
    }

    fn prepare(&mut self, _: u64) -> Result<Option<()>, UserError> {
        Sink::<T>::flush(self)?;
        Ok(None)
    }

    fn commit(&mut self, (): &()) -> Result<(), UserError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use super::*;

    #[derive(Clone, Default)]
    struct Pipe(Rc<RefCell<Vec<u8>>>);

    impl Write for Pipe {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.borrow_mut().write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    struct ClosedPipe;

    impl Write for ClosedPipe {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn whole_lines_go_out_with_each_batch() {
        let pipe = Pipe::default();
        let mut sink = Stdout::to(pipe.clone());
        sink.write(&("a".to_owned(), 1), EventTime::MIN).unwrap();
        sink.write(&("b\n".to_owned(), 2), EventTime::MIN).unwrap();
        assert!(pipe.0.borrow().is_empty(), "nothing goes out before the batch ends");
        Sink::<(String, i32)>::flush(&mut sink).unwrap();
        assert_eq!(*pipe.0.borrow(), b"[\"a\",1]\n[\"b\\n\",2]\n");
    }

    #[test]
    fn a_closed_pipe_is_an_error_that_says_so() {
        let mut sink = Stdout::to(ClosedPipe);
        sink.write(&1, EventTime::MIN).unwrap();
        let error = Sink::<i32>::flush(&mut sink).unwrap_err();
        assert!(error.to_string().contains("closed by whoever read it"), "{error}");
    }
}
