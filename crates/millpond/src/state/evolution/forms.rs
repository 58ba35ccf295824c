//! The forms in which operators keep values of a type that their user chose. Where there is a migration of the values,
//! there is one of each form.

use serde::{Deserialize, Serialize};

use super::values::Values;
use crate::runtime::failure::UserError;
use crate::time::EventTime;
use serde::de::DeserializeOwned;
use std::rc::Rc;

/// What is kept of a session, under its start.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct SessionPane<A> {
    pub(crate) end: EventTime,
    pub(crate) kept: A,
}

impl<A> SessionPane<A> {
    /// The same session with what `change` makes of what is kept.
    pub(crate) fn try_map<B>(
        self,
        change: impl FnOnce(A) -> Result<B, UserError>,
    ) -> Result<SessionPane<B>, UserError> {
        Ok(SessionPane { end: self.end, kept: change(self.kept)? })
    }
}

/// How values are read alone, in lists, and of sessions.
pub(crate) struct Forms<V> {
    pub(crate) alone: Values<V>,
    pub(crate) lists: Values<Vec<V>>,
    pub(crate) panes: Values<SessionPane<V>>,
    pub(crate) list_panes: Values<SessionPane<Vec<V>>>,
}

impl<V> Default for Forms<V> {
    fn default() -> Self {
        Forms {
            alone: Values::default(),
            lists: Values::default(),
            panes: Values::default(),
            list_panes: Values::default(),
        }
    }
}

impl<V: DeserializeOwned + 'static> Forms<V> {
    pub(crate) fn add<Old: DeserializeOwned + 'static>(
        &mut self,
        migrate: impl Fn(Old) -> Result<V, UserError> + 'static,
    ) {
        let migrate = Rc::new(migrate);
        let each = Rc::clone(&migrate);
        let all =
            Rc::new(move |old: Vec<Old>| old.into_iter().map(|old| each(old)).collect::<Result<Vec<V>, _>>());
        let (one, several) = (Rc::clone(&migrate), Rc::clone(&all));
        self.alone.add(move |old| migrate(old));
        self.lists.add(move |old| all(old));
        self.panes.add(move |old: SessionPane<Old>| old.try_map(|kept| one(kept)));
        self.list_panes.add(move |old: SessionPane<Vec<Old>>| old.try_map(|kept| several(kept)));
    }
}
