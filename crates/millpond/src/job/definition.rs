//! A job's definition, ready to be run: once to plan, and once on each worker.

use std::sync::Arc;

use super::plan::Plan;
use crate::error::Error;
use crate::stream::env::Env;

/// What defines a job.
pub(crate) type Definition = Arc<dyn for<'s> Fn(&Env<'s>) -> Result<(), Error> + Send + Sync>;

/// Runs a definition to see what it defines.
pub(crate) fn plan(definition: &Definition, parallelism: usize) -> Result<Plan, Error> {
    let env = Env::planning(parallelism);
    definition(&env)?;
    if let Some(error) = env.0.error.take() {
        return Err(error);
    }
    let plan = Plan::new(env.0.drafts.take(), env.0.exchanged.take())?;
    if plan.operators.is_empty() {
        return Err(Error::job("the job has no operators: its definition adds none to the environment"));
    }
    Ok(plan)
}
