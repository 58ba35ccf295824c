//! `millpond snapshots copy`

use clap::Args;
use millpond_snapshot::repository::{self, Copied, SnapshotAddress};
use millpond_snapshot::store::OpenMode;
use millpond_snapshot::{JobName, Store, Tag};
use serde_json::json;

use super::place::Place;
use super::words::{bytes, counted};
use crate::failure::Failure;
use crate::output::{Transfer, plain, print, print_json};
use crate::user::user;

/// Copy a snapshot to another store: only what is missing there
///
/// Each object is checked on the way. The copy is a savepoint of the job of the same name, or of --name, in the other
/// store, which is made if it is not there. If this is interrupted, do it again: what is there is not copied again.
/// A snapshot that was copied before and is still there keeps its number.
#[derive(Args)]
pub(crate) struct Copy {
    /// JOB@42, JOB@latest, JOB#tag or ./exported-directory
    snapshot: SnapshotAddress,
    /// The other store: a path, file:///dir, s3://, gs:// or az://
    to_store: String,
    /// The job whose snapshot it is to be there
    #[arg(long, value_name = "JOB")]
    name: Option<JobName>,
    /// Give the copy a name
    #[arg(long)]
    tag: Option<Tag>,
    #[command(flatten)]
    place: Place,
}

impl Copy {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let found = self.place.find(&self.snapshot).await?;
        let to = Store::open(&self.to_store, OpenMode::CreateIfMissing).await?;
        let from = found.entry.id();
        let transfer = Transfer::new(format!("Copying {from}"));
        let Copied { id, before, objects, bytes: size, present } =
            repository::copy(&found, &to, self.name.as_ref(), |done, total| transfer.at(done, total)).await?;
        drop(transfer);
        if let Some(tag) = &self.tag {
            repository::tag(&to, &id, tag, Some(user()), None).await?;
        }
        if self.place.json {
            return print_json(&json!({
                "snapshot": from,
                "copy": id,
                "store": self.to_store,
                "objects": objects,
                "bytes": size,
                "present": present,
                "tag": self.tag,
            }));
        }
        let (objects, store) = (counted(objects as u64, "object"), plain(&self.to_store));
        let there = match present {
            0 => String::new(),
            present => format!("; {} there already", counted(present as u64, "object")),
        };
        let tag = self.tag.iter().map(|tag| format!(", tagged {tag},")).collect::<String>();
        let already = if before { " already" } else { "" };
        print(&format!("{from} is {id}{tag}{already} in {store}: {objects} ({}) copied{there}.", bytes(size)))
    }
}
