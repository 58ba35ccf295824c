//! One job in many versions, as a team would have written it in the course of years: what the tests start old processes
//! and new ones of. `versions run --as total`, stop, `versions check --as total-widened -s …`.
//!
//! Each version is a function with types of its own. They stand in one binary, since forty of them would link the engine
//! forty times. Nothing is shared for it that two builds of one program would not share: all that a snapshot knows of a
//! program are uids, names of states and what `serde` says of types, and none of them depends on the crate or the module
//! that a type stands in. What one version leaves for another are files.
//!
//! A version reads numbers, keeps something of each key, and puts out the key and what it keeps then, for each number.

mod keys;
mod kinds;
mod nested;
mod operators;
mod values;
mod variants;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use millpond::{
    Data, Env, FileSink, Files, Key, KeyedStream, Program, Stream, TypedDescriptor, WatermarkStrategy,
};

/// How many keys there are, unless a version says otherwise.
pub(crate) const KEYS: u64 = 12;

/// The uid of the operator that keeps something.
pub(crate) const KEPT: &str = "kept";

#[derive(Args, Clone)]
struct Options {
    /// Which version to be
    #[arg(long = "as", value_name = "VERSION", value_parser = versions())]
    version: Version,
    /// A directory of files with a number a line
    #[arg(long, value_name = "DIR", default_value = "input")]
    input: PathBuf,
    /// Where results go
    #[arg(long, value_name = "DIR", default_value = "output")]
    output: PathBuf,
    /// Wait for more input
    #[arg(long)]
    follow: bool,
}

/// What a version consists of.
pub(crate) type Define = fn(&Scene<'_, '_>);

#[derive(Clone, Copy)]
struct Version(Define);

/// All there are, by name.
fn all() -> impl Iterator<Item = (&'static str, Define)> {
    let parts = [values::ALL, nested::ALL, variants::ALL, keys::ALL, kinds::ALL, operators::ALL];
    parts.into_iter().flatten().copied()
}

fn versions() -> impl TypedValueParser<Value = Version> {
    PossibleValuesParser::new(all().map(|(name, _)| name)).try_map(|name| {
        all().find(|(known, _)| *known == name).map(|(_, define)| Version(define)).ok_or("no version")
    })
}

/// Where a version plays: its input and its output.
pub(crate) struct Scene<'e, 's> {
    pub(crate) env: &'e Env<'s>,
    options: &'e Options,
}

impl<'s> Scene<'_, 's> {
    /// The numbers.
    pub(crate) fn numbers(&self) -> Stream<'s, u64> {
        let files = Files::json_lines::<u64>([self.options.input.clone()]).follow(self.options.follow);
        self.env.source(files, WatermarkStrategy::none()).uid("numbers")
    }

    /// The numbers by [`KEYS`] keys.
    pub(crate) fn keyed(&self) -> KeyedStream<'s, u64, u64> {
        self.numbers().key_by(|number| number % KEYS)
    }

    /// Puts out what there is.
    pub(crate) fn put_out<T: Data>(&self, stream: Stream<'s, T>) {
        stream.sink(FileSink::json_lines(self.options.output.clone())).uid("out");
    }

    /// Folds numbers into a value of each key.
    pub(crate) fn fold<K: Key, V: Data + Default>(
        &self,
        numbers: KeyedStream<'s, K, u64>,
        state: impl Into<TypedDescriptor<V>>,
        add: fn(&mut V, u64),
    ) {
        self.put_out(numbers.fold_as(state, move |value, number| add(value, *number)).uid(KEPT));
    }
}

fn main() -> ExitCode {
    Program::new("versions", |env, options: &Options| {
        (options.version.0)(&Scene { env, options });
        Ok(())
    })
    .main()
}
