//! A local directory whose writes survive a power cut.
//!
//! `object_store`'s local file system leaves syncing to the operating system. Here an object is
//! written to a scratch file, synced, given its name in one step that fails if the name is taken, and
//! the directories are synced, before anybody is told that it exists.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::io::{self, Write};
use std::path::{Path as FsPath, PathBuf};

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMode,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

use super::layout;

/// A [`LocalFileSystem`] with durable puts.
#[derive(Debug)]
pub(super) struct DurableDirectory {
    root: PathBuf,
    files: LocalFileSystem,
}

impl DurableDirectory {
    /// Takes a directory that exists.
    pub(super) fn new(root: &FsPath) -> Result<Self> {
        let files = LocalFileSystem::new_with_prefix(root)?;
        Ok(DurableDirectory { root: root.to_owned(), files })
    }
}

/// Writes, syncs and names a file. With `replace` an existing file of that name is replaced.
fn put(root: &FsPath, target: &FsPath, payload: &PutPayload, replace: bool) -> io::Result<()> {
    let parent = target.parent().unwrap_or(root);
    create_directory(parent)?;
    // On the same file system, and outside everything that is listed.
    let scratch = root.join(layout::scratch().as_ref());
    create_directory(&scratch)?;

    let mut file = builder().tempfile_in(&scratch)?;
    for part in payload.iter() {
        file.write_all(part)?;
    }
    file.as_file().sync_all()?;
    let named = if replace { file.persist(target) } else { file.persist_noclobber(target) };
    match named {
        // Somebody else may have named it a moment ago and not yet synced the directory.
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists && !replace => {
            sync_directory(parent)?;
            Err(error.error)
        }
        Err(error) => Err(error.error),
        Ok(_) => sync_directory(parent),
    }
}

fn builder() -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    // The umask decides who else may read the store, as for any other file.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder
}

/// Creates a directory, with its parents, and makes those that are new durable.
pub(super) fn create_directory(directory: &FsPath) -> io::Result<()> {
    if directory.is_dir() {
        return Ok(());
    }
    let Some(parent) = directory.parent() else {
        return fs::create_dir(directory);
    };
    create_directory(parent)?;
    match fs::create_dir(directory) {
        // By somebody else, a moment ago. A file in its place is another thing: that an object exists may be said of
        // the object only.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && !directory.is_dir() => {
            let problem = format!("there is a file where the directory {} should be", directory.display());
            Err(io::Error::new(io::ErrorKind::NotADirectory, problem))
        }
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => sync_directory(parent),
    }
}

/// Makes the names in a directory durable.
#[cfg(unix)]
fn sync_directory(directory: &FsPath) -> io::Result<()> {
    fs::File::open(directory)?.sync_all()
}

/// Windows makes names durable with the file itself and refuses to open directories.
#[cfg(not(unix))]
fn sync_directory(_: &FsPath) -> io::Result<()> {
    Ok(())
}

/// Makes the absence of deleted objects durable.
async fn sync_parents(files: &LocalFileSystem, deleted: impl Iterator<Item = &Path>) -> Result<()> {
    let mut parents = BTreeSet::new();
    for location in deleted {
        let path = files.path_to_filesystem(location)?;
        parents.extend(path.parent().map(FsPath::to_owned));
    }
    let sync = move || parents.iter().try_for_each(|parent| sync_directory(parent));
    tokio::task::spawn_blocking(sync).await?.map_err(|error| failed(error, &Path::default()))
}

fn failed(error: io::Error, path: &Path) -> object_store::Error {
    let (path, kind, source) = (path.to_string(), error.kind(), Box::new(error));
    match kind {
        io::ErrorKind::AlreadyExists => object_store::Error::AlreadyExists { path, source },
        io::ErrorKind::PermissionDenied => object_store::Error::PermissionDenied { path, source },
        _ => object_store::Error::Generic { store: "local directory", source },
    }
}

#[async_trait]
impl ObjectStore for DurableDirectory {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let replace = match options.mode {
            PutMode::Create => false,
            PutMode::Overwrite => true,
            PutMode::Update(_) => return self.files.put_opts(location, payload, options).await,
        };
        let root = self.root.clone();
        let target = self.files.path_to_filesystem(location)?;
        let written = tokio::task::spawn_blocking(move || put(&root, &target, &payload, replace)).await?;
        written.map_err(|error| failed(error, location))?;
        Ok(PutResult { e_tag: None, version: None })
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.files.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.files.get_opts(location, options).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        // What is deleted later must not be gone after a power cut while what was deleted before is
        // there again: a log entry is deleted before the chunks that it names.
        let (files, deleted) = (self.files.clone(), self.files.delete_stream(locations));
        let durably = async move {
            let deleted: Vec<Result<Path>> = deleted.collect().await;
            let synced = sync_parents(&files, deleted.iter().flatten());
            let failure = synced.await.err().map(Err);
            stream::iter(deleted.into_iter().chain(failure))
        };
        stream::once(durably).flatten().boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.files.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.files.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.files.copy_opts(from, to, options).await
    }
}

impl fmt::Display for DurableDirectory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.root.display())
    }
}
