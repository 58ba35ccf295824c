//! How values of a type come out of a snapshot that may hold those of an older one.

use std::any::type_name;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{Field, FieldRef};
use millpond_snapshot::manifest::SchemaFields;
use millpond_snapshot::typed::{self, Tree};
use serde::de::DeserializeOwned;

use super::decide::{Reading, Side};
use crate::error::Error;
use crate::runtime::failure::UserError;
use crate::state::codec;

/// Why a batch could not be taken up.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// The row with this number could not be read, or not be migrated.
    Row(usize, String),
    /// The row with this number has a key that another row has become too, and nobody said how the two make one.
    Collision(usize),
    /// Anything else.
    Other(Error),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Trouble::Other(error)
    }
}

/// Makes a value of type `V` of one of an older type.
trait Migration<V> {
    fn old_type(&self) -> &'static str;
    fn old_column(&self, name: &str) -> Result<SchemaFields, Error>;
    fn read_column(&self, field: &FieldRef, array: &ArrayRef) -> Result<Vec<V>, Trouble>;
    fn read_row(&self, row: &serde_json::Value) -> Result<V, String>;
}

struct Function<Old, V>(Rc<dyn Fn(Old) -> Result<V, UserError>>);

impl<Old: DeserializeOwned + 'static, V: 'static> Function<Old, V> {
    fn call(&self, old: Old) -> Result<V, String> {
        match catch_unwind(AssertUnwindSafe(|| (self.0)(old))) {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(format!("the migration from {} failed: {error}", type_name::<Old>())),
            Err(panic) => {
                let text = panic.downcast_ref::<String>().map(String::as_str);
                let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
                Err(format!("the migration from {} panicked: {text}", type_name::<Old>()))
            }
        }
    }
}

impl<Old: DeserializeOwned + 'static, V: 'static> Migration<V> for Function<Old, V> {
    fn old_type(&self) -> &'static str {
        type_name::<Old>()
    }

    fn old_column(&self, name: &str) -> Result<SchemaFields, Error> {
        codec::schema::<Old>(name)
    }

    fn read_column(&self, field: &FieldRef, array: &ArrayRef) -> Result<Vec<V>, Trouble> {
        let old = decode::<Old>(field, array)?;
        let migrated =
            old.into_iter().enumerate().map(|(row, old)| self.call(old).map_err(|why| Trouble::Row(row, why)));
        migrated.collect()
    }

    fn read_row(&self, row: &serde_json::Value) -> Result<V, String> {
        self.call(serde_json::from_value(row.clone()).map_err(|error| error.to_string())?)
    }
}

/// Decodes a column; an error names the first row that cannot be.
fn decode<T: DeserializeOwned>(field: &FieldRef, array: &ArrayRef) -> Result<Vec<T>, Trouble> {
    typed::decode(field, array).map_err(|error| {
        let bad = (0..array.len()).find_map(|row| {
            let alone = typed::decode::<T>(field, &array.slice(row, 1));
            alone.err().map(|error| Trouble::Row(row, error.to_string()))
        });
        bad.unwrap_or_else(|| Trouble::Other(Error::snapshot(error)))
    })
}

/// How values of `V` are read.
pub(crate) struct Values<V> {
    migrations: Vec<Rc<dyn Migration<V>>>,
}

impl<V> Default for Values<V> {
    fn default() -> Self {
        Values { migrations: Vec::new() }
    }
}

impl<V> Clone for Values<V> {
    fn clone(&self) -> Self {
        Values { migrations: self.migrations.clone() }
    }
}

impl<V: DeserializeOwned + 'static> Values<V> {
    pub(crate) fn add<Old: DeserializeOwned + 'static>(
        &mut self,
        migrate: impl Fn(Old) -> Result<V, UserError> + 'static,
    ) {
        self.migrations.push(Rc::new(Function::<Old, V>(Rc::new(migrate))));
    }

    /// What the plan knows of them, in the column called `name`.
    pub(crate) fn side(&self, name: &str) -> Result<Side, Error> {
        let migrations =
            self.migrations.iter().map(|migration| Ok((migration.old_type(), migration.old_column(name)?)));
        Ok(Side { migrations: migrations.collect::<Result<_, Error>>()?, ..Side::of::<V>() })
    }

    /// Reads the column called `name`.
    pub(crate) fn read(&self, batch: &RecordBatch, name: &str, reading: Reading) -> Result<Vec<V>, Trouble> {
        let (place, field) = batch
            .schema_ref()
            .column_with_name(name)
            .ok_or_else(|| Error::snapshot(format!("a chunk has no column '{name}'")))?;
        let (field, array): (FieldRef, _) = (Arc::new(Field::clone(field)), batch.column(place));
        let read = match reading {
            Reading::ByName => decode(&field, array),
            Reading::Indirect => {
                let shape = typed::shape_of::<V>();
                let trees = decode::<Tree>(&field, array)?.into_iter().enumerate();
                trees.map(|(row, tree)| tree.into_value(&shape).map_err(|why| Trouble::Row(row, why))).collect()
            }
            Reading::Migration(place) => match self.migrations.get(place) {
                Some(migration) => migration.read_column(&field, array),
                None => Err(Error::job("a migration was there when the job was planned, and is not now").into()),
            },
        };
        read.map_err(|trouble| match trouble {
            Trouble::Row(row, why) if !why.starts_with("column '") => {
                Trouble::Row(row, format!("column '{name}': {why}"))
            }
            other => other,
        })
    }

    /// Reads a row of an operator's state.
    pub(crate) fn read_json(&self, row: &serde_json::Value, reading: Reading) -> Result<V, String> {
        let text = |error: serde_json::Error| error.to_string();
        match reading {
            Reading::ByName => serde_json::from_value(row.clone()).map_err(text),
            Reading::Indirect => {
                let tree: Tree = serde_json::from_value(row.clone()).map_err(text)?;
                tree.into_value(&typed::shape_of::<V>())
            }
            Reading::Migration(place) => match self.migrations.get(place) {
                Some(migration) => migration.read_row(row),
                None => Err("a migration was there when the job was planned, and is not now".to_owned()),
            },
        }
    }
}

/// Makes one value of two whose keys have become one.
pub(crate) type Merge<V> = Rc<dyn Fn(V, V) -> V>;

/// How the values of a state are read, and what becomes of two with one key.
pub(crate) struct Evolving<V> {
    pub(crate) values: Values<V>,
    pub(crate) merge: Option<Merge<V>>,
}

impl<V> Default for Evolving<V> {
    fn default() -> Self {
        Evolving { values: Values::default(), merge: None }
    }
}

impl<V: 'static> Evolving<V> {
    /// Makes one of two. The function is the user's.
    pub(crate) fn one_of(&self, row: usize, old: V, new: V) -> Result<V, Trouble> {
        let Some(merge) = &self.merge else { return Err(Trouble::Collision(row)) };
        catch_unwind(AssertUnwindSafe(|| merge(old, new)))
            .map_err(|_| Trouble::Row(row, "the merge of two values whose keys became one panicked".to_owned()))
    }
}
