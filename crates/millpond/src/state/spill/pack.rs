//! Values as bytes in a row: MessagePack that says the names of fields, so that it holds whatever `serde` can say of a
//! type, also with `flatten`, `untagged` or `skip_serializing_if`.

use rmp_serde::config::{HumanReadableConfig, StructMapConfig};
use rmp_serde::{Deserializer, Serializer};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::Error;

type Config = HumanReadableConfig<StructMapConfig<rmp_serde::config::DefaultConfig>>;

/// About what a value takes in memory besides its own size.
pub(crate) fn heap<T: Serialize>(value: &T) -> usize {
    if !std::mem::needs_drop::<T>() {
        return 0;
    }
    let mut bytes = Vec::new();
    // What cannot be written is reported when it has to be.
    let _ = pack(value, &mut bytes);
    bytes.len()
}

/// Appends `value`.
#[inline]
pub(crate) fn pack<T: Serialize>(value: &T, to: &mut Vec<u8>) -> Result<(), Error> {
    // Types that look at it must be told the same both ways; `serde` itself says "readable" inside `flatten` and `untagged`.
    let mut serializer: Serializer<&mut Vec<u8>, Config> =
        Serializer::new(to).with_struct_map().with_human_readable();
    value
        .serialize(&mut serializer)
        .map_err(|error| Error::job(format!("{} cannot be written to disk: {error}", std::any::type_name::<T>())))
}

/// Takes a value off the front of `from`.
#[inline]
pub(crate) fn unpack<T: DeserializeOwned>(from: &mut &[u8]) -> Result<T, Error> {
    let mut deserializer = Deserializer::new(from).with_human_readable();
    T::deserialize(&mut deserializer).map_err(|error| {
        Error::job(format!(
            "{} cannot be read back from disk: {error}; does it serialize to what it deserializes from?",
            std::any::type_name::<T>()
        ))
    })
}

/// Takes one byte off the front of `from`.
#[inline]
pub(crate) fn byte(from: &mut &[u8]) -> Result<u8, Error> {
    let (byte, rest) = from.split_first().ok_or_else(cut_off)?;
    *from = rest;
    Ok(*byte)
}

/// Takes so many bytes off the front of `from`.
#[inline]
pub(crate) fn bytes<const N: usize>(from: &mut &[u8]) -> Result<[u8; N], Error> {
    let (bytes, rest) = from.split_first_chunk::<N>().ok_or_else(cut_off)?;
    *from = rest;
    Ok(*bytes)
}

/// Takes a number off the front of `from`.
#[inline]
pub(crate) fn int(from: &mut &[u8]) -> Result<i64, Error> {
    Ok(i64::from_le_bytes(bytes(from)?))
}

/// Appends a length: seven bits a byte, the lowest first.
#[inline]
pub(crate) fn put_varint(mut value: usize, to: &mut Vec<u8>) {
    while value >= 0x80 {
        to.push(value as u8 | 0x80);
        value >>= 7;
    }
    to.push(value as u8);
}

/// Takes a length off the front of `from`.
#[inline]
pub(crate) fn varint(from: &mut &[u8]) -> Result<usize, Error> {
    let mut value = 0;
    for shift in (0..usize::BITS).step_by(7) {
        let next = byte(from)?;
        value |= usize::from(next & 0x7f) << shift;
        if next & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(cut_off())
}

/// A row is not as it was written.
pub(crate) fn cut_off() -> Error {
    Error::failed("a row of a key on disk is cut off: something else has written to the directory of --state-dir")
}
