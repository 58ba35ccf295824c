//! What the keyed operators share: keys, states, timers, and their part in snapshots.

use std::cell::{Cell, RefCell};
use std::fmt::Debug;
use std::rc::Rc;
use std::time::{Duration, Instant};

use millpond_snapshot::hash::HashRange;
use serde::{Deserialize, Serialize};

use super::context::{Context, KeyedContext, TimeDomain, Timer, Timers};
use super::part::{Frozen, PartSender};
use crate::dataflow::aligned::{Outputs, Wake};
use crate::dataflow::inlet::{TURN, Turn};
use crate::runtime::context::WorkerContext;
use crate::runtime::failure::{Failure, UserError, for_each_place, name_failing};
use crate::state::codec;
use crate::state::descriptor::StateDeclaration;
use crate::state::evolution::Values;
use crate::state::keyed::KeyedStates;
use crate::state::keyed::copy::CopiedRows;
use crate::state::operator::OperatorListState;
use crate::state::setup::KeyedSetup;
use crate::state::slot_table::Slot;
use crate::state::timers::TimerStore;
use crate::stream::record::{Data, Key, KeyedRecord, Record};
use crate::time::EventTime;

/// How long rows are copied for a snapshot before other operators get their turn, but for the last few.
const COPY_TIME: Duration = Duration::from_millis(1);
/// Rows that are copied between two looks at the clock.
const COPY_SLICE: usize = 1 << 9;
/// How long nothing is copied while the writer is behind and no record comes.
const WRITER_INTERVAL: Duration = Duration::from_millis(1);
/// Keys that are brought near together before their timers fire.
const TIMERS_AHEAD: usize = 256;
/// Records that are looked up together where keys are on disk, at most,
const MOST_TOGETHER: usize = 8 << 10;
/// and not more than one for so many resident keys, as all of them become resident.
const RESIDENT_TO_PORTION: usize = 4;
/// How often expired entries are looked for while nothing else happens.
const SWEEP_INTERVAL: Duration = Duration::from_millis(100);

/// How far event time had come for a range of hashes when a snapshot was taken.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct RangeWatermark {
    start: u64,
    end: u64,
    watermark: EventTime,
}

/// Keys, states and timers of one subtask.
pub(crate) struct KeyedCore<K> {
    states: KeyedStates<K>,
    timers: Timers,
    watermark: EventTime,
    /// Event time does not go back at a restore: what was late before is late after.
    floor: EventTime,
    reached: OperatorListState<RangeWatermark>,
    part: PartSender,
    frozen: Option<Frozen>,
    now: EventTime,
    /// Where the keys of the batch or the moment at hand are; for its room.
    slots: Vec<Slot>,
}

/// Declares what every keyed operator keeps besides the states of its function.
fn declare(setup: &mut KeyedSetup) -> (Timers, OperatorListState<RangeWatermark>) {
    let (event, processing) = (setup.timers("event-timers"), setup.timers("processing-timers"));
    let reached = setup.operator.union::<RangeWatermark>("watermark");
    (Timers { event, processing }, reached)
}

/// The declarations of that, for the plan.
pub(crate) fn own_declarations<K: Key>(keys: Rc<Values<K>>) -> Vec<StateDeclaration> {
    let mut setup = KeyedSetup::new::<K>(0, 1, keys);
    declare(&mut setup);
    setup.declarations()
}

impl<K: Key> KeyedCore<K> {
    /// Takes over what `setup` declares, with what a snapshot has for it.
    pub(crate) fn new(context: &Rc<WorkerContext>, operator: usize, mut setup: KeyedSetup) -> Self {
        let (timers, reached) = declare(&mut setup);
        let field = codec::key_column::<K>("key").unwrap_or_else(|error| {
            context.build_failed(operator, error);
            std::sync::Arc::new(arrow_schema::Field::new("key", arrow_schema::DataType::Null, true))
        });
        setup.cursor.set_now(context.clock.now());
        let keys = setup.keys::<K>();
        let mut states = KeyedStates::new(Rc::clone(&setup.cursor), setup.states, field, keys, context.range());
        states.spill_to(context.backend.spill(), context.range());
        if let Err(error) = context.restored.keyed(operator, context.range(), &mut states, &context.handle) {
            context.build_failed(operator, error);
        }
        let part = PartSender::new(context, operator, setup.operator);
        context.writer.expect_one_more();
        let floor = floor(&reached.get(), context.range());
        KeyedCore {
            states,
            timers,
            watermark: EventTime::MIN,
            floor,
            reached,
            part,
            frozen: None,
            now: context.clock.now(),
            slots: Vec::new(),
        }
    }

