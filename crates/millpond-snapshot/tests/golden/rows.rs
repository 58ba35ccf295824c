//! The rows of the golden snapshot: one state of each kind, small enough to read.

use std::collections::BTreeMap;

use arrow_schema::FieldRef;
use millpond_snapshot::chunk::{ChunkKind, StateKind};
use millpond_snapshot::hash::key_hash;
use serde_arrow::schema::{SchemaLike, SerdeArrowSchema};
use serde_json::{Value, json};

/// A state, as it was at the checkpoint, and what changed until the savepoint.
pub(crate) struct StateRows {
    pub name: &'static str,
    pub kind: StateKind,
    pub ttl_ms: Option<u64>,
    /// The columns of the key, the map key and the value.
    columns: Value,
    pub base: Vec<Row>,
    pub delta: Vec<Row>,
    pub inline: Vec<Value>,
}

/// A row: its key, its other columns, and whether it is a tombstone.
#[derive(Clone)]
pub(crate) struct Row {
    key: Value,
    rest: BTreeMap<&'static str, Value>,
    deleted: bool,
}

impl Row {
    pub(crate) fn hash(&self) -> u64 {
        match &self.key {
            Value::String(text) => key_hash(text),
            Value::Number(number) => key_hash(&number.as_i64().unwrap()),
            Value::Object(fields) => {
                let (line, stop) = (fields["line"].as_i64(), fields["stop"].as_str());
                key_hash(&(line.unwrap(), stop.unwrap()))
            }
            other => panic!("no key: {other}"),
        }
        .unwrap()
    }

    /// The row as the columns of a chunk.
    pub(crate) fn columns(&self, hash: u64, state: &StateRows, kind: ChunkKind) -> Value {
        let mut row = serde_json::Map::new();
        row.insert("hash".into(), hash.into());
        row.insert("key".into(), self.key.clone());
        for field in fields(state, kind).iter().skip(2) {
            let value = match field.name().as_str() {
                "deleted" => self.deleted.into(),
                name => self.rest.get(name).cloned().unwrap_or(Value::Null),
            };
            row.insert(field.name().clone(), value);
        }
        row.into()
    }

    /// What a later row takes the place of.
    fn unit(&self) -> String {
        json!([self.key, self.rest.get("map_key"), self.rest.get("timestamp")]).to_string()
    }
}

impl StateRows {
    /// The state at the savepoint, sorted by hash, without going through chunks.
    pub(crate) fn expected(&self) -> Value {
        if !self.kind.is_keyed() {
            return self.inline.clone().into();
        }
        let mut rows: BTreeMap<String, &Row> = BTreeMap::new();
        for row in self.base.iter().chain(&self.delta) {
            rows.insert(row.unit(), row);
        }
        let mut rows: Vec<_> = rows.into_values().filter(|row| !row.deleted).collect();
        rows.sort_by_key(|row| (row.hash(), row.unit()));
        let rows = rows.into_iter().map(|row| {
            let mut row = row.columns(0, self, ChunkKind::Base);
            row.as_object_mut().unwrap().remove("hash");
            row
        });
        rows.collect()
    }
}

/// The columns of a state's chunks.
pub(crate) fn fields(state: &StateRows, kind: ChunkKind) -> Vec<FieldRef> {
    let mut columns = vec![json!({"name": "hash", "data_type": "U64"})];
    columns.extend(state.columns.as_array().unwrap().iter().cloned());
    if state.ttl_ms.is_some() {
        columns.push(json!({"name": "expires_at", "data_type": "I64", "nullable": true}));
    }
    if kind == ChunkKind::Delta {
        columns.push(json!({"name": "deleted", "data_type": "Bool"}));
    }
    let schema = SerdeArrowSchema::from_value(columns).unwrap();
    Vec::<FieldRef>::try_from(&schema).unwrap()
}

fn row(key: Value, rest: Value) -> Row {
    let names = ["map_key", "value", "timestamp", "expires_at"];
    let rest = names.into_iter().filter_map(|name| Some((name, rest.get(name)?.clone()))).collect();
    Row { key, rest, deleted: false }
}

fn gone(key: Value, rest: Value) -> Row {
    Row { deleted: true, ..row(key, rest) }
}

fn keyed(name: &'static str, kind: StateKind, columns: Value, base: Vec<Row>, delta: Vec<Row>) -> StateRows {
    StateRows { name, kind, ttl_ms: None, columns, base, delta, inline: vec![] }
}

fn operator(name: &'static str, kind: StateKind, inline: Vec<Value>) -> StateRows {
    StateRows { name, kind, ttl_ms: None, columns: json!([]), base: vec![], delta: vec![], inline }
}

