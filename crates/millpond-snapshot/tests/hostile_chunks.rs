//! Chunks that somebody broke, by accident or on purpose: an error that names the file and the field, and
//! never a panic.

mod common;
#[path = "common/harm.rs"]
mod harm;

use std::sync::{Arc, LazyLock};

use arrow_array::{ArrayRef, RecordBatch, StringArray, UInt64Array};
use arrow_schema::{DataType, Field, Schema};
use bytes::Bytes;
use common::{encode, job, meta, rows, schema};
use harm::{harm, harmed};
use millpond_snapshot::chunk::{ChunkKind, ChunkReader, ChunkRef, StateKind, encode_chunk};
use millpond_snapshot::hash::HashRange;
use millpond_snapshot::log::Entry;
use millpond_snapshot::store::OpenMode;
use millpond_snapshot::{ChunkHash, Error, Store};
use parquet::arrow::ArrowWriter;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use proptest::prelude::*;

static CHUNK: LazyLock<(Bytes, ChunkRef)> = LazyLock::new(|| {
    let names: Vec<String> = (0..300).map(|i| format!("airport {}", i % 250)).collect();
    let content: Vec<_> = names.iter().map(|n| (n.as_str(), Some(1))).collect();
    let chunk = encode(ChunkKind::Delta, &content);
    (chunk.bytes.clone(), chunk.reference())
});

/// Reads a chunk to its end, as one who forged the manifest to fit it.
fn read_forged(bytes: Vec<u8>, range: HashRange) -> Result<usize, Error> {
    let reference = ChunkRef { hash: ChunkHash::of(&bytes), bytes: bytes.len() as u64, ..CHUNK.1.clone() };
    let mut rows = 0;
    for batch in ChunkReader::new(bytes.into(), &reference, StateKind::Value, range)? {
        rows += batch?.num_rows();
    }
    Ok(rows)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn a_forged_chunk_is_an_error_or_is_read(harms in prop::collection::vec(harm(), 1..4)) {
        let bytes = harmed(&CHUNK.0, &harms);
        match read_forged(bytes, HashRange::FULL) {
            Ok(rows) => prop_assert!(rows <= 300),
            Err(Error::Corrupt { file, field, .. }) => prop_assert!(!file.is_empty() && !field.is_empty()),
            Err(Error::Unsupported { found, newest, .. }) => prop_assert!(found > newest),
            Err(other) => prop_assert!(false, "{other}"),
        }
    }

    #[test]
    fn the_end_of_a_chunk_is_where_forgery_pays(
        from_end in 0usize..3000, with in prop::collection::vec(any::<u8>(), 1..9)
    ) {
        let mut bytes = CHUNK.0.to_vec();
        let at = bytes.len().saturating_sub(from_end + 1);
        for (target, byte) in bytes[at..].iter_mut().zip(&with) {
            *target = *byte;
        }
        let _ = read_forged(bytes, HashRange::of_worker(1, 3));
    }
}

/// The decoder takes room for what a page claims before it looks at the page. Fuzzing found the second of these, in
/// the golden chunk of timers: four bytes in the header of a page of 19 bytes make it claim 640 million values.
#[test]
fn a_page_cannot_claim_more_than_its_bytes_can_become() {
    const ENTRY: &str = "tests/golden/v1/export/snapshot.json";
    const TIMERS: &str = "tests/golden/v1/export/00-golden/timers/002-delta-3640542f.parquet";
    let entry = Entry::parse(ENTRY, &std::fs::read(ENTRY).unwrap()).unwrap();
    let operators = &entry.snapshot().unwrap().manifest.operators;
    let mut chunks = operators.iter().flat_map(|operator| &operator.states).flat_map(|state| &state.chunks);
    let golden = chunks.find(|chunk| chunk.hash.to_string().starts_with("3640542f")).unwrap();
    let read = |bytes: Vec<u8>| {
        let reference = ChunkRef { hash: ChunkHash::of(&bytes), bytes: bytes.len() as u64, ..golden.clone() };
        let reader = ChunkReader::new(bytes.into(), &reference, StateKind::Timers, HashRange::FULL)?;
        reader.map(|batch| batch.map(|batch| batch.num_rows())).sum::<Result<usize, Error>>()
    };
    let bytes = std::fs::read(TIMERS).unwrap();
    assert_eq!(read(bytes.clone()).unwrap(), 3);
    for (at, claimed) in [(557, "bytes"), (562, "values in a dictionary")] {
        let mut bytes = bytes.clone();
        bytes.splice(at..at, [0xfe, 0xff, 0xff, 0xcd]);
        let error = read(bytes).unwrap_err();
        assert!(matches!(&error, Error::Corrupt { field, .. } if field == "pages of column key"), "{error}");
        assert!(error.to_string().contains(claimed), "{error}");
    }
}

