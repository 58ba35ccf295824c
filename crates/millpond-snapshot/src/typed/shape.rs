//! What a type looks like from outside: all that decides whether old values can become new ones.
//!
//! A column says most of it; what it cannot say (the variants of an enum, what is in JSON text) stands beside it, in the
//! column's metadata, as the shape in JSON.

use arrow_schema::{DataType, Field, FieldRef, Fields};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

/// Where `serde_arrow` says that a struct stands for a tuple.
const STRATEGY: &str = "SERDE_ARROW:strategy";
const TUPLE: &str = "TupleAsStruct";

/// The shape of a type, as `serde` sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    /// A value without parts: `bool`, `i8` … `u128`, `f32`, `f64`, `char`, `text`, `bytes`, `unit`.
    Scalar(String),
    /// There or not.
    Option(Box<Shape>),
    /// Any number of items.
    List(Box<Shape>),
    /// Values by key.
    Map(Box<Shape>, Box<Shape>),
    /// So many parts, found by their places.
    Tuple(Vec<Shape>),
    /// Parts found by their names.
    Struct(StructShape),
    /// One of several.
    Enum(Vec<VariantShape>),
    /// A type inside itself: it is the one of this name, further out.
    Again(String),
    /// Nobody can say without a value: a type that asks its input what it is.
    Unknown,
}

/// The fields of a struct.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StructShape {
    /// In the order of their declaration.
    pub fields: Vec<FieldShape>,
    /// Whether a field that it does not know is an error. Known of types only, not of what is stored.
    #[serde(skip)]
    pub closed: bool,
}

/// A field of a struct.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FieldShape {
    /// What it is called.
    pub name: String,
    /// Its type.
    pub shape: Shape,
    /// Other names that it answers to. Known of types only.
    #[serde(skip)]
    pub aliases: Vec<String>,
    /// Whether the type says what it is where there is none. Known of types only.
    #[serde(skip)]
    pub default: bool,
}

/// A variant of an enum.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VariantShape {
    /// What it is called.
    pub name: String,
    /// What it holds; nothing if it is a name only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<Shape>,
}

impl StructShape {
    /// The field that takes up `name`: by its own name, or by another that it answers to.
    pub fn field(&self, name: &str) -> Option<&FieldShape> {
        let by_alias = || self.fields.iter().find(|field| field.aliases.iter().any(|alias| alias == name));
        self.fields.iter().find(|field| field.name == name).or_else(by_alias)
    }
}

impl Shape {
    /// What a column says about the shape of its values.
    pub fn of_column(field: &Field) -> Shape {
        match field.metadata().get(super::SHAPE).and_then(|text| serde_json::from_str(text).ok()) {
            Some(shape) => shape,
            None if super::is_json(field) => Shape::Unknown,
            None => Shape::of_field(field),
        }
    }

    fn of_field(field: &Field) -> Shape {
        let shape = Shape::of_data_type(field);
        let plain = !field.is_nullable() || shape == Shape::scalar("unit");
        if plain { shape } else { Shape::Option(Box::new(shape)) }
    }

    fn of_data_type(field: &Field) -> Shape {
        let all = |fields: &Fields| fields.iter().map(|field| Shape::of_field(field)).collect();
        match field.data_type() {
            DataType::Struct(fields) if field.metadata().get(STRATEGY).is_some_and(|text| text == TUPLE) => {
                Shape::Tuple(all(fields))
            }
            DataType::Struct(fields) => {
                let fields = fields.iter().map(|field| FieldShape {
                    name: field.name().clone(),
                    shape: Shape::of_field(field),
                    aliases: Vec::new(),
                    default: false,
                });
                Shape::Struct(StructShape { fields: fields.collect(), closed: false })
            }
            DataType::List(item) | DataType::LargeList(item) => Shape::List(Box::new(Shape::of_field(item))),
            DataType::FixedSizeList(item, length) => {
                let parts = usize::try_from(*length).unwrap_or_default();
                Shape::Tuple(vec![Shape::of_field(item); parts])
            }
            DataType::Map(entries, _) => match entries.data_type() {
                DataType::Struct(parts) if parts.len() == 2 => {
                    Shape::Map(Box::new(Shape::of_field(&parts[0])), Box::new(Shape::of_field(&parts[1])))
                }
                _ => Shape::Unknown,
            },
            // Its variants are not to be seen.
            DataType::Dictionary(..) | DataType::Union(..) => Shape::Unknown,
            other => SCALARS
                .iter()
                .find(|(_, data_type)| data_type == other)
                .map_or_else(|| Shape::Scalar(other.to_string()), |(name, _)| Shape::scalar(name)),
        }
    }

    pub(super) fn scalar(name: &str) -> Shape {
        Shape::Scalar(name.to_owned())
    }