pub(crate) fn state_rows() -> Vec<StateRows> {
    let text = |name: &str| json!({"name": name, "data_type": "LargeUtf8"});
    let number = |name: &str| json!({"name": name, "data_type": "I64", "nullable": name == "value"});
    let value = |value: Value| json!({"value": value});

    let latest = json!({"name": "value", "data_type": "Struct", "nullable": true, "children": [
        {"name": "sum", "data_type": "I64"},
        {"name": "note", "data_type": "LargeUtf8", "nullable": true},
        {"name": "mean", "data_type": "F64"},
    ]});
    let sum = |sum: i64, note: Option<&str>| value(json!({"sum": sum, "note": note, "mean": 0.5}));
    let stop = |line: i64, stop: &str| json!({"line": line, "stop": stop});
    let stops = json!([
        {"name": "key", "data_type": "Struct", "children": [
            {"name": "line", "data_type": "I32"}, {"name": "stop", "data_type": "LargeUtf8"}]},
        text("map_key"),
        {"name": "value", "data_type": "Bool", "nullable": true},
    ]);
    let at = |map_key: &str, value: bool| json!({"map_key": map_key, "value": value});
    let list = json!({"name": "value", "data_type": "LargeList", "nullable": true, "children": [
        {"name": "item", "data_type": "U16"}]});
    let fires = |timestamp: i64| json!({"timestamp": timestamp});
    let until = |value: i64, expires: Option<i64>| json!({"value": value, "expires_at": expires});

    vec![
        keyed(
            "value",
            StateKind::Value,
            json!([text("key"), latest]),
            vec![
                row(json!("zrh"), sum(1, None)),
                row(json!("lhr"), sum(-2, Some("fog"))),
                row(json!("Genève"), sum(i64::MAX, None)),
                row(json!(""), sum(0, Some(""))),
            ],
            vec![
                row(json!("zrh"), sum(7, Some("sun"))),
                gone(json!("lhr"), json!({})),
                row(json!("jfk"), sum(9, None)),
            ],
        ),
        keyed(
            "list",
            StateKind::List,
            json!([number("key"), list]),
            (0..6).map(|i| row(json!(i), value((0..i).collect()))).collect(),
            vec![row(json!(2), value(json!([65535]))), row(json!(3), value(json!([]))), gone(json!(4), json!({}))],
        ),
        keyed(
            "map",
            StateKind::Map,
            stops,
            vec![
                row(stop(1, "a"), at("x", true)),
                row(stop(1, "a"), at("y", false)),
                row(stop(-1, "a"), at("x", true)),
                row(stop(2, "b"), at("x", false)),
                row(stop(3, "c"), at("x", false)),
                row(stop(4, "d"), at("x", false)),
            ],
            vec![
                row(stop(1, "a"), at("y", true)),
                row(stop(1, "a"), at("z", true)),
                gone(stop(2, "b"), json!({"map_key": "x"})),
            ],
        ),
        keyed(
            "reducing",
            StateKind::Reducing,
            json!([text("key"), number("value")]),
            ["a", "b", "c", "d", "e"].iter().zip(1..).map(|(k, v)| row(json!(k), value(json!(v)))).collect(),
            vec![row(json!("a"), value(json!(100))), gone(json!("b"), json!({}))],
        ),
        StateRows {
            ttl_ms: Some(60_000),
            ..keyed(
                "aggregating",
                StateKind::Aggregating,
                json!([text("key"), number("value")]),
                vec![
                    row(json!("a"), until(1, Some(1_000))),
                    row(json!("b"), until(2, None)),
                    row(json!("c"), until(3, Some(-1))),
                    row(json!("d"), until(4, Some(2_000))),
                ],
                vec![row(json!("a"), until(5, Some(9_000))), gone(json!("d"), json!({}))],
            )
        },
        keyed(
            "timers",
            StateKind::Timers,
            json!([text("key"), number("timestamp")]),
            vec![
                row(json!("a"), fires(10)),
                row(json!("a"), fires(20)),
                row(json!("b"), fires(-5)),
                row(json!("c"), fires(i64::MAX)),
                row(json!("d"), fires(0)),
            ],
            vec![gone(json!("a"), fires(10)), row(json!("a"), fires(30)), gone(json!("c"), fires(i64::MAX))],
        ),
        operator(
            "operator-list",
            StateKind::OperatorList,
            vec![json!({"file": "a.csv", "line": 42}), json!({"file": "b.csv", "line": 0})],
        ),
        operator("operator-union", StateKind::OperatorUnion, vec![json!({"transaction": "t-1"})]),
        operator("broadcast", StateKind::Broadcast, vec![json!({"rule": "all", "limit": 3})]),
    ]
}
