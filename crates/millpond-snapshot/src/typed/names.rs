//! Names of variants that a type reads and does not write.
//!
//! A variant's name is part of a key's canonical bytes. With a serde alias a variant answers to an old name and is written
//! with its own; which of its names that is, `serde` does not tell, and the list of all of them may be the same before
//! and after. So values are made under each name, and their canonical bytes are looked at. What is found stands in the
//! column's metadata: keys of a snapshot whose column says something else may have other bytes now.

use std::sync::Arc;

use arrow_schema::{Field, FieldRef};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::probe::each_variant;
use crate::hash::key_bytes;
use twox_hash::XxHash3_64;

/// Says in a field's metadata which names are written as others.
const RENAMED: &str = "millpond:renamed";

/// `field`, with what is found of `K`; the same field if every name is written as it is read.
pub(super) fn note<K: Serialize + DeserializeOwned>(field: FieldRef) -> FieldRef {
    let mut found: Vec<String> = Vec::new();
    each_variant(|names, key: K| {
        // Keys of maps need have no canonical bytes; they are told apart by value, and JSON will do.
        let (bytes, written): (_, fn(&str) -> Vec<u8>) = match key_bytes(&key) {
            Ok(bytes) => (bytes, |name| [&(name.len() as u64).to_le_bytes(), name.as_bytes()].concat()),
            Err(_) => (serde_json::to_vec(&key).unwrap_or_default(), |name| format!("{name:?}").into_bytes()),
        };
        if !are_in(&bytes, names.iter().map(|name| written(name))) {
            found.push(format!("{} {:016x}", names.join("/"), XxHash3_64::oneshot(&bytes)));
        }
    });
    if found.is_empty() {
        return field;
    }
    found.sort();
    let mut metadata = field.metadata().clone();
    metadata.insert(RENAMED.to_owned(), found.join(", "));
    Arc::new(Field::clone(&field).with_metadata(metadata))
}

/// Which names the keys of a column were read by and are not written with, as it was noted; nothing if there are none.
pub fn renamed(field: &Field) -> Option<&str> {
    field.metadata().get(RENAMED).map(String::as_str)
}

/// Whether all of `parts`, none of which is empty, are in `bytes`, in this order.
fn are_in(mut bytes: &[u8], mut parts: impl Iterator<Item = Vec<u8>>) -> bool {
    parts.all(|part| {
        let found = bytes.windows(part.len()).position(|other| *other == part);
        bytes = found.map_or(&[], |at| &bytes[at + part.len()..]);
        found.is_some()
    })
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::typed::key_column;

    fn of<K: Serialize + DeserializeOwned>() -> Vec<String> {
        let field = key_column::<K>("key").unwrap();
        let noted = renamed(&field).map(|text| text.split(", ").map(str::to_owned).collect::<Vec<_>>());
        // Without the hashes.
        let name = |text: String| text.split(' ').next().map(str::to_owned);
        noted.unwrap_or_default().into_iter().filter_map(name).collect()
    }

    #[derive(Serialize, Deserialize)]
    enum Plain {
        A,
        B(u8),
    }
    #[derive(Serialize, Deserialize)]
    enum Aliased {
        A,
        #[serde(alias = "C")]
        B,
    }
    #[derive(Serialize, Deserialize)]
    enum Held {
        None,
        #[serde(alias = "Was")]
        Is(Aliased),
        Pair {
            left: Option<Aliased>,
            right: Plain,
        },
    }
    #[derive(Serialize, Deserialize)]
    struct Deep {
        list: Vec<(u8, Aliased)>,
        other: Aliased,
    }
    #[derive(Serialize, Deserialize)]
    enum Term {
        #[serde(alias = "Nicht")]
        Not(Box<Term>),
        #[serde(alias = "Wert")]
        Value(u8),
    }

    #[test]
    fn a_type_whose_names_are_all_its_own_has_nothing_noted() {
        assert!(of::<u64>().is_empty());
        assert!(of::<(String, Plain, Option<Plain>)>().is_empty());
        assert!(of::<serde_json::Value>().is_empty());
    }

    #[test]
    fn a_name_that_ends_like_another_is_another() {
        #[derive(Serialize, Deserialize)]
        enum Longer {
            #[serde(alias = "B")]
            AB,
        }
        assert_eq!(of::<Longer>(), ["B"]);
        // A key that has no canonical bytes.
        assert_eq!(of::<std::collections::BTreeMap<u8, Longer>>(), ["B"]);
    }

    #[test]
    fn each_name_that_is_written_as_another_is_found_wherever_it_stands() {
        assert_eq!(of::<Aliased>(), ["C"]);
        assert_eq!(of::<Deep>(), ["A/C", "C/A"]);
        // What follows a name is varied with the first name that leads to it.
        let held = of::<Held>();
        for name in ["Was/A", "Is/C", "Pair/C/A"] {
            assert!(held.iter().any(|found| found == name), "{name} in {held:?}");
        }
        assert_eq!(of::<Term>(), ["Wert"]);
    }

    #[test]
    fn the_same_names_in_other_roles_are_noted_otherwise() {
        mod swapped {
            use super::*;
            #[derive(Serialize, Deserialize)]
            pub(super) enum Aliased {
                A,
                #[serde(alias = "B")]
                C,
            }
        }
        mod merged {
            use super::*;
            #[derive(Serialize, Deserialize)]
            pub(super) enum Aliased {
                #[serde(alias = "B", alias = "C")]
                A,
            }
        }
        let columns = [
            key_column::<Aliased>("key").unwrap(),
            key_column::<swapped::Aliased>("key").unwrap(),
            key_column::<merged::Aliased>("key").unwrap(),
        ];
        assert_eq!(columns[0].data_type(), columns[1].data_type());
        let noted: Vec<_> = columns.iter().map(|column| renamed(column)).collect();
        assert!(noted.iter().all(Option::is_some));
        assert!(noted[0] != noted[1] && noted[1] != noted[2] && noted[0] != noted[2], "{noted:?}");
    }
}
