//! What the pages of a chunk say of their size, checked before the decoder takes room for it.
//!
//! The decoder takes as much memory as a page claims to need, terabytes if it must, before it looks at what is there, and
//! a program that cannot have its memory ends. Here the headers are walked first: nothing may claim more than its
//! bytes can become.
//!
//! A header is the struct `PageHeader` in Parquet's `parquet.thrift`. What is none is refused: what is passed over here must be what
//! the decoder passes over, so that nothing is that both do not know.

use std::io::{self, Read};

use parquet::basic::{Compression, Type};
use parquet::file::metadata::ColumnChunkMetaData;

use super::thrift::{FALSE, I32, STRUCT, TRUE, Thrift};

/// How many bytes a byte of Zstandard can become: a block makes 128 KiB at most and takes four bytes at least
/// (RFC 8878, sections 3.1.1.2.3 and 3.1.1.2.4).
const MOST_FROM_A_BYTE: u64 = 128 * 1024 / 4;

/// How many lengths a byte of `DELTA_LENGTH_BYTE_ARRAY` can say: writers make blocks of 128 equal ones no shorter.
const MOST_LENGTHS_IN_A_BYTE: u64 = 128;

/// A value of fixed size takes no more bytes, as the decoder takes room for a whole batch of them.
pub(super) const MAX_FIXED_BYTES: i32 = 64 * 1024;

/// Checks the pages of one column of a row group; an error says what is wrong with them.
pub(super) fn check_pages(file: &[u8], column: &ColumnChunkMetaData) -> Result<(), String> {
    let width = column.column_descr().type_length();
    if column.column_type() == Type::FIXED_LEN_BYTE_ARRAY && width > MAX_FIXED_BYTES {
        return Err(format!("values of {width} bytes each, expected at most {MAX_FIXED_BYTES}"));
    }
    let (start, length) = column.byte_range();
    let pages = usize::try_from(start).ok().zip(usize::try_from(length).ok());
    let pages = pages.and_then(|(start, length)| file.get(start..start.checked_add(length)?));
    let mut rest = Thrift::new(pages.ok_or("they lie beyond the end of the file")?);
    while !rest.is_empty() {
        let header = PageHeader::read(&mut rest).ok_or("a page header is malformed")?;
        let page = usize::try_from(header.compressed).ok().and_then(|length| rest.take(length));
        let page =
            page.ok_or_else(|| format!("a page claims {} bytes, more than there are", header.compressed))?;
        header.check(page, column)?;
    }
    Ok(())
}

/// What a page header says of sizes.
struct PageHeader {
    uncompressed: i64,
    compressed: i64,
    /// Fields of what is said of the page by its kind.
    data: Numbers,
    dictionary: Numbers,
    data_v2: Numbers,
}

/// The numbers of a struct by their field, where there are any.
type Numbers = [Option<i64>; 9];

/// `Encoding` in `parquet.thrift`.
const DELTA_LENGTH_BYTE_ARRAY: Option<i64> = Some(6);
const DELTA_BYTE_ARRAY: Option<i64> = Some(7);

// Fields of the structs in a page header, the first one being 1.
const DATA: &[u8] = &[I32, I32, I32, I32, STRUCT];
const DICTIONARY: &[u8] = &[I32, I32, TRUE];
const DATA_V2: &[u8] = &[I32, I32, I32, I32, I32, I32, TRUE, STRUCT];

impl PageHeader {
    /// Takes a header off the front. `None` means that it is malformed.
    fn read(from: &mut Thrift<'_>) -> Option<Self> {
        let mut sizes = [None; 5];
        let [mut data, mut dictionary, mut data_v2] = [Numbers::default(); 3];
        from.fields(|from, field, kind| {
            match (field, kind) {
                (1..=4, I32) => sizes[field] = Some(from.zigzag()?),
                (5, STRUCT) => data = numbers(from, DATA)?,
                (6, STRUCT) => from.pass(STRUCT)?,
                (7, STRUCT) => dictionary = numbers(from, DICTIONARY)?,
                (8, STRUCT) => data_v2 = numbers(from, DATA_V2)?,
                _ => return None,
            }
            Some(())
        })?;
        let [_, _, uncompressed, compressed, _] = sizes;
        Some(PageHeader { uncompressed: uncompressed?, compressed: compressed?, data, dictionary, data_v2 })
    }

