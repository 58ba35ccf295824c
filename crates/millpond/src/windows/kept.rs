//! How what is kept of windows is declared: under which name, and how it is read if an older program wrote it.

use std::rc::Rc;

use super::fold::Merge;
use crate::state::codec::StateValue;
use crate::state::descriptor::StateDescriptor;
use crate::state::evolution::descriptors::{TypedDescriptor, joined};
use crate::state::evolution::forms::SessionPane;
use crate::state::evolution::values::{self, Evolving, Values};
use crate::state::setup::KeyedSetup;

/// What an operator of windows keeps of each.
pub(crate) struct Kept<A> {
    /// The state, if it has another name than the kind of window gives it.
    state: Option<StateDescriptor>,
    pub(crate) alone: Values<A>,
    pub(crate) panes: Values<SessionPane<A>>,
    /// What becomes of two windows with the same bounds, of two keys that have become one.
    merge: Option<values::Merge<A>>,
}

impl<A> Default for Kept<A> {
    fn default() -> Self {
        Kept { state: None, alone: Values::default(), panes: Values::default(), merge: None }
    }
}

impl<A: StateValue> Kept<A> {
    /// One value for each window.
    pub(crate) fn values(typed: TypedDescriptor<A>) -> Self {
        let TypedDescriptor { state, forms, merge } = typed;
        Kept { state: Some(state), alone: forms.alone, panes: forms.panes, merge }
    }

    /// Windows merge as `fold` merges, if nothing else was said.
    pub(crate) fn merged_by<In: 'static, F: Merge<In, Kept = A>>(mut self, fold: &Rc<F>) -> Self {
        let fold = Rc::clone(fold);
        self.merge.get_or_insert_with(|| {
            Rc::new(move |mut one, other| {
                fold.merge(&mut one, other);
                one
            })
        });
        self
    }

    /// The state of windows that are found by their bounds.
    pub(super) fn fixed(self, setup: &mut KeyedSetup) -> (StateDescriptor, Evolving<A>) {
        (state(self.state, "windows", setup), Evolving { values: self.alone, merge: self.merge })
    }

    /// The states of windows that overlap: of whole ones, and of slices.
    pub(super) fn sliced(self, setup: &mut KeyedSetup) -> [(StateDescriptor, Evolving<A>); 2] {
        let evolving = || Evolving { values: self.alone.clone(), merge: self.merge.clone() };
        let whole = state(self.state, "windows", setup);
        let slices = StateDescriptor { name: format!("{}-slices", whole.name), ..whole.clone() };
        [(whole, evolving()), (slices, evolving())]
    }

    /// The state of sessions.
    pub(super) fn sessions(self, setup: &mut KeyedSetup) -> (StateDescriptor, Evolving<SessionPane<A>>) {
        let merge = self.merge.map(|merge| -> values::Merge<SessionPane<A>> {
            Rc::new(move |one, other| SessionPane {
                end: one.end.max(other.end),
                kept: merge(one.kept, other.kept),
            })
        });
        (state(self.state, "sessions", setup), Evolving { values: self.panes, merge })
    }
}

impl<V: StateValue> Kept<Vec<V>> {
    /// A list of values for each window.
    pub(crate) fn lists(typed: TypedDescriptor<V>) -> Self {
        let TypedDescriptor { state, forms, .. } = typed;
        Kept { state: Some(state), alone: forms.lists, panes: forms.list_panes, merge: Some(Rc::new(joined)) }
    }
}

fn state(given: Option<StateDescriptor>, usual: &str, setup: &mut KeyedSetup) -> StateDescriptor {
    let state = given.unwrap_or_else(|| StateDescriptor::new(usual));
    if state.ttl.is_some() {
        setup.refuse(format!(
            "the state '{}' is that of windows, which says itself when they are gone: leave out the time to live",
            state.name
        ));
    }
    state
}
