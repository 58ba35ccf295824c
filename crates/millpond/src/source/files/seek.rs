//! Where a file ends, for a run that is to begin there.

use std::path::Path;

use super::error::FileError;
use super::framing::Framer;
use super::input::{Filled, Input};
use super::reader::{FileSplit, ReadOptions};

/// The split behind the last whole record that is there. What follows it in a file that grows is a record that is not
/// whole yet. The file stands at `here`.
pub(super) fn end_of(split: FileSplit, here: &Path, options: ReadOptions) -> Result<FileSplit, FileError> {
    let mut input = Input::open(here, 0)?;
    let mut framer = Framer::new(options.format.framing());
    let mut end = FileSplit { offset: 0, lines: 0, ..split };
    loop {
        while let Some(length) = framer.end_of_record(input.unread()) {
            input.consume(length);
            end.lines += framer.next_record();
            end.offset = input.offset();
        }
        // Whatever it says: only where it ends matters.
        if input.unread().len() > options.max_record_bytes {
            framer.forget_bytes();
            input.consume(input.unread().len());
        }
        if input.fill()? == Filled::End {
            return Ok(end);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::super::decode::Format;
    use super::*;

    fn end(name: &str, bytes: &[u8]) -> (u64, u64) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let format = Format::Csv { delimiter: b',', quote: b'"' };
        let options = ReadOptions { format, follow: true, strict: true, max_record_bytes: 1000 };
        let end = end_of(FileSplit { path: path.clone(), offset: 0, lines: 0 }, &path, options).unwrap();
        (end.offset, end.lines)
    }

    #[test]
    fn a_record_that_is_not_whole_is_behind_the_end() {
        assert_eq!(end("a.csv", b""), (0, 0));
        assert_eq!(end("a.csv", b"abc"), (0, 0));
        assert_eq!(end("a.csv", b"a\nbc\n"), (5, 2));
        assert_eq!(end("a.csv", b"a\nbc\nde"), (5, 2));
        assert_eq!(end("a.csv", b"a\n\"b\nc\"\n\"d\ne"), (8, 3), "a line end in quotes ends nothing");
    }

    #[test]
    fn the_end_is_found_in_long_files_behind_long_records_and_in_compressed_files() {
        let mut long = b"0123456789\n".repeat(100_000);
        long.extend(b"x".repeat(300_000));
        long.push(b'\n');
        assert_eq!(end("a.csv", &long), (1_400_001, 100_001));
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(&long).unwrap();
        assert_eq!(end("a.csv.gz", &packed.finish().unwrap()), (1_400_001, 100_001));
    }
}
