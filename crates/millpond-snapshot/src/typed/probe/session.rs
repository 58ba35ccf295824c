//! What one pass after the other keeps in mind, and why a pass ends.

use std::cell::{Cell, RefCell};
use std::fmt::{self, Display};

use serde::de;

/// Parts of one type. A list of fixed length has a part for each place.
pub(super) const NODES: usize = 20_000;

/// The passes over one type.
#[derive(Default)]
pub(super) struct Session {
    /// Whether this pass has taught something.
    pub(super) advanced: Cell<bool>,
    pub(super) nodes: Cell<usize>,
    /// The structs and enums around the one at hand: a name, and where its list of fields stands.
    pub(super) path: RefCell<Vec<(&'static str, usize)>>,
    /// Which variants are to be taken, by place, for the enums in the order in which they are met.
    pub(super) choices: RefCell<Vec<usize>>,
    /// The enums that were met in this pass.
    pub(super) met: RefCell<Vec<Met>>,
}

/// An enum that was met, and the variant that was taken.
pub(super) struct Met {
    /// Where its variants stand, which tells it from others.
    pub(super) of: usize,
    pub(super) place: usize,
    pub(super) name: &'static str,
    /// The variants that could have been taken instead.
    pub(super) others: Vec<usize>,
}

impl Session {
    pub(super) fn advance(&self) {
        self.advanced.set(true);
    }

    /// Enters a type; `Err` if it is inside itself.
    pub(super) fn enter(&self, name: &'static str, parts: &'static [&'static str]) -> Result<(), Stop> {
        let id = (name, parts.as_ptr() as usize);
        let mut path = self.path.borrow_mut();
        if !parts.is_empty() && path.contains(&id) {
            return Err(Stop::Again(name));
        }
        path.push(id);
        Ok(())
    }

    pub(super) fn leave(&self) {
        self.path.borrow_mut().pop();
    }

    /// Which variant is to be taken of the enum that is met now.
    pub(super) fn choice(&self) -> Option<usize> {
        self.choices.borrow().get(self.met.borrow().len()).copied()
    }
}

/// Why a pass ended early.
#[derive(Debug)]
pub(super) enum Stop {
    /// Something was learned; another pass goes further.
    Advanced,
    /// A type was met inside itself.
    Again(&'static str),
    Duplicate(&'static str),
    /// The value is not one that the type takes.
    Other,
}

impl Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl std::error::Error for Stop {}

impl de::Error for Stop {
    fn custom<T: Display>(_: T) -> Self {
        Stop::Other
    }
    fn duplicate_field(field: &'static str) -> Self {
        Stop::Duplicate(field)
    }
}
