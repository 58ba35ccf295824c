//! The arguments, and the order in which they are followed.

use clap::Args;
use clap::builder::RangedU64ValueParser;
use millpond_snapshot::edit::{self, Publish};
use millpond_snapshot::repository::SnapshotAddress;
use millpond_snapshot::store::OpenMode;
use millpond_snapshot::{Error, JobName, OperatorUid, StateName, Store, Tag};
use serde_json::json;

use super::keys::Doomed;
use super::names::{Target, split, target};
use super::report;
use crate::failure::Failure;
use crate::output::{Waiting, plain, print, print_json};
use crate::snapshots::place::Place;
use crate::snapshots::words::bytes;
use crate::sql::Session;
use crate::user::user;

/// Make a new snapshot from another: rename, delete, take keys out
///
/// The snapshot that is named stays as it is. The result is a savepoint of the same job, if that does not run, or of --as
/// JOB, which may be new; it names what was not changed and writes only what was. Nothing starts from it unless it is told
/// to: JOB run -s, with the address that is printed.
///
/// All names are those that SNAPSHOT has: keys are deleted first, then states and operators, then what is left is renamed.
///
/// --delete-keys takes a query, as `snapshots query` does, that gives a column key. The rows of those keys are taken out of
/// all keyed states of the operator whose tables the query reads, timers included. Put UID: before the query if it reads
/// others too, or UID/STATE: if they are to be taken out of that state alone. Keys and their rows are streamed; for a query
/// that gives the columns hash and key, whatever there is of them.
///
/// Rows that are deleted by key are hidden, and not yet gone from the chunks that both snapshots name: those go when the
/// job that continues has folded them and the snapshot before is removed.
#[derive(Args)]
#[command(after_long_help = EXAMPLES, after_help = "Examples: --help")]
pub(crate) struct Edit {
    /// JOB@42, JOB@latest, JOB#tag or ./exported-directory
    snapshot: SnapshotAddress,
    /// Give an operator another uid
    #[arg(long, value_name = "UID=NEW")]
    rename_operator: Vec<String>,
    /// Give a state another name
    #[arg(long, value_name = "UID/STATE=NEW")]
    rename_state: Vec<String>,
    /// Leave out a state, or an operator with all its states
    #[arg(long, value_name = "UID[/STATE]")]
    delete: Vec<String>,
    /// Take out the keys that a query gives
    #[arg(long, value_name = "[UID[/STATE]:] SQL")]
    delete_keys: Vec<String>,
    /// The job whose savepoint the result is [default: the same]
    #[arg(long = "as", value_name = "JOB")]
    job: Option<JobName>,
    /// The store that the result stands in [default: --store]
    #[arg(long, value_name = "URL")]
    to_store: Option<String>,
    /// Give the result a name
    #[arg(long)]
    tag: Option<Tag>,
    /// Why, for those who look at it later [default: what was changed]
    #[arg(long)]
    reason: Option<String>,
    /// Only say what would be changed
    #[arg(long)]
    dry_run: bool,
    /// How much memory queries may take before they go to temporary files
    #[arg(long, value_name = "MIB", default_value_t = 512, value_parser = RangedU64ValueParser::<usize>::new().range(32..))]
    memory: usize,
    #[command(flatten)]
    place: Place,
}

const EXAMPLES: &str = r#"Examples:
  The program gives an operator and a state other names than the one that took the savepoint
    millpond snapshots edit flights@42 --rename-operator sum=per-airport --rename-state sum/total=minutes
  A state that the program no longer has
    millpond snapshots edit flights@42 --delete sum/history --tag without-history
  Keys that should not be there: from all states of the operator, or from one
    millpond snapshots edit flights@42 --delete-keys 'select key from "sum"."total" where value < 0'
    millpond snapshots edit flights@42 --delete-keys 'sum/total: select key from total where key like '\''TEST%'\'''
  Many keys: streamed, without a join
    millpond snapshots edit flights@42 --delete-keys 'select hash, key from "sum"."total" where value < 10'
  See first what that would be; then as a job of its own
    millpond snapshots edit flights@42 --delete sum --dry-run
    millpond snapshots edit flights@42 --delete sum --as flights-b && flights run --name flights-b -s flights-b@latest"#;

