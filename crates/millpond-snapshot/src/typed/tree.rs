//! Values without a type, between the column of an old type and a new one that wants to see less of it.

use std::fmt;

use serde::de::value::{MapDeserializer, SeqDeserializer, StrDeserializer};
use serde::de::{
    self, Deserialize, DeserializeOwned, Deserializer, EnumAccess, IntoDeserializer, MapAccess, SeqAccess,
    VariantAccess, Visitor,
};

use super::shape::{Shape, StructShape};

/// Any value.
#[derive(Debug, Clone, PartialEq)]
pub struct Tree(Value);

#[derive(Debug, Clone, PartialEq)]
enum Value {
    Null,
    Bool(bool),
    Signed(i128),
    Unsigned(u128),
    F32(f32),
    F64(f64),
    Text(String),
    Bytes(Vec<u8>),
    List(Vec<Tree>),
    Map(Vec<(Tree, Tree)>),
}

impl Tree {
    /// Turns it into a value of `T`, whose shape is `shape`. A field that is null, is not optional and has a default is as
    /// if it were not there.
    pub fn into_value<T: DeserializeOwned>(mut self, shape: &Shape) -> Result<T, String> {
        self.leave_out_nulls(shape);
        T::deserialize(self).map_err(|error| error.0)
    }

    fn leave_out_nulls(&mut self, shape: &Shape) {
        match (&mut self.0, shape) {
            (_, Shape::Option(inner)) => self.leave_out_nulls(inner),
            (Value::List(items), Shape::List(shape)) => {
                items.iter_mut().for_each(|item| item.leave_out_nulls(shape))
            }
            (Value::List(items), Shape::Tuple(shapes)) => {
                items.iter_mut().zip(shapes).for_each(|(item, shape)| item.leave_out_nulls(shape));
            }
            (Value::Map(entries), Shape::Tuple(shapes)) => {
                entries.iter_mut().zip(shapes).for_each(|((_, item), shape)| item.leave_out_nulls(shape));
            }
            (Value::Map(entries), Shape::Map(key_shape, value_shape)) => {
                for (key, value) in entries {
                    key.leave_out_nulls(key_shape);
                    value.leave_out_nulls(value_shape);
                }
            }
            (Value::Map(entries), Shape::Struct(shape)) => leave_out_fields(entries, shape),
            (Value::Map(entries), Shape::Enum(variants)) => {
                for (name, content) in entries {
                    let variant = variants.iter().find(|variant| name.is_text(&variant.name));
                    if let Some(shape) = variant.and_then(|variant| variant.content.as_ref()) {
                        content.leave_out_nulls(shape);
                    }
                }
            }
            _ => {}
        }
    }

    fn is_text(&self, text: &str) -> bool {
        matches!(&self.0, Value::Text(found) if found == text)
    }
}

fn leave_out_fields(entries: &mut Vec<(Tree, Tree)>, shape: &StructShape) {
    entries.retain_mut(|(name, value)| {
        let Value::Text(name) = &name.0 else { return true };
        let Some(field) = shape.field(name) else { return true };
        let is_null = value.0 == Value::Null;
        if is_null && field.default && !matches!(field.shape, Shape::Option(_)) {
            return false;
        }
        value.leave_out_nulls(&field.shape);
        true
    });
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Taker)
    }
}

struct Taker;

impl<'de> Visitor<'de> for Taker {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }
    fn visit_bool<E>(self, value: bool) -> Result<Tree, E> {
        Ok(Tree(Value::Bool(value)))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Tree, E> {
        Ok(Tree(Value::Signed(value.into())))
    }
    fn visit_i128<E>(self, value: i128) -> Result<Tree, E> {
        Ok(Tree(Value::Signed(value)))
    }
    fn visit_u64<E>(self, value: u64) -> Result<Tree, E> {
        Ok(Tree(Value::Unsigned(value.into())))
    }
    fn visit_u128<E>(self, value: u128) -> Result<Tree, E> {
        Ok(Tree(Value::Unsigned(value)))
    }
    fn visit_f32<E>(self, value: f32) -> Result<Tree, E> {
        Ok(Tree(Value::F32(value)))
    }
    fn visit_f64<E>(self, value: f64) -> Result<Tree, E> {
        Ok(Tree(Value::F64(value)))
    }
    fn visit_str<E>(self, value: &str) -> Result<Tree, E> {
        Ok(Tree(Value::Text(value.to_owned())))
    }
    fn visit_bytes<E>(self, value: &[u8]) -> Result<Tree, E> {
        Ok(Tree(Value::Bytes(value.to_vec())))
    }
    fn visit_none<E>(self) -> Result<Tree, E> {
        Ok(Tree(Value::Null))
    }
    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree(Value::Null))
    }
    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Tree, D::Error> {
        deserializer.deserialize_any(self)
    }
    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Tree, D::Error> {
        deserializer.deserialize_any(self)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Tree, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Tree(Value::List(list)))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Tree, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
        }
        Ok(Tree(Value::Map(map)))
    }
    fn visit_enum<A: EnumAccess<'de>>(self, data: A) -> Result<Tree, A::Error> {
        // Columns hold names of variants only.
        let (name, variant) = data.variant::<String>()?;
        variant.unit_variant()?;
        Ok(Tree(Value::Text(name)))
    }
}