#[tokio::test]
async fn a_chunk_that_is_not_the_one_that_is_named_is_refused() {
    let store = Store::open("memory://hostile-chunks", OpenMode::CreateIfMissing).await.unwrap();
    let [a, b] = [("a", 1), ("b", 2)].map(|(k, v)| encode(ChunkKind::Base, &[(k, Some(v))]));
    let good = store.put_chunk(a.clone()).await.unwrap();
    let other = b.reference();
    store.put_if_absent(&other.path(), a.bytes.clone()).await.unwrap();
    let swapped = store.get_chunk(&ChunkRef { bytes: good.bytes, ..other.clone() }).await.unwrap_err();
    assert!(matches!(&swapped, Error::Corrupt { field, .. } if field == "BLAKE3 hash"), "{swapped}");
    let oversized = store.get_chunk(&ChunkRef { bytes: good.bytes - 1, ..good.clone() }).await.unwrap_err();
    assert!(matches!(&oversized, Error::Corrupt { field, .. } if field == "size"), "{oversized}");
    let huge = store.get_chunk(&ChunkRef { bytes: u64::MAX, ..good.clone() }).await.unwrap_err();
    assert!(matches!(huge, Error::Corrupt { .. }), "{huge}");

    let reader = |reference: &ChunkRef, state| {
        ChunkReader::new(a.bytes.clone(), reference, state, HashRange::FULL).err().map(|e| e.to_string())
    };
    let says = |error: Option<String>, text: &str| {
        let error = error.unwrap();
        assert!(error.contains(text), "{error}");
    };
    says(reader(&ChunkRef { rows: 2, ..good.clone() }, StateKind::Value), "number of rows");
    says(reader(&ChunkRef { kind: ChunkKind::Delta, ..good.clone() }, StateKind::Value), "chunk_kind");
    says(reader(&ChunkRef { range: HashRange::of_worker(0, 2), ..good.clone() }, StateKind::Value), "hash_end");
    says(reader(&ChunkRef { job: job("trains"), ..good.clone() }, StateKind::Value), "millpond.job");
    says(reader(&good, StateKind::List), "state_kind");
}

#[test]
fn rows_that_do_not_make_a_chunk_are_refused() {
    let delta = rows(ChunkKind::Delta, &[("a", Some(1)), ("b", None)]);
    let says = |result: Result<_, Error>, text: &str| {
        let error = result.map(|_: millpond_snapshot::chunk::EncodedChunk| ()).unwrap_err();
        assert!(matches!(error, Error::InvalidInput(_)) && error.to_string().contains(text), "{error}");
    };
    let schema_of = |kind| schema(kind);
    says(encode_chunk(&schema_of(ChunkKind::Delta), [delta.clone()], &meta(ChunkKind::Base)), "no tombstones");
    says(
        encode_chunk(&schema_of(ChunkKind::Base), [rows(ChunkKind::Base, &[])], &meta(ChunkKind::Delta)),
        "deleted",
    );
    let backwards = [delta.slice(1, 1), delta.slice(0, 1)];
    says(encode_chunk(&schema_of(ChunkKind::Delta), backwards, &meta(ChunkKind::Delta)), "not sorted");
    let mut narrow = meta(ChunkKind::Delta);
    narrow.range = HashRange::new(0, 1).unwrap();
    says(encode_chunk(&schema_of(ChunkKind::Delta), [delta], &narrow), "outside its range");
}

#[test]
fn a_type_that_parquet_does_not_have_is_refused_by_name() {
    let variants: arrow_schema::UnionFields =
        [(0, Arc::new(Field::new("a", DataType::Int64, true)))].into_iter().collect();
    let union = DataType::Union(variants, arrow_schema::UnionMode::Dense);
    let mut fields: Vec<_> = schema(ChunkKind::Base).fields().iter().cloned().collect();
    fields[2] = Arc::new(Field::new("value", union, true));
    let schema = Arc::new(Schema::new(fields));
    let error = encode_chunk(&schema, [], &meta(ChunkKind::Base)).unwrap_err();
    assert!(matches!(&error, Error::InvalidInput(_)) && error.to_string().contains("Union"), "{error}");
}

/// A chunk that says the right things of itself and holds these hashes, as the encoder would not write it.
fn forged(hashes: Vec<u64>) -> (Bytes, ChunkRef) {
    let good = encode(ChunkKind::Base, &[("a", Some(1))]).reference();
    let rows = hashes.len();
    let columns: Vec<ArrayRef> = vec![
        Arc::new(UInt64Array::from(hashes)),
        Arc::new(StringArray::from(vec!["a"; rows])),
        Arc::new(UInt64Array::from(vec![1; rows])),
    ];
    let batch = RecordBatch::try_new(schema(ChunkKind::Base), columns).unwrap();
    let about = [
        ("format_version", "1"),
        ("state_kind", "value"),
        ("chunk_kind", "base"),
        ("hash_start", "0000000000000000"),
        ("hash_end", "00000000000000ff"),
        ("job", "flights"),
    ];
    let about = about.map(|(key, value)| KeyValue::new(format!("millpond.{key}"), value.to_owned()));
    let properties = WriterProperties::builder().set_key_value_metadata(Some(about.to_vec())).build();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    let bytes = Bytes::from(writer.into_inner().unwrap());
    let (hash, range) = (ChunkHash::of(&bytes), HashRange::new(0, 255).unwrap());
    (bytes.clone(), ChunkRef { hash, range, rows: rows as u64, bytes: bytes.len() as u64, ..good })
}

#[test]
fn rows_out_of_order_or_out_of_range_are_found_when_they_are_read() {
    let read = |hashes| {
        let (bytes, reference) = forged(hashes);
        let reader = ChunkReader::new(bytes, &reference, StateKind::Value, HashRange::FULL)?;
        reader.map(|batch| batch.map(|batch| batch.num_rows())).sum::<Result<usize, Error>>()
    };
    assert_eq!(read(vec![1, 2, 2, 255]).unwrap(), 4);
    for (hashes, says) in [(vec![1, 3, 2], "not sorted"), (vec![1, 256], "outside")] {
        let error = read(hashes).unwrap_err();
        assert!(matches!(&error, Error::Corrupt { field, .. } if field == "column hash"), "{error}");
        assert!(error.to_string().contains(says), "{error}");
    }
}
