//! The operator that everything with state is built on.
//!
//! Timely delivers batches and frontiers in any order. An [`Operator`] sees them in the one order that makes a
//! snapshot consistent:
//!
//! ```text
//!   batches of epoch e … watermark … batches of e … | end of e | batches of e+1 that waited … watermark …
//! ```
//!
//! When the frontier says that epoch and watermark both moved, the epoch ends first: that event time came further
//! may be the doing of records of the next epoch, which will be read again after a restore from this one.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::ParallelizationContract;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::progress::frontier::Antichain;
use timely::scheduling::Activator;

use super::emitter::Emitter;
use super::flow::Flow;
use super::inlet::{Inlet, TURN, Turn};
use super::time::{Path, Time};
use crate::runtime::failure::Failure;
use crate::runtime::reporter::Reporter;
use crate::time::EventTime;

/// What an aligned operator wants after it has been polled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wake {
    /// Nothing, until input, progress or a notice comes.
    OnInput,
    /// To be polled again as soon as the others have had their turn.
    Soon,
    /// To be polled again after this long, at the latest.
    After(Duration),
}

impl Wake {
    /// The earlier of the two.
    pub(crate) fn or(self, other: Wake) -> Wake {
        match (self, other) {
            (Wake::Soon, _) | (_, Wake::Soon) => Wake::Soon,
            (Wake::After(a), Wake::After(b)) => Wake::After(a.min(b)),
            (Wake::OnInput, wake) | (wake, Wake::OnInput) => wake,
        }
    }
}

/// The longest that an alarm is set for: being polled now and then does no harm.
const LONGEST_ALARM: Duration = Duration::from_secs(3600);

/// Wakes an operator later. Timely never withdraws an activation that it was asked for, so one that is set and comes
/// early enough is left to do.
#[derive(Debug, Default)]
pub(crate) struct Alarm(Option<Instant>);

impl Alarm {
    pub(crate) fn set(&mut self, delay: Duration, activator: &Activator) {
        let delay = delay.min(LONGEST_ALARM);
        let now = Instant::now();
        let at = now + delay;
        if self.0.is_none_or(|set| set <= now || at < set) {
            self.0 = Some(at);
            activator.activate_after(delay);
        }
    }
}

/// The two outputs of an aligned operator.
pub(crate) struct Outputs<O: Clone + 'static, S: Clone + 'static> {
    pub(crate) main: Emitter<O>,
    pub(crate) side: Emitter<S>,
}

impl<O: Clone + 'static, S: Clone + 'static> Outputs<O, S> {
    fn advance(&mut self, time: Time) {
        self.main.advance(time);
        self.side.advance(time);
    }
    fn flush(&mut self) {
        self.main.flush();
        self.side.flush();
    }
    fn close(&mut self) {
        self.main.close();
        self.side.close();
    }
}

/// The logic of an aligned operator with one or two inputs. One value of it lives in each subtask.
pub(crate) trait Operator: 'static {
    /// Records of the first input.
    type Left: Clone + 'static;
    /// Records of the second input; never called where there is none.
    type Right: Clone + 'static;
    /// Records of the main output.
    type Out: Clone + 'static;
    /// Records of the side output.
    type Side: Clone + 'static;

    /// Whether output watermarks are the operator's own and its input's are not looked at.
    const OWN_WATERMARK: bool = false;

    /// A batch of the first input, of the current epoch.
    fn left(
        &mut self,
        batch: &mut Vec<Self::Left>,
        out: &mut Outputs<Self::Out, Self::Side>,
    ) -> Result<(), Failure>;

    /// A batch of the second input, of the current epoch.
    fn right(
        &mut self,
        _batch: &mut Vec<Self::Right>,
        _out: &mut Outputs<Self::Out, Self::Side>,
    ) -> Result<(), Failure> {
        Ok(())
    }

    /// Begins to work on what has arrived.
    fn turn(&self) -> Turn {
        Turn::begin(TURN, 0)
    }

    /// Event time has come to `watermark`: no record at or before it is on its way, but for late ones.
    fn watermark(
        &mut self,
        _watermark: EventTime,
        _out: &mut Outputs<Self::Out, Self::Side>,
    ) -> Result<(), Failure> {
        Ok(())
    }

    /// Called each time the operator is scheduled, after its input: time-driven work, slices of a snapshot.
    fn poll(&mut self, _out: &mut Outputs<Self::Out, Self::Side>) -> Result<Wake, Failure> {
        Ok(Wake::OnInput)
    }

    /// All of `epoch` has been seen, nothing of a later one: state as it stands now is the snapshot.
    fn end_epoch(&mut self, epoch: u64, watermark: EventTime) -> Result<(), Failure>;

    /// The watermark to pass on, given that of the input.
    fn output_watermark(&self, input: EventTime) -> EventTime {
        input
    }
}

