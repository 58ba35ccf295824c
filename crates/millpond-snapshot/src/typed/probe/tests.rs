use std::collections::BTreeMap;

use serde::Deserialize;

use super::*;

/// A shape as people write it, with what only a type knows: `|` other names, `=` a default, `!` no other fields.
fn told<T: DeserializeOwned>() -> String {
    fn members(shape: &Shape, told: &mut Vec<String>) {
        match shape {
            Shape::Struct(shape) => {
                for field in &shape.fields {
                    let aliases: String = field.aliases.iter().map(|alias| format!("|{alias}")).collect();
                    told.push(format!("{}{aliases}{}", field.name, if field.default { "=" } else { "" }));
                    members(&field.shape, told);
                }
                told.extend(shape.closed.then(|| "!".to_owned()));
            }
            Shape::Option(inner) | Shape::List(inner) => members(inner, told),
            Shape::Map(key, value) => [key, value].into_iter().for_each(|part| members(part, told)),
            Shape::Tuple(parts) => parts.iter().for_each(|part| members(part, told)),
            Shape::Enum(variants) => {
                variants.iter().filter_map(|variant| variant.content.as_ref()).for_each(|c| members(c, told));
            }
            Shape::Scalar(_) | Shape::Again(_) | Shape::Unknown => {}
        }
    }
    let shape = shape_of::<T>();
    let mut all = Vec::new();
    members(&shape, &mut all);
    format!("{shape} {}", all.join(" "))
}

#[derive(Deserialize)]
#[allow(dead_code)]
struct Inner {
    #[serde(alias = "z", alias = "a")]
    m: i32,
    #[serde(default)]
    text: String,
    maybe: Option<char>,
}

#[test]
fn names_defaults_and_other_names_are_found_wherever_a_struct_stands() {
    let inner = "m|a|z text= maybe=";
    let shape = "{m: i32, text: text, maybe: char?}";
    assert_eq!(told::<Inner>(), format!("{shape} {inner}"));
    assert_eq!(told::<Vec<Option<Inner>>>(), format!("[{shape}?] {inner}"));
    assert_eq!(told::<(u8, Inner)>(), format!("(u8, {shape}) {inner}"));
    assert_eq!(told::<BTreeMap<String, Inner>>(), format!("{{text → {shape}}} {inner}"));
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[allow(dead_code)]
struct Closed {
    first_field: [f32; 2],
    #[serde(rename = "other")]
    second: std::num::NonZeroU64,
    #[serde(skip)]
    left_out: i32,
}

#[derive(Deserialize, Default)]
#[serde(default)]
#[allow(dead_code)]
struct AllDefault {
    a: i8,
    b: Vec<u8>,
}

#[test]
fn attributes_of_the_whole_struct_count_too() {
    assert_eq!(told::<Closed>(), "{firstField: (f32, f32), other: u64} firstField other !");
    assert_eq!(told::<AllDefault>(), "{a: i8, b: [u8]} a= b=");
}

#[derive(Deserialize)]
#[allow(dead_code)]
enum Kind {
    Plain,
    Number(i64),
    Pair(i32, String),
    Named {
        #[serde(default)]
        x: u8,
        inner: Inner,
    },
}

#[test]
fn variants_are_found_with_what_they_hold() {
    let shape = "<Plain, Number i64, Pair (i32, text), Named {x: u8, inner: {m: i32, text: text, maybe: char?}}>";
    assert_eq!(told::<Kind>(), format!("{shape} x= inner m|a|z text= maybe="));
}

#[derive(Deserialize)]
#[allow(dead_code)]
struct Tree {
    value: i32,
    #[serde(alias = "kids")]
    children: Vec<Tree>,
    twin: Option<Box<Tree>>,
    by_name: BTreeMap<String, Tree>,
}

#[derive(Deserialize)]
#[allow(dead_code)]
enum Term {
    Not(Box<Term>),
    Literal(bool),
    And(Vec<Term>),
}

#[test]
fn a_type_inside_itself_ends_there() {
    assert_eq!(
        told::<Tree>(),
        "{value: i32, children: [Tree], twin: Tree?, by_name: {text → Tree}} value children|kids twin= by_name"
    );
    assert_eq!(told::<Term>(), "<Not Term, Literal bool, And [Term]> ");
}

#[derive(Deserialize)]
#[serde(tag = "kind")]
#[allow(dead_code)]
enum Tagged {
    One { x: i32 },
}

#[test]
fn what_asks_its_input_is_unknown() {
    assert_eq!(shape_of::<Tagged>(), Shape::Unknown);
    assert_eq!(shape_of::<serde_json::Value>(), Shape::Unknown);
    assert_eq!(shape_of::<std::net::IpAddr>(), Shape::Unknown);
}

#[test]
fn a_column_is_the_same_whoever_derives_it() {
    fn same<T: DeserializeOwned>() {
        let traced = super::super::column::<T>("value").unwrap();
        let shape = shape_of::<T>();
        let mut derived = shape.column("value").unwrap();
        let mut metadata = derived.metadata().clone();
        metadata.extend(traced.metadata().clone());
        derived.set_metadata(metadata);
        assert_eq!(derived, *traced);
        assert_eq!(Shape::of_column(&traced), shape.stored());
    }
    #[derive(Deserialize)]
    enum Plain {
        #[allow(dead_code)]
        A,
        #[allow(dead_code)]
        B,
    }
    same::<(i8, i16, i32, i64, u8, u16, u32, u64)>();
    same::<(f32, f64, bool, char, String, (), Plain, Option<Plain>)>();
    same::<Vec<Option<BTreeMap<String, [u8; 2]>>>>();
    same::<Closed>();
    same::<Option<Vec<(AllDefault, std::time::Duration)>>>();
}

#[test]
fn a_field_with_another_name_keeps_its_column() {
    let column = super::super::column::<Inner>("value").unwrap();
    assert!(matches!(column.data_type(), arrow_schema::DataType::Struct(fields) if fields.len() == 3), "{column}");
}
