//! Names for runs and requests.

use crate::error::Error;

/// 32 hexadecimal digits that nobody has used before.
pub(crate) fn new_id() -> Result<String, Error> {
    let mut bits = [0; 16];
    getrandom::fill(&mut bits).map_err(|error| Error::failed(format!("no random number for an id: {error}")))?;
    Ok(format!("{:032x}", u128::from_le_bytes(bits)))
}
