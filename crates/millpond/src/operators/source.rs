//! A source is two operators: one, on worker 0, finds splits and deals them out; the other, on every worker, reads.
//!
//! Splits travel as records, so that a snapshot has each split exactly once: in the finder's list of what it has found,
//! and with its position in the state of whoever reads it. Neither injects barriers; both follow the root.

use std::cell::RefCell;
use std::collections::{HashSet, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::part::PartSender;
use crate::dataflow::aligned::{Operator, Outputs, Wake};
use crate::runtime::context::WorkerContext;
use crate::runtime::failure::{Failure, UserError};
use crate::runtime::mailbox::Notices;
use crate::runtime::message::{Notice, SourceStatus, ToCoordinator};
use crate::source::alignment::Aligned;
use crate::source::rate::RateLimiter;
use crate::source::watermark::{WatermarkGenerator, WatermarkStrategy};
use crate::source::{ReadBatch, ReadStatus, Source, SourcePosition, SplitReader};
use crate::state::operator::OperatorListState;
use crate::stream::record::Record;
use crate::time::EventTime;

/// The state that holds which splits have been found.
pub(crate) const FOUND: &str = "found";
/// The state that holds the splits that are being read, with their positions.
pub(crate) const SPLITS: &str = "splits";

/// How often a source that grows is asked for new splits, and a split that waits is asked for new records.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// Records that are read before other operators get their turn.
const READ_SLICE: usize = 1024;
/// Splits that a subtask has open at a time.
const OPEN_SPLITS: usize = 64;
/// How long a source waits when too much is under way, or others are behind.
const BACK_OFF: Duration = Duration::from_micros(500);
/// How often a subtask says how far its event time has come.
const STATUS_INTERVAL: Duration = Duration::from_millis(50);

fn failed(error: UserError) -> Failure {
    Failure::of(error)
}

/// A split on its way to the worker that will read it.
pub(crate) type Dealt<P> = (u64, P);

/// What the finder had found at the end of each epoch. The reader on worker 0 puts it into its part of the snapshot.
pub(crate) type Found = Rc<RefCell<VecDeque<(u64, Vec<String>)>>>;

/// Finds splits.
pub(crate) struct Finder<S: Source> {
    source: Rc<RefCell<S>>,
    workers: u64,
    known: Vec<String>,
    ids: HashSet<String>,
    found: Found,
    /// Where the run was told to begin; until the first splits have been dealt out.
    begin: Option<SourcePosition>,
    dealt: u64,
    done: bool,
    look_at: Instant,
}

impl<S: Source> Finder<S> {
    /// `known` are the splits that a snapshot says were found before.
    pub(crate) fn new(
        source: Rc<RefCell<S>>,
        context: &WorkerContext,
        operator: usize,
        known: Vec<String>,
        found: Found,
    ) -> Self {
        if context.worker == 0 && !known.is_empty() {
            source.borrow_mut().restored(&known);
        }
        Finder {
            begin: context.restored.position(operator).cloned(),
            source,
            workers: context.workers as u64,
            ids: known.iter().cloned().collect(),
            known,
            found,
            dealt: 0,
            done: context.worker != 0,
            look_at: Instant::now(),
        }
    }
}

impl<S: Source> Operator for Finder<S> {
    type Left = ();
    type Right = ();
    type Out = Dealt<S::Split>;
    type Side = ();
    const OWN_WATERMARK: bool = true;

    fn left(&mut self, _: &mut Vec<()>, _: &mut Outputs<Self::Out, ()>) -> Result<(), Failure> {
        Ok(())
    }

    fn poll(&mut self, out: &mut Outputs<Self::Out, ()>) -> Result<Wake, Failure> {
        if self.done {
            return Ok(Wake::OnInput);
        }
        let now = Instant::now();
        if now >= self.look_at {
            let mut source = self.source.borrow_mut();
            for split in source.discover().map_err(failed)? {
                let id = source.split_id(&split);
                if !self.ids.insert(id.clone()) {
                    continue;
                }
                self.known.push(id);
                let split = match &self.begin {
                    None => Some(split),
                    Some(position) => source.seek(split, position).map_err(failed)?,
                };
                if let Some(split) = split {
                    out.main.emit((self.dealt % self.workers, split));
                    self.dealt += 1;
                }
            }
            // This is all part of the first epoch: what the first snapshot has is where the run began.
            self.begin = None;
            self.done = source.is_bounded();
            self.look_at = now + LOOK_AGAIN;
        }
        Ok(if self.done { Wake::OnInput } else { Wake::After(self.look_at.duration_since(now)) })
    }

    fn end_epoch(&mut self, epoch: u64, _: EventTime) -> Result<(), Failure> {
        self.found.borrow_mut().push_back((epoch, self.known.clone()));
        Ok(())
    }

    /// The end of time once no more splits can come.
    fn output_watermark(&self, _: EventTime) -> EventTime {
        if self.done { EventTime::MAX } else { EventTime::MIN }
    }
}

/// A split, its position and its event time, as a snapshot keeps it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct SplitState<P> {
    split: P,
    greatest: EventTime,
}

