//! The plan of a job: its operators and their states, known before anything runs.

use std::collections::{HashMap, HashSet};

use millpond_snapshot::OperatorUid;
use millpond_snapshot::typed::Shape;

use crate::error::Error;
use crate::source::PositionForm;
use crate::state::descriptor::StateDeclaration;

/// An operator of a job.
#[derive(Clone, Debug)]
pub(crate) struct OperatorPlan {
    pub(crate) uid: OperatorUid,
    /// Whether the uid was given, rather than derived.
    pub(crate) uid_given: bool,
    pub(crate) name: String,
    pub(crate) kind: &'static str,
    pub(crate) inputs: Vec<usize>,
    pub(crate) states: Vec<StateDeclaration>,
    /// Whether it takes part in snapshots.
    pub(crate) aligned: bool,
    /// Whether it commits output.
    pub(crate) sink: bool,
    /// Of a source: where it can be told to begin.
    pub(crate) positions: Vec<PositionForm>,
}

impl OperatorPlan {
    pub(crate) fn is_source(&self) -> bool {
        self.kind == "source"
    }

    /// How messages name it: by its uid if it was given one, or else by its name.
    pub(crate) fn title(&self) -> String {
        if self.uid_given { self.uid.to_string() } else { format!("{} ({})", self.name, self.uid) }
    }

    /// Whether anything would be lost if a snapshot could not be matched to it.
    pub(crate) fn is_stateful(&self) -> bool {
        self.states.iter().any(|state| !is_internal(state))
    }
}

/// States that every keyed operator has, whether its code uses them or not.
pub(crate) const INTERNAL_STATES: [&str; 3] = ["event-timers", "processing-timers", "watermark"];

/// Whether a state is one of those.
pub(crate) fn is_internal(state: &StateDeclaration) -> bool {
    INTERNAL_STATES.contains(&state.name.as_str())
}

/// All operators of a job; inputs come before those that read them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan {
    pub(crate) operators: Vec<OperatorPlan>,
    /// The shapes of what is sent from worker to worker, in the order of the definition.
    pub(crate) exchanged: Vec<fn() -> Shape>,
}

/// An operator while the job is being defined.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) uid: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) kind: &'static str,
    pub(crate) label: String,
    pub(crate) inputs: Vec<usize>,
    pub(crate) states: Vec<StateDeclaration>,
    pub(crate) aligned: bool,
    pub(crate) sink: bool,
    pub(crate) positions: Vec<PositionForm>,
}

impl Plan {
    /// Checks the drafts, and derives the uids that were not given.
    pub(crate) fn new(drafts: Vec<Draft>, exchanged: Vec<fn() -> Shape>) -> Result<Plan, Error> {
        let mut operators: Vec<OperatorPlan> = Vec::with_capacity(drafts.len());
        let mut derived: HashMap<String, usize> = HashMap::new();
        for draft in drafts {
            let (text, uid_given) = match draft.uid {
                Some(uid) => (uid, true),
                None => (derive(draft.kind, &draft.inputs, &operators, &mut derived), false),
            };
            let uid =
                OperatorUid::new(&text).map_err(|error| Error::job(format!("operator uid '{text}': {error}")))?;
            let mut names = HashSet::new();
            if let Some(twice) = draft.states.iter().find(|state| !names.insert(&state.name)) {
                return Err(Error::job(format!(
                    "operator '{uid}' declares two states called '{}': give each a name of its own",
                    twice.name
                )));
            }
            operators.push(OperatorPlan {
                uid,
                uid_given,
                name: draft.name.unwrap_or(draft.label),
                kind: draft.kind,
                inputs: draft.inputs,
                states: draft.states,
                aligned: draft.aligned,
                sink: draft.sink,
                positions: draft.positions,
            });
        }
        let mut seen: HashMap<&OperatorUid, &OperatorPlan> = HashMap::new();
        for operator in &operators {
            if let Some(other) = seen.insert(&operator.uid, operator) {
                return Err(Error::job(format!(
                    "two operators have the uid '{}' ({} and {}): a uid must be given to one operator only, because \
                     state is found by it",
                    operator.uid, other.name, operator.name
                )));
            }
        }
        Ok(Plan { operators, exchanged })
    }

    pub(crate) fn aligned_count(&self) -> usize {
        self.operators.iter().filter(|operator| operator.aligned).count()
    }

    pub(crate) fn sink_count(&self) -> usize {
        self.operators.iter().filter(|operator| operator.sink).count()
    }
}

/// A uid that depends on the operator's kind and its inputs' uids only, and on how many came before with the same.
fn derive(kind: &str, inputs: &[usize], operators: &[OperatorPlan], seen: &mut HashMap<String, usize>) -> String {
    let mut text = kind.to_owned();
    for input in inputs {
        text.push('\0');
        text.push_str(operators.get(*input).map_or("", |operator| operator.uid.as_str()));
    }
    let hash = millpond_snapshot::hash::key_hash(text.as_str()).unwrap_or_default();
    let count = seen.entry(text).and_modify(|count| *count += 1).or_insert(0);
    match count {
        0 => format!("{kind}-{hash:016x}"),
        n => format!("{kind}-{hash:016x}-{n}"),
    }
}
