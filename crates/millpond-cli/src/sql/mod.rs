//! SQL over snapshots, read only and in bounded memory.
//!
//! A [`Session`] has a catalog for each snapshot it was given. In a catalog each operator is a schema, named after its uid,
//! and each of its states a table: `"sum"."total"`. Keyed state is streamed from its chunks, merged as a restore would
//! merge them, by hash range and in parallel; the state of operators is small and comes from the manifest. DataFusion does
//! the rest, and nothing outside this folder knows of it.
//!
//! | file | subject |
//! |---|---|
//! | `session` | from SQL to batches of rows, and what is refused |
//! | `catalog` | names to tables |
//! | `keyed` | a keyed state as a table |
//! | `scan` | reading it by hash range |
//! | `operator` | the state of an operator as a table |
//! | `failure` | what went wrong, in words |

mod catalog;
mod failure;
mod keyed;
mod operator;
mod scan;
mod session;

pub(crate) use session::{Rows, Session};