/// What an aligned operator is built with, besides its logic.
pub(crate) struct Setting {
    pub(crate) name: String,
    pub(crate) first_epoch: u64,
    pub(crate) flow: Arc<Flow>,
    pub(crate) reporter: Rc<Reporter>,
    /// Called once, when the operator has passed on the end of time: no record will leave it any more.
    pub(crate) on_drained: Box<dyn FnOnce()>,
}

/// An input stream, how it is distributed, and whether the sender has counted its records as under way.
pub(crate) struct Input<'s, D, P> {
    pub(crate) stream: StreamVec<'s, Time, D>,
    pub(crate) pact: P,
    pub(crate) counted: bool,
}

/// The streams that leave an aligned operator: main and side.
pub(crate) type Streams<'s, L> =
    (StreamVec<'s, Time, <L as Operator>::Out>, StreamVec<'s, Time, <L as Operator>::Side>);

/// Builds an aligned operator with one input. `make` gets what wakes the operator from outside.
pub(crate) fn aligned<'s, L, P>(
    input: Input<'s, L::Left, P>,
    setting: Setting,
    make: impl FnOnce(Activator) -> L,
) -> Streams<'s, L>
where
    L: Operator,
    P: ParallelizationContract<Time, Vec<L::Left>>,
{
    let scope = input.stream.scope();
    let mut builder = OperatorBuilder::new(setting.name.clone(), scope);
    let left = builder.new_input(input.stream, input.pact);
    let mut left = Inlet::new(left, Arc::clone(&setting.flow), input.counted);
    build(builder, setting, 1, make, move |pass, turn, logic, out| match pass {
        Pass::Arrived(epoch) => collect(|each| left.drain(epoch, turn, each), |batch| logic.left(batch, out)),
        Pass::Waited(epoch) => collect(|each| left.admit(epoch, turn, each), |batch| logic.left(batch, out)),
    })
}

/// Builds an aligned operator with two inputs.
pub(crate) fn aligned2<'s, L, P, Q>(
    left: Input<'s, L::Left, P>,
    right: Input<'s, L::Right, Q>,
    setting: Setting,
    make: impl FnOnce(Activator) -> L,
) -> Streams<'s, L>
where
    L: Operator,
    P: ParallelizationContract<Time, Vec<L::Left>>,
    Q: ParallelizationContract<Time, Vec<L::Right>>,
{
    let scope = left.stream.scope();
    let mut builder = OperatorBuilder::new(setting.name.clone(), scope);
    let handle = builder.new_input(left.stream, left.pact);
    let mut left = Inlet::new(handle, Arc::clone(&setting.flow), left.counted);
    let handle = builder.new_input(right.stream, right.pact);
    let mut right = Inlet::new(handle, Arc::clone(&setting.flow), right.counted);
    build(builder, setting, 2, make, move |pass, turn, logic, out| match pass {
        Pass::Arrived(epoch) => {
            let more = collect(|each| left.drain(epoch, turn, each), |batch| logic.left(batch, out))?;
            Ok(more | collect(|each| right.drain(epoch, turn, each), |batch| logic.right(batch, out))?)
        }
        Pass::Waited(epoch) => {
            let more = collect(|each| left.admit(epoch, turn, each), |batch| logic.left(batch, out))?;
            Ok(more | collect(|each| right.admit(epoch, turn, each), |batch| logic.right(batch, out))?)
        }
    })
}

