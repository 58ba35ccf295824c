use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::{
    Generator, GeneratorSplit, IteratorSource, IteratorSplit, ReadBatch, ReadStatus, Source, SourcePosition,
    SplitReader,
};
use crate::time::EventTime;

type Records<T> = Vec<(T, EventTime)>;

/// Reads `max` at a time until there is no more.
fn read_all<R: SplitReader>(reader: &mut R, max: usize) -> Records<R::Item> {
    let mut out = ReadBatch::new();
    while reader.read(max, &mut out).unwrap() != ReadStatus::Finished {}
    out.into_pairs().collect()
}

#[test]
fn generator_splits_make_each_record_once() {
    for (count, splits) in [(0, 1), (1, 3), (10, 3), (100, 7)] {
        let mut source =
            Generator::new(Some(count), splits, |index| index).timestamps(|i| EventTime::from_millis(i as i64));
        let mut all = Vec::new();
        for split in source.discover().unwrap() {
            all.extend(read_all(&mut source.open(split).unwrap(), 4));
        }
        all.sort_unstable();
        let expected: Records<u64> = (0..count).map(|i| (i, EventTime::from_millis(i as i64))).collect();
        assert_eq!(all, expected);
    }
}

#[test]
fn a_generator_goes_on_where_its_split_says() {
    let mut source = Generator::new(Some(50), 2, |index| index);
    let split = source.discover().unwrap().remove(1);
    let mut reader = source.open(split).unwrap();
    let mut out = ReadBatch::new();
    assert_eq!(reader.read(7, &mut out).unwrap(), ReadStatus::More);
    let mut out: Records<u64> = out.into_pairs().collect();
    out.extend(read_all(&mut source.open(reader.split()).unwrap(), 5));
    assert_eq!(
        out.into_iter().map(|(value, _)| value).collect::<Vec<_>>(),
        (1..50).step_by(2).collect::<Vec<_>>()
    );
}

#[test]
fn a_generator_without_a_count_does_not_end_or_overflow() {
    let source = Generator::new(None, 3, |index| index);
    let mut reader = source.open(GeneratorSplit { split: 0, of: 3, next: u64::MAX - 4 }).unwrap();
    assert_eq!(read_all(&mut reader, 100), [(u64::MAX - 4, EventTime::MIN), (u64::MAX - 1, EventTime::MIN)]);
}

#[test]
fn a_generator_refuses_what_it_cannot_do() {
    assert!(Generator::new(None, 0, |index| index).discover().is_err());
    for rate in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let mut source = Generator::new(None, 1, |index| index).rate(rate);
        assert!(source.discover().unwrap_err().to_string().contains("rate"), "{rate}");
        assert_eq!(Source::rate(&source), None);
    }
    let other = GeneratorSplit { split: 0, of: 4, next: 8 };
    let error = Generator::new(None, 2, |index| index).open(other).err().unwrap().to_string();
    assert!(error.contains("has 4 splits"), "{error}");
}

#[test]
fn an_iterator_is_skipped_to_its_position() {
    let source = IteratorSource::with_timestamps(|| (0..5).map(|i| (i, EventTime::from_millis(i))));
    let mut reader = source.open(IteratorSplit { given: 0 }).unwrap();
    let mut out = ReadBatch::new();
    assert_eq!(reader.read(2, &mut out).unwrap(), ReadStatus::More);
    let mut out: Records<i64> = out.into_pairs().collect();
    assert_eq!(reader.split(), IteratorSplit { given: 2 });
    out.extend(read_all(&mut source.open(reader.split()).unwrap(), 2));
    assert_eq!(out, (0..5).map(|i| (i, EventTime::from_millis(i))).collect::<Vec<_>>());
    assert!(source.open(IteratorSplit { given: 6 }).is_err());
}

#[test]
fn an_iterator_fails_on_purpose_at_the_record_and_as_often_as_it_was_told() {
    let times = Arc::new(AtomicU32::new(2));
    let source = IteratorSource::new(|| 0..10).fail_at(3, Arc::clone(&times));
    for left in [1, 0] {
        let mut out = ReadBatch::new();
        let mut reader = source.open(IteratorSplit { given: 0 }).unwrap();
        assert_eq!(reader.read(100, &mut out).unwrap(), ReadStatus::More);
        assert_eq!(out.len(), 3, "what comes before the failure is given out");
        assert!(reader.read(100, &mut out).unwrap_err().to_string().contains("on purpose"));
        assert_eq!(times.load(Ordering::Relaxed), left);
    }
    assert_eq!(read_all(&mut source.open(IteratorSplit { given: 0 }).unwrap(), 100).len(), 10);
}

#[test]
fn a_generator_begins_with_the_index_that_it_is_told() {
    for (first, splits) in [("earliest", 3), ("0", 1), ("7", 3), ("8", 3), ("9", 3), ("latest", 4), ("99", 2)] {
        let mut source = Generator::new(Some(20), splits, |index| index);
        let position: SourcePosition = first.parse().unwrap();
        position.check(&source.positions()).unwrap();
        let mut all = Vec::new();
        for split in source.discover().unwrap() {
            let split = source.seek(split, &position).unwrap().unwrap();
            all.extend(read_all(&mut source.open(split).unwrap(), 4).into_iter().map(|(index, _)| index));
        }
        all.sort_unstable();
        let expected: Vec<u64> = match first {
            "earliest" => (0..20).collect(),
            "latest" => vec![],
            index => (index.parse().unwrap()..20).collect(),
        };
        assert_eq!(all, expected, "{first} of {splits} splits");
    }
    let endless = Generator::new(None, 1, |index| index);
    assert!(SourcePosition::Latest.check(&endless.positions()).is_err(), "what has no end cannot begin there");
}

#[test]
fn an_iterator_skips_as_many_items_as_it_is_told() {
    let mut source = IteratorSource::new(|| 0..5_u64);
    let split = source.discover().unwrap().remove(0);
    let split = source.seek(split, &"3".parse().unwrap()).unwrap().unwrap();
    let items: Vec<u64> =
        read_all(&mut source.open(split).unwrap(), 2).into_iter().map(|(item, _)| item).collect();
    assert_eq!(items, [3, 4]);
}