impl Edit {
    pub(in crate::snapshots) async fn run(self) -> Result<(), Failure> {
        let found = self.place.find(&self.snapshot).await?;
        let store = match &self.to_store {
            Some(address) if self.dry_run => Store::open(address, OpenMode::Existing).await?,
            Some(address) => Store::open(address, OpenMode::CreateIfMissing).await?,
            None => self.place.open().await?,
        };
        let job = self.job.as_ref().unwrap_or(&found.entry.job);
        let mut edit = edit::Edit::of(&found, &store, job).await?;
        if self.dry_run {
            edit.dry_run();
        }
        let from = found.entry.id();
        let waiting = Waiting::new(format!("Editing {from}"));
        if !self.delete_keys.is_empty() {
            let session = Session::new(found.clone(), self.memory)?;
            for text in &self.delete_keys {
                let doomed = Doomed::parse(&found.record()?.manifest, &session, text)?;
                doomed.remove(&mut edit, &session).await?;
            }
        }
        self.change_names(&mut edit)?;
        let changes = edit.changes().to_vec();
        let options = Publish { reason: self.reason.clone(), requested_by: Some(user()), tag: self.tag.clone() };
        let published = match self.dry_run {
            true => None,
            false => Some(edit.publish(options).await?),
        };
        drop(waiting);
        if self.place.json {
            return print_json(&json!({
                "snapshot": from,
                "dry-run": self.dry_run,
                "edited": published.as_ref().map(|published| &published.id),
                "tag": self.tag,
                "store": store.address(),
                "bytes-new": published.as_ref().map(|published| published.bytes_new),
                "bytes-total": published.as_ref().map(|published| published.bytes_total),
                "changes": report::json(&changes),
            }));
        }
        let outcome = match published {
            None if changes.is_empty() => return print(&format!("Nothing of {from} would be changed.")),
            None => format!("Nothing was written. Without --dry-run there would be a new savepoint of {job}."),
            Some(published) => format!(
                "{} is {from} with these changes: {} written, {} in all, in {}.",
                published.id,
                bytes(published.bytes_new),
                bytes(published.bytes_total),
                plain(store.address())
            ),
        };
        print(&format!("{}\n\n{outcome}", report::text(&changes)))
    }

    /// Deletions, then renames. What is said is looked up in the snapshot as it is, and followed from the inside out, so
    /// that it still has those names by then.
    fn change_names(&self, edit: &mut edit::Edit) -> Result<(), Error> {
        let manifest = edit.manifest().clone();
        for text in &self.delete {
            match target(&manifest, text)? {
                Target::State(id) => edit.delete_state(&id.operator, &id.state)?,
                Target::Operator(uid) => edit.delete_operator(&uid)?,
            }
        }
        for text in &self.rename_state {
            match split(&manifest, text, '=')? {
                (Target::State(id), to) => {
                    edit.rename_state(&id.operator, &id.state, &to.parse::<StateName>()?)?
                }
                (Target::Operator(uid), _) => {
                    return Err(Error::InvalidInput(format!(
                        "--rename-state {text}: {uid} is an operator; give UID/STATE=NEW, or use --rename-operator"
                    )));
                }
            }
        }
        for text in &self.rename_operator {
            match split(&manifest, text, '=')? {
                (Target::Operator(uid), to) => edit.rename_operator(&uid, &to.parse::<OperatorUid>()?)?,
                (Target::State(id), _) => {
                    return Err(Error::InvalidInput(format!(
                        "--rename-operator {text}: {id} is a state; give UID=NEW, or use --rename-state"
                    )));
                }
            }
        }
        Ok(())
    }
}
