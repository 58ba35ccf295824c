//! Columns of plain values, without a detour.
//!
//! `serde_arrow` takes any type, and pays for that with each value: as an item of a record, whose fields it looks up by
//! name. Most columns are numbers, texts and structs of them. Here such a value goes straight to the end of its column,
//! if it is of exactly the type that the column has; whatever else comes is left to `serde_arrow`, the whole column.

use std::fmt;
use std::sync::Arc;

use arrow_array::builder::{BooleanBuilder, NullBufferBuilder, PrimitiveBuilder, StringBuilder};
use arrow_array::types::{
    ArrowPrimitiveType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type,
    UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{ArrayRef, StructArray};
use arrow_schema::{DataType, Field, Fields};
use serde::Serialize;
use serde::ser::{self, Impossible};

/// Turns values into one column, if all are as plain as the column is.
pub(super) fn encode<T: Serialize>(field: &Field, values: &[T]) -> Option<ArrayRef> {
    let mut column = Column::new(field, values.len())?;
    values.iter().try_for_each(|value| value.serialize(&mut column)).ok()?;
    column.finish()
}

/// A column that is being filled.
struct Column {
    nullable: bool,
    cells: Cells,
}

enum Cells {
    I8(PrimitiveBuilder<Int8Type>),
    I16(PrimitiveBuilder<Int16Type>),
    I32(PrimitiveBuilder<Int32Type>),
    I64(PrimitiveBuilder<Int64Type>),
    U8(PrimitiveBuilder<UInt8Type>),
    U16(PrimitiveBuilder<UInt16Type>),
    U32(PrimitiveBuilder<UInt32Type>),
    U64(PrimitiveBuilder<UInt64Type>),
    F32(PrimitiveBuilder<Float32Type>),
    F64(PrimitiveBuilder<Float64Type>),
    Bool(BooleanBuilder),
    Text(StringBuilder),
    Struct { fields: Fields, columns: Vec<Column>, valid: NullBufferBuilder, is_tuple: bool },
}

/// What is written where nothing is to be read.
trait Blank {
    fn append_blank(&mut self);
}

impl<T: ArrowPrimitiveType> Blank for PrimitiveBuilder<T> {
    fn append_blank(&mut self) {
        self.append_value(T::default_value());
    }
}

impl Blank for BooleanBuilder {
    fn append_blank(&mut self) {
        self.append_value(false);
    }
}

impl Blank for StringBuilder {
    fn append_blank(&mut self) {
        self.append_value("");
    }
}

/// A value is not of the column's type, or a number of bytes is too large for it.
#[derive(Debug)]
struct Unfit;

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a plain value of the column's type")
    }
}

impl std::error::Error for Unfit {}

impl ser::Error for Unfit {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Unfit
    }
}

/// Does the same to the builder of whatever kind.
macro_rules! each_builder {
    ($cells:expr, $builder:ident => $do:expr, Struct { $($inner:tt)* } => $struct:expr) => {
        match $cells {
            Cells::I8($builder) => $do,
            Cells::I16($builder) => $do,
            Cells::I32($builder) => $do,
            Cells::I64($builder) => $do,
            Cells::U8($builder) => $do,
            Cells::U16($builder) => $do,
            Cells::U32($builder) => $do,
            Cells::U64($builder) => $do,
            Cells::F32($builder) => $do,
            Cells::F64($builder) => $do,
            Cells::Bool($builder) => $do,
            Cells::Text($builder) => $do,
            Cells::Struct { $($inner)* } => $struct,
        }
    };
}