/// A split that waits for its turn, and how far its event time has come.
struct Pending<P> {
    state: SplitState<P>,
    watermark: EventTime,
    /// Since when it has had nothing; `None` if it may have something.
    quiet_since: Option<Instant>,
}

impl<P> From<SplitState<P>> for Pending<P> {
    /// One that has not been opened: nothing is known of what is in it.
    fn from(state: SplitState<P>) -> Self {
        Pending { state, watermark: EventTime::MIN, quiet_since: None }
    }
}

/// A split that is being read.
struct Open<S: Source> {
    reader: S::Reader,
    generator: Option<Box<dyn WatermarkGenerator>>,
    greatest: EventTime,
    waiting: bool,
    last_record: Instant,
}

impl<S: Source> Open<S> {
    fn watermark(&self) -> EventTime {
        self.generator.as_ref().map_or(EventTime::MIN, |generator| generator.watermark())
    }

    fn park(self) -> Pending<S::Split> {
        let watermark = self.watermark();
        let state = SplitState { split: self.reader.split(), greatest: self.greatest };
        Pending { state, watermark, quiet_since: self.waiting.then_some(self.last_record) }
    }
}

/// Reads splits.
pub(crate) struct Reader<S: Source> {
    source: Rc<RefCell<S>>,
    strategy: WatermarkStrategy<S::Item>,
    part: PartSender,
    found: Found,
    found_state: OperatorListState<String>,
    splits: OperatorListState<SplitState<S::Split>>,
    notices: Notices,
    limiter: Option<Arc<RateLimiter>>,
    aligned: Option<Aligned>,
    pending: VecDeque<Pending<S::Split>>,
    open: VecDeque<Open<S>>,
    epoch: u64,
    stop_after: Option<u64>,
    draining: bool,
    /// Whether no more splits can come.
    complete: bool,
    watermark: EventTime,
    status: SourceStatus,
    status_at: Instant,
}

impl<S: Source> Reader<S> {
    pub(crate) fn new(
        source: Rc<RefCell<S>>,
        strategy: WatermarkStrategy<S::Item>,
        part: PartSender,
        operator: usize,
        (found, found_state): (Found, OperatorListState<String>),
        splits: OperatorListState<SplitState<S::Split>>,
        notices: Notices,
    ) -> Self {
        let context = Rc::clone(part.context());
        let limiter = source.borrow().rate().map(|rate| context.limiter(operator, rate));
        Reader {
            aligned: strategy.drift.map(|drift| context.alignment.join(drift)),
            source,
            strategy,
            found,
            found_state,
            pending: splits.get().into_iter().map(Pending::from).collect(),
            splits,
            notices,
            limiter,
            open: VecDeque::new(),
            epoch: context.first_epoch,
            stop_after: None,
            draining: false,
            complete: false,
            watermark: EventTime::MIN,
            status: SourceStatus { operator, subtask: context.worker, watermark: EventTime::MIN, idle: false },
            status_at: Instant::now(),
            part,
        }
    }

    fn is_finished(&self) -> bool {
        self.complete && self.pending.is_empty() && self.open.is_empty()
    }

    fn listen(&mut self) {
        while let Some(notice) = self.notices.next() {
            match notice {
                Notice::StopAfter(epoch) => self.stop_after = Some(epoch),
                Notice::Resume => self.stop_after = None,
                Notice::Drain => self.draining = true,
                Notice::AdvanceIdle(watermark) if self.status.idle => {
                    self.watermark = self.watermark.max(watermark)
                }
                Notice::AdvanceIdle(_) | Notice::Completed(_) => {}
            }
        }
    }

