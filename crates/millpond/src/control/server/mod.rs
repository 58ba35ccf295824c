//! The control server: a job's view and its requests over HTTP, with Flink's REST paths and JSON.
//!
//! ```text
//!   GET   ──▶ read ───▶ job_json, snapshot_json: pure functions of the view
//!   POST  ──▶ steer ──▶ operations ──▶ the coordinator's mailbox; what becomes of it is in the view
//!   PATCH ──▶ steer
//! ```
//!
//! It has no users and no passwords: whoever reaches it may stop the job. So it listens on loopback unless told
//! otherwise, and the [`guard`] keeps out web pages, which a browser lets reach loopback.
//!
//! Each path stands also under `/v1`. What Flink's clients send is understood; what only Millpond has (`tag`,
//! `latest`) are further fields.

mod guard;
mod job_json;
mod operations;
mod read;
mod reply;
mod serve;
mod shared;
mod snapshot_json;
mod steer;
#[cfg(test)]
mod tests;

pub(crate) use serve::{bind, serve};
