//! A struct is kept, and its fields change.

use millpond::StateDescriptor;
use serde::{Deserialize, Serialize};

use crate::{Define, Scene};

pub(crate) const ALL: &[(&str, Define)] = &[
    ("total", total::define),
    ("total-added", added::define),
    ("total-added-required", added_required::define),
    ("total-removed", removed::define),
    ("total-renamed", renamed::define),
    ("total-renamed-bare", renamed_bare::define),
    ("total-widened", widened::define),
    ("total-narrowed", narrowed::define),
    ("total-fraction", fraction::define),
    ("total-fraction-migrated", fraction_migrated::define),
    ("total-optional", optional::define),
    ("maybe", maybe::define),
    ("maybe-default", maybe_default::define),
    ("maybe-required", maybe_required::define),
];

const STATE: &str = "total";

fn seven<T: From<u8>>() -> T {
    T::from(7)
}

mod total {
    use super::*;
    #[derive(Clone, Debug, Default, Serialize, Deserialize)]
    pub(super) struct Total {
        pub(super) sum: i32,
        pub(super) mean: f32,
        pub(super) label: String,
    }
    pub(super) fn define(scene: &Scene<'_, '_>) {
        scene.fold(scene.keyed(), STATE, |total: &mut Total, number| {
            total.sum += number as i32;
            total.mean += number as f32 / 4.0;
            total.label = format!("n{number}");
        });
    }
}

/// A field that has a default.
mod added {
    use super::*;
    #[derive(Clone, Debug, Default, Serialize, Deserialize)]
    struct Total {
        sum: i32,
        #[serde(default = "seven")]
        weight: i64,
        mean: f32,
        label: String,
    }
    pub(super) fn define(scene: &Scene<'_, '_>) {
        scene.fold(scene.keyed(), STATE, |total: &mut Total, number| {
            total.sum += number as i32;
            total.weight += 1;
            total.mean += number as f32 / 4.0;
            total.label = format!("n{number}");
        });
    }
}

/// A field that has none.
mod added_required {
    use super::*;
    #[derive(Clone, Debug, Default, Serialize, Deserialize)]
    struct Total {
        sum: i32,
        mean: f32,
        label: String,
        weight: i64,
    }
    pub(super) fn define(scene: &Scene<'_, '_>) {
        scene.fold(scene.keyed(), STATE, |total: &mut Total, _| total.weight += 1);
    }
}

mod removed {
    use super::*;
    #[derive(Clone, Debug, Default, Serialize, Deserialize)]
    struct Total {
        sum: i32,
        mean: f32,
    }
    pub(super) fn define(scene: &Scene<'_, '_>) {
        scene.fold(scene.keyed(), STATE, |total: &mut Total, number| {
            total.sum += number as i32;
            total.mean += number as f32 / 4.0;
        });
    }
}

mod renamed {
    use super::*;
    #[derive(Clone, Debug, Default, Serialize, Deserialize)]
    struct Total {
        label: String,
        #[serde(alias = "sum")]
        amount: i32,
        mean: f32,
    }
    pub(super) fn define(scene: &Scene<'_, '_>) {
        scene.fold(scene.keyed(), STATE, |total: &mut Total, number| {
            total.amount += number as i32;
            total.mean += number as f32 / 4.0;
            total.label = format!("n{number}");
        });
    }
}

/// Somebody forgot the alias, and nothing else says that it is the same field.
mod renamed_bare {
    use super::*;
    #[derive(Clone, Debug, Default, Serialize, Deserialize)]
    struct Total {
        #[serde(default)]
        amount: i32,
        mean: f32,
        label: String,
    }
    pub(super) fn define(scene: &Scene<'_, '_>) {
        scene.fold(scene.keyed(), STATE, |total: &mut Total, number| {
            total.amount += number as i32;
            total.mean += number as f32 / 4.0;
            total.label = format!("n{number}");
        });
    }
}

mod widened {
    use super::*;
    #[derive(Clone, Debug, Default, Serialize, Deserialize)]
    struct Total {
        sum: i64,
        mean: f64,
        label: String,
    }
    pub(super) fn define(scene: &Scene<'_, '_>) {
        scene.fold(scene.keyed(), STATE, |total: &mut Total, number| {
            // More than the old type holds.
            total.sum += (number as i64) << 32;
            total.mean += number as f64 / 4.0;
            total.label = format!("n{number}");
        });
    }
}

mod narrowed {
    use super::*;
    #[derive(Clone, Debug, Default, Serialize, Deserialize)]
    struct Total {
        sum: i16,
        mean: f32,
        label: String,
    }
    pub(super) fn define(scene: &Scene<'_, '_>) {
        scene.fold(scene.keyed(), STATE, |total: &mut Total, number| total.sum += number as i16);
    }
}

mod fraction {
    use super::*;
    #[derive(Clone, Debug, Default, Serialize, Deserialize)]
    pub(super) struct Total {
        pub(super) sum: f64,
        pub(super) mean: f32,
        pub(super) label: String,
    }
    pub(super) fn add(total: &mut Total, number: u64) {
        total.sum += number as f64 / 2.0;
        total.mean += number as f32 / 4.0;
        total.label = format!("n{number}");
    }
    pub(super) fn define(scene: &Scene<'_, '_>) {
        scene.fold(scene.keyed(), STATE, add);
    }
}

/// The same types, and how to come to them.
mod fraction_migrated {
    use super::fraction::{Total, add};
    use super::*;
    pub(super) fn define(scene: &Scene<'_, '_>) {
        let state = StateDescriptor::new(STATE).migrate(|old: total::Total| Total {
            sum: f64::from(old.sum) * 1.5,
            mean: old.mean,
            label: format!("was {}", old.label),
        });
        scene.fold(scene.keyed(), state, add);
    }
}

mod optional {
    use super::*;
    #[derive(Clone, Debug, Default, Serialize, Deserialize)]
    struct Total {
        sum: Option<i32>,
        mean: f32,
        label: Option<String>,
    }
    pub(super) fn define(scene: &Scene<'_, '_>) {
        scene.fold(scene.keyed(), STATE, |total: &mut Total, number| {
            total.sum = total.sum.map(|sum| sum + number as i32);
            total.mean += number as f32 / 4.0;
        });
    }
}

/// A field that some have: those of even keys.
mod maybe {
    use super::*;
    #[derive(Clone, Debug, Default, Serialize, Deserialize)]
    struct Maybe {
        sum: Option<i32>,
        seen: u32,
    }
    pub(super) fn define(scene: &Scene<'_, '_>) {
        scene.fold(scene.keyed(), STATE, |maybe: &mut Maybe, number| {
            if number.is_multiple_of(2) {
                maybe.sum = Some(maybe.sum.unwrap_or(0) + number as i32);
            }
            maybe.seen += 1;
        });
    }
}

mod maybe_default {
    use super::*;
    #[derive(Clone, Debug, Default, Serialize, Deserialize)]
    struct Maybe {
        #[serde(default = "seven")]
        sum: i32,
        seen: u32,
    }
    pub(super) fn define(scene: &Scene<'_, '_>) {
        scene.fold(scene.keyed(), STATE, |maybe: &mut Maybe, number| {
            maybe.sum += number as i32;
            maybe.seen += 1;
        });
    }
}

mod maybe_required {
    use super::*;
    #[derive(Clone, Debug, Default, Serialize, Deserialize)]
    struct Maybe {
        sum: i32,
        seen: u32,
    }
    pub(super) fn define(scene: &Scene<'_, '_>) {
        scene.fold(scene.keyed(), STATE, |maybe: &mut Maybe, number| maybe.sum += number as i32);
    }
}
