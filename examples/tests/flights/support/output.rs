//! What the job committed, and a watch on the folders while it works.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;

use super::oracle::{Expected, Totals};

/// The two folders of the output.
const FOLDERS: [&str; 2] = ["carriers", "hourly"];

/// Every record in the committed files of a folder. A folder that is not there yet has none.
pub(crate) fn committed(folder: &Path) -> Vec<Value> {
    let mut records = Vec::new();
    for path in files(folder) {
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.ends_with('\n'), "{} is not whole: it ends in the middle of a line", path.display());
        records.extend(text.lines().map(|line| {
            serde_json::from_str::<Value>(line)
                .unwrap_or_else(|error| panic!("{}: {error}: {line}", path.display()))
        }));
    }
    records
}

/// The files of a folder that end in `.jsonl`, sorted.
fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "jsonl"));
    paths.sort();
    paths
}

fn text(record: &Value, field: &str) -> String {
    record[field].as_str().unwrap_or_else(|| panic!("no text in '{field}' of {record}")).to_owned()
}

fn totals(record: &Value) -> Totals {
    let number =
        |field: &str| record[field].as_i64().unwrap_or_else(|| panic!("no integer in '{field}' of {record}"));
    (number("flights") as u64, number("cancelled") as u64, number("total_dep_delay"))
}

/// The running totals of each carrier, sorted by the number of flights; no number twice.
pub(crate) fn carriers(output: &Path) -> BTreeMap<String, Vec<Totals>> {
    let mut carriers = BTreeMap::<_, Vec<Totals>>::new();
    for record in committed(&output.join("carriers")) {
        carriers.entry(text(&record, "carrier")).or_default().push(totals(&record));
    }
    for (carrier, running) in &mut carriers {
        running.sort_unstable();
        if let Some(twice) = running.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            panic!("carrier {carrier} has two records with {} flights: {twice:?}", twice[0].0);
        }
    }
    carriers
}

/// The windows, none of them twice.
pub(crate) fn hourly(output: &Path) -> BTreeMap<(String, String, String), Totals> {
    let mut windows = BTreeMap::new();
    for record in committed(&output.join("hourly")) {
        let window = (text(&record, "origin"), text(&record, "window_start"), text(&record, "window_end"));
        let before = windows.insert(window.clone(), totals(&record));
        assert_eq!(before, None, "the window {window:?} was committed twice");
    }
    windows
}

/// Every row was counted once: for each carrier there is one record for every number of flights, and the last one has
/// the totals; every hour is there once.
pub(crate) fn assert_equal(output: &Path, expected: &Expected) {
    let carriers = carriers(output);
    for (carrier, running) in &carriers {
        let numbers: Vec<u64> = running.iter().map(|totals| totals.0).collect();
        let all: Vec<u64> = (1..=numbers.len() as u64).collect();
        assert_eq!(numbers, all, "carrier {carrier} has gaps");
    }
    let last: BTreeMap<_, _> =
        carriers.iter().map(|(carrier, running)| (carrier.clone(), running[running.len() - 1])).collect();
    assert_eq!(last, expected.carriers, "the totals of the carriers");
    let hourly = hourly(output);
    assert_eq!(hourly.len(), expected.hourly.len(), "the number of hourly records");
    for (window, totals) in &expected.hourly {
        assert_eq!(hourly.get(window), Some(totals), "the hour {window:?}");
    }
}

/// Nothing is wrong and nothing twice; something may be missing.
pub(crate) fn assert_part_of(output: &Path, expected: &Expected) {
    for (carrier, running) in carriers(output) {
        let total = expected.carriers[&carrier];
        assert!(running[running.len() - 1] <= total, "carrier {carrier}: {running:?} is more than {total:?}");
    }
    for (window, totals) in hourly(output) {
        assert_eq!(Some(&totals), expected.hourly.get(&window), "the hour {window:?}");
    }
}

/// Looks at the output folders again and again, as any reader might.
pub(crate) struct Watch {
    wrong: Arc<Mutex<Option<String>>>,
    done: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    /// Begins to watch the folders in `output`; they need not be there yet.
    pub(crate) fn start(output: PathBuf) -> Self {
        let (wrong, done) = (Arc::<Mutex<Option<String>>>::default(), Arc::new(AtomicBool::new(false)));
        let (found, ends) = (Arc::clone(&wrong), Arc::clone(&done));
        let thread = std::thread::spawn(move || {
            let mut seen = BTreeMap::new();
            while !ends.load(Ordering::Relaxed) {
                if let Some(problem) = FOLDERS.iter().find_map(|folder| look(&output.join(folder), &mut seen)) {
                    found.lock().unwrap().get_or_insert(problem);
                }
                std::thread::sleep(Duration::from_millis(15));
            }
        });
        Watch { wrong, done, thread: Some(thread) }
    }

    /// Whatever was seen so far must have been right.
    pub(crate) fn assert_nothing_wrong(&self) {
        assert_eq!(*self.wrong.lock().unwrap(), None);
    }
}

/// What ends in `.jsonl` is a committed file, and never changes once it can be seen.
fn look(folder: &Path, seen: &mut BTreeMap<PathBuf, u64>) -> Option<String> {
    for path in files(folder) {
        if !path.file_name()?.to_str()?.starts_with("part-") {
            return Some(format!("{} is no committed file", path.display()));
        }
        let Ok(length) = path.metadata().map(|metadata| metadata.len()) else { continue };
        let first = *seen.entry(path.clone()).or_insert(length);
        if first != length {
            return Some(format!("{} had {first} bytes when it appeared, and later {length}", path.display()));
        }
    }
    None
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.done.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