impl Column {
    /// A column with room for so many rows; `None` if its type is not plain.
    fn new(field: &Field, rows: usize) -> Option<Self> {
        // An encoding or a strategy of its own is for those who know it.
        if !field.metadata().is_empty() && matches!(field.data_type(), DataType::Utf8) {
            return None;
        }
        let cells = match field.data_type() {
            DataType::Int8 => Cells::I8(PrimitiveBuilder::with_capacity(rows)),
            DataType::Int16 => Cells::I16(PrimitiveBuilder::with_capacity(rows)),
            DataType::Int32 => Cells::I32(PrimitiveBuilder::with_capacity(rows)),
            DataType::Int64 => Cells::I64(PrimitiveBuilder::with_capacity(rows)),
            DataType::UInt8 => Cells::U8(PrimitiveBuilder::with_capacity(rows)),
            DataType::UInt16 => Cells::U16(PrimitiveBuilder::with_capacity(rows)),
            DataType::UInt32 => Cells::U32(PrimitiveBuilder::with_capacity(rows)),
            DataType::UInt64 => Cells::U64(PrimitiveBuilder::with_capacity(rows)),
            DataType::Float32 => Cells::F32(PrimitiveBuilder::with_capacity(rows)),
            DataType::Float64 => Cells::F64(PrimitiveBuilder::with_capacity(rows)),
            DataType::Boolean => Cells::Bool(BooleanBuilder::with_capacity(rows)),
            DataType::Utf8 => Cells::Text(StringBuilder::with_capacity(rows, rows * 8)),
            DataType::Struct(fields) => Cells::Struct {
                fields: fields.clone(),
                columns: fields.iter().map(|field| Column::new(field, rows)).collect::<Option<_>>()?,
                valid: NullBufferBuilder::new(rows),
                // The fields of a tuple are called by their places.
                is_tuple: fields.iter().enumerate().all(|(place, field)| *field.name() == place.to_string()),
            },
            _ => return None,
        };
        Some(Column { nullable: field.is_nullable(), cells })
    }

    /// A row that nothing is to be read from: it is null, or what it is part of is.
    fn skip(&mut self) {
        each_builder!(&mut self.cells, builder => match self.nullable {
            true => builder.append_null(),
            false => builder.append_blank(),
        }, Struct { columns, valid, .. } => {
            columns.iter_mut().for_each(Column::skip);
            match self.nullable {
                true => valid.append_null(),
                false => valid.append_non_null(),
            }
        });
    }

    fn finish(self) -> Option<ArrayRef> {
        Some(each_builder!(self.cells, builder => {
            let mut builder = builder;
            Arc::new(builder.finish())
        }, Struct { fields, columns, mut valid, .. } => {
            let columns = columns.into_iter().map(Column::finish).collect::<Option<_>>()?;
            Arc::new(StructArray::try_new(fields, columns, valid.finish()).ok()?)
        }))
    }
}

macro_rules! plain {
    ($($method:ident($type:ty) => $cells:ident),*) => {$(
        #[inline]
        fn $method(self, value: $type) -> Result<(), Unfit> {
            match &mut self.cells {
                Cells::$cells(builder) => {
                    builder.append_value(value);
                    Ok(())
                }
                _ => Err(Unfit),
            }
        }
    )*};
}

macro_rules! unfit {
    ($($method:ident($($argument:ty),*) -> $ok:ty),* $(,)?) => {$(
        fn $method(self, $(_: $argument),*) -> Result<$ok, Unfit> {
            Err(Unfit)
        }
    )*};
}

impl<'a> ser::Serializer for &'a mut Column {
    type Ok = ();
    type Error = Unfit;
    type SerializeSeq = Impossible<(), Unfit>;
    type SerializeTuple = Row<'a>;
    type SerializeTupleStruct = Row<'a>;
    type SerializeTupleVariant = Impossible<(), Unfit>;
    type SerializeMap = Impossible<(), Unfit>;
    type SerializeStruct = Row<'a>;
    type SerializeStructVariant = Impossible<(), Unfit>;

    plain!(serialize_bool(bool) => Bool);
    plain!(serialize_i8(i8) => I8, serialize_i16(i16) => I16, serialize_i32(i32) => I32, serialize_i64(i64) => I64);
    plain!(serialize_u8(u8) => U8, serialize_u16(u16) => U16, serialize_u32(u32) => U32, serialize_u64(u64) => U64);
    plain!(serialize_f32(f32) => F32, serialize_f64(f64) => F64);

