//! A store with a short history, and the command that is run on it.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, RecordBatch, StringArray, UInt64Array};
use millpond_snapshot::arrow_schema::{DataType, Field, Schema};
use millpond_snapshot::chunk::{ChunkKind, ChunkMeta, ChunkRef, StateKind, encode_chunk};
use millpond_snapshot::hash::{HashRange, key_hash};
use millpond_snapshot::log::{AppendOutcome, Entry, EntryBody, JobLog, SnapshotRecord};
use millpond_snapshot::manifest::{Manifest, OperatorSnapshot, SchemaFields, StateSnapshot, UidSource};
use millpond_snapshot::store::OpenMode;
use millpond_snapshot::{Epoch, JobName, Sequence, Store};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A store of its own, gone with the test.
pub(crate) struct Place {
    directory: TempDir,
}

impl Place {
    /// Job `flights`: a start, checkpoints 2 and 3, savepoint 4. They share a base chunk of a, b and c; then `a`
    /// changes, `b` goes and `d` comes.
    pub(crate) fn flights() -> Place {
        let place = Place { directory: tempfile::tempdir().unwrap() };
        block_on(make_flights(&place.store()));
        place
    }

    /// A copy of the library's golden store: a state of each kind, a tag, a pin and a fork.
    pub(crate) fn golden() -> Place {
        let place = Place { directory: tempfile::tempdir().unwrap() };
        let golden = Path::new(&std::env::var("CARGO_MANIFEST_DIR").unwrap())
            .join("../millpond-snapshot/tests/golden/v1/store");
        copy_all(&golden, &place.path("store"));
        place
    }

    /// [`Place::flights`] with more keys in snapshot 5 than one thread reads: the value of `k0`, `k1` … is the number, but
    /// for each tenth, which a delta has taken away. Its operator `tomorrow` has a state of the same name, with nothing in it.
    pub(crate) fn crowd(keys: u64) -> Place {
        let place = Place::flights();
        block_on(async {
            let store = Store::open(&place.store(), OpenMode::Existing).await.unwrap();
            let names: Vec<String> = (0..keys).map(|key| format!("k{key}")).collect();
            let rows: Vec<_> = names.iter().map(String::as_str).zip((0..keys).map(Some)).collect();
            let gone: Vec<_> = names.iter().step_by(10).map(|name| (name.as_str(), None)).collect();
            let chunks =
                vec![chunk(&store, ChunkKind::Base, &rows).await, chunk(&store, ChunkKind::Delta, &gone).await];
            append(&store, 5, EntryBody::Savepoint(record(5, chunks, 0))).await;
        });
        place
    }

