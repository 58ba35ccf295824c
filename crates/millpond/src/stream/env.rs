//! Where a job is defined.
//!
//! The definition is a function of an [`Env`]. It runs once to make the plan: the operators, their uids and states,
//! all that a snapshot can be checked against before anything is started. Then it runs on each worker, where every
//! call builds its part of the dataflow, with the uid that the plan has for it. Both runs must define the same.

use std::cell::RefCell;
use std::rc::Rc;

use millpond_snapshot::typed::{Shape, shape_of};
use timely::dataflow::channels::pact::{Exchange, Pipeline};
use timely::dataflow::{Scope, StreamVec};

use super::plain::Stream;
use super::record::{Data, Key};
use crate::dataflow::aligned::{Input, Setting, aligned};
use crate::dataflow::root::root;
use crate::dataflow::time::Time;
use crate::error::Error;
use crate::job::plan::Draft;
use crate::operators::part::PartSender;
use crate::operators::source::{Dealt, FOUND, Finder, Found, Reader, SPLITS};
use crate::runtime::context::WorkerContext;
use crate::source::watermark::WatermarkStrategy;
use crate::source::{PositionForm, Source};
use crate::state::descriptor::StateDeclaration;
use crate::state::evolution::Values;
use crate::state::setup::{KeyedSetup, OperatorSetup};

/// A worker's half of an environment: the dataflow that is being built.
pub(crate) struct Building<'s> {
    pub(crate) context: Rc<WorkerContext>,
    root: StreamVec<'s, Time, ()>,
}

pub(crate) struct EnvInner<'s> {
    pub(crate) drafts: RefCell<Vec<Draft>>,
    /// The shapes of what is sent from worker to worker.
    pub(crate) exchanged: RefCell<Vec<fn() -> Shape>>,
    pub(crate) error: RefCell<Option<Error>>,
    pub(crate) building: Option<Building<'s>>,
    parallelism: usize,
}

/// Where a job is defined. See [`Job`](crate::Job).
pub struct Env<'s>(pub(crate) Rc<EnvInner<'s>>);

impl Env<'static> {
    /// An environment that only takes notes.
    pub(crate) fn planning(parallelism: usize) -> Self {
        Env(Rc::new(EnvInner {
            drafts: RefCell::default(),
            exchanged: RefCell::default(),
            error: RefCell::default(),
            building: None,
            parallelism,
        }))
    }
}

impl<'s> Env<'s> {
    /// An environment that builds.
    pub(crate) fn building(scope: Scope<'s, Time>, context: Rc<WorkerContext>) -> Self {
        let root = root(scope, &context.mailbox);
        let parallelism = context.workers;
        Env(Rc::new(EnvInner {
            drafts: RefCell::default(),
            exchanged: RefCell::default(),
            error: RefCell::default(),
            building: Some(Building { context, root }),
            parallelism,
        }))
    }

    /// The total number of workers.
    pub fn parallelism(&self) -> usize {
        self.0.parallelism
    }

    /// A stream of what `source` yields, with event time as `strategy` says.
    pub fn source<S: Source>(&self, source: S, strategy: WatermarkStrategy<S::Item>) -> Stream<'s, S::Item> {
        let mut setup = self.0.operator_setup();
        let found = setup.union::<String>(FOUND);
        let splits = setup.list(SPLITS);
        let operator = {
            let kind = Kind { kind: "source", label: source.describe(), sink: false };
            self.0.add_aligned(kind, vec![], setup.declarations(), setup.error.take())
        };
        self.0.set_positions(operator, source.positions());
        self.0.note_exchange::<S::Split>();
        let inner = self.0.building.as_ref().map(|building| {
            let context = &building.context;
            let part = PartSender::new(context, operator, setup);
            let source = Rc::new(RefCell::new(source));
            let log = Found::default();

            let finder = Finder::new(Rc::clone(&source), context, operator, found.get(), Rc::clone(&log));
            let input = Input { stream: building.root.clone(), pact: Pipeline, counted: false };
            let setting = Setting { on_drained: Box::new(|| ()), ..context.setting(operator) };
            let (dealt, _) = aligned(input, setting, |_| finder);

            // Few, and never in the way: splits do not count as records under way.
            let input =
                Input { stream: dealt, pact: Exchange::new(|(to, _): &Dealt<S::Split>| *to), counted: false };
            let (records, _) = aligned(input, context.setting(operator), |activator| {
                let notices = context.mailbox.subscribe(activator);
                Reader::new(source, strategy, part, operator, (log, found), splits, notices)
            });
            records
        });
        Stream { env: Rc::clone(&self.0), operator, inner }
    }
}

