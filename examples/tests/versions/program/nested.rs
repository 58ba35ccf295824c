//! What changes stands inside: in a struct, in a list, in a map.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Define, Scene};

pub(crate) const ALL: &[(&str, Define)] =
    &[("nested", plain::define), ("nested-changed", changed::define), ("nested-broken", broken::define)];

/// Wherever an `Inner` can stand, by each version's own.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Nested<I> {
    last: Option<I>,
    all: Vec<I>,
    by_name: BTreeMap<String, I>,
}

impl<I> Default for Nested<I> {
    fn default() -> Self {
        Nested { last: None, all: Vec::new(), by_name: BTreeMap::new() }
    }
}

impl<I: Clone> Nested<I> {
    fn add(&mut self, number: u64, inner: I) {
        self.last.get_or_insert(inner.clone());
        self.all.push(inner.clone());
        self.by_name.insert(format!("n{number}"), inner);
    }
}

mod plain {
    use super::*;
    #[derive(Clone, Debug, Serialize, Deserialize)]
    struct Inner {
        count: i32,
        label: String,
    }
    pub(super) fn define(scene: &Scene<'_, '_>) {
        scene.fold(scene.keyed(), "nested", |nested: &mut Nested<Inner>, number| {
            nested.add(number, Inner { count: number as i32, label: number.to_string() });
        });
    }
}

mod changed {
    use super::*;
    #[derive(Clone, Debug, Serialize, Deserialize)]
    struct Inner {
        #[serde(alias = "label")]
        name: String,
        count: i64,
        #[serde(default)]
        new: bool,
    }
    pub(super) fn define(scene: &Scene<'_, '_>) {
        scene.fold(scene.keyed(), "nested", |nested: &mut Nested<Inner>, number| {
            nested.add(number, Inner { name: number.to_string(), count: number as i64, new: true });
        });
    }
}

mod broken {
    use super::*;
    #[derive(Clone, Debug, Serialize, Deserialize)]
    struct Inner {
        count: String,
        label: String,
    }
    pub(super) fn define(scene: &Scene<'_, '_>) {
        scene.fold(scene.keyed(), "nested", |nested: &mut Nested<Inner>, number| {
            nested.add(number, Inner { count: String::new(), label: String::new() });
        });
    }
}
