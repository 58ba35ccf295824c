//! A job that counts, with state under its keys.

use std::ops::Range;

use millpond::{Collect, IteratorSource, Job, KeyedContext, RunOptions, WatermarkStrategy};

/// For each number, its remainder and how many there were of it. `source` and `sink` are the uids of those.
pub(crate) fn counting(
    source: &'static str,
    numbers: Range<u64>,
    out: &Collect<(u64, u64)>,
    sink: &'static str,
) -> Job {
    let out = out.clone();
    Job::new("counting", move |env| {
        let numbers = numbers.clone();
        env.source(IteratorSource::new(move || numbers.clone()), WatermarkStrategy::none())
            .uid(source)
            .key_by(|n| n % 4)
            .process_fn(|setup| {
                let seen = setup.value::<u64>("seen");
                move |n: &u64, context: &mut KeyedContext<'_, u64, (u64, u64), ()>| {
                    let count = seen.get().unwrap_or(0) + 1;
                    seen.set(count);
                    context.emit((n % 4, count));
                    Ok(())
                }
            })
            .uid("counts")
            .sink(out.sink())
            .uid(sink);
        Ok(())
    })
}

pub(crate) fn options(store: &str, parallelism: usize, from: Option<String>) -> RunOptions {
    RunOptions { parallelism: Some(parallelism), store: Some(store.to_owned()), from, ..RunOptions::default() }
}
