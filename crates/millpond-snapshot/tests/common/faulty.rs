//! A store that fails, delays, or succeeds and then reports failure, as told.
#![allow(dead_code, unreachable_pub, reason = "each test program uses a part of it")]

use std::fmt;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    ObjectStoreExt, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

/// What happens to one operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It works.
    None,
    /// It fails without having happened.
    Before,
    /// It happens, and is reported as failed.
    After,
    /// It is reported as failed, and happens later, before the next operation that is not delayed.
    Late,
}

enum Delayed {
    Put(Path, PutPayload, PutOptions),
    Delete(Path),
}

/// An operation that is about to be done.
#[derive(Debug, Clone, Copy)]
pub struct Operation<'a> {
    /// `put`, `get`, `list` or `delete`.
    pub what: &'static str,
    /// On which object, or below which path.
    pub path: Option<&'a Path>,
    /// What is put there.
    pub bytes: Option<&'a PutPayload>,
}

/// An in-memory store whose operations meet the faults that `next` tells, one by one.
pub struct Faulty {
    pub objects: Arc<InMemory>,
    next: Arc<dyn Fn(Operation<'_>) -> Fault + Send + Sync>,
    delayed: Arc<Mutex<Vec<Delayed>>>,
}

impl Faulty {
    /// Faults for kinds of operation, whatever the object.
    pub fn new(objects: Arc<InMemory>, next: impl Fn(&str) -> Fault + Send + Sync + 'static) -> Self {
        Faulty::choosing(objects, move |operation| next(operation.what))
    }

    /// Faults for operations on chosen objects.
    pub fn choosing(
        objects: Arc<InMemory>,
        next: impl Fn(Operation<'_>) -> Fault + Send + Sync + 'static,
    ) -> Self {
        Faulty { objects, next: Arc::new(next), delayed: Arc::default() }
    }

    fn meet(&self, what: &'static str, path: Option<&Path>, bytes: Option<&PutPayload>) -> Fault {
        (self.next)(Operation { what, path, bytes })
    }

    /// Lets delayed writes and deletes happen.
    pub async fn settle(&self) {
        settle(&self.objects, &self.delayed).await;
    }
}

async fn settle(objects: &InMemory, delayed: &Mutex<Vec<Delayed>>) {
    let delayed = std::mem::take(&mut *delayed.lock().unwrap());
    for operation in delayed {
        let _ = match operation {
            Delayed::Put(location, payload, options) => {
                objects.put_opts(&location, payload, options).await.map(drop)
            }
            Delayed::Delete(location) => objects.delete(&location).await,
        };
    }
}

fn failure() -> Error {
    Error::Generic { store: "faulty", source: "connection reset".into() }
}

#[async_trait]
impl ObjectStore for Faulty {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        match self.meet("put", Some(location), Some(&payload)) {
            Fault::Before => Err(failure()),
            Fault::Late => {
                self.delayed.lock().unwrap().push(Delayed::Put(location.clone(), payload, options));
                Err(failure())
            }
            fault => {
                self.settle().await;
                let result = self.objects.put_opts(location, payload, options).await?;
                if fault == Fault::After { Err(failure()) } else { Ok(result) }
            }
        }
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        match self.meet("get", Some(location), None) {
            Fault::None => self.objects.get_opts(location, options).await,
            _ => Err(failure()),
        }
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.meet("list", prefix, None) {
            Fault::None => self.objects.list(prefix),
            _ => Box::pin(futures::stream::once(async { Err(failure()) })),
        }
    }

    async fn put_multipart_opts(&self, _: &Path, _: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        Err(failure())
    }

    /// Each deletion meets a fault of its own.
    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let (objects, next, delayed) = (self.objects.clone(), self.next.clone(), self.delayed.clone());
        let deleted = locations.then(move |location| {
            let (objects, next, delayed) = (objects.clone(), next.clone(), delayed.clone());
            async move {
                let location = location?;
                match next(Operation { what: "delete", path: Some(&location), bytes: None }) {
                    Fault::Before => Err(failure()),
                    Fault::Late => {
                        delayed.lock().unwrap().push(Delayed::Delete(location));
                        Err(failure())
                    }
                    fault => {
                        settle(&objects, &delayed).await;
                        objects.delete(&location).await?;
                        if fault == Fault::After { Err(failure()) } else { Ok(location) }
                    }
                }
            }
        });
        deleted.boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        if self.meet("list", prefix, None) != Fault::None {
            return Err(failure());
        }
        self.objects.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, _: &Path, _: &Path, _: CopyOptions) -> Result<()> {
        Err(failure())
    }
}

impl fmt::Debug for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Faulty")
    }
}

impl fmt::Display for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Faulty")
    }
}
