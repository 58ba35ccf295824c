//! Schemas as people write types: `{sum: i64, note: string?}`.

use millpond_snapshot::arrow_schema::{DataType, Field, Fields, TimeUnit};
use millpond_snapshot::manifest::{SchemaFields, StateSnapshot};

/// The types of a state: `key → value`, or `key, map key → value`; operator state has no key.
pub(super) fn of_state(state: &StateSnapshot) -> String {
    let keys: Vec<String> =
        [&state.key_schema, &state.map_key_schema].into_iter().flatten().map(of_schema).collect();
    match (keys.is_empty(), &state.value_schema) {
        (true, Some(value)) => of_schema(value),
        (true, None) => String::new(),
        (false, Some(value)) => format!("{} → {}", keys.join(", "), of_schema(value)),
        (false, None) => keys.join(", "),
    }
}

/// The type of the one column, or the columns.
pub(super) fn of_schema(schema: &SchemaFields) -> String {
    match &schema.fields()[..] {
        [field] => of_field(field),
        _ => of_fields(schema.fields()),
    }
}

fn of_field(field: &Field) -> String {
    let optional = if field.is_nullable() { "?" } else { "" };
    format!("{}{optional}", of(field.data_type()))
}

fn of_fields(fields: &Fields) -> String {
    let is_tuple =
        !fields.is_empty() && fields.iter().enumerate().all(|(at, field)| *field.name() == at.to_string());
    if is_tuple {
        let types: Vec<_> = fields.iter().map(|field| of_field(field)).collect();
        return format!("({})", types.join(", "));
    }
    let fields: Vec<_> = fields.iter().map(|field| format!("{}: {}", field.name(), of_field(field))).collect();
    format!("{{{}}}", fields.join(", "))
}

fn of(data_type: &DataType) -> String {
    let word = match data_type {
        DataType::Null => "()",
        DataType::Boolean => "bool",
        DataType::Int8 => "i8",
        DataType::Int16 => "i16",
        DataType::Int32 => "i32",
        DataType::Int64 => "i64",
        DataType::UInt8 => "u8",
        DataType::UInt16 => "u16",
        DataType::UInt32 => "u32",
        DataType::UInt64 => "u64",
        DataType::Float16 => "f16",
        DataType::Float32 => "f32",
        DataType::Float64 => "f64",
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "string",
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => "bytes",
        DataType::Date32 | DataType::Date64 => "date",
        _ => return of_parts(data_type),
    };
    word.to_owned()
}

/// A type that is made of others, or has arguments.
fn of_parts(data_type: &DataType) -> String {
    match data_type {
        DataType::Timestamp(unit, None) => format!("timestamp({})", short(*unit)),
        DataType::Timestamp(unit, Some(zone)) => format!("timestamp({}, {zone})", short(*unit)),
        DataType::Time32(unit) | DataType::Time64(unit) => format!("time({})", short(*unit)),
        DataType::Duration(unit) => format!("duration({})", short(*unit)),
        DataType::Decimal128(digits, scale) => format!("decimal({digits}, {scale})"),
        DataType::FixedSizeBinary(length) => format!("bytes({length})"),
        DataType::List(item) | DataType::LargeList(item) => format!("[{}]", of_field(item)),
        DataType::FixedSizeList(item, length) => format!("[{}; {length}]", of_field(item)),
        DataType::Struct(fields) => of_fields(fields),
        DataType::Map(entry, _) => match entry.data_type() {
            DataType::Struct(fields) => {
                let parts: Vec<_> = fields.iter().map(|field| of_field(field)).collect();
                format!("map<{}>", parts.join(", "))
            }
            other => format!("map<{}>", of(other)),
        },
        DataType::Union(variants, _) => {
            let variant = |field: &Field| match field.data_type() {
                DataType::Null => field.name().clone(),
                inner => format!("{}({})", field.name(), of(inner)),
            };
            variants.iter().map(|(_, field)| variant(field)).collect::<Vec<_>>().join(" | ")
        }
        DataType::Dictionary(_, value) => of(value),
        other => other.to_string(),
    }
}

fn short(unit: TimeUnit) -> &'static str {
    match unit {
        TimeUnit::Second => "s",
        TimeUnit::Millisecond => "ms",
        TimeUnit::Microsecond => "us",
        TimeUnit::Nanosecond => "ns",
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn types_are_written_as_in_a_program() {
        let field = |name: &str, t, null| Arc::new(Field::new(name, t, null));
        let tuple = DataType::Struct(
            vec![field("0", DataType::LargeUtf8, false), field("1", DataType::Int64, true)].into(),
        );
        let list = DataType::LargeList(field("item", tuple.clone(), false));
        let entry = DataType::Struct(
            vec![field("key", DataType::Utf8, false), field("value", list.clone(), false)].into(),
        );
        let map = DataType::Map(field("entries", entry, false), false);
        let record = DataType::Struct(vec![field("n", DataType::Float64, true), field("all", map, false)].into());
        assert_eq!(of(&tuple), "(string, i64?)");
        assert_eq!(of(&record), "{n: f64?, all: map<string, [(string, i64?)]>}");
        assert_eq!(of(&DataType::Timestamp(TimeUnit::Millisecond, None)), "timestamp(ms)");
    }
}
