//! Which windows a record belongs to: arithmetic, and nothing else.

use std::time::Duration;

use super::offset::TimeOffset;
use super::slice::Slice;
use super::window::Window;
use crate::operators::context::TimeDomain;
use crate::state::setup::KeyedSetup;
use crate::time::{EventTime, millis};

/// Windows of one size that follow each other without gap or overlap. They begin at whole multiples of their size,
/// counted from 1970-01-01T00:00:00Z.
///
/// ```
/// use millpond::TimeOffset;
/// use millpond::windows::Tumbling;
/// use std::time::Duration;
/// let hours = Tumbling::of(Duration::from_secs(3600));
/// // Days that begin at midnight eight hours east of Greenwich.
/// let days = Tumbling::of(Duration::from_secs(86_400)).offset(TimeOffset::Before(Duration::from_secs(8 * 3600)));
/// let minutes_of_the_clock = Tumbling::of(Duration::from_secs(60)).processing_time();
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Tumbling(Aligned);

/// Windows of one size, of which one begins at each multiple of `slide`. Where the slide is shorter than the size they
/// overlap and a record is in several of them; where it is longer, records between two windows are in none.
///
/// If windows overlap and are a whole number of slides long, `count` and `aggregate` take a record in once, however many windows it is in
/// (in event time, without a trigger of your own). A window then costs a merge of its slides when it fires.
///
/// ```
/// use millpond::windows::Sliding;
/// use std::time::Duration;
/// let last_hour_each_minute = Sliding::of(Duration::from_secs(3600), Duration::from_secs(60));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Sliding(Aligned);

/// A window for each burst of activity of a key: it ends when nothing has happened for the length of the gap.
///
/// Records *less* than the gap apart are in the same session. (Flink also joins records that are exactly the gap apart,
/// if the first has not been finished by then; here what a session holds depends on event time alone.)
///
/// ```
/// use millpond::windows::Session;
/// use std::time::Duration;
/// let visits = Session::gap(Duration::from_secs(30 * 60));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Session {
    gap: i64,
    domain: TimeDomain,
}

/// One window for all of time; records need no timestamp. It is complete when the input ends or the job is drained, so
/// that most uses want a [`Trigger`](crate::windows::Trigger).
#[derive(Clone, Copy, Debug, Default)]
pub struct Global;

/// Windows whose bounds do not depend on the records.
#[derive(Clone, Copy, Debug)]
struct Aligned {
    size: i64,
    slide: i64,
    offset: i64,
    domain: TimeDomain,
}

impl Tumbling {
    /// Windows of `size`, at least a millisecond, in event time.
    pub fn of(size: Duration) -> Self {
        let size = millis(size);
        Tumbling(Aligned { size, slide: size, offset: 0, domain: TimeDomain::Event })
    }

    /// Moves where windows begin, by `offset`.
    pub fn offset(mut self, offset: impl Into<TimeOffset>) -> Self {
        self.0.offset = offset.into().as_millis();
        self
    }

    /// By the clock of the machine, and not by what the records say.
    pub fn processing_time(mut self) -> Self {
        self.0.domain = TimeDomain::Processing;
        self
    }
}

impl Sliding {
    /// Windows of `size` of which one begins each `slide`, both at least a millisecond, in event time.
    pub fn of(size: Duration, slide: Duration) -> Self {
        Sliding(Aligned { size: millis(size), slide: millis(slide), offset: 0, domain: TimeDomain::Event })
    }

    /// Moves where windows begin, by `offset`.
    pub fn offset(mut self, offset: impl Into<TimeOffset>) -> Self {
        self.0.offset = offset.into().as_millis();
        self
    }

    /// By the clock of the machine, and not by what the records say.
    pub fn processing_time(mut self) -> Self {
        self.0.domain = TimeDomain::Processing;
        self
    }
}

impl Session {
    /// Sessions that end after a gap of this length, at least a millisecond, in event time.
    pub fn gap(gap: Duration) -> Self {
        Session { gap: millis(gap), domain: TimeDomain::Event }
    }

    /// By the clock of the machine, and not by what the records say.
    pub fn processing_time(mut self) -> Self {
        self.domain = TimeDomain::Processing;
        self
    }
}

/// A way to put records into windows: [`Tumbling`], [`Sliding`], [`Session`] or [`Global`].
#[derive(Clone, Copy, Debug)]
pub struct WindowAssigner(Shape);

#[derive(Clone, Copy, Debug)]
enum Shape {
    Aligned(Aligned),
    Session(Session),
    Global,
}

impl From<Tumbling> for WindowAssigner {
    fn from(tumbling: Tumbling) -> Self {
        WindowAssigner(Shape::Aligned(tumbling.0))
    }
}

impl From<Sliding> for WindowAssigner {
    fn from(sliding: Sliding) -> Self {
        WindowAssigner(Shape::Aligned(sliding.0))
    }
}

