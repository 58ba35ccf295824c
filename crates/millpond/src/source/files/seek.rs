//! Where a file ends, for a run that is to begin there.

use super::error::FileError;
use super::input::{Filled, Input};
use super::reader::FileSplit;

/// The split behind the last line that is there; behind a last line without a line end too, unless the file `grows`,
/// because then that line is not whole.
pub(super) fn end_of(split: FileSplit, grows: bool) -> Result<FileSplit, FileError> {
    let mut input = Input::open(&split.path, 0)?;
    let mut end = FileSplit { offset: 0, lines: 0, ..split };
    loop {
        let filled = input.fill()?;
        let bytes = input.unread();
        end.lines += memchr::memchr_iter(b'\n', bytes).count() as u64;
        if let Some(last) = memchr::memrchr(b'\n', bytes) {
            end.offset = input.offset() + last as u64 + 1;
        }
        input.consume(input.unread().len());
        if filled == Filled::End {
            break;
        }
    }
    if !grows {
        end.offset = input.offset();
    }
    Ok(end)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn end(name: &str, bytes: &[u8], grows: bool) -> (u64, u64) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let end = end_of(FileSplit { path, offset: 0, lines: 0 }, grows).unwrap();
        (end.offset, end.lines)
    }

    #[test]
    fn a_line_that_is_not_whole_is_before_the_end_only_of_a_file_that_does_not_grow() {
        assert_eq!(end("a.csv", b"", true), (0, 0));
        assert_eq!(end("a.csv", b"a\nbc\n", true), (5, 2));
        assert_eq!(end("a.csv", b"a\nbc\nde", true), (5, 2));
        assert_eq!(end("a.csv", b"a\nbc\nde", false), (7, 2));
        assert_eq!(end("a.csv", b"abc", true), (0, 0));
    }

    #[test]
    fn the_end_is_found_in_long_and_in_compressed_files() {
        let long = b"0123456789\n".repeat(100_000);
        assert_eq!(end("a.csv", &long, true), (1_100_000, 100_000));
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(&long).unwrap();
        assert_eq!(end("a.csv.gz", &packed.finish().unwrap(), true), (1_100_000, 100_000));
    }
}
