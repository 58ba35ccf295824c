//! Enums are kept, and their variants change. Both old variants are in use.

use serde::{Deserialize, Serialize};

use crate::{Define, Scene};

pub(crate) const ALL: &[(&str, Define)] = &[
    ("mood", mood::define),
    ("mood-added", mood_added::define),
    ("mood-renamed", mood_renamed::define),
    ("mood-removed", mood_removed::define),
    ("event", event::define),
    ("event-added", event_added::define),
];

const STATE: &str = "all";

mod mood {
    use super::*;
    #[derive(Clone, Debug, Serialize, Deserialize)]
    enum Mood {
        Up,
        Down,
    }
    pub(super) fn define(scene: &Scene<'_, '_>) {
        scene.fold(scene.keyed(), STATE, |moods: &mut Vec<Mood>, number| {
            moods.push(if number.is_multiple_of(2) { Mood::Up } else { Mood::Down });
        });
    }
}

mod mood_added {
    use super::*;
    #[derive(Clone, Debug, Serialize, Deserialize)]
    enum Mood {
        Sideways,
        Up,
        Down,
    }
    pub(super) fn define(scene: &Scene<'_, '_>) {
        scene.fold(scene.keyed(), STATE, |moods: &mut Vec<Mood>, number| {
            moods.push([Mood::Sideways, Mood::Up, Mood::Down][number as usize % 3].clone());
        });
    }
}

mod mood_renamed {
    use super::*;
    #[derive(Clone, Debug, Serialize, Deserialize)]
    enum Mood {
        Up,
        #[serde(alias = "Down")]
        Low,
    }
    pub(super) fn define(scene: &Scene<'_, '_>) {
        scene.fold(scene.keyed(), STATE, |moods: &mut Vec<Mood>, number| {
            moods.push(if number.is_multiple_of(2) { Mood::Up } else { Mood::Low });
        });
    }
}

mod mood_removed {
    use super::*;
    #[derive(Clone, Debug, Serialize, Deserialize)]
    enum Mood {
        Up,
    }
    pub(super) fn define(scene: &Scene<'_, '_>) {
        scene.fold(scene.keyed(), STATE, |moods: &mut Vec<Mood>, _| moods.push(Mood::Up));
    }
}

/// Variants that hold something.
mod event {
    use super::*;
    #[derive(Clone, Debug, Serialize, Deserialize)]
    enum Event {
        Nothing,
        Number(i32),
        Named { x: u8 },
    }
    pub(super) fn define(scene: &Scene<'_, '_>) {
        scene.fold(scene.keyed(), STATE, |events: &mut Vec<Event>, number| {
            events.push(match number / 12 % 3 {
                0 => Event::Nothing,
                1 => Event::Number(number as i32),
                _ => Event::Named { x: number as u8 },
            });
        });
    }
}

mod event_added {
    use super::*;
    #[derive(Clone, Debug, Serialize, Deserialize)]
    enum Event {
        Nothing,
        Number(i64),
        More(String),
        Named {
            x: u16,
            #[serde(default)]
            y: i8,
        },
    }
    pub(super) fn define(scene: &Scene<'_, '_>) {
        scene.fold(scene.keyed(), STATE, |events: &mut Vec<Event>, number| {
            events.push(match number % 4 {
                0 => Event::Nothing,
                1 => Event::Number(number as i64),
                2 => Event::Named { x: 1000, y: -1 },
                _ => Event::More(number.to_string()),
            });
        });
    }
}