/// Why a tree is no value of a type.
#[derive(Debug)]
pub struct Unfit(String);

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unfit {}

impl de::Error for Unfit {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Unfit(message.to_string())
    }
}

impl IntoDeserializer<'_, Unfit> for Tree {
    type Deserializer = Self;
    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Tree {
    type Error = Unfit;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(value),
            Value::Signed(value) => match i64::try_from(value) {
                Ok(value) => visitor.visit_i64(value),
                Err(_) => visitor.visit_i128(value),
            },
            Value::Unsigned(value) => match u64::try_from(value) {
                Ok(value) => visitor.visit_u64(value),
                Err(_) => visitor.visit_u128(value),
            },
            Value::F32(value) => visitor.visit_f32(value),
            Value::F64(value) => visitor.visit_f64(value),
            Value::Text(value) => visitor.visit_string(value),
            Value::Bytes(value) => visitor.visit_byte_buf(value),
            Value::List(items) => visitor.visit_seq(SeqDeserializer::new(items.into_iter())),
            Value::Map(entries) => visitor.visit_map(MapDeserializer::new(entries.into_iter())),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        match self.0 {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Unfit> {
        visitor.visit_newtype_struct(self)
    }

    /// A column has characters as their numbers.
    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        let number = match &self.0 {
            Value::Unsigned(value) => u32::try_from(*value).ok(),
            _ => None,
        };
        match number.and_then(char::from_u32) {
            Some(value) => visitor.visit_char(value),
            None => self.deserialize_any(visitor),
        }
    }

    /// A column has tuples as structs.
    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Unfit> {
        match self.0 {
            Value::Map(entries) => {
                visitor.visit_seq(SeqDeserializer::new(entries.into_iter().map(|(_, item)| item)))
            }
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, Unfit> {
        self.deserialize_tuple(length, visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unfit> {
        match self.0 {
            Value::Text(name) => {
                let name: StrDeserializer<'_, Unfit> = name.as_str().into_deserializer();
                visitor.visit_enum(name)
            }
            Value::Map(mut entries) if entries.len() == 1 => match entries.pop() {
                Some((Tree(Value::Text(name)), content)) => visitor.visit_enum(Variant { name, content }),
                _ => Err(Unfit(format!("expected one of {variants:?}"))),
            },
            _ => Err(Unfit(format!("expected one of {variants:?}"))),
        }
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 str string bytes byte_buf unit unit_struct seq map struct
        identifier ignored_any
    }
}

/// A variant that holds something, as JSON text has it.
struct Variant {
    name: String,
    content: Tree,
}

impl<'de> EnumAccess<'de> for Variant {
    type Error = Unfit;
    type Variant = Tree;

    fn variant_seed<S: de::DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Tree), Unfit> {
        let name: StrDeserializer<'_, Unfit> = self.name.as_str().into_deserializer();
        Ok((seed.deserialize(name)?, self.content))
    }
}

impl<'de> VariantAccess<'de> for Tree {
    type Error = Unfit;

    fn unit_variant(self) -> Result<(), Unfit> {
        Ok(())
    }
    fn newtype_variant_seed<S: de::DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Unfit> {
        seed.deserialize(self)
    }
    fn tuple_variant<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value, Unfit> {
        self.deserialize_tuple(length, visitor)
    }
    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], visitor: V) -> Result<V::Value, Unfit> {
        self.deserialize_any(visitor)
    }
}