    /// The column called `name` for values of this shape, if there is one.
    pub(super) fn column(&self, name: &str) -> Option<Field> {
        let part = |name: &str, shape: &Shape| shape.column(name).map(Arc::new);
        let tuple = || HashMap::from([(STRATEGY.to_owned(), TUPLE.to_owned())]);
        Some(match self {
            Shape::Scalar(scalar) => {
                let (_, data_type) = SCALARS.iter().find(|(known, _)| known == scalar)?;
                Field::new(name, data_type.clone(), *data_type == DataType::Null)
            }
            Shape::Option(inner) => inner.column(name)?.with_nullable(true),
            Shape::List(item) => Field::new(name, DataType::List(part("element", item)?), false),
            Shape::Map(key, value) => {
                let parts: Fields = vec![part("key", key)?, part("value", value)?].into();
                let entries = Field::new("entries", DataType::Struct(parts), false);
                Field::new(name, DataType::Map(Arc::new(entries), false), false)
            }
            Shape::Tuple(parts) => {
                let parts = parts.iter().enumerate().map(|(place, shape)| part(&place.to_string(), shape));
                let parts: Vec<FieldRef> = parts.collect::<Option<_>>()?;
                Field::new(name, DataType::Struct(parts.into()), false).with_metadata(tuple())
            }
            Shape::Struct(shape) => {
                let fields = shape.fields.iter().map(|field| part(&field.name, &field.shape));
                let fields: Vec<FieldRef> = fields.collect::<Option<_>>()?;
                Field::new(name, DataType::Struct(fields.into()), false)
            }
            Shape::Enum(variants) if variants.iter().all(|variant| variant.content.is_none()) => {
                let text = DataType::Dictionary(Box::new(DataType::UInt32), Box::new(DataType::Utf8));
                Field::new(name, text, false)
            }
            Shape::Enum(_) | Shape::Again(_) | Shape::Unknown => return None,
        })
    }

    /// The same as it would be stored: without what only a type knows.
    pub fn stored(&self) -> Shape {
        match self {
            Shape::Option(inner) => match inner.stored() {
                // There is one null only.
                Shape::Option(inner) => Shape::Option(inner),
                inner => Shape::Option(Box::new(inner)),
            },
            Shape::List(item) => Shape::List(Box::new(item.stored())),
            Shape::Map(key, value) => Shape::Map(Box::new(key.stored()), Box::new(value.stored())),
            Shape::Tuple(parts) => Shape::Tuple(parts.iter().map(Shape::stored).collect()),
            Shape::Struct(shape) => {
                let fields = shape.fields.iter().map(|field| FieldShape {
                    name: field.name.clone(),
                    shape: field.shape.stored(),
                    aliases: Vec::new(),
                    default: false,
                });
                Shape::Struct(StructShape { fields: fields.collect(), closed: false })
            }
            Shape::Enum(variants) => {
                let variants = variants.iter().map(|variant| VariantShape {
                    name: variant.name.clone(),
                    content: variant.content.as_ref().map(Shape::stored),
                });
                Shape::Enum(variants.collect())
            }
            Shape::Scalar(_) | Shape::Again(_) | Shape::Unknown => self.clone(),
        }
    }
}

const SCALARS: [(&str, DataType); 18] = [
    ("bool", DataType::Boolean),
    ("i8", DataType::Int8),
    ("i16", DataType::Int16),
    ("i32", DataType::Int32),
    ("i64", DataType::Int64),
    ("u8", DataType::UInt8),
    ("u16", DataType::UInt16),
    ("u32", DataType::UInt32),
    ("u64", DataType::UInt64),
    ("f32", DataType::Float32),
    ("f64", DataType::Float64),
    ("text", DataType::Utf8),
    ("text", DataType::LargeUtf8),
    ("bytes", DataType::Binary),
    ("bytes", DataType::LargeBinary),
    ("unit", DataType::Null),
    ("char", DataType::UInt32),
    ("f16", DataType::Float16),
];

/// As people write a type.
impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Shape::Scalar(name) | Shape::Again(name) => f.write_str(name),
            Shape::Option(inner) => write!(f, "{inner}?"),
            Shape::List(item) => write!(f, "[{item}]"),
            Shape::Map(key, value) => write!(f, "{{{key} → {value}}}"),
            Shape::Tuple(parts) => {
                f.write_str("(")?;
                listed(f, parts, |f, part| part.fmt(f))?;
                f.write_str(")")
            }
            Shape::Struct(shape) => {
                f.write_str("{")?;
                listed(f, &shape.fields, |f, field| write!(f, "{}: {}", field.name, field.shape))?;
                f.write_str("}")
            }
            Shape::Enum(variants) => {
                f.write_str("<")?;
                listed(f, variants, |f, variant| match &variant.content {
                    Some(content) => write!(f, "{} {content}", variant.name),
                    None => f.write_str(&variant.name),
                })?;
                f.write_str(">")
            }
            Shape::Unknown => f.write_str("unknown"),
        }
    }
}

fn listed<T>(
    f: &mut fmt::Formatter<'_>,
    items: &[T],
    mut show: impl FnMut(&mut fmt::Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    for (place, item) in items.iter().enumerate() {
        if place > 0 {
            f.write_str(", ")?;
        }
        show(f, item)?;
    }
    Ok(())
}