    /// The place of the next split to open: the first that others are not too far behind.
    fn next_pending(&self, limit: EventTime) -> Option<usize> {
        self.pending.iter().position(|split| split.watermark <= limit)
    }

    fn open_pending(&mut self, limit: EventTime) -> Result<(), Failure> {
        while self.open.len() < OPEN_SPLITS {
            let next = self.next_pending(limit).and_then(|place| self.pending.remove(place));
            let Some(Pending { state, quiet_since, .. }) = next else { return Ok(()) };
            let SplitState { split, greatest } = state;
            let mut generator = self.strategy.generator.as_ref().map(|make| make());
            if let (Some(generator), true) = (&mut generator, greatest != EventTime::MIN) {
                generator.observe(greatest);
            }
            let reader = self.source.borrow().open(split).map_err(failed)?;
            self.open.push_back(Open {
                reader,
                generator,
                greatest,
                waiting: quiet_since.is_some(),
                last_record: quiet_since.unwrap_or_else(Instant::now),
            });
        }
        Ok(())
    }

    /// Reads a slice, split by split in turn.
    fn read(&mut self, limit: EventTime, out: &mut Outputs<Record<S::Item>, ()>) -> Result<Wake, Failure> {
        let mut budget = match &self.limiter {
            None => READ_SLICE,
            Some(limiter) => match limiter.take(READ_SLICE) {
                Ok(records) => records,
                Err(wait) => return Ok(Wake::After(wait)),
            },
        };
        // One that may be read wants the place of one that may not.
        let crowded = self.next_pending(limit).is_some();
        // What waits to be opened now is too far ahead, or there is no room for it.
        let (mut more, mut ahead) = (false, self.open.is_empty());
        for _ in 0..self.open.len() {
            let Some(mut split) = self.open.pop_front() else { break };
            if budget == 0 {
                self.open.push_front(split);
                more = true;
                break;
            }
            if split.watermark() > limit {
                ahead = true;
                if crowded {
                    self.pending.push_back(split.park());
                } else {
                    self.open.push_back(split);
                }
                continue;
            }
            let status = loop {
                let (status, read) = self.read_batch(&mut split, budget, out)?;
                budget = budget.saturating_sub(read);
                if status != ReadStatus::More || read == 0 || budget == 0 {
                    break status;
                }
            };
            more |= status == ReadStatus::More;
            split.waiting = status == ReadStatus::Waiting;
            match status {
                ReadStatus::Finished => more |= !self.pending.is_empty() || self.open.is_empty(),
                // It makes room: others may have something.
                ReadStatus::Waiting if !self.pending.is_empty() => self.pending.push_back(split.park()),
                ReadStatus::More | ReadStatus::Waiting => self.open.push_back(split),
            }
        }
        if let Some(limiter) = &self.limiter {
            limiter.give_back(budget);
        }
        Ok(match (more, ahead) {
            (true, _) => Wake::Soon,
            (false, true) => Wake::After(BACK_OFF),
            (false, false) => Wake::After(LOOK_AGAIN),
        })
    }

    /// Reads at most `budget` records, and no more than are sent together: little enough that it is still in the processor's
    /// cache when it is sent on.
    fn read_batch(
        &mut self,
        split: &mut Open<S>,
        budget: usize,
        out: &mut Outputs<Record<S::Item>, ()>,
    ) -> Result<(ReadStatus, usize), Failure> {
        out.main.fill(|records, room| {
            let before = records.len();
            let mut batch = ReadBatch::behind(std::mem::take(records));
            let status = split.reader.read(budget.min(room), &mut batch);
            *records = batch.into_records();
            match status {
                Ok(status) => {
                    self.take_in(split, &mut records[before..]);
                    Ok((status, records.len() - before))
                }
                Err(error) => {
                    records.truncate(before);
                    Err(failed(error))
                }
            }
        })
    }

    /// Finds out when records happened.
    fn take_in(&self, split: &mut Open<S>, records: &mut [Record<S::Item>]) {
        if records.is_empty() {
            return;
        }
        split.last_record = Instant::now();
        let read = &self.part.context().read;
        read.set(read.get() + records.len() as u64);
        if let Some(stamp) = &self.strategy.stamp {
            stamp(records);
        }
        for record in records {
            if record.timestamp != EventTime::MIN {
                split.greatest = split.greatest.max(record.timestamp);
                if let Some(generator) = &mut split.generator {
                    generator.observe(record.timestamp);
                }
            }
        }
    }

