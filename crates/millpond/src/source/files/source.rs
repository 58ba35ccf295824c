//! Files as a source.

use std::collections::HashSet;
use std::fmt;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::decode::Format;
use super::error::FileError;
use super::listing::list;
use super::moved::{Moved, unsaid};
use super::reader::{FileSplit, ReadOptions, StrictReader, TolerantReader};
use super::seek::end_of;
use crate::runtime::failure::UserError;
use crate::source::rate_limit::RateLimit;
use crate::source::{PositionForm, Source, SourcePosition};
use crate::stream::record::Data;

const MAX_RECORD_BYTES: usize = 16 * 1024 * 1024;
/// Listing directories again takes at most one part in so many of a worker's time.
const LISTING_SHARE: u32 = 20;

/// Records of type `T` from files: CSV with a header row, or JSON Lines; plain, or gzip if the name ends in `.gz`.
///
/// Directories are walked, in them hidden files and those that end in `.pending` or `.tmp` are left out. Each file is a
/// split, known by its absolute path and read once, from its beginning to its end. Records have no timestamps of their
/// own. A byte order mark at the start, `\r\n` and blank lines are accepted.
///
/// A run can be told where to begin (`--source-position`): at the beginning of all files; at the end, so that of the
/// files that are there only what is appended later is read, and new files whole; or with the files that were last
/// written to at or after a time. The time of a file is the one at which it was modified, because event time is in the
/// records and could only be found by reading them all. To find the last whole record of a file that grows it is read
/// through once.
///
/// A malformed record fails the run with file, line and reason, unless the source is made [tolerant](Files::tolerant).
///
/// ```no_run
/// # use millpond::{Env, Stream, WatermarkStrategy};
/// # use millpond::source::Files;
/// # use serde::{Deserialize, Serialize};
/// #[derive(Clone, Debug, Serialize, Deserialize)]
/// struct Departure {
///     carrier: String,
///     delay: Option<i64>,
/// }
/// # fn job<'s>(env: &Env<'s>) -> Stream<'s, Departure> {
/// env.source(Files::csv::<Departure>(["data/2013", "data/extra.csv.gz"]), WatermarkStrategy::none())
/// # }
/// ```
pub struct Files<T> {
    paths: Vec<PathBuf>,
    endings: Vec<String>,
    options: ReadOptions,
    rate: RateLimit,
    moved: Moved,
    list_at: Instant,
    types: PhantomData<fn() -> T>,
}

impl Files<()> {
    /// CSV with a header row: columns are matched with the fields of `T` by name, an empty field is `None`. Fields in
    /// double quotes may hold delimiters, line ends and doubled quotes.
    pub fn csv<T: Data>(paths: impl IntoIterator<Item = impl Into<PathBuf>>) -> Files<T> {
        Files::new(paths, Format::Csv { delimiter: b',', quote: b'"' })
    }

    /// JSON Lines: a JSON value a line.
    pub fn json_lines<T: Data>(paths: impl IntoIterator<Item = impl Into<PathBuf>>) -> Files<T> {
        Files::new(paths, Format::JsonLines)
    }
}

impl<T: Data> Files<T> {
    fn new(paths: impl IntoIterator<Item = impl Into<PathBuf>>, format: Format) -> Self {
        Files {
            paths: paths.into_iter().map(Into::into).collect(),
            endings: Vec::new(),
            options: ReadOptions { format, follow: false, strict: true, max_record_bytes: MAX_RECORD_BYTES },
            rate: RateLimit::default(),
            moved: Moved::default(),
            list_at: Instant::now(),
            types: PhantomData,
        }
    }

    /// Separates the fields of CSV by `delimiter` instead of a comma.
    pub fn delimiter(mut self, delimiter: u8) -> Self {
        if let Format::Csv { delimiter: current, .. } = &mut self.options.format {
            *current = delimiter;
        }
        self
    }

    /// Of the files in directories, reads only those whose names end in one of `endings`, such as `.csv`. A file that
    /// was named itself is always read.
    pub fn only(mut self, endings: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.endings = endings.into_iter().map(Into::into).collect();
        self
    }

    /// With `true`, the source does not end: files may grow, and new ones may come. A last line without a line end is
    /// then not given out before it has one. Files must only be appended to: one that has become shorter or was
    /// replaced by another under its name fails the run. One that is removed has come to its end. A compressed file
    /// does not grow; it must be whole when it gets its name.
    pub fn follow(mut self, follow: bool) -> Self {
        self.options.follow = follow;
        self
    }

