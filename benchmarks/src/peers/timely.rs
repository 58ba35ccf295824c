//! Timely dataflow as one would write it by hand: a source on each worker, an exchange by key, a hash map, a sink. Sources
//! wait for a probe, so that memory is bounded; there is no snapshot and no recovery.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashMap};
use timely::dataflow::channels::pact::{Exchange, Pipeline};
use timely::dataflow::operators::Probe;
use timely::dataflow::operators::generic::operator::{Operator, source};
use timely::dataflow::{ProbeHandle, StreamVec};
use timely::{Config, ExchangeData};

use super::{Options, Shape};
use crate::tally::{Tally, Wanted};
use crate::work::keyed_sum::{Keys, Totals, check_pair, check_totals, pair, payment};
use crate::work::mix::mix;

/// Records a source makes before others get their turn.
const SLICE: u64 = 1024;
/// Slices between two timestamps.
const SLICES_A_TIME: u64 = 16;
/// Timestamps that a source may be ahead of the sinks.
const AHEAD: u64 = 4;

/// What differs between the shapes.
trait Work: Clone + 'static {
    type Record: ExchangeData;
    type Key: Eq + std::hash::Hash + Clone + 'static;
    type Sum: Clone + Default + 'static;
    fn make(&self, index: u64) -> Self::Record;
    fn route(&self, record: &Self::Record) -> u64;
    fn key(record: &Self::Record) -> &Self::Key;
    fn add(sum: &mut Self::Sum, record: &Self::Record);
    fn check(key: &Self::Key, sum: &Self::Sum) -> u64;
}

#[derive(Clone)]
struct Numbers {
    keys: Keys,
}

impl Work for Numbers {
    type Record = (u64, u64);
    type Key = u64;
    type Sum = u64;
    #[inline]
    fn make(&self, index: u64) -> (u64, u64) {
        pair(index, self.keys)
    }
    #[inline]
    fn route(&self, record: &(u64, u64)) -> u64 {
        mix(record.0)
    }
    #[inline]
    fn key(record: &(u64, u64)) -> &u64 {
        &record.0
    }
    #[inline]
    fn add(sum: &mut u64, record: &(u64, u64)) {
        *sum += record.1;
    }
    #[inline]
    fn check(key: &u64, sum: &u64) -> u64 {
        check_pair(*key, *sum)
    }
}

#[derive(Clone)]
struct Texts {
    keys: Keys,
    hasher: DefaultHashBuilder,
}

impl Work for Texts {
    type Record = crate::work::keyed_sum::Payment;
    type Key = String;
    type Sum = Totals;
    fn make(&self, index: u64) -> Self::Record {
        payment(index, self.keys)
    }
    #[inline]
    fn route(&self, record: &Self::Record) -> u64 {
        self.hasher.hash_one(&record.account)
    }
    #[inline]
    fn key(record: &Self::Record) -> &String {
        &record.account
    }
    #[inline]
    fn add(sum: &mut Totals, record: &Self::Record) {
        sum.add(&record.paid);
    }
    #[inline]
    fn check(key: &String, sum: &Totals) -> u64 {
        check_totals(key, sum)
    }
}

pub fn run(options: &Options) {
    let keys = options.keys();
    match options.shape {
        Shape::Numbers => dataflow(options, Numbers { keys }),
        // One hasher for all workers: they must agree where a key belongs.
        Shape::Texts => dataflow(options, Texts { keys, hasher: DefaultHashBuilder::default() }),
    }
}

fn dataflow<W: Work + Send + Sync>(options: &Options, work: W) {
    let tally = Tally::start();
    let records = options.records;
    let shared = tally.clone();
    let workers = timely::execute(Config::process(options.parallelism), move |worker| {
        let (work, tally) = (work.clone(), shared.clone());
        let probe = ProbeHandle::new();
        worker.dataflow::<u64, _, _>(|scope| {
            let (first, step) = (scope.index() as u64, scope.peers() as u64);
            let (make, seen) = (work.clone(), probe.clone());
            let made: StreamVec<'_, u64, W::Record> = source(scope, "records", |capability, info| {
                let activator = scope.activator_for(info.address);
                let mut capability = Some(capability);
                let (mut next, mut slices) = (first, 0);
                move |output| {
                    let Some(held) = &mut capability else { return };
                    activator.activate();
                    if seen.less_than(&held.time().saturating_sub(AHEAD)) {
                        return;
                    }
                    let end = records.min(next + SLICE * step);
                    output
                        .session(held)
                        .give_iterator((next..end).step_by(step as usize).map(|index| make.make(index)));
                    next += SLICE * step;
                    slices += 1;
                    if next >= records {
                        capability = None;
                    } else if slices % SLICES_A_TIME == 0 {
                        let time = held.time() + 1;
                        held.downgrade(&time);
                    }
                }
            });
            let route = work.clone();
            made.unary(Exchange::new(move |record: &W::Record| route.route(record)), "sum", |_, _| {
                let mut sums: HashMap<W::Key, W::Sum> = HashMap::new();
                move |input, output| {
                    input.for_each(|capability, batch| {
                        let results = batch.drain(..).map(|record| {
                            let key = W::key(&record);
                            let sum = sums.entry_ref(key).or_default();
                            W::add(sum, &record);
                            (key.clone(), sum.clone())
                        });
                        output.session(&capability).give_iterator(results);
                    });
                }
            })
            .unary::<timely::container::CapacityContainerBuilder<Vec<()>>, _, _, _>(Pipeline, "tally", |_, _| {
                let mut local = tally.local(Wanted::default());
                move |input, _| {
                    input.for_each(|_, batch: &mut Vec<(W::Key, W::Sum)>| {
                        batch.drain(..).for_each(|(key, sum)| local.take(W::check(&key, &sum)));
                    });
                    local.flush();
                }
            })
            .probe_with(&probe);
        });
    });
    drop(workers.map(|guards| guards.join()));
    tally.outcome(records).print();
}
