//! From an address to an open store.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use object_store::ObjectStore;
use object_store::memory::InMemory;
use serde::{Deserialize, Serialize};
use url::Url;

use super::durable::{DurableDirectory, create_directory};
use super::{Store, layout};
use crate::{Error, Result};

/// What to do when there is no store at an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenMode {
    /// Make one.
    CreateIfMissing,
    /// Report [`Error::NotFound`].
    Existing,
}

/// The content of `millpond.json`.
#[derive(Debug, Serialize, Deserialize)]
struct Marker {
    format: String,
    version: u64,
}

const FORMAT: &str = "millpond-store";
const VERSION: u64 = 1;
const MARKER_LIMIT: u64 = 64 * 1024;

/// In-memory stores live as long as the process, so that a second opening finds the first's objects.
static MEMORY: LazyLock<Mutex<BTreeMap<String, Arc<InMemory>>>> = LazyLock::new(Mutex::default);

impl Store {
    /// Opens the store at a path or URL: `dir`, `file:///dir`, `memory://name`, and with the feature
    /// `cloud` also `s3://`, `gs://` and `az://`, whose credentials come from the environment.
    ///
    /// ```no_run
    /// use millpond_snapshot::{Store, store::OpenMode};
    /// # async fn example() -> millpond_snapshot::Result<()> {
    /// let store = Store::open("s3://bucket/millpond", OpenMode::CreateIfMissing).await?;
    /// println!("{} is a store", store.address());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidInput`] for an address that is no store's, [`Error::NotFound`] if there is
    /// none and `mode` does not create it, [`Error::Unsupported`] if it is of a newer version, and
    /// [`Error::Storage`] if it cannot be reached or written.
    pub async fn open(address: &str, mode: OpenMode) -> Result<Store> {
        let store = Store::connect(address, mode)?;
        store.check_marker(mode).await?;
        Ok(store)
    }

    /// Reaches an address, without looking what is there.
    pub(crate) fn connect(address: &str, mode: OpenMode) -> Result<Store> {
        let (objects, directory) = connect(address, mode)?;
        Ok(Store::over(objects, address).in_directory(directory))
    }

    /// Checks that this is a store of a version that can be read, and makes it one if `mode` says so.
    pub async fn check_marker(&self, mode: OpenMode) -> Result<()> {
        let path = layout::marker();
        let bytes = match self.get(&path, MARKER_LIMIT).await? {
            Some(bytes) => bytes,
            None if mode == OpenMode::CreateIfMissing => {
                let marker = Marker { format: FORMAT.to_owned(), version: VERSION };
                let bytes = serde_json::to_vec(&marker).map_err(|e| Error::corrupt(&path, "json", e))?;
                self.put_if_absent(&path, bytes.clone().into()).await?;
                bytes.into()
            }
            None => {
                return Err(Error::NotFound(format!(
                    "{} is no Millpond store: it has no millpond.json; check the address",
                    self.address()
                )));
            }
        };
        let marker: Marker = serde_json::from_slice(&bytes).map_err(|e| Error::corrupt(&path, "json", e))?;
        if marker.format != FORMAT {
            let problem = format!("expected {FORMAT:?}, found {:?}", marker.format);
            return Err(Error::corrupt(&path, "format", problem));
        }
        if marker.version != VERSION {
            return Err(Error::Unsupported {
                file: format!("{}/{path}", self.address()),
                what: "store version",
                found: marker.version,
                newest: VERSION,
            });
        }
        Ok(())
    }
}

/// The objects at an address, and the local directory that they stand in.
type Reached = (Arc<dyn ObjectStore>, Option<Arc<Path>>);

fn connect(address: &str, mode: OpenMode) -> Result<Reached> {
    if !address.contains("://") {
        return directory(address.into(), mode);
    }
    let invalid = |why: &dyn std::fmt::Display| {
        Error::InvalidInput(format!(
            "{address:?} is not the address of a store ({why}); use a path, file:///dir, memory://name, s3://, gs:// or az://"
        ))
    };
    let url = Url::parse(address).map_err(|error| invalid(&error))?;
    match url.scheme() {
        "file" => {
            let path = url.to_file_path().map_err(|()| invalid(&"not a local path"))?;
            directory(path, mode)
        }
        "memory" => Ok((memory(address), None)),
        "s3" | "s3a" | "gs" | "az" | "azure" | "abfs" | "abfss" => Ok((cloud(&url)?, None)),
        scheme => Err(invalid(&format_args!("unknown scheme {scheme:?}"))),
    }
}

fn directory(path: PathBuf, mode: OpenMode) -> Result<Reached> {
    let failed = |error: io::Error| Error::Storage {
        action: "open the store at",
        path: path.display().to_string(),
        may_have_happened: false,
        source: error.into(),
    };
    if mode == OpenMode::CreateIfMissing {
        let path = std::path::absolute(&path).map_err(failed)?;
        // Only the last directory is made: a path that leads nowhere is a mistake, or a disk that is not mounted.
        if let Some(parent) = path.parent().filter(|parent| !parent.is_dir()) {
            return Err(Error::NotFound(format!(
                "cannot create the store {}: there is no directory {}; create it, or check the path",
                path.display(),
                parent.display()
            )));
        }
        create_directory(&path).map_err(failed)?;
    } else if !path.is_dir() {
        return Err(Error::NotFound(format!(
            "there is no store at {}: no such directory; check the path",
            path.display()
        )));
    }
    let root = path.canonicalize().map_err(failed)?;
    let directory = DurableDirectory::new(&root).map_err(|error| failed(io::Error::other(error)))?;
    Ok((Arc::new(directory), Some(root.into())))
}

fn memory(address: &str) -> Arc<dyn ObjectStore> {
    // A panic elsewhere cannot leave the map half-changed.
    let mut stores = MEMORY.lock().unwrap_or_else(PoisonError::into_inner);
    stores.entry(address.trim_end_matches('/').to_owned()).or_default().clone()
}

#[cfg(feature = "cloud")]
fn cloud(url: &Url) -> Result<Arc<dyn ObjectStore>> {
    // What is no Unicode is no setting of a store's, and none of our business.
    let environment = std::env::vars_os().filter_map(|(name, value)| {
        Some((name.into_string().ok()?.to_ascii_lowercase(), value.into_string().ok()?))
    });
    let (objects, prefix) = object_store::parse_url_opts(url, environment)
        .map_err(|error| Error::InvalidInput(format!("cannot use the store {url}: {error}")))?;
    Ok(Arc::new(object_store::prefix::PrefixStore::new(objects, prefix)))
}

#[cfg(not(feature = "cloud"))]
fn cloud(url: &Url) -> Result<Arc<dyn ObjectStore>> {
    Err(Error::InvalidInput(format!(
        "this build cannot use {url}: it was built without the feature `cloud` of millpond, which is on by default; build with `--features cloud`"
    )))
}
