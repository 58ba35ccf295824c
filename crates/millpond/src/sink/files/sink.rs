//! Files as a sink.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::directory::{Directory, DirectoryError, Fate};
use super::encode::{Encoder, Format};
use super::names::{self, Found, Part, Stage};
use crate::runtime::failure::UserError;
use crate::sink::{Sink, SinkContext};
use crate::stream::record::Data;
use crate::time::EventTime;

/// Writes records to files in a directory, exactly once: a file appears under its name when the snapshot that has its
/// records is published, whole and never changed again.
///
/// A subtask makes at most one file an epoch, `part-JOB-RUN-EPOCH-SUBTASK.jsonl` or `.csv`; names sort by run and
/// epoch. Nothing else in the directory has these endings. Snapshots hold file names only, so the directory may be
/// moved while the job is stopped.
///
/// ```no_run
/// # use millpond::{FileSink, Stream};
/// # fn job(words: Stream<'_, String>) {
/// words.sink(FileSink::json_lines("out/words").follow_history(true)).uid("words-files");
/// # }
/// ```
#[derive(Debug)]
pub struct FileSink {
    directory: Directory,
    format: Format,
    follow: bool,
    context: Option<SinkContext>,
    /// The file of the epoch, once there is a record for it.
    file: Option<Encoder>,
}

/// A file that was prepared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreparedFile {
    /// The name that it will have in the sink's directory.
    pub name: String,
}

impl FileSink {
    /// JSON Lines: each record as a line of JSON.
    pub fn json_lines(directory: impl Into<PathBuf>) -> Self {
        FileSink::new(directory.into(), Format::JsonLines)
    }

    /// CSV: a header with the names of the record's fields in each file, then a line a record. The record must be a flat
    /// struct; a tuple makes a file without a header.
    pub fn csv(directory: impl Into<PathBuf>) -> Self {
        FileSink::new(directory.into(), Format::Csv)
    }

    fn new(directory: PathBuf, format: Format) -> Self {
        FileSink { directory: Directory::new(directory), format, follow: false, context: None, file: None }
    }

    /// Shows readers the output of one history only. When a run starts, what this job has put out and the run does not
    /// stand on is hidden: all of it if the run starts from nothing, what came after the snapshot if somebody went back
    /// to an older one. Hidden files (`.part-….superseded`) are not removed: going on from a snapshot that stands on them
    /// shows them again. Without it, going back means that some records are put out twice.
    pub fn follow_history(mut self, follow: bool) -> Self {
        self.follow = follow;
        self
    }

    fn context(&self) -> Result<&SinkContext, DirectoryError> {
        self.context.as_ref().ok_or(DirectoryError::NotOpen)
    }

    fn writing_name(&self) -> Result<String, DirectoryError> {
        let context = self.context()?;
        Ok(names::writing(&context.job, context.run, context.subtask, self.format.extension()))
    }

    /// Removes what the module says may be removed, and hides and shows files. One subtask does it, before any file of
    /// this run is committed: that takes a snapshot, in which this subtask has a part.
    fn tidy(&self, context: &SinkContext) -> Result<(), DirectoryError> {
        let counts = |found: Found| {
            let of_past =
                |(run, last): &(u64, u64)| found.run == *run && found.epoch.is_some_and(|epoch| epoch <= *last);
            // A run that starts from nothing has put out nothing, whatever a file of an older store is called.
            context.restored && (found.run == context.run || context.past.iter().any(of_past))
        };
        self.directory.tidy(&context.job, |found| match found.stage {
            Stage::Writing if found.run < context.run => Fate::Remove,
            Stage::Committed if self.follow && !counts(found) => Fate::Hide,
            Stage::Superseded if self.follow && counts(found) => Fate::Show,
            _ => Fate::Stay,
        })
    }
}

impl<T: Data> Sink<T> for FileSink {
    type Prepared = PreparedFile;

    fn describe(&self) -> String {
        format!("files {}", self.directory.path().display())
    }

    fn open(&mut self, context: SinkContext, _: &[PreparedFile]) -> Result<(), UserError> {
        self.directory.prepare(&names::writing(&context.job, context.run, context.subtask, "probe"))?;
        if context.subtask == 0 {
            self.tidy(&context)?;
        }
        self.context = Some(context);
        Ok(())
    }

    fn write(&mut self, value: &T, _: EventTime) -> Result<(), UserError> {
        let file = match &mut self.file {
            Some(file) => file,
            None => {
                let file = self.directory.create(&self.writing_name()?)?;
                self.file.insert(self.format.encoder(file))
            }
        };
        if let Err(source) = file.write(value) {
            let path = self.directory.path().join(self.writing_name()?);
            return Err(DirectoryError::Record { path, source }.into());
        }
        Ok(())
    }

    fn prepare(&mut self, epoch: u64) -> Result<Option<PreparedFile>, UserError> {
        let Some(file) = self.file.take() else { return Ok(None) };
        let SinkContext { job, run, subtask, .. } = self.context()?;
        let name = Part { job, run: *run, epoch, subtask: *subtask }.committed(self.format.extension());
        let writing = self.writing_name()?;
        let file = file
            .finish()
            .map_err(|source| DirectoryError::Write { path: self.directory.path().join(&writing), source })?;
        self.directory.keep(&file, &writing, &names::pending(&name))?;
        Ok(Some(PreparedFile { name }))
    }

    fn commit(&mut self, prepared: &PreparedFile) -> Result<(), UserError> {
        // It comes from a snapshot, and must not lead out of the directory.
        if Path::new(&prepared.name).file_name().is_none_or(|name| name != prepared.name.as_str()) {
            return Err(DirectoryError::BadName(prepared.name.clone()).into());
        }
        Ok(self.directory.publish(&prepared.name)?)
    }
}