/// Which batches to process.
#[derive(Clone, Copy)]
enum Pass {
    /// Those that have arrived of this epoch; later ones are put to wait.
    Arrived(u64),
    /// Those that waited for this epoch.
    Waited(u64),
}

/// Runs `logic` on the batches that `source` yields, which says whether it has more; after the first failure the rest is
/// left alone.
fn collect<D>(
    source: impl FnOnce(&mut dyn FnMut(&mut Vec<D>)) -> bool,
    mut logic: impl FnMut(&mut Vec<D>) -> Result<(), Failure>,
) -> Result<bool, Failure> {
    let mut outcome = Ok(());
    let more = source(&mut |batch| {
        if outcome.is_ok() {
            outcome = logic(batch);
        }
    });
    outcome.map(|()| more)
}

fn build<'s, L, I>(
    mut builder: OperatorBuilder<'s, Time>,
    setting: Setting,
    inputs: usize,
    make: impl FnOnce(Activator) -> L,
    mut process: I,
) -> Streams<'s, L>
where
    L: Operator,
    I: FnMut(Pass, Turn, &mut L, &mut Outputs<L::Out, L::Side>) -> Result<bool, Failure> + 'static,
{
    let path = if L::OWN_WATERMARK { Path::OwnWatermark } else { Path::Keep };
    let connection: Vec<_> = (0..inputs).map(|i| (i, Antichain::from_elem(path))).collect();
    let (main, main_stream) = builder.new_output_connection::<Vec<L::Out>, _>(connection.clone());
    let (side, side_stream) = builder.new_output_connection::<Vec<L::Side>, _>(connection);
    let scope = main_stream.scope();
    let activator = scope.activator_for(builder.operator_info().address);
    let mut logic = make(activator.clone());
    let Setting { first_epoch, reporter, on_drained, .. } = setting;

    builder.build(move |mut capabilities| {
        let mut on_drained = Some(on_drained);
        let (side_capability, main_capability) = (capabilities.pop(), capabilities.pop());
        let mut out = match (main_capability, side_capability) {
            (Some(m), Some(s)) => Outputs { main: Emitter::new(main, m), side: Emitter::new(side, s) },
            _ => unreachable!("timely mints one capability for each of the two outputs"),
        };
        let mut epoch = first_epoch;
        let mut watermark = EventTime::MIN;
        out.advance(Time::new(epoch, logic.output_watermark(watermark)));
        let mut ended = false;
        let mut alarm = Alarm::default();

        move |frontiers| {
            if ended || reporter.has_failed() {
                return;
            }
            let wake = reporter.guard(|| {
                let turn = logic.turn();
                let mut more = process(Pass::Arrived(epoch), turn, &mut logic, &mut out)?;
                let Some(meet) = Time::meet(frontiers) else {
                    ended = true;
                    out.close();
                    return Ok(Wake::OnInput);
                };
                while epoch < meet.epoch {
                    out.flush();
                    logic.end_epoch(epoch, watermark)?;
                    epoch += 1;
                    out.advance(Time::new(epoch, logic.output_watermark(watermark)));
                    more |= process(Pass::Waited(epoch), turn, &mut logic, &mut out)?;
                }
                if watermark < meet.watermark {
                    watermark = meet.watermark;
                    logic.watermark(watermark, &mut out)?;
                }
                let wake = logic.poll(&mut out)?;
                let wake = if more { Wake::Soon } else { wake };
                out.flush();
                let passed_on = logic.output_watermark(watermark);
                out.advance(Time::new(epoch, passed_on));
                if passed_on == EventTime::MAX
                    && let Some(on_drained) = on_drained.take()
                {
                    on_drained();
                }
                Ok(wake)
            });
            match wake {
                Some(Wake::Soon) => activator.activate(),
                Some(Wake::After(delay)) => alarm.set(delay, &activator),
                Some(Wake::OnInput) | None => {}
            }
        }
    });
    (main_stream, side_stream)
}
