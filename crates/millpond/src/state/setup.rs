//! What a process function declares its states with.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use millpond_snapshot::StateName;
use millpond_snapshot::chunk::StateKind;
use millpond_snapshot::manifest::SchemaFields;

use super::codec::{self, StateValue};
use super::cursor::Cursor;
use super::descriptor::{StateDeclaration, StateDescriptor};
use super::evolution::descriptors::{MapDescriptor, TypedDescriptor};
use super::evolution::{Evolving, Side, Sides, Values};
use super::handles::{Aggregate, AggregatingState, ListState, MapState, Reduce, ReducingState, ValueState};
use super::map::MapStore;
use super::operator::{BroadcastState, BroadcastStore, ListStore, OperatorListState, OperatorStore};
use super::store::{Registered, Store};
use super::timers::TimerStore;
use super::value::ValueStore;
use crate::error::Error;

/// An operator state that has been declared.
pub(crate) struct RegisteredOperatorState {
    pub(crate) declaration: StateDeclaration,
    pub(crate) store: Rc<RefCell<dyn OperatorStore>>,
}

/// Declares the operator states of a function: lists dealt out evenly at restore, lists given whole to every subtask,
/// and broadcast state.
///
/// The function that gets a setup runs once when the job is planned and once in each subtask, and must declare the
/// same states each time.
pub struct OperatorSetup {
    pub(crate) subtask: usize,
    pub(crate) parallelism: usize,
    pub(crate) states: Vec<RegisteredOperatorState>,
    pub(crate) writable: Rc<Cell<bool>>,
    pub(crate) error: Option<Error>,
}

impl OperatorSetup {
    pub(crate) fn new(subtask: usize, parallelism: usize) -> Self {
        OperatorSetup { subtask, parallelism, states: Vec::new(), writable: Rc::default(), error: None }
    }

    pub(crate) fn declarations(&self) -> Vec<StateDeclaration> {
        self.states.iter().map(|state| state.declaration.clone()).collect()
    }

    /// Which subtask this is, from 0.
    pub fn subtask(&self) -> usize {
        self.subtask
    }

    /// How many subtasks there are.
    pub fn parallelism(&self) -> usize {
        self.parallelism
    }

    /// A list whose elements are dealt out evenly to the subtasks at restore.
    pub fn list<T: StateValue>(&mut self, state: impl Into<TypedDescriptor<T>>) -> OperatorListState<T> {
        self.operator_list(state.into(), StateKind::OperatorList)
    }

    /// A list that is given whole to every subtask at restore: the elements of all of them.
    pub fn union<T: StateValue>(&mut self, state: impl Into<TypedDescriptor<T>>) -> OperatorListState<T> {
        self.operator_list(state.into(), StateKind::OperatorUnion)
    }

    /// A map that every subtask has whole.
    pub fn broadcast<K: StateValue + Ord, V: StateValue>(
        &mut self,
        state: impl Into<MapDescriptor<K, V>>,
    ) -> BroadcastState<K, V> {
        let MapDescriptor { state, keys, evolving } = state.into();
        let columns = codec::key_schema::<K>("key").and_then(|key| {
            let sides = Sides {
                key: keys.side("key")?,
                value: evolving.values.side("value")?,
                merges: evolving.merge.is_some(),
                ..Sides::default()
            };
            Ok((Some(key), Some(codec::schema::<V>("value")?), sides))
        });
        let store = Rc::new(RefCell::new(BroadcastStore::<K, V> { entries: BTreeMap::new(), keys, evolving }));
        self.register(state, StateKind::Broadcast, columns, Rc::clone(&store) as _);
        BroadcastState { store, writable: Rc::clone(&self.writable) }
    }

    fn operator_list<T: StateValue>(
        &mut self,
        state: TypedDescriptor<T>,
        kind: StateKind,
    ) -> OperatorListState<T> {
        let (state, evolving) = state.values();
        let columns = codec::schema::<T>("value").and_then(|value| {
            let sides = Sides { value: evolving.values.side("value")?, ..Sides::default() };
            Ok((None, Some(value), sides))
        });
        let store = Rc::new(RefCell::new(ListStore { elements: Vec::new(), values: evolving.values }));
        self.register(state, kind, columns, Rc::clone(&store) as _);
        OperatorListState(store)
    }