    fn check(&self, page: &[u8], column: &ColumnChunkMetaData) -> Result<(), String> {
        let is_compressed = !matches!(column.compression(), Compression::UNCOMPRESSED);
        let bytes = page.len() as u64;
        let most = if is_compressed { bytes * MOST_FROM_A_BYTE } else { bytes };
        within(self.uncompressed, most, "bytes")?;
        // A value of a dictionary takes a byte at least.
        let [_, values, ..] = self.dictionary;
        within(values.unwrap_or(0), self.uncompressed as u64, "values in a dictionary")?;
        let ([_, _, encoding, ..], [_, _, _, _, encoding_v2, ..]) = (self.data, self.data_v2);
        if encoding == DELTA_BYTE_ARRAY || encoding_v2 == DELTA_BYTE_ARRAY {
            return Err("the encoding DELTA_BYTE_ARRAY, which chunks do not have".to_owned());
        }
        if encoding == DELTA_LENGTH_BYTE_ARRAY || encoding_v2 == DELTA_LENGTH_BYTE_ARRAY {
            let malformed = || "a page of DELTA_LENGTH_BYTE_ARRAY is malformed".to_owned();
            let lengths = self.lengths(page, is_compressed, column).ok_or_else(malformed)?;
            let most = 1 + self.uncompressed as u64 * MOST_LENGTHS_IN_A_BYTE;
            within(i64::try_from(lengths).unwrap_or(i64::MAX), most, "texts")?;
        }
        Ok(())
    }

    /// How many lengths a page of `DELTA_LENGTH_BYTE_ARRAY` claims: a number near its beginning, behind the levels that
    /// say which values are null or in which list they are.
    fn lengths(&self, page: &[u8], is_compressed: bool, column: &ColumnChunkMetaData) -> Option<u64> {
        let [_, _, _, _, encoding_v2, definitions, repetitions, compressed_v2, _] = self.data_v2;
        let (levels, is_compressed) = if encoding_v2.is_some() {
            let levels = definitions.unwrap_or(0).checked_add(repetitions.unwrap_or(0))?;
            (usize::try_from(levels).ok()?, is_compressed && compressed_v2 != Some(0))
        } else {
            (0, is_compressed)
        };
        let values = page.get(levels..)?;
        let mut bytes: Box<dyn Read + '_> = match is_compressed {
            true => Box::new(zstd::stream::read::Decoder::with_buffer(values).ok()?),
            false => Box::new(values),
        };
        if encoding_v2.is_none() {
            let descriptor = column.column_descr();
            for level in [descriptor.max_rep_level(), descriptor.max_def_level()] {
                if level > 0 {
                    let mut length = [0; 4];
                    bytes.read_exact(&mut length).ok()?;
                    io::copy(&mut bytes.by_ref().take(u32::from_le_bytes(length).into()), &mut io::sink()).ok()?;
                }
            }
        }
        // Three numbers of at most ten bytes each: the size of a block, the parts of a block, and how many there are.
        let mut beginning = Vec::with_capacity(30);
        bytes.take(30).read_to_end(&mut beginning).ok()?;
        let mut numbers = Thrift::new(&beginning);
        numbers.varint()?;
        numbers.varint()?;
        numbers.varint()
    }
}

/// An error if more is claimed than there can be.
fn within(claimed: i64, most: u64, what: &str) -> Result<(), String> {
    if u64::try_from(claimed).is_ok_and(|claimed| claimed <= most) {
        return Ok(());
    }
    Err(format!("a page claims {claimed} {what}, and can have {most} at most"))
}

