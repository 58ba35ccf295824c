//! Arrow fields and their data types as text, and back.
//!
//! Types without children are one word, with arguments in parentheses where they have any. The
//! children of a nested type are fields of their own, beside the text.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow_schema::{DataType, Field, TimeUnit, UnionFields, UnionMode};
use serde::{Deserialize, Serialize};

/// Where `serde_arrow` keeps how a field is to be read back.
const STRATEGY: &str = "SERDE_ARROW:strategy";

/// The types whose text is a fixed word.
const WORDS: &[(&str, DataType)] = &[
    ("Null", DataType::Null),
    ("Bool", DataType::Boolean),
    ("I8", DataType::Int8),
    ("I16", DataType::Int16),
    ("I32", DataType::Int32),
    ("I64", DataType::Int64),
    ("U8", DataType::UInt8),
    ("U16", DataType::UInt16),
    ("U32", DataType::UInt32),
    ("U64", DataType::UInt64),
    ("F16", DataType::Float16),
    ("F32", DataType::Float32),
    ("F64", DataType::Float64),
    ("Utf8", DataType::Utf8),
    ("LargeUtf8", DataType::LargeUtf8),
    ("Utf8View", DataType::Utf8View),
    ("Binary", DataType::Binary),
    ("LargeBinary", DataType::LargeBinary),
    ("BinaryView", DataType::BinaryView),
    ("Date32", DataType::Date32),
    ("Date64", DataType::Date64),
];

const UNITS: &[(&str, TimeUnit)] = &[
    ("Second", TimeUnit::Second),
    ("Millisecond", TimeUnit::Millisecond),
    ("Microsecond", TimeUnit::Microsecond),
    ("Nanosecond", TimeUnit::Nanosecond),
];

/// A field in text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct FieldText {
    pub(super) name: String,
    pub(super) data_type: String,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) nullable: bool,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) metadata: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) strategy: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) children: Vec<FieldText>,
}

impl From<&Field> for FieldText {
    fn from(field: &Field) -> Self {
        let mut metadata: BTreeMap<_, _> = field.metadata().clone().into_iter().collect();
        let strategy = metadata.remove(STRATEGY);
        let (data_type, children) = to_text(field.data_type());
        FieldText {
            name: field.name().clone(),
            data_type,
            nullable: field.is_nullable(),
            metadata,
            strategy,
            children,
        }
    }
}

impl TryFrom<FieldText> for Field {
    type Error = String;

    fn try_from(text: FieldText) -> Result<Self, String> {
        let children = text.children.into_iter().map(|child| Field::try_from(child).map(Arc::new));
        let children: Vec<Arc<Field>> = children.collect::<Result<_, String>>()?;
        let data_type = from_text(&text.data_type, children)
            .ok_or_else(|| format!("field {:?}: unknown data type {:?}", text.name, text.data_type))?;
        let mut metadata: HashMap<_, _> = text.metadata.into_iter().collect();
        metadata.extend(text.strategy.map(|strategy| (STRATEGY.to_owned(), strategy)));
        Ok(Field::new(text.name, data_type, text.nullable).with_metadata(metadata))
    }
}