    /// Reads the clock; once a batch is enough.
    pub(crate) fn read_clock(&mut self) {
        self.now = self.part.context().clock.now();
        self.states.cursor.set_now(self.now);
    }

    /// Runs `logic` on each record of a batch, with the states and timers of its key.
    #[inline]
    pub(crate) fn process<T: Data, O: Data, S: Data>(
        &mut self,
        batch: &[KeyedRecord<K, T>],
        out: &mut Outputs<Record<O>, Record<S>>,
        mut logic: impl FnMut(&T, &mut KeyedContext<'_, K, O, S>) -> Result<(), UserError>,
    ) -> Result<(), Failure> {
        self.read_clock();
        let KeyedCore { states, slots, timers, now, .. } = self;
        states.look_up(batch.iter().map(|record| (record.hash, &record.key)), slots).map_err(Failure::new)?;
        let (watermark, now) = (self.watermark.max(self.floor), *now);
        for_each_place(batch, |place, KeyedRecord { key, hash, record: Record { timestamp, value } }| {
            states.select(slots[place], *hash);
            let plain = Context { out, timestamp: *timestamp, watermark, now };
            logic(value, &mut KeyedContext { plain, key, timers })
        })?;
        self.states.settle();
        self.make_room()
    }

    /// How long to process records, and how many of them to look up together, if so many wait: what the keys of a leaf need is then
    /// read once; in memory nothing is gained. While a snapshot is copied records get less of the time: the sooner it is done, the
    /// fewer keys change before they are copied.
    pub(crate) fn turn(&self) -> Turn {
        let spills = self.states.spills();
        let portion = if spills { (self.states.resident() / RESIDENT_TO_PORTION).min(MOST_TOGETHER) } else { 0 };
        Turn::begin(if self.is_to_copy() { TURN / 4 } else { TURN }, portion)
    }

    /// Evicts keys if too many are resident.
    #[inline]
    fn make_room(&mut self) -> Result<(), Failure> {
        if !self.states.spills() {
            return Ok(());
        }
        while self.states.is_crowded() {
            if self.states.is_copying() {
                // The copy needs the keys where they are. It gets on faster than they come.
                self.copy(COPY_SLICE.max(self.slots.len()));
                return Ok(());
            }
            if !self.states.evict().map_err(Failure::new)? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// A context without a key.
    pub(crate) fn context<'a, O: Data, S: Data>(
        &self,
        timestamp: EventTime,
        out: &'a mut Outputs<Record<O>, Record<S>>,
    ) -> Context<'a, O, S> {
        Context { out, timestamp, watermark: self.watermark.max(self.floor), now: self.now }
    }

    /// Moves event time on and fires what is due.
    pub(crate) fn advance<O: Data, S: Data>(
        &mut self,
        watermark: EventTime,
        out: &mut Outputs<Record<O>, Record<S>>,
        on_timer: impl FnMut(Timer, &mut KeyedContext<'_, K, O, S>) -> Result<(), UserError>,
    ) -> Result<(), Failure> {
        self.watermark = watermark;
        self.read_clock();
        self.fire(TimeDomain::Event, watermark, out, on_timer)
    }

    /// Fires processing-time timers that are due, copies a slice of a snapshot, looks for expired entries.
    pub(crate) fn poll<O: Data, S: Data>(
        &mut self,
        out: &mut Outputs<Record<O>, Record<S>>,
        on_timer: impl FnMut(Timer, &mut KeyedContext<'_, K, O, S>) -> Result<(), UserError>,
    ) -> Result<Wake, Failure> {
        self.read_clock();
        self.fire(TimeDomain::Processing, self.now, out, on_timer)?;
        let resident = self.timers.processing.borrow().first();
        let evicted = self.states.next_due(TimeDomain::Processing as usize);
        let mut wake = match resident.into_iter().chain(evicted).min() {
            Some(next) => {
                let wait = next.as_millis().saturating_sub(self.now.as_millis()).max(1);
                Wake::After(Duration::from_millis(wait.unsigned_abs()))
            }
            None => Wake::OnInput,
        };
        if self.states.sweep() {
            wake = wake.or(Wake::After(SWEEP_INTERVAL));
        }
        let begun = Instant::now();
        while self.is_to_copy() && begun.elapsed() < COPY_TIME {
            self.copy(COPY_SLICE);
        }
        if self.states.is_copying() {
            wake = wake.or(if self.is_to_copy() { Wake::Soon } else { Wake::After(WRITER_INTERVAL) });
        }
        Ok(wake)
    }

    /// Whether a snapshot is being copied, and the writer keeps up with it.
    fn is_to_copy(&self) -> bool {
        self.states.is_copying() && !self.part.context().writer.is_behind()
    }

    fn fire<O: Data, S: Data>(
        &mut self,
        domain: TimeDomain,
        now: EventTime,
        out: &mut Outputs<Record<O>, Record<S>>,
        mut on_timer: impl FnMut(Timer, &mut KeyedContext<'_, K, O, S>) -> Result<(), UserError>,
    ) -> Result<(), Failure> {
        let store = match domain {
            TimeDomain::Event => Rc::clone(&self.timers.event),
            TimeDomain::Processing => Rc::clone(&self.timers.processing),
        };
        loop {
            // Those of evicted keys too, in the order of their time; some at a time.
            let (up_to, more) = self.states.fault_in_due(domain as usize, now).map_err(Failure::new)?;
            self.fire_resident(domain, &store, up_to, out, &mut on_timer)?;
            self.make_room()?;
            if !more {
                return Ok(());
            }
        }
    }

    fn fire_resident<O: Data, S: Data>(
        &mut self,
        domain: TimeDomain,
        store: &RefCell<TimerStore>,
        up_to: EventTime,
        out: &mut Outputs<Record<O>, Record<S>>,
        on_timer: &mut impl FnMut(Timer, &mut KeyedContext<'_, K, O, S>) -> Result<(), UserError>,
    ) -> Result<(), Failure> {
        let (watermark, now) = (self.watermark.max(self.floor), self.now);
        let KeyedCore { states, slots, timers, .. } = self;
        let at = Cell::new((EventTime::MIN, 0));
        let fire = || {
            loop {
                // A timer may set others, also for a moment that has passed: the first one is looked for anew each time.
                let first = store.borrow_mut().due(up_to, slots);
                let Some(time) = first else { return Ok(()) };
                for slots in slots.chunks(TIMERS_AHEAD) {
                    states.touch(slots);
                    store.borrow().touch(slots);
                    for slot in slots {
                        states.revisit(*slot);
                        if store.borrow_mut().take(time) {
                            at.set((time, *slot));
                            let plain = Context { out, timestamp: time, watermark, now };
                            let mut context = KeyedContext { plain, key: states.key(*slot), timers };
                            on_timer(Timer { time, domain }, &mut context)?;
                        }
                    }
                }
            }
        };
        name_failing(fire, || Due { time: at.get().0, key: states.key(at.get().1) })?;
        self.states.settle();
        Ok(())
    }

    /// Marks the snapshot of `epoch`; the copying follows in slices.
    pub(crate) fn end_epoch(&mut self, epoch: u64, watermark: EventTime) -> Result<(), Failure> {
        while self.states.is_copying() {
            self.copy(usize::MAX);
        }
        let range = self.part.context().range();
        let watermark = watermark.max(self.floor);
        self.reached.set(vec![RangeWatermark { start: range.start(), end: range.end(), watermark }]);
        let frozen = self.part.freeze(epoch)?;
        self.states.freeze(frozen.is_whole()).map_err(Failure::new)?;
        self.frozen = Some(frozen);
        Ok(())
    }

    fn copy(&mut self, budget: usize) {
        let Some(copied) = self.states.copy_slice(budget) else { return };
        match copied {
            CopiedRows::Stretch(rows) => {
                let kinds: Vec<_> = self.states.declarations().map(|state| state.kind).collect();
                let rows = rows.into_iter().map(|(state, rows)| (state, kinds[state], rows));
                self.part.write_stretch(rows.collect());
            }
            CopiedRows::Rest(rows) => {
                let states = self.states.declarations().map(|state| (state.name.clone(), state.kind));
                let keyed = states.zip(rows).map(|((name, kind), rows)| (name, kind, rows)).collect();
                let spilled = self.states.take_spilled();
                if let Some(frozen) = self.frozen.take() {
                    self.part.write(frozen, spilled, keyed);
                }
            }
        }
    }
}

/// A timer of a key, as an error shows it.
struct Due<'a, K> {
    time: EventTime,
    key: &'a K,
}

impl<K: Debug> Debug for Due<'_, K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "timer at {} (key {:?})", self.time, self.key)
    }
}

/// The least watermark that any part of `range` had reached; unknown if a part of it is not covered. The end of time is
/// no floor: a drained job that is started again gets new records.
fn floor(reached: &[RangeWatermark], range: HashRange) -> EventTime {
    let inside = |r: &&RangeWatermark| r.start <= range.end() && r.end >= range.start();
    let least = reached.iter().filter(inside).map(|r| r.watermark).min();
    least.filter(|watermark| *watermark != EventTime::MAX).unwrap_or(EventTime::MIN)
}
