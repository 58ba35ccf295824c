//! Where records end.
//!
//! A record ends with a line feed; in CSV, not with one inside a quoted field. The framer can be given the bytes of a
//! record again with more behind them, and goes on where it stopped looking.

use memchr::{memchr, memchr_iter};

/// What separates records.
#[derive(Clone, Copy, Debug)]
pub(super) enum Framing {
    /// Every line feed.
    Lines,
    /// Line feeds outside of quoted fields.
    Quoted { delimiter: u8, quote: u8 },
}

/// Where in a CSV record the framer is.
#[derive(Clone, Copy, Debug)]
enum Place {
    FieldStart,
    Unquoted,
    Quoted,
}

/// Finds the end of one record after the other.
#[derive(Debug)]
pub(super) struct Framer {
    framing: Framing,
    place: Place,
    looked_at: usize,
    lines: u64,
}

impl Framer {
    pub(super) fn new(framing: Framing) -> Self {
        Framer { framing, place: Place::FieldStart, looked_at: 0, lines: 0 }
    }

    /// How many of `bytes`, which begin where the record does, belong to it with its line feed. `None` if it does not
    /// end there.
    pub(super) fn end_of_record(&mut self, bytes: &[u8]) -> Option<usize> {
        let new = &bytes[self.looked_at..];
        let end = match self.framing {
            Framing::Lines => memchr(b'\n', new),
            Framing::Quoted { delimiter, quote } => self.end_of_quoted(new, delimiter, quote),
        };
        let seen = end.map_or(new.len(), |end| end + 1);
        self.lines += match self.framing {
            Framing::Lines => u64::from(end.is_some()),
            Framing::Quoted { .. } => memchr_iter(b'\n', &new[..seen]).count() as u64,
        };
        self.looked_at += seen;
        end.map(|_| self.looked_at)
    }

    fn end_of_quoted(&mut self, bytes: &[u8], delimiter: u8, quote: u8) -> Option<usize> {
        let mut at = 0;
        while at < bytes.len() {
            let byte = bytes[at];
            self.place = match self.place {
                // A doubled quote closes the field and opens it again, which comes to the same.
                Place::Quoted => {
                    at += memchr(quote, &bytes[at..])?;
                    Place::FieldStart
                }
                _ if byte == b'\n' => return Some(at),
                _ if byte == delimiter => Place::FieldStart,
                Place::FieldStart if byte == quote => Place::Quoted,
                // A quote inside a field that does not begin with one is just a character.
                _ => Place::Unquoted,
            };
            at += 1;
        }
        None
    }

    /// The record's bytes so far have been thrown away; its end is still to be found.
    pub(super) fn forget_bytes(&mut self) {
        self.looked_at = 0;
    }

    /// The next record begins. Says how many line feeds the last one had.
    pub(super) fn next_record(&mut self) -> u64 {
        let lines = self.lines;
        *self = Framer::new(self.framing);
        lines
    }
}