    fn register(
        &mut self,
        state: StateDescriptor,
        kind: StateKind,
        columns: Result<(Option<SchemaFields>, Option<SchemaFields>, Sides), Error>,
        store: Rc<RefCell<dyn OperatorStore>>,
    ) {
        let declared = columns.and_then(|(key, value, sides)| {
            Ok(StateDeclaration { name: name(&state.name)?, kind, key, map_key: None, value, ttl: None, sides })
        });
        match declared {
            Ok(declaration) => self.states.push(RegisteredOperatorState { declaration, store }),
            Err(error) => self.error = self.error.take().or(Some(error)),
        }
    }
}

fn name(text: &str) -> Result<StateName, Error> {
    StateName::new(text).map_err(|error| Error::job(format!("state name '{text}': {error}")))
}

/// Declares the states of a keyed function: several, each with a name.
///
/// The function that gets a setup runs once when the job is planned and once in each subtask, and must declare the
/// same states each time.
pub struct KeyedSetup {
    pub(crate) cursor: Rc<Cursor>,
    pub(crate) states: Vec<Registered>,
    pub(crate) operator: OperatorSetup,
    key: Option<SchemaFields>,
    key_side: Side,
    /// How keys are read: [`Values`] of the type of the key.
    keys: Rc<dyn Any>,
}

impl std::ops::Deref for KeyedSetup {
    type Target = OperatorSetup;
    fn deref(&self) -> &OperatorSetup {
        &self.operator
    }
}

impl KeyedSetup {
    pub(crate) fn new<K: StateValue>(subtask: usize, parallelism: usize, keys: Rc<Values<K>>) -> Self {
        let mut operator = OperatorSetup::new(subtask, parallelism);
        let columns = codec::key_schema::<K>("key").and_then(|key| Ok((Some(key), keys.side("key")?)));
        let (key, key_side) = columns.unwrap_or_else(|error| {
            operator.error = Some(error);
            (None, Side::default())
        });
        KeyedSetup { cursor: Rc::default(), states: Vec::new(), operator, key, key_side, keys }
    }

    /// How keys are read.
    pub(crate) fn keys<K: StateValue>(&self) -> Rc<Values<K>> {
        Rc::clone(&self.keys).downcast().unwrap_or_default()
    }

    /// All that is declared, with what every keyed operator has besides.
    pub(crate) fn declarations(&self) -> Vec<StateDeclaration> {
        let keyed = self.states.iter().map(|state| state.declaration.clone());
        keyed.chain(self.operator.declarations()).collect()
    }

    /// Has the job refused, before it starts: what the operator was asked to do makes no sense. The first reason counts.
    pub fn refuse(&mut self, reason: impl std::fmt::Display) {
        self.operator.error.get_or_insert_with(|| Error::job(reason));
    }

    /// The states of the operator that belong to no key.
    pub fn operator_states(&mut self) -> &mut OperatorSetup {
        &mut self.operator
    }

    /// One value a key.
    pub fn value<V: StateValue>(&mut self, state: impl Into<TypedDescriptor<V>>) -> ValueState<V> {
        let (state, evolving) = state.into().values();
        ValueState(self.value_store(state, evolving, StateKind::Value))
    }

    /// A list a key. Where two keys have become one, their lists are joined.
    pub fn list<V: StateValue>(&mut self, state: impl Into<TypedDescriptor<V>>) -> ListState<V> {
        let (state, evolving) = state.into().lists();
        ListState(self.value_store(state, evolving, StateKind::List))
    }

    /// A value a key that takes elements in with `reduce`, which also makes one of two whose keys have become one.
    pub fn reducing<V: StateValue>(
        &mut self,
        state: impl Into<TypedDescriptor<V>>,
        reduce: impl Fn(&V, &V) -> V + 'static,
    ) -> ReducingState<V> {
        let (state, mut evolving) = state.into().values();
        let reduce: Reduce<V> = Rc::new(reduce);
        let merge = Rc::clone(&reduce);
        evolving.merge.get_or_insert_with(|| Rc::new(move |one, other| merge(&one, &other)));
        ReducingState { value: ValueState(self.value_store(state, evolving, StateKind::Reducing)), reduce }
    }