    #[inline]
    fn serialize_str(self, value: &str) -> Result<(), Unfit> {
        let Cells::Text(builder) = &mut self.cells else { return Err(Unfit) };
        // The column counts bytes in 31 bits.
        if builder.values_slice().len() + value.len() > i32::MAX as usize {
            return Err(Unfit);
        }
        builder.append_value(value);
        Ok(())
    }

    #[inline]
    fn serialize_none(self) -> Result<(), Unfit> {
        if !self.nullable {
            return Err(Unfit);
        }
        self.skip();
        Ok(())
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Unfit> {
        value.serialize(self)
    }

    #[inline]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<(), Unfit> {
        value.serialize(self)
    }

    #[inline]
    fn serialize_struct(self, _: &'static str, len: usize) -> Result<Row<'a>, Unfit> {
        Row::new(self, len)
    }

    #[inline]
    fn serialize_tuple(self, len: usize) -> Result<Row<'a>, Unfit> {
        Row::of_places(self, len)
    }

    #[inline]
    fn serialize_tuple_struct(self, _: &'static str, len: usize) -> Result<Row<'a>, Unfit> {
        Row::of_places(self, len)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<(), Unfit> {
        Err(Unfit)
    }

    unfit! {
        serialize_char(char) -> (),
        serialize_bytes(&[u8]) -> (),
        serialize_unit() -> (),
        serialize_unit_struct(&'static str) -> (),
        serialize_unit_variant(&'static str, u32, &'static str) -> (),
        serialize_seq(Option<usize>) -> Self::SerializeSeq,
        serialize_map(Option<usize>) -> Self::SerializeMap,
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> Self::SerializeTupleVariant,
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> Self::SerializeStructVariant,
    }
}

/// A struct or a tuple on its way into the columns of its fields, which come in their order.
struct Row<'a> {
    fields: &'a Fields,
    columns: &'a mut [Column],
    valid: &'a mut NullBufferBuilder,
    is_tuple: bool,
    next: usize,
}

impl<'a> Row<'a> {
    #[inline]
    fn new(column: &'a mut Column, len: usize) -> Result<Self, Unfit> {
        match &mut column.cells {
            Cells::Struct { fields, columns, valid, is_tuple } if columns.len() == len => {
                Ok(Row { fields, columns, valid, is_tuple: *is_tuple, next: 0 })
            }
            _ => Err(Unfit),
        }
    }

    #[inline]
    fn of_places(column: &'a mut Column, len: usize) -> Result<Self, Unfit> {
        Row::new(column, len).and_then(|row| if row.is_tuple { Ok(row) } else { Err(Unfit) })
    }

    #[inline]
    fn put<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unfit> {
        let column = self.columns.get_mut(self.next).ok_or(Unfit)?;
        self.next += 1;
        value.serialize(column)
    }

    #[inline]
    fn close(self) -> Result<(), Unfit> {
        if self.next < self.columns.len() {
            return Err(Unfit);
        }
        self.valid.append_non_null();
        Ok(())
    }
}

impl ser::SerializeStruct for Row<'_> {
    type Ok = ();
    type Error = Unfit;

    #[inline]
    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Unfit> {
        if self.fields.get(self.next).is_none_or(|field| field.name() != name) {
            return Err(Unfit);
        }
        self.put(value)
    }

    fn skip_field(&mut self, _: &'static str) -> Result<(), Unfit> {
        Err(Unfit)
    }

    #[inline]
    fn end(self) -> Result<(), Unfit> {
        self.close()
    }
}

impl ser::SerializeTuple for Row<'_> {
    type Ok = ();
    type Error = Unfit;

    #[inline]
    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unfit> {
        self.put(value)
    }

    #[inline]
    fn end(self) -> Result<(), Unfit> {
        self.close()
    }
}

impl ser::SerializeTupleStruct for Row<'_> {
    type Ok = ();
    type Error = Unfit;

    #[inline]
    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unfit> {
        self.put(value)
    }

    #[inline]
    fn end(self) -> Result<(), Unfit> {
        self.close()
    }
}

#[cfg(test)]
#[path = "direct_tests.rs"]
mod tests;