    /// [`Place::flights`] with a snapshot 5 whose rows stand in so many objects.
    pub(crate) fn scattered(objects: u64) -> Place {
        let place = Place::flights();
        block_on(async {
            let store = Store::open(&place.store(), OpenMode::Existing).await.unwrap();
            let mut chunks = Vec::new();
            for key in 0..objects {
                let kind = if key == 0 { ChunkKind::Base } else { ChunkKind::Delta };
                chunks.push(chunk(&store, kind, &[(&format!("k{key}"), Some(key))]).await);
            }
            append(&store, 5, EntryBody::Savepoint(record(5, chunks, 0))).await;
        });
        place
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn store(&self) -> String {
        self.path("store").display().to_string()
    }

    /// Runs `millpond snapshots` in the directory that the store is in.
    pub(crate) fn run(&self, line: &str) -> Outcome {
        self.run_with(line, &[])
    }

    /// The same, with arguments that may have spaces in them.
    pub(crate) fn run_with(&self, line: &str, more: &[&str]) -> Outcome {
        Outcome::of(line, self.output(line, more))
    }

    /// Asks a snapshot; `options` go behind.
    pub(crate) fn query(&self, snapshot: &str, sql: &str, options: &str) -> Outcome {
        let line = format!("query {options} {snapshot}");
        self.run_with(&line, &[sql])
    }

    /// The rows of an answer.
    pub(crate) fn rows(&self, snapshot: &str, sql: &str) -> Value {
        let outcome = self.query(snapshot, sql, "--json");
        assert_eq!(outcome.code, 0, "{sql}: {}", outcome.err);
        serde_json::from_str(&outcome.out).unwrap()
    }

    /// What `millpond snapshots` puts out, as it is, and not as text.
    pub(crate) fn output(&self, line: &str, more: &[&str]) -> Output {
        self.command(line, more).output().unwrap()
    }

    /// Begins to run `millpond snapshots`; what it says is lost.
    pub(crate) fn spawn(&self, line: &str) -> Child {
        self.command(line, &[]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    fn command(&self, line: &str, more: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_millpond"));
        command
            .arg("snapshots")
            .args(line.split_whitespace())
            .args(more)
            .current_dir(self.directory.path())
            .env("MILLPOND_STORE", "store")
            .env("USER", "ann");
        command
    }

    pub(crate) fn json(&self, line: &str) -> Value {
        let outcome = self.run(&format!("{line} --json"));
        assert_eq!(outcome.code, 0, "{line}: {}", outcome.err);
        serde_json::from_str(&outcome.out).unwrap()
    }

    /// Ends the run of `flights`.
    pub(crate) fn stop(&self) {
        block_on(async {
            let store = Store::open(&self.store(), OpenMode::Existing).await.unwrap();
            append(&store, 5, EntryBody::Stop { snapshot: Sequence(4), drained: false }).await;
        });
    }

    /// The files of chunks, the greatest first.
    pub(crate) fn chunks(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        for folder in std::fs::read_dir(self.path("store/chunks")).unwrap() {
            found.extend(std::fs::read_dir(folder.unwrap().path()).unwrap().map(|file| file.unwrap().path()));
        }
        found.sort_by_key(|file| std::cmp::Reverse(file.metadata().unwrap().len()));
        found
    }
}

/// What came of a command.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Outcome {
    fn of(line: &str, output: Output) -> Outcome {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let code = output.status.code().unwrap_or_else(|| panic!("{line}: ended by a signal"));
        Outcome { code, out: text(output.stdout), err: text(output.stderr) }
    }

    /// It was done, and says all of these.
    #[track_caller]
    pub(crate) fn says(&self, parts: &[&str]) {
        assert_eq!(self.code, 0, "{self:?}");
        for part in parts {
            assert!(self.out.contains(part), "{part}: {}", self.out);
        }
    }

    /// It was not done, and the reason has all of these.
    #[track_caller]
    pub(crate) fn fails(&self, parts: &[&str]) {
        assert_eq!(self.code, 1, "{self:?}");
        for part in parts {
            assert!(self.err.contains(part), "{part}: {}", self.err);
        }
    }
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(work)
}

async fn make_flights(address: &str) {
    let store = Store::open(address, OpenMode::CreateIfMissing).await.unwrap();
    let start = EntryBody::Start { parallelism: 2, restored_from: None, options: Default::default() };
    append(&store, 1, start).await;
    let mut chunks = vec![chunk(&store, ChunkKind::Base, &[("a", Some(1)), ("b", Some(2)), ("c", Some(3))]).await];
    for (sequence, change) in [(2, ("a", Some(10))), (3, ("b", None)), (4, ("d", Some(4)))] {
        let delta = chunk(&store, ChunkKind::Delta, &[change]).await;
        let own = delta.bytes;
        chunks.push(delta);
        let record = record(sequence, chunks.clone(), own);
        let body = if sequence == 4 { EntryBody::Savepoint(record) } else { EntryBody::Checkpoint(record) };
        append(&store, sequence, body).await;
    }
}

async fn append(store: &Store, sequence: u64, body: EntryBody) {
    let job: JobName = "flights".parse().unwrap();
    let entry = Entry::new(job.clone(), Sequence(sequence), Sequence(1), body).unwrap();
    assert_eq!(JobLog::open(store, &job).append(&entry).await.unwrap(), AppendOutcome::Appended);
}

fn record(sequence: u64, chunks: Vec<ChunkRef>, bytes_new: u64) -> SnapshotRecord {
    let fields = |name, t, null| Some(SchemaFields::new(vec![Field::new(name, t, null)]).unwrap());
    let position = json!({ "split": { "path": "a.csv", "offset": 100 * sequence }, "greatest": 1_000 * sequence });
    let total = StateSnapshot {
        name: "total".parse().unwrap(),
        kind: StateKind::Value,
        key_schema: fields("key", DataType::Utf8, false),
        map_key_schema: None,
        value_schema: fields("value", DataType::UInt64, true),
        ttl_ms: None,
        chunks,
        rows_inline: None,
    };
    let splits = StateSnapshot {
        name: "splits".parse().unwrap(),
        kind: StateKind::OperatorList,
        key_schema: None,
        value_schema: None,
        chunks: vec![],
        rows_inline: Some(vec![position]),
        ..total.clone()
    };
    let operator = |uid: &str, uid_source, kind: &str, state| OperatorSnapshot {
        uid: uid.parse().unwrap(),
        uid_source,
        name: format!("the {uid}"),
        kind: kind.to_owned(),
        states: vec![state],
    };
    let mut manifest = Manifest::new("flights".parse().unwrap(), Epoch(sequence));
    manifest.operators = vec![
        operator("files", UidSource::Derived, "source", splits),
        operator("sum", UidSource::Given, "process", total.clone()),
    ];
    if sequence == 5 {
        let empty = StateSnapshot { chunks: vec![], ..total };
        manifest.operators.push(operator("tomorrow", UidSource::Given, "process", empty));
    }
    SnapshotRecord {
        request_id: None,
        requested_by: (sequence == 4).then(|| "ann".to_owned()),
        reason: if sequence == 4 { "before the release" } else { "interval" }.to_owned(),
        duration_ms: 12,
        parent: (sequence > 2).then(|| format!("flights@{}", sequence - 1).parse().unwrap()),
        copied_from: None,
        edited: None,
        bytes_new,
        bytes_total: manifest.bytes(),
        manifest,
    }
}

async fn chunk(store: &Store, kind: ChunkKind, rows: &[(&str, Option<u64>)]) -> ChunkRef {
    let mut rows: Vec<_> = rows.iter().map(|(k, v)| (key_hash(*k).unwrap(), *k, *v)).collect();
    rows.sort();
    let mut fields = vec![
        Field::new("hash", DataType::UInt64, false),
        Field::new("key", DataType::Utf8, false),
        Field::new("value", DataType::UInt64, true),
    ];
    let mut columns: Vec<ArrayRef> = vec![
        Arc::new(UInt64Array::from_iter_values(rows.iter().map(|row| row.0))),
        Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.1))),
        Arc::new(rows.iter().map(|row| row.2).collect::<UInt64Array>()),
    ];
    if kind == ChunkKind::Delta {
        fields.push(Field::new("deleted", DataType::Boolean, false));
        columns.push(Arc::new(rows.iter().map(|row| Some(row.2.is_none())).collect::<BooleanArray>()));
    }
    let schema = Arc::new(Schema::new(fields));
    let batch = RecordBatch::try_new(schema.clone(), columns).unwrap();
    let job = "flights".parse().unwrap();
    let meta = ChunkMeta { job, state: StateKind::Value, kind, range: HashRange::FULL };
    store.put_chunk(encode_chunk(&schema, [batch], &meta).unwrap()).await.unwrap()
}

fn copy_all(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_all(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}
