//! One row of several that are of one key.

use super::row::StateRow;
use crate::repository::StateId;
use crate::{Error, Result};

/// Makes one row of two of the same key (in a map, of the same key and map key).
pub(super) type Merge<'e, R> = Box<dyn FnMut(R, R) -> Result<R> + Send + 'e>;

/// What `merge` makes of the values of two rows, in one that lives as long as either. An error names the key.
pub(super) fn of_values<'e, R: StateRow, E: std::fmt::Display>(
    at: StateId,
    mut merge: impl FnMut(R::Value, R::Value) -> std::result::Result<R::Value, E> + Send + 'e,
) -> Merge<'e, R> {
    Box::new(move |one, other| {
        let unit = one.unit();
        let failed = |error| Error::InvalidInput(format!("{at}: two rows of {unit} do not make one: {error}"));
        one.merged(other, &mut merge).map_err(failed)
    })
}
