//! `JOB check`: whether a snapshot fits the program, said state by state before anything is stopped.

use millpond_snapshot::store::OpenMode;
use millpond_snapshot::{JobName, Store, repository};

use super::cli::CheckOptions;
use super::plan::Plan;
use super::restore_plan::RestorePlan;
use crate::error::Error;

/// Finds the snapshot and decides what `job` would do with it. Nothing is written.
pub(crate) fn against(
    plan: &Plan,
    job: &JobName,
    store: &str,
    options: &CheckOptions,
) -> Result<(String, RestorePlan), Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Error::failed)?;
    let resolved = runtime.block_on(async {
        let store = Store::open(store, OpenMode::Existing).await?;
        repository::resolve(&store, &options.from).await
    })?;
    let decided = RestorePlan::new(plan, &resolved.record()?.manifest, &options.flags, job)?;
    Ok((resolved.entry.id().to_string(), decided))
}
