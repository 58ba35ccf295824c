//! Names that nobody else will choose.

use crate::{Error, Result};

/// 128 random bits in hexadecimal.
pub(crate) fn random_id() -> Result<String> {
    let mut bits = [0; 16];
    getrandom::fill(&mut bits).map_err(|error| Error::Storage {
        action: "read",
        path: "the operating system's random numbers".to_owned(),
        may_have_happened: false,
        source: error.to_string().into(),
    })?;
    Ok(format!("{:032x}", u128::from_le_bytes(bits)))
}
