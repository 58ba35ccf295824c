//! How a state is declared that knows of its own older types.

use std::rc::Rc;

use serde::de::DeserializeOwned;

use super::forms::Forms;
use super::values::{Evolving, Merge, Values};
use crate::runtime::failure::UserError;
use crate::state::descriptor::{StateDescriptor, Ttl};

/// A state whose values are of type `V`, with what becomes of values of older types. Made from a [`StateDescriptor`]:
///
/// ```
/// use millpond::{StateDescriptor, TypedDescriptor};
/// # #[derive(serde::Deserialize)]
/// struct Cents(i64); // what the program before had
/// # #[derive(Clone, serde::Serialize, serde::Deserialize)]
/// struct Price {
///     amount: f64,
///     currency: String,
/// }
/// let price: TypedDescriptor<Price> = StateDescriptor::new("price")
///     .migrate(|old: Cents| Price { amount: old.0 as f64 / 100.0, currency: "CHF".to_owned() });
/// ```
///
/// A migration is taken if the snapshot has exactly the columns of its old type and not those of the new one. There may
/// be several, from several versions; the first that fits is taken. Without one, values are taken up by field name.
pub struct TypedDescriptor<V> {
    pub(crate) state: StateDescriptor,
    pub(crate) forms: Forms<V>,
    pub(crate) merge: Option<Merge<V>>,
}

/// A map, or a broadcast state, with what becomes of keys and values of older types. Made from a [`StateDescriptor`] with
/// [`StateDescriptor::migrate_map_key`].
pub struct MapDescriptor<M, V> {
    pub(crate) state: StateDescriptor,
    pub(crate) keys: Values<M>,
    pub(crate) evolving: Evolving<V>,
}

impl StateDescriptor {
    fn typed<V>(self) -> TypedDescriptor<V> {
        TypedDescriptor { state: self, forms: Forms::default(), merge: None }
    }

    /// Turns values of the type `Old`, where a snapshot has such, into new ones. In a map they are its values, in a list
    /// its elements. A panic fails the start of the run, and names the key.
    pub fn migrate<Old, V>(self, migrate: impl Fn(Old) -> V + 'static) -> TypedDescriptor<V>
    where
        Old: DeserializeOwned + 'static,
        V: DeserializeOwned + 'static,
    {
        self.typed().migrate(migrate)
    }

    /// As [`StateDescriptor::migrate`], with a function that may fail; then the start of the run does, and names the key.
    pub fn try_migrate<Old, V>(self, migrate: impl Fn(Old) -> Result<V, UserError> + 'static) -> TypedDescriptor<V>
    where
        Old: DeserializeOwned + 'static,
        V: DeserializeOwned + 'static,
    {
        self.typed().try_migrate(migrate)
    }

    /// Says how two values become one, where their keys have become one: see
    /// [`KeyedStream::migrate_key`](crate::KeyedStream::migrate_key).
    pub fn merge<V: DeserializeOwned + 'static>(self, merge: impl Fn(V, V) -> V + 'static) -> TypedDescriptor<V> {
        self.typed().merge(merge)
    }

    /// Turns keys of a map, or of a broadcast state, that are of the type `Old` into new ones. If two of them become one,
    /// `merge` makes one of their values.
    pub fn migrate_map_key<Old, M, V>(
        self,
        migrate: impl Fn(Old) -> M + 'static,
        merge: impl Fn(V, V) -> V + 'static,
    ) -> MapDescriptor<M, V>
    where
        Old: DeserializeOwned + 'static,
        M: DeserializeOwned + 'static,
        V: DeserializeOwned + 'static,
    {
        self.typed().merge(merge).migrate_map_key(migrate)
    }
}

impl<V: DeserializeOwned + 'static> TypedDescriptor<V> {
    /// Lets entries expire.
    pub fn ttl(mut self, ttl: Ttl) -> Self {
        self.state = self.state.ttl(ttl);
        self
    }

    /// As [`StateDescriptor::migrate`]: from one more old type.
    pub fn migrate<Old: DeserializeOwned + 'static>(self, migrate: impl Fn(Old) -> V + 'static) -> Self {
        self.try_migrate(move |old| Ok(migrate(old)))
    }

    /// As [`StateDescriptor::try_migrate`]: from one more old type.
    pub fn try_migrate<Old: DeserializeOwned + 'static>(
        mut self,
        migrate: impl Fn(Old) -> Result<V, UserError> + 'static,
    ) -> Self {
        self.forms.add(migrate);
        self
    }

    /// As [`StateDescriptor::merge`].
    pub fn merge(mut self, merge: impl Fn(V, V) -> V + 'static) -> Self {
        self.merge = Some(Rc::new(merge));
        self
    }

    /// The state of single values, and how they are read.
    pub(crate) fn values(self) -> (StateDescriptor, Evolving<V>) {
        (self.state, Evolving { values: self.forms.alone, merge: self.merge })
    }

    /// The state of lists of such values, and how they are read. Where two keys have become one, their lists are joined.
    pub(crate) fn lists(self) -> (StateDescriptor, Evolving<Vec<V>>) {
        (self.state, Evolving { values: self.forms.lists, merge: Some(Rc::new(joined)) })
    }

    /// As [`StateDescriptor::migrate_map_key`]; the merge is the one that was given.
    pub fn migrate_map_key<Old, M>(self, migrate: impl Fn(Old) -> M + 'static) -> MapDescriptor<M, V>
    where
        Old: DeserializeOwned + 'static,
        M: DeserializeOwned + 'static,
    {
        let mut map: MapDescriptor<M, V> = self.into();
        map.keys.add(move |old| Ok(migrate(old)));
        map
    }
}

/// One list of two.
pub(crate) fn joined<V>(mut one: Vec<V>, mut other: Vec<V>) -> Vec<V> {
    one.append(&mut other);
    one
}

impl<M, V> MapDescriptor<M, V> {
    /// Keys are read by field name.
    pub(crate) fn new((state, evolving): (StateDescriptor, Evolving<V>)) -> Self {
        MapDescriptor { state, keys: Values::default(), evolving }
    }
}

impl<M: DeserializeOwned + 'static, V> MapDescriptor<M, V> {
    /// From one more old type of the map's keys.
    pub fn migrate_map_key<Old: DeserializeOwned + 'static>(
        mut self,
        migrate: impl Fn(Old) -> M + 'static,
    ) -> Self {
        self.keys.add(move |old| Ok(migrate(old)));
        self
    }
}

impl<V> From<StateDescriptor> for TypedDescriptor<V> {
    fn from(state: StateDescriptor) -> Self {
        state.typed()
    }
}

impl<V> From<&str> for TypedDescriptor<V> {
    fn from(name: &str) -> Self {
        StateDescriptor::new(name).typed()
    }
}

impl<M, V: DeserializeOwned + 'static> From<TypedDescriptor<V>> for MapDescriptor<M, V> {
    fn from(typed: TypedDescriptor<V>) -> Self {
        MapDescriptor::new(typed.values())
    }
}

impl<M, V: DeserializeOwned + 'static> From<StateDescriptor> for MapDescriptor<M, V> {
    fn from(state: StateDescriptor) -> Self {
        state.typed::<V>().into()
    }
}

impl<M, V: DeserializeOwned + 'static> From<&str> for MapDescriptor<M, V> {
    fn from(name: &str) -> Self {
        StateDescriptor::new(name).into()
    }
}