/// Reads a struct of these fields for its numbers; a truth value is 0 or 1.
fn numbers(from: &mut Thrift<'_>, kinds: &[u8]) -> Option<Numbers> {
    let mut numbers = Numbers::default();
    from.fields(|from, field, kind| {
        match (*kinds.get(field - 1)?, kind) {
            (I32, I32) => numbers[field] = Some(from.zigzag()?),
            (TRUE, TRUE | FALSE) => numbers[field] = Some(i64::from(kind == TRUE)),
            (STRUCT, STRUCT) => from.pass(STRUCT)?,
            _ => return None,
        }
        Some(())
    })?;
    Some(numbers)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::builder::{ListBuilder, StringBuilder};
    use arrow_array::{ArrayRef, RecordBatch, StringArray};
    use bytes::Bytes;
    use parquet::arrow::ArrowWriter;
    use parquet::basic::{Encoding, ZstdLevel};
    use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
    use parquet::file::properties::{WriterProperties, WriterVersion};

    use super::*;

    const TEXTS: usize = 16_384;

    /// A column of texts, by itself in a file; in the encoding that says all lengths first.
    fn file(column: ArrayRef, compression: Compression, version: WriterVersion) -> (Vec<u8>, ParquetMetaData) {
        let batch = RecordBatch::try_from_iter([("text", column)]).unwrap();
        let properties = WriterProperties::builder()
            .set_compression(compression)
            .set_writer_version(version)
            .set_dictionary_enabled(false)
            .set_encoding(Encoding::DELTA_LENGTH_BYTE_ARRAY)
            .set_data_page_row_count_limit(usize::MAX);
        let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties.build())).unwrap();
        writer.write(&batch).unwrap();
        let bytes = writer.into_inner().unwrap();
        let metadata = ParquetMetaDataReader::new().parse_and_finish(&Bytes::from(bytes.clone())).unwrap();
        (bytes, metadata)
    }

    /// Texts that are all there, every second one, and in lists of two.
    fn columns() -> [(ArrayRef, u64); 3] {
        let text = |i: usize| format!("{}", i % 100);
        let all = StringArray::from_iter_values((0..TEXTS).map(text));
        let some = StringArray::from_iter((0..TEXTS).map(|i| (i % 2 == 0).then(|| text(i))));
        let mut lists = ListBuilder::new(StringBuilder::new());
        for i in 0..TEXTS {
            lists.append_value([Some(text(i)), Some(text(i + 1))]);
        }
        [(Arc::new(all), 16_384), (Arc::new(some), 8_192), (Arc::new(lists.finish()), 32_768)]
    }

    #[test]
    fn how_many_texts_a_page_has_is_found_in_each_kind_of_page() {
        for compression in [Compression::UNCOMPRESSED, Compression::ZSTD(ZstdLevel::default())] {
            for version in [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0] {
                for (texts, expected) in columns() {
                    let (bytes, metadata) = file(texts, compression, version);
                    let column = metadata.row_group(0).column(0);
                    check_pages(&bytes, column).unwrap();
                    let (start, length) = column.byte_range();
                    let mut rest = Thrift::new(&bytes[start as usize..][..length as usize]);
                    let mut found = 0;
                    while !rest.is_empty() {
                        let header = PageHeader::read(&mut rest).unwrap();
                        let page = rest.take(header.compressed as usize).unwrap();
                        found += header.lengths(page, compression != Compression::UNCOMPRESSED, column).unwrap();
                    }
                    assert_eq!(found, expected, "{compression:?} {version:?}");
                }
            }
        }
    }

    #[test]
    fn a_page_cannot_claim_more_texts_than_its_bytes_can_say() {
        let none: ArrayRef = Arc::new(StringArray::from(vec![""; TEXTS]));
        let (mut bytes, metadata) = file(none, Compression::UNCOMPRESSED, WriterVersion::PARQUET_1_0);
        let column = metadata.row_group(0).column(0);
        check_pages(&bytes, column).unwrap();
        // Blocks of 128 in four parts, 16,384 lengths, the first of which is 0.
        let claim = [0x80, 1, 4, 0x80, 0x80, 1, 0];
        let at = bytes.windows(claim.len()).position(|found| found == claim).unwrap();
        bytes[at + 3..at + 6].copy_from_slice(&[0xff, 0xff, 0x7f]);
        let problem = check_pages(&bytes, column).unwrap_err();
        assert!(problem.contains("claims 2097151 texts"), "{problem}");
    }

    #[test]
    fn a_header_that_the_decoder_could_take_for_another_is_refused() {
        // A field of a kind that it does not have, one that stands there twice, and one that nobody knows.
        let good = [0x15, 0, 0x15, 2, 0x15, 2, 0];
        assert!(PageHeader::read(&mut Thrift::new(&good)).is_some());
        for bad in
            [&[0x15, 0, 0x13, 2, 0x15, 2, 0][..], &[0x15, 0, 0x15, 2, 0x05, 4, 2, 0x15, 2, 0], &[0x95, 2, 0]]
        {
            assert!(PageHeader::read(&mut Thrift::new(bad)).is_none(), "{bad:?}");
        }
    }
}
