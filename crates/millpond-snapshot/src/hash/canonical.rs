//! The canonical bytes of a key: what is hashed, whatever Rust type the key has today.
//!
//! Two rules make the bytes outlive a type. All integers take eight bytes, so widening `u32` to `u64`
//! moves no key. Names of fields are left out, so renaming one moves no key either. What has no single
//! order or no single representation (floats, maps) is refused.

use serde::Serialize;
use serde::ser::{self, Impossible};
use twox_hash::XxHash3_64;

use super::buffer::Buffer;

/// Why a value cannot be a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The type has no canonical bytes.
    #[error(
        "{0} cannot be part of a key, because equal values may differ in their bytes; use an integer, a string or a struct of those"
    )]
    NotCanonical(&'static str),
    /// The key's own `Serialize` reported an error.
    #[error("the key could not be serialized: {0}")]
    Serialize(String),
}

impl ser::Error for KeyError {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        KeyError::Serialize(message.to_string())
    }
}

impl From<KeyError> for crate::Error {
    fn from(error: KeyError) -> Self {
        crate::Error::InvalidInput(error.to_string())
    }
}

/// The hash of a key: XXH3-64 with seed 0 over its canonical bytes. Frozen.
///
/// ```
/// # use millpond_snapshot::hash::key_hash;
/// assert_eq!(key_hash(&7_u8), key_hash(&7_i64));
/// assert_ne!(key_hash(&7_u8), key_hash("7"));
/// assert!(key_hash(&7.0).is_err());
/// ```
#[inline]
pub fn key_hash<K: Serialize + ?Sized>(key: &K) -> Result<u64, KeyError> {
    let mut out = Canonical(Buffer::new());
    key.serialize(&mut out)?;
    Ok(XxHash3_64::oneshot(out.0.as_slice()))
}

/// The canonical bytes of a key.
pub fn key_bytes<K: Serialize + ?Sized>(key: &K) -> Result<Vec<u8>, KeyError> {
    let mut out = Canonical(Buffer::new());
    key.serialize(&mut out)?;
    Ok(out.0.as_slice().to_vec())
}

struct Canonical(Buffer);

impl Canonical {
    #[inline]
    fn word(&mut self, word: u64) {
        self.0.push(&word.to_le_bytes());
    }

    #[inline]
    fn text(&mut self, bytes: &[u8]) {
        self.word(bytes.len() as u64);
        self.0.push(bytes);
    }
}

macro_rules! integers {
    ($($method:ident: $type:ty),*) => {$(
        #[inline]
        fn $method(self, v: $type) -> Result<(), KeyError> {
            // Sign-extends, so that -1 has the same bytes in every width.
            self.word(v as i64 as u64);
            Ok(())
        }
    )*};
}

impl<'a> ser::Serializer for &'a mut Canonical {
    type Ok = ();
    type Error = KeyError;
    type SerializeSeq = Counted<'a>;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = Self;
    type SerializeMap = Impossible<(), KeyError>;
    type SerializeStruct = Self;
    type SerializeStructVariant = Self;

    fn is_human_readable(&self) -> bool {
        false
    }

    integers!(serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64);
    integers!(serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64);

    fn serialize_i128(self, v: i128) -> Result<(), KeyError> {
        match (i64::try_from(v), u64::try_from(v)) {
            (Ok(v), _) => self.word(v as u64),
            (_, Ok(v)) => self.word(v),
            _ => self.0.push(&v.to_le_bytes()),
        }
        Ok(())
    }

    fn serialize_u128(self, v: u128) -> Result<(), KeyError> {
        match u64::try_from(v) {
            Ok(v) => self.word(v),
            Err(_) => self.0.push(&v.to_le_bytes()),
        }
        Ok(())
    }

    #[inline]
    fn serialize_bool(self, v: bool) -> Result<(), KeyError> {
        self.0.push(&[u8::from(v)]);
        Ok(())
    }

    #[inline]
    fn serialize_char(self, v: char) -> Result<(), KeyError> {
        self.word(u64::from(u32::from(v)));
        Ok(())
    }

    #[inline]
    fn serialize_str(self, v: &str) -> Result<(), KeyError> {
        self.text(v.as_bytes());
        Ok(())
    }

    #[inline]
    fn serialize_bytes(self, v: &[u8]) -> Result<(), KeyError> {
        self.text(v);
        Ok(())
    }

    fn serialize_f32(self, _: f32) -> Result<(), KeyError> {
        Err(KeyError::NotCanonical("a float"))
    }

    fn serialize_f64(self, _: f64) -> Result<(), KeyError> {
        Err(KeyError::NotCanonical("a float"))
    }

    #[inline]
    fn serialize_none(self) -> Result<(), KeyError> {
        self.0.push(&[0]);
        Ok(())
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), KeyError> {
        self.0.push(&[1]);
        value.serialize(self)
    }

    #[inline]
    fn serialize_unit(self) -> Result<(), KeyError> {
        Ok(())
    }

    #[inline]
    fn serialize_unit_struct(self, _: &'static str) -> Result<(), KeyError> {
        Ok(())
    }

    #[inline]
    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<(), KeyError> {
        self.text(variant.as_bytes());
        Ok(())
    }

    #[inline]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<(), KeyError> {
        value.serialize(self)
    }

    #[inline]
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), KeyError> {
        self.text(variant.as_bytes());
        value.serialize(self)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Counted<'a>, KeyError> {
        let at = self.0.len();
        self.word(0);
        Ok(Counted { out: self, at, count: 0 })
    }

    #[inline]
    fn serialize_tuple(self, _: usize) -> Result<Self, KeyError> {
        Ok(self)
    }

    #[inline]
    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self, KeyError> {
        Ok(self)
    }

    #[inline]
    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Self, KeyError> {
        self.text(variant.as_bytes());
        Ok(self)
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap, KeyError> {
        Err(KeyError::NotCanonical("a map"))
    }

    #[inline]
    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self, KeyError> {
        Ok(self)
    }

    #[inline]
    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Self, KeyError> {
        self.text(variant.as_bytes());
        Ok(self)
    }
}

/// A sequence whose length is known only at its end.
struct Counted<'a> {
    out: &'a mut Canonical,
    at: usize,
    count: u64,
}

impl ser::SerializeSeq for Counted<'_> {
    type Ok = ();
    type Error = KeyError;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), KeyError> {
        self.count += 1;
        value.serialize(&mut *self.out)
    }

    fn end(self) -> Result<(), KeyError> {
        self.out.0.patch(self.at, self.count.to_le_bytes());
        Ok(())
    }
}

/// Everything of a fixed shape is its parts in order, and nothing else.
macro_rules! parts_in_order {
    ($($trait:ident.$method:ident($($name:ident: $type:ty)?)),*) => {$(
        impl ser::$trait for &mut Canonical {
            type Ok = ();
            type Error = KeyError;

            #[inline]
            fn $method<T: Serialize + ?Sized>(
                &mut self,
                $($name: $type,)?
                value: &T,
            ) -> Result<(), KeyError> {
                value.serialize(&mut **self)
            }

            #[inline]
            fn end(self) -> Result<(), KeyError> {
                Ok(())
            }
        }
    )*};
}

parts_in_order!(
    SerializeTuple.serialize_element(),
    SerializeTupleStruct.serialize_field(),
    SerializeTupleVariant.serialize_field(),
    SerializeStruct.serialize_field(_name: &'static str),
    SerializeStructVariant.serialize_field(_name: &'static str)
);
