//! Bytes that somebody broke, by accident or on purpose: an error that names the file and the field,
//! and never a panic.

mod common;

use std::sync::LazyLock;

use bytes::Bytes;
use common::{encode, entry, job, meta, record, rows, schema, start};
use millpond_snapshot::chunk::{ChunkKind, ChunkReader, ChunkRef, StateKind, encode_chunk};
use millpond_snapshot::hash::HashRange;
use millpond_snapshot::log::{Entry, EntryBody, JobLog};
use millpond_snapshot::store::{OpenMode, layout};
use millpond_snapshot::{ChunkHash, Error, Sequence, Store};
use proptest::prelude::*;

/// What somebody does to bytes.
#[derive(Debug, Clone)]
enum Harm {
    Flip(prop::sample::Index, u8),
    Truncate(prop::sample::Index),
    Insert(prop::sample::Index, Vec<u8>),
    Overwrite(prop::sample::Index, Vec<u8>),
    Swap(prop::sample::Index, prop::sample::Index, usize),
}

fn harm() -> impl Strategy<Value = Harm> {
    let at = any::<prop::sample::Index>;
    let extreme = prop_oneof![
        Just(vec![0xff; 8]),
        Just(vec![0; 8]),
        Just(vec![0x7f; 4]),
        Just(vec![0x80; 10])
    ];
    prop_oneof![
        4 => (at(), 1u8..).prop_map(|(at, bits)| Harm::Flip(at, bits)),
        1 => at().prop_map(Harm::Truncate),
        1 => (at(), prop::collection::vec(any::<u8>(), 1..20)).prop_map(|(at, with)| Harm::Insert(at, with)),
        2 => (at(), extreme).prop_map(|(at, with)| Harm::Overwrite(at, with)),
        1 => (at(), at(), 1usize..40).prop_map(|(a, b, length)| Harm::Swap(a, b, length)),
    ]
}

fn harmed(bytes: &[u8], harms: &[Harm]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for harm in harms {
        if bytes.is_empty() {
            return bytes;
        }
        match harm {
            Harm::Flip(at, bits) => {
                let at = at.index(bytes.len());
                bytes[at] ^= bits;
            }
            Harm::Truncate(at) => bytes.truncate(at.index(bytes.len())),
            Harm::Insert(at, with) => {
                let at = at.index(bytes.len());
                bytes.splice(at..at, with.iter().copied());
            }
            Harm::Overwrite(at, with) => {
                let at = at.index(bytes.len());
                for (target, byte) in bytes[at..].iter_mut().zip(with) {
                    *target = *byte;
                }
            }
            Harm::Swap(a, b, length) => {
                let (a, b) = (a.index(bytes.len()), b.index(bytes.len()));
                for offset in 0..*length {
                    if a + offset < bytes.len() && b + offset < bytes.len() {
                        bytes.swap(a + offset, b + offset);
                    }
                }
            }
        }
    }
    bytes
}

static CHUNK: LazyLock<(Bytes, ChunkRef)> = LazyLock::new(|| {
    let names: Vec<String> = (0..300).map(|i| format!("airport {}", i % 250)).collect();
    let content: Vec<_> = names.iter().map(|n| (n.as_str(), Some(1))).collect();
    let chunk = encode(ChunkKind::Delta, &content);
    (chunk.bytes.clone(), chunk.reference())
});

static ENTRY: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let references = vec![
        CHUNK.1.clone(),
        encode(ChunkKind::Base, &[("a", Some(1))]).reference(),
    ];
    serde_json::to_vec(&entry(2, 1, EntryBody::Savepoint(record(references)))).unwrap()
});

/// Reads a chunk to its end, as one who forged the manifest to fit it.
fn read_forged(bytes: Vec<u8>, range: HashRange) -> Result<usize, Error> {
    let reference = ChunkRef {
        hash: ChunkHash::of(&bytes),
        bytes: bytes.len() as u64,
        ..CHUNK.1.clone()
    };
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

    #[test]
    fn a_broken_entry_is_an_error_or_is_read(harms in prop::collection::vec(harm(), 1..4)) {
        match Entry::parse("entry", &harmed(&ENTRY, &harms)) {
            Ok(_) | Err(Error::Unsupported { .. }) => {}
            Err(Error::Corrupt { file, field, .. }) => prop_assert!(file == "entry" && !field.is_empty()),
            Err(other) => prop_assert!(false, "{other}"),
        }
    }
}