    /// The least watermark of the splits that are not idle; one that waits to be opened holds it back too.
    fn measure(&mut self) {
        let idle_after = self.strategy.idle_after;
        let is_idle = |since: Instant| idle_after.is_some_and(|duration| since.elapsed() >= duration);
        let open = self.open.iter().filter(|split| !(split.waiting && is_idle(split.last_record)));
        let pending = self.pending.iter().filter(|split| !split.quiet_since.is_some_and(is_idle));
        let watermarks = open.map(Open::watermark).chain(pending.map(|split| split.watermark));
        if let Some(aligned) = &self.aligned {
            let known = watermarks.clone().filter(|watermark| *watermark != EventTime::MIN).min();
            aligned.say(known.unwrap_or(EventTime::MAX));
        }
        let least = watermarks.min();
        self.status.idle = least.is_none() && !self.is_finished();
        self.watermark = self.watermark.max(least.unwrap_or(EventTime::MIN));
    }

    /// Tells the coordinator, which moves idle sources on with the others.
    fn say(&mut self) {
        let watermark = self.output_watermark(EventTime::MIN);
        let idle = self.status.idle;
        let last = &self.status;
        if (last.watermark != watermark || idle) && self.status_at.elapsed() >= STATUS_INTERVAL {
            self.status = SourceStatus { watermark, ..self.status.clone() };
            self.status_at = Instant::now();
            self.part.context().mailbox.outbox().send(ToCoordinator::Event(self.status.clone()));
        }
    }
}

impl<S: Source> Operator for Reader<S> {
    type Left = Dealt<S::Split>;
    type Right = ();
    type Out = Record<S::Item>;
    type Side = ();
    const OWN_WATERMARK: bool = true;

    fn left(&mut self, batch: &mut Vec<Self::Left>, _: &mut Outputs<Self::Out, ()>) -> Result<(), Failure> {
        let new = batch.drain(..).map(|(_, split)| SplitState { split, greatest: EventTime::MIN }.into());
        self.pending.extend(new);
        Ok(())
    }

    /// The finder passes on the end of time when it has found all.
    fn watermark(&mut self, watermark: EventTime, _: &mut Outputs<Self::Out, ()>) -> Result<(), Failure> {
        self.complete = watermark == EventTime::MAX;
        Ok(())
    }

    fn poll(&mut self, out: &mut Outputs<Self::Out, ()>) -> Result<Wake, Failure> {
        self.listen();
        let stopped = self.draining || self.stop_after.is_some_and(|epoch| self.epoch > epoch);
        if stopped || self.is_finished() {
            self.status.idle = false;
            self.say();
            let said = self.status.watermark == self.output_watermark(EventTime::MIN);
            return Ok(if said { Wake::OnInput } else { Wake::After(STATUS_INTERVAL) });
        }
        let limit = self.aligned.as_ref().map_or(EventTime::MAX, Aligned::limit);
        self.open_pending(limit)?;
        let wake = if self.open.is_empty() && self.pending.is_empty() {
            Wake::After(LOOK_AGAIN)
        } else if self.part.context().flow.is_open() {
            self.read(limit, out)?
        } else {
            Wake::After(BACK_OFF)
        };
        self.measure();
        self.say();
        Ok(wake)
    }

    fn end_epoch(&mut self, epoch: u64, _: EventTime) -> Result<(), Failure> {
        self.epoch = epoch + 1;
        let open = self.open.iter().map(|open| SplitState { split: open.reader.split(), greatest: open.greatest });
        self.splits.set(open.chain(self.pending.iter().map(|pending| pending.state.clone())).collect());
        let mut found = self.found.borrow_mut();
        let at_end =
            found.iter().position(|(of, _)| *of == epoch).and_then(|place| found.drain(..=place).next_back());
        // The finder runs on worker 0; the others have found nothing.
        let first = self.part.context().worker == 0;
        self.found_state.set(at_end.filter(|_| first).map(|(_, known)| known).unwrap_or_default());
        self.part.send(self.part.freeze(epoch)?);
        Ok(())
    }

    fn output_watermark(&self, _: EventTime) -> EventTime {
        if self.draining || self.is_finished() { EventTime::MAX } else { self.watermark }
    }
}