    /// A record with more bytes than this is malformed; 16 MiB unless told. It bounds the memory that a file takes.
    pub fn max_record_bytes(mut self, bytes: usize) -> Self {
        self.options.max_record_bytes = bytes;
        self
    }

    /// Reads at most so many records a second in the whole job.
    pub fn rate(mut self, per_second: impl Into<Option<f64>>) -> Self {
        self.rate = RateLimit::new(per_second.into());
        self
    }

    /// What snapshots know as files below the directory `from`, stands below `to` now. For a job that goes on where its input
    /// has another path: without this, the files would be new to it, and their records would be read a second time.
    ///
    /// `from` is an absolute path, as `millpond snapshots show` lists them. Snapshots go on to know the files by it, so keep
    /// this, also when they move once more. It may be said of several directories.
    pub fn moved(mut self, from: impl Into<PathBuf>, to: impl Into<PathBuf>) -> Self {
        self.moved.add(from.into(), to.into());
        self
    }

    /// Gives out malformed records as data instead of failing the run.
    ///
    /// ```no_run
    /// # use millpond::{Env, WatermarkStrategy};
    /// # use millpond::source::Files;
    /// # fn job(env: &Env<'_>) {
    /// let source = Files::json_lines::<(String, u64)>(["in"]).tolerant();
    /// let (records, malformed) = env.source(source, WatermarkStrategy::none()).split_malformed();
    /// # }
    /// ```
    pub fn tolerant(self) -> TolerantFiles<T> {
        TolerantFiles(self)
    }

    fn check(&self) -> Result<(), UserError> {
        self.rate.check()?;
        if let Format::Csv { delimiter, quote } = self.options.format
            && (delimiter == quote || delimiter == b'\n' || delimiter == b'\r')
        {
            let found = format!("{:?}", char::from(delimiter));
            let expected = "it must differ from the quote and from line ends";
            return Err(FileError::Option { option: "the delimiter", found, expected }.judged());
        }
        if let Some((from, _)) = self.moved.pairs().iter().find(|(from, _)| !from.is_absolute()) {
            let expected = "snapshots know files by absolute paths, as `millpond snapshots show` lists them";
            let found = from.display().to_string();
            return Err(
                FileError::Option { option: "the directory that files moved from", found, expected }.judged()
            );
        }
        if self.paths.is_empty() {
            return Err(FileError::NoPaths.judged());
        }
        Ok(())
    }

    /// What to warn of if the files of a snapshot seem to have moved: once their records are counted twice it is too late.
    pub(super) fn moved_unsaid(&self, known: &[String]) -> Option<String> {
        // What is wrong with the paths is said when they are listed for good.
        let files = list(&self.paths, &self.endings).ok()?;
        let moved = self.moved.resolved();
        let now: Vec<_> = files.iter().map(|path| moved.known(path)).collect();
        let pairs = unsaid(known, &now);
        let (old, new) = pairs.first()?;
        Some(format!(
            "{self}: none of the files that the snapshot knows ({}) is here, but others of the same names are ({}), such as {} for \
             {}. They count as new and are read from their beginning; if they moved, say so with `Files::moved`, or their records \
             count twice",
            known.len(),
            pairs.len(),
            new.display(),
            old.display()
        ))
    }

    fn warn_if_moved(&self, known: &[String]) {
        if let Some(warning) = self.moved_unsaid(known) {
            tracing::warn!("{warning}");
        }
    }

    fn splits(&mut self) -> Result<Vec<FileSplit>, UserError> {
        let now = Instant::now();
        if now < self.list_at {
            return Ok(Vec::new());
        }
        self.check()?;
        let files = list(&self.paths, &self.endings).map_err(FileError::judged)?;
        let moved = self.moved.resolved();
        self.list_at = now + now.elapsed().saturating_mul(LISTING_SHARE).max(Duration::from_millis(1));
        if files.is_empty() && !self.options.follow {
            tracing::warn!("{self} has no files: there is nothing to read");
        }
        let splits: Vec<_> =
            files.iter().map(|path| FileSplit { path: moved.known(path), offset: 0, lines: 0 }).collect();
        if !moved.pairs().is_empty()
            && let Some(twice) = first_twice(&splits)
        {
            return Err(FileError::OneAsTwo { path: twice.to_owned(), here: moved.here(twice) }.judged());
        }
        Ok(splits)
    }
}