/// What sort of operator is added.
pub(crate) struct Kind {
    pub(crate) kind: &'static str,
    pub(crate) label: String,
    pub(crate) sink: bool,
}

impl EnvInner<'_> {
    pub(crate) fn context(&self) -> Option<&Rc<WorkerContext>> {
        self.building.as_ref().map(|building| &building.context)
    }

    fn worker(&self) -> usize {
        self.context().map_or(0, |context| context.worker)
    }

    /// A setup for an operator without a key.
    pub(crate) fn operator_setup(&self) -> OperatorSetup {
        OperatorSetup::new(self.worker(), self.parallelism)
    }

    /// A setup for an operator with keys of type `K`.
    pub(crate) fn keyed_setup<K: Key>(&self, keys: Rc<Values<K>>) -> KeyedSetup {
        KeyedSetup::new::<K>(self.worker(), self.parallelism, keys)
    }

    /// Adds an operator without state, and gives its place.
    pub(crate) fn add_stateless(&self, kind: &'static str, inputs: Vec<usize>) -> usize {
        self.push(Kind { kind, label: kind.to_owned(), sink: false }, inputs, Vec::new(), false)
    }

    /// Adds an operator that takes part in snapshots, and gives its place.
    pub(crate) fn add_aligned(
        &self,
        kind: Kind,
        inputs: Vec<usize>,
        states: Vec<StateDeclaration>,
        error: Option<Error>,
    ) -> usize {
        if let Some(error) = error {
            self.error.borrow_mut().get_or_insert(error);
        }
        self.push(kind, inputs, states, true)
    }

    fn push(&self, kind: Kind, inputs: Vec<usize>, states: Vec<StateDeclaration>, aligned: bool) -> usize {
        let Kind { kind, label, sink } = kind;
        let mut drafts = self.drafts.borrow_mut();
        let place = drafts.len();
        drafts.push(Draft {
            uid: None,
            name: None,
            kind,
            label,
            inputs,
            states,
            aligned,
            sink,
            positions: vec![],
        });
        if let Some(context) = self.context()
            && context.plan.operators.get(place).is_none_or(|operator| operator.kind != kind)
        {
            // Nothing can be built for an operator that the plan does not have.
            self.error.borrow_mut().get_or_insert(Error::job(format!(
                "the job's definition is not the same each time it runs: operator number {place} is now of kind '{kind}'"
            )));
        }
        place
    }

    /// Notes that values of `T` are sent from worker to worker.
    pub(crate) fn note_exchange<T: Data>(&self) {
        self.exchanged.borrow_mut().push(shape_of::<T>);
    }

    /// Gives the operator at `place` a uid.
    pub(crate) fn set_uid(&self, place: usize, uid: &str) {
        self.drafts.borrow_mut()[place].uid = Some(uid.to_owned());
    }

    /// Says where the source at `place` can be told to begin.
    fn set_positions(&self, place: usize, positions: Vec<PositionForm>) {
        self.drafts.borrow_mut()[place].positions = positions;
    }

    /// Gives the operator at `place` a name.
    pub(crate) fn set_name(&self, place: usize, name: &str) {
        self.drafts.borrow_mut()[place].name = Some(name.to_owned());
    }
}