impl From<Session> for WindowAssigner {
    fn from(session: Session) -> Self {
        WindowAssigner(Shape::Session(session))
    }
}

impl From<Global> for WindowAssigner {
    fn from(_: Global) -> Self {
        WindowAssigner(Shape::Global)
    }
}

impl WindowAssigner {
    /// The clock that the windows go by.
    pub(crate) fn domain(self) -> TimeDomain {
        match self.0 {
            Shape::Aligned(aligned) => aligned.domain,
            Shape::Session(session) => session.domain,
            Shape::Global => TimeDomain::Event,
        }
    }

    /// Whether windows grow together, so that their bounds depend on the records.
    pub(crate) fn merges(self) -> bool {
        matches!(self.0, Shape::Session(_))
    }

    /// Whether it takes a time to say which windows a record is in.
    pub(crate) fn needs_time(self) -> bool {
        !matches!(self.0, Shape::Global)
    }

    /// Whether a record may be in several windows, whose bounds do not depend on it.
    pub(crate) fn overlaps(self) -> bool {
        matches!(self.0, Shape::Aligned(Aligned { size, slide, .. }) if slide < size)
    }

    /// The slice that a record of `time` is in, if windows consist of slices: each is a whole number of slides long. Near
    /// the ends of time, where windows are cut off, they do not.
    #[inline]
    pub(crate) fn slice(self, time: EventTime) -> Option<Slice> {
        match self.0 {
            Shape::Aligned(aligned) => aligned.slice(time),
            Shape::Session(_) | Shape::Global => None,
        }
    }

    /// Shows the windows that a record of `time` is in, the latest first, until that fails; a session as it would be of the
    /// record alone.
    #[inline]
    pub(crate) fn each<E>(self, time: EventTime, mut show: impl FnMut(Window) -> Result<(), E>) -> Result<(), E> {
        match self.0 {
            Shape::Global => show(Window::GLOBAL),
            Shape::Session(Session { gap, .. }) => {
                let end = EventTime::from_millis(time.as_millis().saturating_add(gap));
                show(Window { start: time, end })
            }
            Shape::Aligned(aligned) => aligned.each(time, show),
        }
    }

    /// Has the job refused if the windows make no sense.
    pub(crate) fn check(self, setup: &mut KeyedSetup) {
        let lengths = match self.0 {
            Shape::Aligned(aligned) => vec![("size", aligned.size), ("slide", aligned.slide)],
            Shape::Session(session) => vec![("gap", session.gap)],
            Shape::Global => vec![],
        };
        if let Some((what, _)) = lengths.iter().find(|(_, length)| *length < 1) {
            setup.refuse(format!("the {what} of a window is less than a millisecond: make it longer"));
        }
    }
}

/// Sums of a few numbers of this size are far from the ends of an i64.
#[inline]
fn is_small(millis: i64) -> bool {
    millis.unsigned_abs() < 1 << 60
}

impl Aligned {
    #[inline]
    fn slice(self, time: EventTime) -> Option<Slice> {
        let Aligned { size, slide, offset, .. } = self;
        let (time, slide) = (time.as_millis(), slide.max(1));
        let is_cut = size % slide == 0 && is_small(time) && is_small(size) && is_small(slide) && is_small(offset);
        let start = || time - (time - offset).rem_euclid(slide);
        is_cut.then(start).map(|start| Slice {
            start: EventTime::from_millis(start),
            end: EventTime::from_millis(start + slide),
            size,
        })
    }

    #[inline]
    fn each<E>(self, time: EventTime, mut show: impl FnMut(Window) -> Result<(), E>) -> Result<(), E> {
        let Aligned { size, slide, offset, .. } = self;
        let (time, slide) = (time.as_millis(), slide.max(1));
        if !(is_small(time) && is_small(size) && is_small(slide) && is_small(offset)) {
            return self.each_wide(time, show);
        }
        let mut start = time - (time - offset).rem_euclid(slide);
        while start + size > time {
            show(Window { start: EventTime::from_millis(start), end: EventTime::from_millis(start + size) })?;
            start -= slide;
        }
        Ok(())
    }

    /// The same near the ends of time, where windows are cut off.
    #[cold]
    fn each_wide<E>(self, time: i64, mut show: impl FnMut(Window) -> Result<(), E>) -> Result<(), E> {
        let (time, size, slide) = (i128::from(time), i128::from(self.size), i128::from(self.slide.max(1)));
        let mut start = time - (time - i128::from(self.offset)).rem_euclid(slide);
        while start + size > time {
            show(Window { start: clamp(start), end: clamp(start + size) })?;
            start -= slide;
        }
        Ok(())
    }
}

fn clamp(millis: i128) -> EventTime {
    EventTime::from_millis(i64::try_from(millis).unwrap_or(if millis < 0 { i64::MIN } else { i64::MAX }))
}
