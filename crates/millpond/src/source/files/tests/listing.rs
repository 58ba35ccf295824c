use super::*;

fn listed<S: Source<Split = FileSplit>>(source: &mut S) -> Vec<String> {
    let splits = source.discover().unwrap();
    splits.iter().map(|split| split.path.file_name().unwrap().to_str().unwrap().to_owned()).collect()
}

#[test]
fn directories_are_walked_and_unfinished_files_left_out() {
    let dir = TempDir::new().unwrap();
    fs::create_dir_all(dir.path().join("b/deep")).unwrap();
    fs::create_dir_all(dir.path().join(".hidden")).unwrap();
    for name in
        ["c.csv", "a.csv", "b/deep/d.csv.gz", "b/e.txt", ".f.csv", "g.csv.pending", "h.tmp", ".hidden/i.csv"]
    {
        fs::write(dir.path().join(name), "").unwrap();
    }
    assert_eq!(listed(&mut Files::csv::<Row>([dir.path()])), ["a.csv", "d.csv.gz", "e.txt", "c.csv"]);
    let mut chosen = Files::csv::<Row>([dir.path(), &dir.path().join("h.tmp")]).only([".csv", ".csv.gz"]);
    assert_eq!(listed(&mut chosen), ["a.csv", "d.csv.gz", "c.csv", "h.tmp"], "a file that is named is read");
    assert_eq!(chosen.describe(), format!("files {} and 1 more", dir.path().display()));
}

#[test]
fn a_file_is_a_split_once_however_it_is_named() {
    let (dir, path) = file("a.csv", "");
    let source =
        Files::csv::<Row>([dir.path().to_owned(), path.clone(), dir.path().join("./a.csv")]).discover().unwrap();
    assert_eq!(source, [start(&path)]);
}

#[cfg(unix)]
#[test]
fn links_are_followed_but_not_in_circles() {
    let (dir, _path) = file("a.csv", "");
    std::os::unix::fs::symlink(dir.path(), dir.path().join("loop")).unwrap();
    std::os::unix::fs::symlink("a.csv", dir.path().join("b.csv")).unwrap();
    std::os::unix::fs::symlink("nothing", dir.path().join("c.csv")).unwrap();
    assert_eq!(listed(&mut Files::csv::<Row>([dir.path()])), ["a.csv"]);
}

#[test]
fn inputs_that_are_not_there_are_named() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("missing");
    let error = Files::csv::<Row>([&path]).discover().unwrap_err().to_string();
    assert!(error.contains(path.to_str().unwrap()), "{error}");
    assert!(Files::csv::<Row>(Vec::<PathBuf>::new()).discover().unwrap_err().to_string().contains("no input"));
    let error = Files::csv::<Row>([&path]).open(start(&path)).err().unwrap().to_string();
    assert!(error.contains(path.to_str().unwrap()), "{error}");
    assert_eq!(Files::csv::<Row>([dir.path()]).discover().unwrap(), []);
}