impl<T: Data> Files<T> {
    fn here(&self, split: &FileSplit) -> PathBuf {
        self.moved.resolved().here(&split.path)
    }

    /// Where a file is read from: see the documentation of [`Files`].
    fn go_to(&self, split: FileSplit, position: &SourcePosition) -> Result<Option<FileSplit>, FileError> {
        let here = self.here(&split);
        // What does not grow has nothing behind its end.
        let skip = |split: FileSplit| {
            if self.options.follow { end_of(split, &here, self.options).map(Some) } else { Ok(None) }
        };
        match position {
            SourcePosition::Latest => skip(split),
            SourcePosition::Timestamp(time) => {
                let modified = std::fs::metadata(&here).and_then(|file| file.modified());
                let modified = modified.map_err(|source| FileError::Open { path: here.clone(), source })?;
                if modified < *time { skip(split) } else { Ok(Some(split)) }
            }
            SourcePosition::Earliest | SourcePosition::At(_) => Ok(Some(split)),
        }
    }
}

const POSITIONS: [PositionForm; 3] = [PositionForm::Earliest, PositionForm::Latest, PositionForm::Timestamp];

impl<T> fmt::Display for Files<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("files")?;
        if let Some(first) = self.paths.first() {
            write!(f, " {}", first.display())?;
        }
        if self.paths.len() > 1 {
            write!(f, " and {} more", self.paths.len() - 1)?;
        }
        Ok(())
    }
}

/// The first path that two splits have.
fn first_twice(splits: &[FileSplit]) -> Option<&Path> {
    let mut seen = HashSet::new();
    splits.iter().map(|split| split.path.as_path()).find(|path| !seen.insert(*path))
}

fn split_id(split: &FileSplit) -> String {
    split.path.to_string_lossy().into_owned()
}

impl<T: Data> Source for Files<T> {
    type Item = T;
    type Split = FileSplit;
    type Reader = StrictReader<T>;

    fn describe(&self) -> String {
        self.to_string()
    }
    fn split_id(&self, split: &FileSplit) -> String {
        split_id(split)
    }
    fn restored(&mut self, known: &[String]) {
        self.warn_if_moved(known);
    }
    fn discover(&mut self) -> Result<Vec<FileSplit>, UserError> {
        self.splits()
    }
    fn is_bounded(&self) -> bool {
        !self.options.follow
    }
    fn open(&self, split: FileSplit) -> Result<StrictReader<T>, UserError> {
        StrictReader::open(&self.here(&split), split, self.options).map_err(FileError::judged)
    }
    fn positions(&self) -> Vec<PositionForm> {
        POSITIONS.to_vec()
    }
    fn seek(&self, split: FileSplit, position: &SourcePosition) -> Result<Option<FileSplit>, UserError> {
        self.go_to(split, position).map_err(FileError::judged)
    }
    fn rate(&self) -> Option<f64> {
        self.rate.per_second()
    }
}

/// [`Files`] that give out malformed records as data. See [`Files::tolerant`].
pub struct TolerantFiles<T>(Files<T>);

impl<T: Data> Source for TolerantFiles<T> {
    type Item = super::Parsed<T>;
    type Split = FileSplit;
    type Reader = TolerantReader<T>;

    fn describe(&self) -> String {
        self.0.to_string()
    }
    fn split_id(&self, split: &FileSplit) -> String {
        split_id(split)
    }
    fn restored(&mut self, known: &[String]) {
        self.0.warn_if_moved(known);
    }
    fn discover(&mut self) -> Result<Vec<FileSplit>, UserError> {
        self.0.splits()
    }
    fn is_bounded(&self) -> bool {
        self.0.is_bounded()
    }
    fn open(&self, split: FileSplit) -> Result<TolerantReader<T>, UserError> {
        TolerantReader::open(&self.0.here(&split), split, self.0.options).map_err(FileError::judged)
    }
    fn positions(&self) -> Vec<PositionForm> {
        POSITIONS.to_vec()
    }
    fn seek(&self, split: FileSplit, position: &SourcePosition) -> Result<Option<FileSplit>, UserError> {
        self.0.go_to(split, position).map_err(FileError::judged)
    }
    fn rate(&self) -> Option<f64> {
        Source::rate(&self.0)
    }
}
