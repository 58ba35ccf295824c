//! Schemas in JSON that a person can read: the shape that `serde_arrow` uses.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow_schema::{DataType, Field, Fields};
use serde::{Deserialize, Serialize};

use super::data_type;
use crate::{Error, Result};

/// Where `serde_arrow` keeps how a field is to be read back.
const STRATEGY: &str = "SERDE_ARROW:strategy";

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
        let (data_type, children) = data_type::to_text(field.data_type());
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
        let data_type = data_type::from_text(&text.data_type, children)
            .ok_or_else(|| format!("field {:?}: unknown data type {:?}", text.name, text.data_type))?;
        let mut metadata: HashMap<_, _> = text.metadata.into_iter().collect();
        metadata.extend(text.strategy.map(|strategy| (STRATEGY.to_owned(), strategy)));
        Ok(Field::new(text.name, data_type, text.nullable).with_metadata(metadata))
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
