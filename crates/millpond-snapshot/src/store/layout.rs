//! Where things stand in a store. No other code builds or takes apart a path.
//!
//! ```text
//! millpond.json                            what this directory is
//! chunks/ab/abcdef….parquet                a chunk
//! chunks/ab/abcdef….pack                   small chunks, end to end
//! jobs/JOB/log/00000000000000000042.json   an entry of a job's log
//! jobs/JOB/tags/TAG.json                   a name for a snapshot
//! jobs/JOB/pins/00000000000000000042.json  a snapshot that nothing may remove
//! jobs/JOB/kept/00000000000000000042.json  a copy of the entry of a snapshot that somebody marked
//! jobs/JOB/forks/00000000000000000042-OTHER.json
//!                                          another job that began from a snapshot of this one
//! jobs/JOB/run.lock                        local directories only: who runs the job, while somebody does
//! tmp/                                     local directories only: files that are being written
//! ```

use object_store::path::Path;

use crate::ids::{ChunkHash, JobName, Sequence, Tag};

/// What says that a directory is a store, and of which version.
pub fn marker() -> Path {
    Path::from("millpond.json")
}

/// The kinds of content-addressed object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ObjectKind {
    /// One Parquet file.
    Chunk,
    /// Several Parquet files, end to end.
    Pack,
}

impl ObjectKind {
    fn extension(self) -> &'static str {
        match self {
            ObjectKind::Chunk => "parquet",
            ObjectKind::Pack => "pack",
        }
    }
}

/// Where all content-addressed objects stand.
pub fn objects() -> Path {
    Path::from("chunks")
}

/// A content-addressed object. The first two digits of the hash spread them over directories.
pub fn object(hash: ChunkHash, kind: ObjectKind) -> Path {
    let hex = hash.to_string();
    Path::from(format!("chunks/{}/{hex}.{}", &hex[..2], kind.extension()))
}

/// The hash in the path of a content-addressed object, if that is what it is.
pub fn parse_object(path: &Path) -> Option<(ChunkHash, ObjectKind)> {
    let (stem, extension) = path.filename()?.split_once('.')?;
    let kind = [ObjectKind::Chunk, ObjectKind::Pack].into_iter().find(|k| k.extension() == extension)?;
    let hash: ChunkHash = stem.parse().ok()?;
    (object(hash, kind) == *path).then_some((hash, kind))
}

/// Where all jobs stand.
pub fn jobs() -> Path {
    Path::from("jobs")
}

/// Where a job's log stands.
pub fn log(job: &JobName) -> Path {
    Path::from(format!("jobs/{job}/log"))
}

/// An entry of a job's log. Twenty digits hold every sequence number, so names sort as numbers do.
pub fn entry(job: &JobName, sequence: Sequence) -> Path {
    Path::from(format!("jobs/{job}/log/{:020}.json", sequence.0))
}

/// The sequence number in the path of a log entry, if that is what it is.
pub fn parse_entry(path: &Path) -> Option<Sequence> {
    let digits = path.filename()?.strip_suffix(".json")?;
    let plain = digits.len() == 20 && digits.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| digits.parse().ok().map(Sequence))?
}

/// Where a job's tags stand.
pub fn tags(job: &JobName) -> Path {
    Path::from(format!("jobs/{job}/tags"))
}

/// A tag of a job.
pub fn tag(job: &JobName, tag: &Tag) -> Path {
    Path::from(format!("jobs/{job}/tags/{tag}.json"))
}

/// The name in the path of a tag, if that is what it is.
pub fn parse_tag(path: &Path) -> Option<Tag> {
    path.filename()?.strip_suffix(".json")?.parse().ok()
}

/// Where a job's pins stand.
pub fn pins(job: &JobName) -> Path {
    Path::from(format!("jobs/{job}/pins"))
}

/// The pin of a snapshot.
pub fn pin(job: &JobName, sequence: Sequence) -> Path {
    Path::from(format!("jobs/{job}/pins/{:020}.json", sequence.0))
}

/// Where copies of the entries of marked snapshots stand.
pub fn all_kept(job: &JobName) -> Path {
    Path::from(format!("jobs/{job}/kept"))
}

/// The copy of the entry of a marked snapshot.
pub fn kept(job: &JobName, sequence: Sequence) -> Path {
    Path::from(format!("jobs/{job}/kept/{:020}.json", sequence.0))
}

/// Where it stands which other jobs began from snapshots of a job.
pub fn forks(job: &JobName) -> Path {
    Path::from(format!("jobs/{job}/forks"))
}

/// The record that job `other` began from a snapshot of a job.
pub fn fork(job: &JobName, sequence: Sequence, other: &JobName) -> Path {
    Path::from(format!("jobs/{job}/forks/{:020}-{other}.json", sequence.0))
}

/// The snapshot and the other job in the path of a fork record, if that is what it is.
pub fn parse_fork(path: &Path) -> Option<(Sequence, JobName)> {
    let (digits, other) = path.filename()?.strip_suffix(".json")?.split_at_checked(20)?;
    let plain = digits.bytes().all(|b| b.is_ascii_digit());
    let sequence = plain.then(|| digits.parse().ok().map(Sequence))??;
    Some((sequence, other.strip_prefix('-')?.parse().ok()?))
}

/// The file that a running job holds locked, in a local directory.
pub fn run_lock(job: &JobName) -> Path {
    Path::from(format!("jobs/{job}/run.lock"))
}

/// Where a local directory's half-written files stand.
pub fn scratch() -> Path {
    Path::from("tmp")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_of_the_format() {
        let job: JobName = "flights".parse().unwrap();
        assert_eq!(entry(&job, Sequence(42)).as_ref(), "jobs/flights/log/00000000000000000042.json");
        assert_eq!(tag(&job, &"v1.0".parse().unwrap()).as_ref(), "jobs/flights/tags/v1.0.json");
        let hash = ChunkHash::of(b"");
        assert_eq!(object(hash, ObjectKind::Chunk).as_ref(), format!("chunks/af/{hash}.parquet"));
        assert_eq!(object(hash, ObjectKind::Pack).as_ref(), format!("chunks/af/{hash}.pack"));
    }

    #[test]
    fn paths_parse_to_what_made_them_and_strangers_do_not() {
        let job: JobName = "j".parse().unwrap();
        for n in [1, 42, u64::MAX] {
            assert_eq!(parse_entry(&entry(&job, Sequence(n))), Some(Sequence(n)));
        }
        for stranger in ["jobs/j/log/42.json", "jobs/j/log/99999999999999999999.json", "jobs/j/log/x"] {
            assert_eq!(parse_entry(&Path::from(stranger)), None, "{stranger}");
        }
        let hash = ChunkHash::of(b"x");
        for kind in [ObjectKind::Chunk, ObjectKind::Pack] {
            assert_eq!(parse_object(&object(hash, kind)), Some((hash, kind)));
        }
        let misplaced = Path::from(format!("chunks/zz/{hash}.parquet"));
        assert_eq!(parse_object(&misplaced), None);
    }
}