    /// An accumulator a key that takes elements in as `aggregate` says, and that is merged as it says where two keys have
    /// become one.
    pub fn aggregating<In: 'static, A: Aggregate<In>>(
        &mut self,
        state: impl Into<TypedDescriptor<A::Accumulator>>,
        aggregate: A,
    ) -> AggregatingState<In, A> {
        let (state, mut evolving) = state.into().values();
        let aggregate = Rc::new(aggregate);
        let merge = Rc::clone(&aggregate);
        evolving.merge.get_or_insert_with(|| {
            Rc::new(move |mut one, other| {
                merge.merge(&mut one, &other);
                one
            })
        });
        AggregatingState {
            value: ValueState(self.value_store(state, evolving, StateKind::Aggregating)),
            aggregate,
        }
    }

    /// A map a key.
    pub fn map<M: StateValue + Ord, V: StateValue>(
        &mut self,
        state: impl Into<MapDescriptor<M, V>>,
    ) -> MapState<M, V> {
        let MapDescriptor { state, keys, evolving } = state.into();
        let columns = codec::key_column::<M>("map_key").and_then(|m| Ok((m, codec::column::<V>("value")?)));
        let (map_key, value) = columns.unwrap_or_else(|error| {
            self.operator.error.get_or_insert(error);
            (unknown("map_key"), unknown("value"))
        });
        let sides = Sides {
            map_key: self.side(&keys, "map_key"),
            value: self.side(&evolving.values, "value"),
            merges: evolving.merge.is_some(),
            ..Sides::default()
        };
        let store = MapStore::new(Rc::clone(&self.cursor), state.ttl, &map_key, &value, keys, evolving);
        let store = Rc::new(RefCell::new(store));
        self.register(state, StateKind::Map, Some(map_key), Some(value), sides, Rc::clone(&store) as _);
        MapState(store)
    }

    fn value_store<V: StateValue>(
        &mut self,
        state: StateDescriptor,
        evolving: Evolving<V>,
        kind: StateKind,
    ) -> Rc<RefCell<ValueStore<V>>> {
        let value = codec::column::<V>("value").unwrap_or_else(|error| {
            self.operator.error.get_or_insert(error);
            unknown("value")
        });
        let sides = Sides {
            value: self.side(&evolving.values, "value"),
            merges: evolving.merge.is_some(),
            ..Sides::default()
        };
        let store = ValueStore::new(Rc::clone(&self.cursor), state.ttl, &value, evolving);
        let store = Rc::new(RefCell::new(store));
        self.register(state, kind, None, Some(value), sides, Rc::clone(&store) as _);
        store
    }

    fn side<V: StateValue>(&mut self, values: &Values<V>, name: &str) -> Side {
        values.side(name).unwrap_or_else(|error| {
            self.operator.error.get_or_insert(error);
            Side::default()
        })
    }

    /// Declares timers.
    pub(crate) fn timers(&mut self, name: &str) -> Rc<RefCell<TimerStore>> {
        let store = Rc::new(RefCell::new(TimerStore::new(Rc::clone(&self.cursor))));
        let declared = StateDescriptor::new(name);
        self.register(declared, StateKind::Timers, None, None, Sides::default(), Rc::clone(&store) as _);
        store
    }

    fn register(
        &mut self,
        state: StateDescriptor,
        kind: StateKind,
        map_key: Option<arrow_schema::FieldRef>,
        value: Option<arrow_schema::FieldRef>,
        sides: Sides,
        store: Rc<RefCell<dyn Store>>,
    ) {
        let declared = name(&state.name).and_then(|name| {
            Ok(StateDeclaration {
                name,
                kind,
                key: self.key.clone(),
                map_key: map_key.map(codec::fields).transpose()?,
                value: value.map(codec::fields).transpose()?,
                ttl: state.ttl,
                sides: Sides { key: self.key_side.clone(), ..sides },
            })
        });
        match declared {
            Ok(declaration) => self.states.push(Registered { declaration, store }),
            Err(error) => {
                self.operator.error.get_or_insert(error);
            }
        }
    }
}

/// Stands for a column whose type has no schema; the error is reported when the setup has run.
fn unknown(name: &str) -> arrow_schema::FieldRef {
    std::sync::Arc::new(arrow_schema::Field::new(name, arrow_schema::DataType::Null, true))
}