#[test]
fn deep_nesting_is_an_error() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(matches!(
        Entry::parse("entry", deep.as_bytes()),
        Err(Error::Corrupt { .. })
    ));
    let field = r#"{"name":"a","data_type":"List","children":["#;
    let schema = format!("[{}{}]", field.repeat(10_000), "]}".repeat(10_000));
    let text = String::from_utf8(ENTRY.clone()).unwrap();
    let forged = text.replacen(
        "\"key_schema\":[",
        &format!("\"key_schema\":{schema},\"ignored\":["),
        1,
    );
    assert_ne!(text, forged);
    assert!(matches!(
        Entry::parse("entry", forged.as_bytes()),
        Err(Error::Corrupt { .. })
    ));
}

#[test]
fn a_field_that_is_wrong_is_named() {
    let text = String::from_utf8(ENTRY.clone()).unwrap();
    for (from, to, field) in [
        (
            "\"job\":\"flights\",\"sequence\"",
            "\"job\":\"../x\",\"sequence\"",
            "job",
        ),
        ("\"time\":\"", "\"time\":\"x", "time"),
        (
            "\"kind\":\"base\"",
            "\"kind\":\"bass\"",
            "body.savepoint.manifest.operators[0].states[0].chunks[1].kind",
        ),
        (
            "\"data_type\":\"Utf8\"",
            "\"data_type\":\"Utf9\"",
            "body.savepoint.manifest.operators[0].states[0].key_schema",
        ),
        (
            "\"uid\":\"sum\"",
            "\"uid\":\"\"",
            "body.savepoint.manifest.operators[0].uid",
        ),
    ] {
        let forged = text.replacen(from, to, 1);
        assert_ne!(text, forged, "{from}");
        match Entry::parse("entry", forged.as_bytes()).unwrap_err() {
            Error::Corrupt { field: found, .. } => assert_eq!(found, field),
            other => panic!("{other}"),
        }
    }
}

#[test]
fn a_newer_version_asks_for_a_newer_program() {
    let text = String::from_utf8(ENTRY.clone()).unwrap();
    let newer = text.replacen(
        "\"format_version\":1",
        "\"format_version\":2,\"shape\":\"unknown\"",
        1,
    );
    let error = Entry::parse("entry", newer.as_bytes()).unwrap_err();
    assert!(
        matches!(
            error,
            Error::Unsupported {
                found: 2,
                newest: 1,
                ..
            }
        ),
        "{error}"
    );
    assert!(
        error.to_string().contains("use a newer millpond"),
        "{error}"
    );
    let zero = text.replacen("\"format_version\":1", "\"format_version\":0", 1);
    assert!(matches!(
        Entry::parse("entry", zero.as_bytes()),
        Err(Error::Corrupt { .. })
    ));
}

#[test]
fn what_contradicts_itself_is_refused() {
    let duplicate = |record: &mut millpond_snapshot::log::SnapshotRecord| {
        let operator = record.manifest.operators[0].clone();
        record.manifest.operators.push(operator);
    };
    let no_key = |record: &mut millpond_snapshot::log::SnapshotRecord| {
        record.manifest.operators[0].states[0].key_schema = None;
    };
    let huge = |record: &mut millpond_snapshot::log::SnapshotRecord| {
        record.manifest.operators[0].states[0].chunks[0].bytes = u64::MAX;
    };
    let harms: [(fn(&mut _), &str); 3] = [
        (duplicate, "twice"),
        (no_key, "key_schema"),
        (huge, "at most"),
    ];
    for (harm, says) in harms {
        let mut forged = record(vec![CHUNK.1.clone()]);
        harm(&mut forged);
        let bytes = serde_json::to_vec(&entry(2, 1, EntryBody::Savepoint(forged))).unwrap();
        let error = Entry::parse("entry", &bytes).unwrap_err();
        assert!(
            matches!(&error, Error::Corrupt { .. }) && error.to_string().contains(says),
            "{error}"
        );
    }
}

