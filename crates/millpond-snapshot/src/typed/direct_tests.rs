//! What is written without `serde_arrow` is what `serde_arrow` would have written.

use std::collections::BTreeMap;
use std::fmt::Debug;

use arrow_array::Array;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::*;
use crate::typed::{column, decode, nullable, through_serde_arrow};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Account(String);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Inner {
    on: bool,
    share: Option<f32>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Plain {
    account: Account,
    amount: i64,
    small: u8,
    inner: Option<Inner>,
    pair: (i16, String),
}

fn plain() -> Vec<Plain> {
    let inner = Some(Inner { on: true, share: None });
    let one = Plain { account: Account("ä".into()), amount: -1, small: 255, inner, pair: (i16::MIN, "".into()) };
    let inner = Some(Inner { on: false, share: Some(0.5) });
    vec![one.clone(), Plain { inner: None, amount: i64::MAX, ..one.clone() }, Plain { inner, ..one }]
}

/// Both ways make the same column, and it can be read.
fn same<T: Serialize + DeserializeOwned + Clone + PartialEq + Debug>(values: Vec<T>) {
    let field = nullable(&column::<T>("value").unwrap());
    let mut rows: Vec<Option<T>> = values.into_iter().map(Some).collect();
    rows.insert(1, None);
    let ours = encode(&field, &rows).expect("the values are plain");
    let theirs = through_serde_arrow(&field, &rows).unwrap().pop().unwrap();
    assert_eq!(ours.data_type(), field.data_type());
    assert_eq!(ours.to_data(), theirs.to_data());
    assert_eq!(ours.null_count(), 1);
    assert_eq!(decode::<Option<T>>(&field, &ours).unwrap(), rows);
}

#[test]
fn plain_values_make_the_same_column() {
    same(vec![i8::MIN, 7]);
    same(vec![i16::MIN, 7]);
    same(vec![i32::MIN, 7]);
    same(vec![i64::MIN, 7]);
    same(vec![u8::MAX, 7]);
    same(vec![u16::MAX, 7]);
    same(vec![u32::MAX, 7]);
    same(vec![u64::MAX, 7]);
    same(vec![f32::MIN, 0.1]);
    same(vec![f64::MIN, 0.1]);
    same(vec![true, false]);
    same(vec!["text".to_owned(), String::new()]);
    same(vec![Account("a".to_owned()), Account("b".to_owned())]);
    same(vec![(1_u64, "x".to_owned()), (2, "y".to_owned())]);
    same(plain());
}

/// Others are left to `serde_arrow`.
fn left<T: Serialize + DeserializeOwned>(values: &[T]) {
    let field = column::<T>("value").unwrap();
    assert!(encode(&field, values).is_none(), "{field:?}");
    assert!(crate::typed::encode(&field, values).is_ok());
}

#[derive(Serialize, Deserialize)]
enum Colour {
    Red,
}

#[derive(Serialize, Deserialize)]
struct Sparse {
    #[serde(skip_serializing_if = "Option::is_none")]
    some: Option<u64>,
}

#[derive(Serialize, Deserialize)]
struct Text {
    #[serde(serialize_with = "as_text")]
    value: u64,
}

fn as_text<S: serde::Serializer>(value: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&value.to_string())
}

#[test]
fn what_is_not_plain_is_left_to_serde_arrow() {
    left(&[vec![1_u64], vec![]]);
    left(&[BTreeMap::from([(1_u64, 2_u64)])]);
    left(&['x']);
    left(&[Colour::Red]);
    left(&[()]);
    left(&[Sparse { some: None }]);
    let field = column::<Text>("value").unwrap();
    assert!(encode(&field, &[Text { value: 1 }]).is_none(), "a number that comes as text");
}

#[test]
fn a_null_where_none_can_be_is_not_plain() {
    let field = column::<u64>("value").unwrap();
    assert!(encode(&field, &[Some(1_u64), None]).is_none());
}
