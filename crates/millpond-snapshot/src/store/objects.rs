//! The operations on objects.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutPayload};

use crate::ids::ChunkHash;
use crate::{Error, Result};

/// An open store. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    objects: Arc<dyn ObjectStore>,
    address: Arc<str>,
    /// Where content-addressed objects stand, if that is not where a store keeps them.
    files: Option<Arc<BTreeMap<ChunkHash, Path>>>,
}

/// What became of a put-if-absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PutOutcome {
    /// The object was not there, and is now, durably.
    Created,
    /// An object of that name was there and is unchanged.
    Exists,
}

/// What a listing tells of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectInfo {
    /// Where it stands, relative to the store.
    pub path: Path,
    /// Its size in bytes.
    pub bytes: u64,
    /// When it was written, by the store's clock.
    pub modified: Timestamp,
}

impl Store {
    /// Wraps an `object_store` implementation, without looking whether it holds a store.
    /// `address` is what messages call it.
    pub fn over(objects: Arc<dyn ObjectStore>, address: impl Into<Arc<str>>) -> Self {
        Store { objects, address: address.into(), files: None }
    }

    /// The same objects, with content-addressed ones in files of their own.
    pub(crate) fn with_files(mut self, files: Arc<BTreeMap<ChunkHash, Path>>) -> Self {
        self.files = Some(files);
        self
    }

    /// The file of its own that the bytes with this hash have, if they have one.
    pub(crate) fn file_of(&self, hash: ChunkHash) -> Option<&Path> {
        self.files.as_ref()?.get(&hash)
    }

    /// Whether this is certainly the same store as another, content-addressed objects included.
    pub(crate) fn is_same(&self, other: &Store) -> bool {
        let objects = Arc::ptr_eq(&self.objects, &other.objects) || self.address == other.address;
        objects && self.files.is_none() && other.files.is_none()
    }

    /// The path or URL that the store was opened with.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Creates an object, unless one of that name exists. When this returns, the object is durable
    /// and everybody sees it.
    ///
    /// # Errors
    /// [`Error::Storage`] says with `may_have_happened` whether the object may be there nevertheless.
    pub async fn put_if_absent(&self, path: &Path, bytes: Bytes) -> Result<PutOutcome> {
        match self.put(path, bytes, PutMode::Create).await {
            Ok(()) => Ok(PutOutcome::Created),
            Err(object_store::Error::AlreadyExists { .. }) | Err(object_store::Error::Precondition { .. }) => {
                Ok(PutOutcome::Exists)
            }
            Err(error) => Err(self.failed("write", path, error)),
        }
    }

    /// Writes an object, replacing one of that name. Only for objects whose name says what they hold.
    pub(crate) async fn replace(&self, path: &Path, bytes: Bytes) -> Result<()> {
        let written = self.put(path, bytes, PutMode::Overwrite).await;
        written.map_err(|error| self.failed("write", path, error))
    }

    async fn put(&self, path: &Path, bytes: Bytes, mode: PutMode) -> object_store::Result<()> {
        let payload = PutPayload::from_bytes(bytes);
        self.objects.put_opts(path, payload, mode.into()).await?;
        Ok(())
    }

    /// Reads an object of at most `limit` bytes; `None` if there is none of that name.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if it is larger, before any of it is read.
    pub async fn get(&self, path: &Path, limit: u64) -> Result<Option<Bytes>> {
        let found = match self.objects.get(path).await {
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            found => found.map_err(|error| self.failed("read", path, error))?,
        };
        if found.meta.size > limit {
            let problem = format!("expected at most {limit} bytes, found {}", found.meta.size);
            return Err(Error::corrupt(path, "size", problem));
        }
        let bytes = found.bytes().await.map_err(|error| self.failed("read", path, error))?;
        Ok(Some(bytes))
    }

    /// Reads `length` bytes of an object from `offset`; fewer if it ends before. `None` if there is
    /// no object of that name, or it is shorter than `offset`.
    pub async fn get_range(&self, path: &Path, offset: u64, length: u64) -> Result<Option<Bytes>> {
        let Some(end) = offset.checked_add(length) else {
            return Ok(None);
        };
        let Some(info) = self.info(path).await? else {
            return Ok(None);
        };
        if info.bytes <= offset {
            return Ok(None);
        }
        match self.objects.get_range(path, offset..end.min(info.bytes)).await {
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            found => found.map(Some).map_err(|error| self.failed("read", path, error)),
        }
    }

    /// What is known of an object without reading it; `None` if there is none of that name.
    pub async fn info(&self, path: &Path) -> Result<Option<ObjectInfo>> {
        match self.objects.head(path).await {
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.failed("look at", path, error)),
            // A store below a prefix may call the object by its whole path.
            Ok(meta) => Ok(Some(ObjectInfo { path: path.clone(), ..info(meta) })),
        }
    }

    /// All objects below a path, in no particular order.
    pub async fn list(&self, below: &Path) -> Result<Vec<ObjectInfo>> {
        let listed = self.objects.list(Some(below)).map_ok(info).try_collect().await;
        listed.map_err(|error| self.failed("list", below, error))
    }

    /// The names directly below a path that themselves have objects below them.
    pub async fn list_directories(&self, below: &Path) -> Result<Vec<String>> {
        let listed = self.objects.list_with_delimiter(Some(below)).await;
        let listed = listed.map_err(|error| self.failed("list", below, error))?;
        let names = listed.common_prefixes.iter().filter_map(|path| path.filename());
        Ok(names.map(str::to_owned).collect())
    }

    /// Deletes an object; that there is none of that name is no error.
    pub async fn delete(&self, path: &Path) -> Result<()> {
        match self.objects.delete(path).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.failed("delete", path, error)),
        }
    }

    /// Deletes objects, many at a time where the store can; those that are not there are no error.
    pub async fn delete_all(&self, paths: Vec<Path>) -> Result<()> {
        let paths = stream::iter(paths.into_iter().map(Ok)).boxed();
        let mut deleted = self.objects.delete_stream(paths);
        while let Some(outcome) = deleted.next().await {
            match outcome {
                Ok(_) | Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(self.failed("delete", &Path::default(), error)),
            }
        }
        Ok(())
    }

    fn failed(&self, action: &'static str, path: &Path, error: object_store::Error) -> Error {
        use object_store::Error as E;
        let certainly_not = matches!(
            error,
            E::PermissionDenied { .. }
                | E::Unauthenticated { .. }
                | E::InvalidPath { .. }
                | E::NotImplemented { .. }
                | E::NotSupported { .. }
                | E::UnknownConfigurationKey { .. }
        );
        Error::Storage {
            action,
            path: format!("{}/{path}", self.address.trim_end_matches('/')),
            may_have_happened: matches!(action, "write" | "delete") && !certainly_not,
            source: Box::new(error),
        }
    }
}

fn info(meta: object_store::ObjectMeta) -> ObjectInfo {
    // Out of range only if the store's clock is nonsense. The object must not be taken for old then.
    let modified = meta.last_modified;
    let modified = Timestamp::new(modified.timestamp(), modified.timestamp_subsec_nanos().cast_signed());
    ObjectInfo { path: meta.location, bytes: meta.size, modified: modified.unwrap_or(Timestamp::MAX) }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Store({})", self.address)
    }
}