#[tokio::test]
async fn an_entry_that_stands_at_another_place_is_refused() {
    let store = Store::open("memory://hostile-swap", OpenMode::CreateIfMissing)
        .await
        .unwrap();
    let bytes = serde_json::to_vec(&start(1)).unwrap();
    for (path, field) in [
        (layout::entry(&job("flights"), Sequence(2)), "sequence"),
        (layout::entry(&job("trains"), Sequence(1)), "job"),
    ] {
        store
            .put_if_absent(&path, bytes.clone().into())
            .await
            .unwrap();
        let name = path.as_ref().split('/').nth(1).unwrap();
        let log = JobLog::open(&store, &job(name));
        let error = log.entries().await.unwrap_err();
        assert!(
            matches!(&error, Error::Corrupt { file, field: f, .. } if *file == path.to_string() && f == field),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_chunk_that_is_not_the_one_that_is_named_is_refused() {
    let store = Store::open("memory://hostile-chunks", OpenMode::CreateIfMissing)
        .await
        .unwrap();
    let [a, b] = [("a", 1), ("b", 2)].map(|(k, v)| encode(ChunkKind::Base, &[(k, Some(v))]));
    let good = store.put_chunk(a.clone()).await.unwrap();
    let other = b.reference();
    store
        .put_if_absent(&other.path(), a.bytes.clone())
        .await
        .unwrap();
    let swapped = store
        .get_chunk(&ChunkRef {
            bytes: good.bytes,
            ..other.clone()
        })
        .await
        .unwrap_err();
    assert!(
        matches!(&swapped, Error::Corrupt { field, .. } if field == "BLAKE3 hash"),
        "{swapped}"
    );
    let oversized = store
        .get_chunk(&ChunkRef {
            bytes: good.bytes - 1,
            ..good.clone()
        })
        .await
        .unwrap_err();
    assert!(
        matches!(&oversized, Error::Corrupt { field, .. } if field == "size"),
        "{oversized}"
    );
    let huge = store
        .get_chunk(&ChunkRef {
            bytes: u64::MAX,
            ..good.clone()
        })
        .await
        .unwrap_err();
    assert!(matches!(huge, Error::Corrupt { .. }), "{huge}");

    let reader = |reference: &ChunkRef, state| {
        ChunkReader::new(a.bytes.clone(), reference, state, HashRange::FULL)
            .err()
            .map(|e| e.to_string())
    };
    let says = |error: Option<String>, text: &str| {
        let error = error.unwrap();
        assert!(error.contains(text), "{error}");
    };
    says(
        reader(
            &ChunkRef {
                rows: 2,
                ..good.clone()
            },
            StateKind::Value,
        ),
        "number of rows",
    );
    says(
        reader(
            &ChunkRef {
                kind: ChunkKind::Delta,
                ..good.clone()
            },
            StateKind::Value,
        ),
        "chunk_kind",
    );
    says(
        reader(
            &ChunkRef {
                range: HashRange::of_worker(0, 2),
                ..good.clone()
            },
            StateKind::Value,
        ),
        "hash_end",
    );
    says(
        reader(
            &ChunkRef {
                job: job("trains"),
                ..good.clone()
            },
            StateKind::Value,
        ),
        "millpond.job",
    );
    says(reader(&good, StateKind::List), "state_kind");
}

#[test]
fn rows_that_do_not_make_a_chunk_are_refused() {
    let delta = rows(ChunkKind::Delta, &[("a", Some(1)), ("b", None)]);
    let says = |result: Result<_, Error>, text: &str| {
        let error = result
            .map(|_: millpond_snapshot::chunk::EncodedChunk| ())
            .unwrap_err();
        assert!(
            matches!(error, Error::InvalidInput(_)) && error.to_string().contains(text),
            "{error}"
        );
    };
    let schema_of = |kind| schema(kind);
    says(
        encode_chunk(
            &schema_of(ChunkKind::Delta),
            [delta.clone()],
            &meta(ChunkKind::Base),
        ),
        "no tombstones",
    );
    says(
        encode_chunk(
            &schema_of(ChunkKind::Base),
            [rows(ChunkKind::Base, &[])],
            &meta(ChunkKind::Delta),
        ),
        "deleted",
    );
    let backwards = [delta.slice(1, 1), delta.slice(0, 1)];
    says(
        encode_chunk(
            &schema_of(ChunkKind::Delta),
            backwards,
            &meta(ChunkKind::Delta),
        ),
        "not sorted",
    );
    let mut narrow = meta(ChunkKind::Delta);
    narrow.range = HashRange::new(0, 1).unwrap();
    says(
        encode_chunk(&schema_of(ChunkKind::Delta), [delta], &narrow),
        "outside its range",
    );
}

#[tokio::test]
async fn a_store_marker_is_checked() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_str().unwrap();
    for (content, says) in [
        ("", "json"),
        (r#"{"format":"other","version":1}"#, "format"),
        (
            r#"{"format":"millpond-store","version":2}"#,
            "use a newer millpond",
        ),
        (&"x".repeat(100_000), "at most"),
    ] {
        std::fs::write(directory.path().join("millpond.json"), content).unwrap();
        let error = Store::open(path, OpenMode::CreateIfMissing)
            .await
            .unwrap_err();
        assert!(error.to_string().contains(says), "{error}");
    }
}
