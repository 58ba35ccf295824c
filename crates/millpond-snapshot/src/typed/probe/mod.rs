//! Finds the shape of a type by asking for a value of it, again and again.
//!
//! A type that can be deserialized tells its deserializer what it wants. What it does not tell (which names are aliases of
//! one field, which fields have a default, whether unknown ones are errors) it gives away by how it takes a wrong value:
//! a field twice, one left out, one too many. Each pass makes one such experiment; what has been learned stays in the tree.

mod give;
mod node;
mod session;
#[cfg(test)]
mod tests;

use std::collections::HashSet;

use serde::de::DeserializeOwned;

use give::Probe;
use node::Node;
use session::{Session, Stop};

use super::shape::Shape;

/// More passes than any type needs that a person can read.
const PASSES: usize = 20_000;

/// The shape of `T`; [`Shape::Unknown`] if it cannot be found without a value.
pub fn shape_of<T: DeserializeOwned>() -> Shape {
    learn::<T>(&Session::default()).map_or(Shape::Unknown, |root| root.shape())
}

/// All that can be known of `T`; nothing if it asks its input what it is.
fn learn<T: DeserializeOwned>(session: &Session) -> Option<Node> {
    let mut root = Node::default();
    for _ in 0..PASSES {
        session.advanced.set(false);
        session.path.borrow_mut().clear();
        let taken = T::deserialize(Probe { node: &mut root, session });
        match taken {
            Ok(_) if !session.advanced.get() => return Some(root),
            Ok(_) | Err(Stop::Advanced) => {}
            Err(_) => return None,
        }
    }
    None
}

/// Shows values of `T` that have, together, each variant of each enum in it under each name, as far as there are values
/// without a type inside itself. With each come the names that it was made with, from the outside in.
pub(super) fn each_variant<T: DeserializeOwned>(mut show: impl FnMut(&[&'static str], T)) {
    let session = Session::default();
    let Some(mut root) = learn::<T>(&session) else { return };
    let mut known = HashSet::new();
    let mut wanted: Vec<Vec<usize>> = vec![Vec::new()];
    while let Some(choices) = wanted.pop() {
        session.path.borrow_mut().clear();
        session.met.borrow_mut().clear();
        let chosen = choices.len();
        *session.choices.borrow_mut() = choices;
        let taken = T::deserialize(Probe { node: &mut root, session: &session });
        let met = session.met.borrow();
        if let Ok(value) = taken {
            show(&met.iter().map(|met| met.name).collect::<Vec<_>>(), value);
        }
        known.extend(met.iter().map(|met| (met.of, met.place)));
        for at in chosen..met.len() {
            for place in &met[at].others {
                if known.insert((met[at].of, *place)) {
                    let before = met[..at].iter().map(|met| met.place);
                    wanted.push(before.chain([*place]).collect());
                }
            }
        }
    }
}
