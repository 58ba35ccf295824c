//! Files as a sink.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::directory::{Directory, DirectoryError};
use super::encode::{Encoder, Format};
use super::names::{self, Part, Stage};
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
/// words.sink(FileSink::json_lines("out/words").replace_on_fresh_start(true)).uid("words-files");
/// # }
/// ```
#[derive(Debug)]
pub struct FileSink {
    directory: Directory,
    format: Format,
    replace: bool,
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
        FileSink { directory: Directory::new(directory), format, replace: false, context: None, file: None }
    }

    /// With `true`, a run that does not start from a snapshot first removes all files that a job of the same name has
    /// left in the directory, committed or not: its results stand in place of theirs, not beside them.
    pub fn replace_on_fresh_start(mut self, replace: bool) -> Self {
        self.replace = replace;
        self
    }

    fn context(&self) -> Result<&SinkContext, DirectoryError> {
        self.context.as_ref().ok_or(DirectoryError::NotOpen)
    }

    fn writing_name(&self) -> Result<String, DirectoryError> {
        let context = self.context()?;
        Ok(names::writing(&context.job, context.run, context.subtask, self.format.extension()))
    }

    /// Removes what the module says may be removed. One subtask does it, before any file of this run is committed: that
    /// takes a snapshot, in which this subtask has a part.
    fn tidy(&self, context: &SinkContext) -> Result<(), DirectoryError> {
        let this = context.run;
        if self.replace && !context.restored {
            // If the store was made anew, earlier runs may have had any number.
            self.directory.remove(&context.job, |stage, run| stage == Stage::Committed || run != this)
        } else {
            self.directory.remove(&context.job, |stage, run| stage == Stage::Writing && run < this)
        }
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
