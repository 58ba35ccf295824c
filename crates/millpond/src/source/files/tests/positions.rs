//! A position is exact: what is read before it and after it, by a new reader, is everything.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// Reads `first` records, then the rest with a new reader for every `step`.
fn read_in_parts<S: Source<Split = FileSplit>>(
    source: &S,
    path: &Path,
    first: usize,
    step: usize,
) -> Vec<S::Item> {
    let (mut split, mut max, mut out) = (start(path), first, ReadBatch::new());
    loop {
        let mut reader = source.open(split).unwrap();
        let before = out.len();
        let mut status = ReadStatus::More;
        while status == ReadStatus::More && out.len() - before < max {
            status = reader.read(max - (out.len() - before), &mut out).unwrap();
        }
        if status == ReadStatus::Finished {
            return out.into_pairs().map(|(record, _)| record).collect();
        }
        // As a snapshot keeps it.
        split = serde_json::from_str(&serde_json::to_string(&reader.split()).unwrap()).unwrap();
        max = step;
    }
}

fn csv_field(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

fn contents() -> impl Strategy<Value = (Vec<Row>, String, String)> {
    let name = prop_oneof![Just(String::new()), "[a-z,\"\r\n é]{0,12}", Just("x".repeat(70_000))];
    let rows = vec((name, any::<Option<i64>>()), 0..20)
        .prop_map(|rows| rows.into_iter().map(|(name, count)| Row { name, count }).collect::<Vec<_>>());
    let ends = vec(prop_oneof![Just("\n"), Just("\r\n"), Just("\n\n"), Just("\r\n\r\n")], 20);
    (rows, ends, any::<bool>()).prop_map(|(rows, ends, mark)| {
        let mark = if mark { "\u{feff}" } else { "" };
        let (mut csv, mut json) = (format!("{mark}\"na\nme\",count\n").replace("na\nme", "name"), mark.to_owned());
        for (row, end) in rows.iter().zip(ends) {
            let count = row.count.map(|count| count.to_string()).unwrap_or_default();
            csv += &format!("{},{count}{end}", csv_field(&row.name));
            json += &(serde_json::to_string(row).unwrap() + end);
        }
        (rows, csv, json)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(48) })]

    #[test]
    fn reading_in_parts_is_reading_whole((rows, csv, json) in contents(), first in 1..10_usize, step in 1..5_usize) {
        let (dir, _) = file("empty", "");
        let dir = dir.path().canonicalize().unwrap();
        for (name, content) in [("a.csv", csv.as_bytes().to_vec()), ("b.csv.gz", gzip(csv.as_bytes()))] {
            let path = dir.join(name);
            fs::write(&path, content).unwrap();
            prop_assert_eq!(&read_in_parts(&Files::csv::<Row>([&path]), &path, first, step), &rows);
        }
        for (name, content) in [("a.jsonl", json.as_bytes().to_vec()), ("b.jsonl.gz", gzip(json.as_bytes()))] {
            let path = dir.join(name);
            fs::write(&path, content).unwrap();
            prop_assert_eq!(&read_in_parts(&Files::json_lines::<Row>([&path]), &path, first, step), &rows);
        }
    }

    /// Whatever the bytes are, a tolerant source comes to the end of them, and to the same in parts.
    #[test]
    fn arbitrary_bytes_are_read_to_their_end(
        bytes in vec(prop_oneof![Just(b'\n'), Just(b'"'), Just(b','), Just(b'\r'), any::<u8>()], 0..300),
        step in 1..5_usize,
    ) {
        let (_dir, path) = file("in.csv", [&b"name,count\n"[..], &bytes].concat());
        let csv = Files::csv::<Row>([&path]).max_record_bytes(40).tolerant();
        prop_assert_eq!(read_in_parts(&csv, &path, step, step), read(&csv, &path).unwrap());
        let json = Files::json_lines::<Row>([&path]).max_record_bytes(40).tolerant();
        prop_assert_eq!(read_in_parts(&json, &path, step, step), read(&json, &path).unwrap());
    }
}

#[test]
fn line_numbers_go_on_after_a_restore() {
    let (_dir, path) = file("in.csv", "name,count\n\"a\nb\",1\n\nc,2\nbad\n");
    let source = Files::csv::<Row>([&path]).tolerant();
    let parsed = read_in_parts(&source, &path, 1, 1);
    assert_eq!(parsed.len(), 3);
    assert_eq!(parsed[2].malformed().unwrap().line, 6);
}

#[test]
fn a_position_behind_the_end_is_an_error() {
    for (name, content) in [("in.csv", b"name,count\na,1\n".to_vec()), ("in.csv.gz", gzip(b"name,count\na,1\n"))] {
        let (_dir, path) = file(name, content);
        let source = Files::csv::<Row>([&path]);
        let split = FileSplit { offset: 100, ..start(&path) };
        let outcome = source.open(split).and_then(|mut reader| drain(&mut reader));
        assert!(outcome.unwrap_err().to_string().contains("up to byte 100"));
    }
}
