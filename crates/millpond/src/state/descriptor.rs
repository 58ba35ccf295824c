//! How a state is declared, and what a plan knows of it.

use std::time::Duration;

use millpond_snapshot::StateName;
use millpond_snapshot::chunk::StateKind;
use millpond_snapshot::manifest::SchemaFields;

use super::evolution::Sides;

/// When the time to live of an entry begins anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TtlUpdate {
    /// When the entry is created or written.
    #[default]
    OnWrite,
    /// When the entry is created, written or read.
    OnReadAndWrite,
}

/// A time to live, in processing time. An entry that has outlived it is as if it had never been.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ttl {
    pub(crate) duration: Duration,
    pub(crate) update: TtlUpdate,
}

impl Ttl {
    /// Entries live for `duration` after they were last written. Millisecond precision.
    pub const fn new(duration: Duration) -> Self {
        Ttl { duration, update: TtlUpdate::OnWrite }
    }

    /// The same, with another rule for when the time begins anew.
    pub const fn update(mut self, update: TtlUpdate) -> Self {
        self.update = update;
        self
    }
}

/// What a state is called, and how long its entries live. A plain name will do where there is no more to say:
///
/// ```
/// use millpond::{StateDescriptor, Ttl};
/// use std::time::Duration;
/// let plain: StateDescriptor = "total".into();
/// let fleeting = StateDescriptor::new("seen").ttl(Ttl::new(Duration::from_secs(3600)));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateDescriptor {
    pub(crate) name: String,
    pub(crate) ttl: Option<Ttl>,
}

impl StateDescriptor {
    /// A state called `name`. The name is part of the state's identity: a snapshot is matched by it.
    pub fn new(name: impl Into<String>) -> Self {
        StateDescriptor { name: name.into(), ttl: None }
    }

    /// Lets entries expire.
    pub fn ttl(mut self, ttl: Ttl) -> Self {
        self.ttl = Some(ttl);
        self
    }
}

impl From<&str> for StateDescriptor {
    fn from(name: &str) -> Self {
        StateDescriptor::new(name)
    }
}

/// A declared state, as the plan knows it: all of it that a snapshot can be checked against.
#[derive(Clone, Debug)]
pub(crate) struct StateDeclaration {
    pub(crate) name: StateName,
    pub(crate) kind: StateKind,
    pub(crate) key: Option<SchemaFields>,
    pub(crate) map_key: Option<SchemaFields>,
    pub(crate) value: Option<SchemaFields>,
    pub(crate) ttl: Option<Ttl>,
    /// What the types behind the columns take besides.
    pub(crate) sides: Sides,
}
