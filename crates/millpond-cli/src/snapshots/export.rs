//! `millpond snapshots export`

use clap::Args;
use millpond_snapshot::repository::{self, Exported, SnapshotAddress};
use serde_json::json;

use super::place::Place;
use super::words::{bytes, counted};
use crate::failure::Failure;
use crate::output::{Transfer, plain, print, print_json};

/// Write a snapshot to a directory that needs no store
///
/// The directory holds a manifest, and a Parquet file for each chunk under a readable name. A job starts from it directly:
/// `JOB run -s ./directory`. It is complete, or it is no snapshot.
#[derive(Args)]
pub(crate) struct Export {
    /// JOB@42, JOB@latest or JOB#tag
    snapshot: SnapshotAddress,
    /// A new directory in one that exists, or a place in a bucket, that holds no other snapshot
    directory: String,
    #[command(flatten)]
    place: Place,
}

impl Export {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let found = self.place.find(&self.snapshot).await?;
        let id = found.entry.id();
        let transfer = Transfer::new(format!("Exporting {id}"));
        let Exported { files, bytes: size } =
            repository::export(&found, &self.directory, |done, total| transfer.at(done, total)).await?;
        drop(transfer);
        if self.place.json {
            let value = json!({ "snapshot": id, "directory": self.directory, "files": files, "bytes": size });
            return print_json(&value);
        }
        let files = counted(files as u64, "chunk");
        print(&format!("{id} is in {}: {files}, {}.", plain(&self.directory), bytes(size)))
    }
}
