//! Schemas in JSON that a person can read: the shape that `serde_arrow` uses.

use arrow_schema::{DataType, Field, Fields};
use serde::{Deserialize, Serialize};

use super::field_text::FieldText;
use crate::{Error, Result};

/// The fields of a schema, which are sure to survive being written to a manifest and read back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<FieldText>", into = "Vec<FieldText>")]
pub struct SchemaFields(Fields);

impl SchemaFields {
    /// Takes fields.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] if a type has no text form; it names the field.
    pub fn new(fields: impl Into<Fields>) -> Result<Self> {
        let fields = fields.into();
        for field in &fields {
            let back = Field::try_from(FieldText::from(&**field));
            if back.as_ref() != Ok(&**field) {
                let why = back.err().unwrap_or_else(|| "it would not read back as it is".to_owned());
                return Err(Error::InvalidInput(format!(
                    "field {:?} has the type {}, which a manifest cannot hold ({why}); use another type",
                    field.name(),
                    field.data_type()
                )));
            }
        }
        Ok(SchemaFields(fields))
    }

    /// The type of the column, if there is one field: as it is for keys and values of keyed state.
    pub fn data_type(&self) -> Option<&DataType> {
        match &self.0[..] {
            [field] => Some(field.data_type()),
            _ => None,
        }
    }

    /// The fields.
    pub fn fields(&self) -> &Fields {
        &self.0
    }
}

impl TryFrom<Vec<FieldText>> for SchemaFields {
    type Error = String;

    fn try_from(fields: Vec<FieldText>) -> Result<Self, String> {
        let fields: Vec<Field> = fields.into_iter().map(Field::try_from).collect::<Result<_, _>>()?;
        Ok(SchemaFields(fields.into()))
    }
}

impl From<SchemaFields> for Vec<FieldText> {
    fn from(schema: SchemaFields) -> Self {
        schema.0.iter().map(|field| FieldText::from(&**field)).collect()
    }
}
