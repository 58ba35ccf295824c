//! Files that stand elsewhere than when a snapshot was taken.

use super::*;

/// Two directories; in the first, `old`, a file of two rows that has been read up to the second.
fn read_half_way() -> (TempDir, PathBuf, PathBuf, FileSplit) {
    let (dir, file) = file("a.csv", "name,count\none,1\ntwo,2\n");
    let root = dir.path().canonicalize().unwrap();
    let (old, new) = (root.join("old"), root.join("new"));
    fs::create_dir(&old).unwrap();
    fs::rename(&file, old.join("a.csv")).unwrap();
    let source = Files::csv::<Row>([&old]);
    let mut reader = source.open(start(&old.join("a.csv"))).unwrap();
    let mut out = ReadBatch::new();
    reader.read(1, &mut out).unwrap();
    assert_eq!(out.len(), 1);
    let split = reader.split();
    drop(reader);
    (dir, old, new, split)
}

#[test]
fn what_has_moved_is_read_on_and_is_not_new() {
    let (_dir, old, new, split) = read_half_way();
    fs::rename(&old, &new).unwrap();
    fs::write(new.join("b.csv"), "name,count\n").unwrap();
    assert!(Files::csv::<Row>([&new]).open(split.clone()).is_err(), "it is not where it was");

    let mut source = Files::csv::<Row>([&new]).moved(&old, &new);
    let found: Vec<PathBuf> = source.discover().unwrap().into_iter().map(|split| split.path).collect();
    assert_eq!(
        found,
        [old.join("a.csv"), old.join("b.csv")],
        "known by where it was, and so is what is new there"
    );
    let mut reader = source.open(split).unwrap();
    assert_eq!(drain(&mut reader).unwrap().0, [row("two", 2)]);
    assert_eq!(reader.split().path, old.join("a.csv"), "so that the next snapshot says the same");
}

#[test]
fn what_has_moved_can_be_begun_elsewhere() {
    let (_dir, old, new, split) = read_half_way();
    fs::rename(&old, &new).unwrap();
    let source = Files::csv::<Row>([&new]).moved(&old, &new).follow(true);
    let first = FileSplit { offset: 0, lines: 0, ..split };
    let end = source.seek(first.clone(), &SourcePosition::Latest).unwrap().unwrap();
    assert_eq!((end.path, end.lines), (old.join("a.csv"), 3));
    let long_ago = SourcePosition::Timestamp(std::time::SystemTime::UNIX_EPOCH);
    assert_eq!(source.seek(first.clone(), &long_ago).unwrap(), Some(first));
}

#[test]
fn the_place_that_files_moved_to_may_be_written_as_the_input_is() {
    let (dir, old, new, split) = read_half_way();
    fs::rename(&old, &new).unwrap();
    let roundabout = dir.path().join("new/../new");
    let mut source = Files::csv::<Row>([&roundabout]).moved(&old, &roundabout);
    assert_eq!(source.discover().unwrap()[0].path, split.path);
}

#[test]
fn two_files_that_would_be_known_as_one_are_refused() {
    let (_dir, old, new, _) = read_half_way();
    fs::create_dir(&new).unwrap();
    fs::copy(old.join("a.csv"), new.join("a.csv")).unwrap();
    let error = Files::csv::<Row>([&old, &new]).moved(&old, &new).discover().unwrap_err().to_string();
    assert!(error.contains("both be known as") && error.contains("a.csv"), "{error}");
}

#[test]
fn a_place_that_no_snapshot_can_know_is_refused() {
    let (_dir, file) = file("a.csv", "name,count\n");
    let error = Files::csv::<Row>([file]).moved("old", "new").discover().unwrap_err().to_string();
    assert!(error.contains("cannot be old") && error.contains("absolute"), "{error}");
}

#[test]
fn who_does_not_say_that_files_moved_is_warned() {
    let (_dir, old, new, split) = read_half_way();
    let known = [split.path.display().to_string()];
    assert_eq!(Files::csv::<Row>([&old]).moved_unsaid(&known), None);
    // Copied, so that nothing fails: the old one goes on to be read, and the new one is read as well.
    fs::create_dir(&new).unwrap();
    fs::copy(old.join("a.csv"), new.join("a.csv")).unwrap();
    let warning = Files::csv::<Row>([&new]).moved_unsaid(&known).expect("a warning");
    for part in [&known[0], "`Files::moved`", &new.canonicalize().unwrap().join("a.csv").display().to_string()] {
        assert!(warning.contains(part), "{warning}");
    }
    assert_eq!(Files::csv::<Row>([&new]).moved(&old, &new).moved_unsaid(&known), None);
}
