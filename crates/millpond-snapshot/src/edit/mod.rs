//! A new snapshot made from an old one, or from nothing, by no run.
//!
//! An [`Edit`] holds a manifest that is changed step by step, and published at the end. What is not changed is named
//! again and not written again: renaming an operator costs one log entry. Rows that are changed are streamed, from the
//! old chunks into new ones; where keys change, through a sort in temporary files. The snapshot that was edited is
//! never touched, and until [`Edit::publish`] returns there is nothing to see but chunks that no log names.
//!
//! ```no_run
//! use millpond_snapshot::edit::{Edit, Publish, ValueRow};
//! use millpond_snapshot::{Store, repository::resolve, store::OpenMode};
//!
//! # async fn example() -> millpond_snapshot::Result<()> {
//! let store = Store::open("/var/lib/millpond", OpenMode::Existing).await?;
//! let snapshot = resolve(&store, "flights@latest").await?;
//! let mut edit = Edit::of(&snapshot, &store, &"flights".parse()?).await?;
//!
//! edit.rename_operator(&"sum".parse()?, &"sum per airport".parse()?)?;
//! edit.state::<ValueRow<String, i64>>(&"sum per airport".parse()?, &"total".parse()?)?
//!     .filter(|row| row.key != "TEST")
//!     .map_values(|_key, total| total * 60)
//!     .write()
//!     .await?;
//! edit.bootstrap::<ValueRow<String, String>>(&"names".parse()?, &"name".parse()?)?
//!     .write([ValueRow::new("ZRH".to_owned(), "Zürich".to_owned())])
//!     .await?;
//!
//! let published = edit.publish(Publish::default()).await?;
//! println!("{}", published.id);
//! # Ok(())
//! # }
//! ```
//!
//! Everything here takes processor time and, where keys change, writes temporary files: call it where that does not
//! stall others.

mod bootstrap;
mod change;
mod fresh;
mod keys;
mod merge;
mod open;
mod operator_state;
mod output;
mod publish;
mod row;
mod shape;
mod transform;

pub use bootstrap::NewState;
pub use change::Change;
pub use open::Edit;
pub use publish::{Publish, Published};
pub use row::{MapRow, StateRow, TimerRow, ValueRow};
pub use transform::{MergedEdit, StateEdit, Written};