/// The text of a type and its children. A type without a text gets one that does not read back.
fn to_text(data_type: &DataType) -> (String, Vec<FieldText>) {
    let child = |field: &Arc<Field>| vec![FieldText::from(&**field)];
    let word = |word: &str| word.to_owned();
    match data_type {
        DataType::Timestamp(unit, zone) => (format!("Timestamp({unit:?}, {zone:?})"), vec![]),
        DataType::Time32(unit) => (format!("Time32({unit:?})"), vec![]),
        DataType::Time64(unit) => (format!("Time64({unit:?})"), vec![]),
        DataType::Duration(unit) => (format!("Duration({unit:?})"), vec![]),
        DataType::Decimal128(precision, scale) => (format!("Decimal128({precision}, {scale})"), vec![]),
        DataType::FixedSizeBinary(n) => (format!("FixedSizeBinary({n})"), vec![]),
        DataType::List(item) => (word("List"), child(item)),
        DataType::LargeList(item) => (word("LargeList"), child(item)),
        DataType::FixedSizeList(item, n) => (format!("FixedSizeList({n})"), child(item)),
        DataType::Map(entry, false) => (word("Map"), child(entry)),
        DataType::Struct(fields) => {
            (word("Struct"), fields.iter().map(|field| FieldText::from(&**field)).collect())
        }
        DataType::Union(variants, UnionMode::Dense) => {
            (word("Union"), variants.iter().map(|(_, field)| FieldText::from(&**field)).collect())
        }
        DataType::Dictionary(key, value) => {
            let part = |name, data_type: &DataType| FieldText::from(&Field::new(name, data_type.clone(), false));
            (word("Dictionary"), vec![part("key", key), part("value", value)])
        }
        other => match WORDS.iter().find(|(_, data_type)| data_type == other) {
            Some((text, _)) => (word(text), vec![]),
            None => (other.to_string(), vec![]),
        },
    }
}

/// The type with this text and these children; `None` if there is none.
fn from_text(text: &str, mut children: Vec<Arc<Field>>) -> Option<DataType> {
    let (name, arguments) = match text.strip_suffix(')') {
        Some(call) => call.split_once('(').map(|(name, arguments)| (name, Some(arguments)))?,
        None => (text, None),
    };
    let expected_children = match name {
        "List" | "LargeList" | "FixedSizeList" | "Map" => Some(1),
        "Dictionary" => Some(2),
        "Struct" | "Union" => None,
        _ => Some(0),
    };
    if expected_children.is_some_and(|expected| children.len() != expected) {
        return None;
    }
    Some(match (name, arguments) {
        ("Timestamp", Some(arguments)) => {
            let (unit, zone) = arguments.split_once(", ")?;
            DataType::Timestamp(time_unit(unit)?, time_zone(zone)?)
        }
        ("Time32", Some(unit)) => DataType::Time32(time_unit(unit)?),
        ("Time64", Some(unit)) => DataType::Time64(time_unit(unit)?),
        ("Duration", Some(unit)) => DataType::Duration(time_unit(unit)?),
        ("Decimal128", Some(arguments)) => {
            let (precision, scale) = arguments.split_once(", ")?;
            DataType::Decimal128(precision.parse().ok()?, scale.parse().ok()?)
        }
        ("FixedSizeBinary", Some(n)) => DataType::FixedSizeBinary(length(n)?),
        ("FixedSizeList", Some(n)) => DataType::FixedSizeList(children.pop()?, length(n)?),
        ("List", None) => DataType::List(children.pop()?),
        ("LargeList", None) => DataType::LargeList(children.pop()?),
        ("Map", None) => DataType::Map(children.pop()?, false),
        ("Struct", None) => DataType::Struct(children.into()),
        ("Union", None) => {
            let ids = i8::try_from(children.len()).ok().map(|count| 0..count)?;
            let variants: UnionFields = ids.zip(children).collect();
            DataType::Union(variants, UnionMode::Dense)
        }
        ("Dictionary", None) => {
            let [key, value] = <[Arc<Field>; 2]>::try_from(children).ok()?;
            let (key, value) = (key.data_type().clone(), value.data_type().clone());
            key.is_integer().then(|| DataType::Dictionary(Box::new(key), Box::new(value)))?
        }
        (name, None) => WORDS.iter().find(|(word, _)| *word == name)?.1.clone(),
        _ => return None,
    })
}

fn time_unit(text: &str) -> Option<TimeUnit> {
    UNITS.iter().find(|(name, _)| *name == text).map(|(_, unit)| *unit)
}

