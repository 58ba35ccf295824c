use super::*;

fn follow(path: &Path) -> Files<Row> {
    Files::csv::<Row>([path]).follow(true)
}

#[test]
fn a_half_written_line_waits_for_its_end() {
    let (_dir, path) = file("in.csv", "na");
    let source = follow(&path);
    let mut reader = source.open(start(&path)).unwrap();
    let mut expect = |written: &str, rows: &[Row]| {
        append(&path, written);
        let (found, status) = drain(&mut reader).unwrap();
        assert_eq!(status, ReadStatus::Waiting);
        assert_eq!(found, rows, "after {written:?}");
        // What is not given out is read again after a restore.
        assert_eq!(drain(&mut source.open(reader.split()).unwrap()).unwrap(), (vec![], ReadStatus::Waiting));
    };
    expect("me,count", &[]);
    expect("\r", &[]);
    expect("\na,1\nb", &[row("a", 1)]);
    expect(",2", &[]);
    expect("\n\"c\n", &[row("b", 2)]);
    expect("\"", &[]);
    expect(",3\n", &[row("c\n", 3)]);
    expect("\n", &[]);
    expect("d,4\ne,5\n", &[row("d", 4), row("e", 5)]);
}

#[test]
fn without_follow_the_last_line_needs_no_end() {
    assert_eq!(read_csv("name,count\na,1").unwrap(), [row("a", 1)]);
}

#[test]
fn new_files_are_found() {
    let (dir, _path) = file("a.csv", "");
    let mut source = follow(dir.path());
    assert!(!source.is_bounded());
    assert_eq!(source.discover().unwrap().len(), 1);
    fs::write(dir.path().join("b.csv"), "").unwrap();
    loop {
        // A listing that comes too early gives nothing.
        let splits = source.discover().unwrap();
        if !splits.is_empty() {
            return assert_eq!(splits.len(), 2);
        }
    }
}

#[test]
fn a_file_that_was_truncated_is_an_error() {
    let (_dir, path) = file("in.csv", "name,count\na,1\nb,2\n");
    let source = follow(&path);
    let mut reader = source.open(start(&path)).unwrap();
    drain(&mut reader).unwrap();
    fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(11).unwrap();
    let error = drain(&mut reader).unwrap_err().to_string();
    assert!(error.contains("only 11 bytes") && error.contains("up to byte 19"), "{error}");
    let error = source.open(reader.split()).err().unwrap().to_string();
    assert!(error.contains("only 11 bytes") && error.contains("up to byte 19"), "{error}");
}

#[cfg(unix)]
#[test]
fn a_file_that_was_replaced_is_an_error() {
    let (dir, path) = file("in.csv", "name,count\na,1\n");
    let mut reader = follow(&path).open(start(&path)).unwrap();
    drain(&mut reader).unwrap();
    fs::write(dir.path().join("new"), "name,count\na,1\nb,2\n").unwrap();
    fs::rename(dir.path().join("new"), &path).unwrap();
    let error = drain(&mut reader).unwrap_err().to_string();
    assert!(error.contains("was replaced"), "{error}");
}

#[cfg(unix)]
#[test]
fn a_file_that_was_removed_has_come_to_its_end() {
    let (_dir, path) = file("in.csv", "name,count\na,1\nb,2");
    let mut reader = follow(&path).open(start(&path)).unwrap();
    assert_eq!(drain(&mut reader).unwrap(), (vec![row("a", 1)], ReadStatus::Waiting));
    append(&path, "2\nc,3");
    fs::remove_file(&path).unwrap();
    assert_eq!(drain(&mut reader).unwrap(), (vec![row("b", 22), row("c", 3)], ReadStatus::Finished));
}

#[test]
fn a_compressed_file_ends() {
    let (_dir, path) = file("in.csv.gz", gzip(b"name,count\na,1\nb,2"));
    let mut reader = follow(&path).open(start(&path)).unwrap();
    assert_eq!(drain(&mut reader).unwrap(), (vec![row("a", 1), row("b", 2)], ReadStatus::Finished));
}

#[test]
fn at_the_end_only_what_is_appended_is_read_and_new_files_whole() {
    let (dir, path) = file("a.csv", "name,count\na,1\nb,2\nc,");
    let mut source = Files::csv::<Row>([path.parent().unwrap()]).follow(true);
    let position: crate::source::SourcePosition = "end".parse().unwrap();
    let mut splits = source.discover().unwrap();
    assert_eq!(splits.len(), 1);
    let split = source.seek(splits.remove(0), &position).unwrap().unwrap();
    let mut reader = source.open(split).unwrap();
    assert_eq!(drain(&mut reader).unwrap().0, []);
    append(&path, "3\nd,4\n");
    assert_eq!(drain(&mut reader).unwrap().0, [row("c", 3), row("d", 4)]);

    // Files that do not grow have nothing behind their end.
    let mut whole = Files::csv::<Row>([path.parent().unwrap()]);
    let split = whole.discover().unwrap().remove(0);
    assert_eq!(whole.seek(split, &position).unwrap(), None);
    drop(dir);
}

#[test]
fn from_a_time_on_files_count_that_were_written_to_since() {
    let (_dir, path) = file("a.csv", "name,count\na,1\n");
    let mut source = Files::csv::<Row>([&path]);
    let split = source.discover().unwrap().remove(0);
    let at = |time: &str| time.parse::<crate::source::SourcePosition>().unwrap();
    let modified = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
    fs::File::options().write(true).open(&path).unwrap().set_modified(modified).unwrap();
    assert_eq!(source.seek(split.clone(), &at("2001-09-09T01:46:40Z")).unwrap(), Some(split.clone()));
    assert_eq!(source.seek(split, &at("2001-09-09T01:46:41Z")).unwrap(), None);
}
