//! Log entries, manifests and markers that somebody broke, by accident or on purpose: an error that names the file and the field, and
//! never a panic.

mod common;
#[path = "common/harm.rs"]
mod harm;

use std::sync::LazyLock;

use common::{encode, entry, job, record, start};
use harm::{harm, harmed};
use millpond_snapshot::chunk::ChunkKind;
use millpond_snapshot::log::{Entry, EntryBody, JobLog};
use millpond_snapshot::store::{OpenMode, layout};
use millpond_snapshot::{Error, Sequence, Store};
use proptest::prelude::*;

static ENTRY: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let references = vec![
        encode(ChunkKind::Delta, &[("b", None)]).reference(),
        encode(ChunkKind::Base, &[("a", Some(1))]).reference(),
    ];
    serde_json::to_vec(&entry(2, 1, EntryBody::Savepoint(record(references)))).unwrap()
});

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

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
    assert!(matches!(Entry::parse("entry", deep.as_bytes()), Err(Error::Corrupt { .. })));
    let field = r#"{"name":"a","data_type":"List","children":["#;
    let schema = format!("[{}{}]", field.repeat(10_000), "]}".repeat(10_000));
    let text = String::from_utf8(ENTRY.clone()).unwrap();
    let forged = text.replacen("\"key_schema\":[", &format!("\"key_schema\":{schema},\"ignored\":["), 1);
    assert_ne!(text, forged);
    assert!(matches!(Entry::parse("entry", forged.as_bytes()), Err(Error::Corrupt { .. })));
}

#[test]
fn a_field_that_is_wrong_is_named() {
    let text = String::from_utf8(ENTRY.clone()).unwrap();
    for (from, to, field) in [
        ("\"job\":\"flights\",\"sequence\"", "\"job\":\"../x\",\"sequence\"", "job"),
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
        ("\"uid\":\"sum\"", "\"uid\":\"\"", "body.savepoint.manifest.operators[0].uid"),
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
    let newer = text.replacen("\"format_version\":1", "\"format_version\":2,\"shape\":\"unknown\"", 1);
    let error = Entry::parse("entry", newer.as_bytes()).unwrap_err();
    assert!(matches!(error, Error::Unsupported { found: 2, newest: 1, .. }), "{error}");
    assert!(error.to_string().contains("use a newer millpond"), "{error}");
    let zero = text.replacen("\"format_version\":1", "\"format_version\":0", 1);
    assert!(matches!(Entry::parse("entry", zero.as_bytes()), Err(Error::Corrupt { .. })));
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
    let harms: [(fn(&mut _), &str); 3] = [(duplicate, "twice"), (no_key, "key_schema"), (huge, "at most")];
    for (harm, says) in harms {
        let mut forged = record(vec![encode(ChunkKind::Delta, &[("b", None)]).reference()]);
        harm(&mut forged);
        let bytes = serde_json::to_vec(&entry(2, 1, EntryBody::Savepoint(forged))).unwrap();
        let error = Entry::parse("entry", &bytes).unwrap_err();
        assert!(matches!(&error, Error::Corrupt { .. }) && error.to_string().contains(says), "{error}");
    }
}

#[tokio::test]
async fn an_entry_that_stands_at_another_place_is_refused() {
    let store = Store::open("memory://hostile-swap", OpenMode::CreateIfMissing).await.unwrap();
    let bytes = serde_json::to_vec(&start(1)).unwrap();
    for (path, field) in [
        (layout::entry(&job("flights"), Sequence(2)), "sequence"),
        (layout::entry(&job("trains"), Sequence(1)), "job"),
    ] {
        store.put_if_absent(&path, bytes.clone().into()).await.unwrap();
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
async fn a_store_marker_is_checked() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_str().unwrap();
    for (content, says) in [
        ("", "json"),
        (r#"{"format":"other","version":1}"#, "format"),
        (r#"{"format":"millpond-store","version":2}"#, "use a newer millpond"),
        (&"x".repeat(100_000), "at most"),
    ] {
        std::fs::write(directory.path().join("millpond.json"), content).unwrap();
        let error = Store::open(path, OpenMode::CreateIfMissing).await.unwrap_err();
        assert!(error.to_string().contains(says), "{error}");
    }
}