fn time_zone(text: &str) -> Option<Option<Arc<str>>> {
    if text == "None" {
        return Some(None);
    }
    let zone = text.strip_prefix("Some(\"")?.strip_suffix("\")")?;
    let plain = !zone.contains(['"', '\\']);
    plain.then(|| Some(zone.into()))
}

fn length(text: &str) -> Option<i32> {
    text.parse().ok().filter(|n| *n >= 0)
}

#[cfg(test)]
mod tests {
    use super::super::SchemaFields;
    use super::*;

    fn nested() -> Vec<Field> {
        let item = |t| Arc::new(Field::new("item", t, true));
        let utf8 = || Arc::new(Field::new("a", DataType::Utf8, false));
        let entry = DataType::Struct(vec![utf8(), item(DataType::Int32)].into());
        let union: UnionFields = [(0, utf8()), (1, item(DataType::Null))].into_iter().collect();
        let mut types: Vec<DataType> = WORDS.iter().map(|(_, data_type)| data_type.clone()).collect();
        types.extend(UNITS.iter().map(|(_, unit)| DataType::Timestamp(*unit, Some("Europe/Zurich".into()))));
        types.extend([
            DataType::Timestamp(TimeUnit::Millisecond, None),
            DataType::Time32(TimeUnit::Second),
            DataType::Time64(TimeUnit::Nanosecond),
            DataType::Duration(TimeUnit::Microsecond),
            DataType::Decimal128(20, -3),
            DataType::FixedSizeBinary(16),
            DataType::List(item(DataType::List(item(DataType::Float64)))),
            DataType::LargeList(item(DataType::Utf8)),
            DataType::FixedSizeList(item(DataType::Int8), 3),
            DataType::Map(Arc::new(Field::new("entries", entry.clone(), false)), false),
            entry,
            DataType::Union(union, UnionMode::Dense),
            DataType::Dictionary(Box::new(DataType::UInt32), Box::new(DataType::LargeUtf8)),
        ]);
        let named = types.into_iter().enumerate();
        named.map(|(i, t)| Field::new(format!("f{i}"), t, i % 2 == 0)).collect()
    }

    #[test]
    fn every_type_reads_back_as_it_was() {
        let mut fields = nested();
        let strategy = ("SERDE_ARROW:strategy".to_owned(), "TupleAsStruct".to_owned());
        let other = ("unit".to_owned(), "km".to_owned());
        fields[0].set_metadata([strategy, other].into());
        let schema = SchemaFields::new(fields.clone()).unwrap();
        let json = serde_json::to_string(&schema).unwrap();
        assert_eq!(serde_json::from_str::<SchemaFields>(&json).unwrap().fields()[..], schema.fields()[..]);
    }

    #[test]
    fn the_json_is_for_people() {
        let schema = SchemaFields::new(vec![Field::new("n", DataType::Int64, true)]).unwrap();
        let json = serde_json::to_string(&schema).unwrap();
        assert_eq!(json, r#"[{"name":"n","data_type":"I64","nullable":true}]"#);
    }

    #[test]
    fn a_type_that_would_not_read_back_is_refused() {
        let odd = [
            DataType::Decimal256(70, 2),
            DataType::Timestamp(TimeUnit::Second, Some("a\"b".into())),
            DataType::Union(
                [(7, Arc::new(Field::new("a", DataType::Utf8, true)))].into_iter().collect(),
                UnionMode::Dense,
            ),
        ];
        for data_type in odd {
            let refused = SchemaFields::new(vec![Field::new("odd", data_type, true)]).unwrap_err();
            assert!(refused.to_string().contains("\"odd\""), "{refused}");
        }
    }

    #[test]
    fn nonsense_is_no_type() {
        for text in ["", "()", "List", "Utf8(1)", "Timestamp(Second)", "FixedSizeBinary(-1)", "Time32(x)"] {
            assert_eq!(from_text(text, vec![]), None, "{text}");
        }
    }
}
