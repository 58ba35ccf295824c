//! Two streams together.

use std::rc::Rc;

use timely::dataflow::channels::pact::Pipeline;

use super::keyed::{KeyedStream, by_hash, declare};
use super::plain::Stream;
use super::record::{Data, Key};
use crate::dataflow::aligned::{Input, aligned2};
use crate::operators::broadcast::{BroadcastOperator, BroadcastProcess};
use crate::operators::connected::{CoOperator, CoProcess};
use crate::operators::keyed_core::KeyedCore;
use crate::state::setup::KeyedSetup;

/// Two streams with the same key. Made by [`KeyedStream::connect`].
pub struct ConnectedStreams<'s, K: Key, L: Data, R: Data> {
    left: KeyedStream<'s, K, L>,
    right: KeyedStream<'s, K, R>,
}

/// A keyed stream and one that every subtask sees whole. Made by [`KeyedStream::connect_broadcast`].
pub struct BroadcastConnectedStreams<'s, K: Key, T: Data, B: Data> {
    keyed: KeyedStream<'s, K, T>,
    broadcast: Stream<'s, B>,
}

impl<'s, K: Key, T: Data> KeyedStream<'s, K, T> {
    /// Puts this stream and another with the same key before one operator. Migrations of the key are those of this one.
    pub fn connect<R: Data>(self, right: KeyedStream<'s, K, R>) -> ConnectedStreams<'s, K, T, R> {
        ConnectedStreams { left: self, right }
    }

    /// Puts this stream and another, which every subtask sees whole, before one operator.
    pub fn connect_broadcast<B: Data>(self, other: Stream<'s, B>) -> BroadcastConnectedStreams<'s, K, T, B> {
        BroadcastConnectedStreams { keyed: self, broadcast: other.broadcast() }
    }
}

impl<'s, K: Key, L: Data, R: Data> ConnectedStreams<'s, K, L, R> {
    /// Runs a [`CoProcess`]. `make` declares its states.
    pub fn process<P: CoProcess<K, L, R>>(self, make: impl FnOnce(&mut KeyedSetup) -> P) -> Stream<'s, P::Out> {
        self.process_with_side(make).0
    }

    /// As [`ConnectedStreams::process`], with the side output.
    pub fn process_with_side<P: CoProcess<K, L, R>>(
        self,
        make: impl FnOnce(&mut KeyedSetup) -> P,
    ) -> (Stream<'s, P::Out>, Stream<'s, P::Side>) {
        self.process_as("co_process", make)
    }

    pub(crate) fn process_as<P: CoProcess<K, L, R>>(
        self,
        kind: &'static str,
        make: impl FnOnce(&mut KeyedSetup) -> P,
    ) -> (Stream<'s, P::Out>, Stream<'s, P::Side>) {
        let ConnectedStreams { left, right } = self;
        let env = left.env;
        let inputs = vec![left.operator, right.operator];
        let (operator, setup, process) = declare::<K, P>(&env, kind, inputs, left.keys, make);
        let streams = left.inner.zip(right.inner).zip(env.context()).map(|((left, right), context)| {
            let core = KeyedCore::<K>::new(context, operator, setup);
            let setting = context.setting(operator);
            aligned2(by_hash(left), by_hash(right), setting, |_| CoOperator::new(core, process))
        });
        let (main, side) = streams.unzip();
        (Stream { env: Rc::clone(&env), operator, inner: main }, Stream { env, operator, inner: side })
    }
}

impl<'s, K: Key, T: Data, B: Data> BroadcastConnectedStreams<'s, K, T, B> {
    /// Runs a [`BroadcastProcess`]. `make` declares its states.
    pub fn process<P: BroadcastProcess<K, T, B>>(
        self,
        make: impl FnOnce(&mut KeyedSetup) -> P,
    ) -> Stream<'s, P::Out> {
        self.process_with_side(make).0
    }

    /// As [`BroadcastConnectedStreams::process`], with the side output.
    pub fn process_with_side<P: BroadcastProcess<K, T, B>>(
        self,
        make: impl FnOnce(&mut KeyedSetup) -> P,
    ) -> (Stream<'s, P::Out>, Stream<'s, P::Side>) {
        let BroadcastConnectedStreams { keyed, broadcast } = self;
        let env = keyed.env;
        let inputs = vec![keyed.operator, broadcast.operator];
        let (operator, setup, process) = declare::<K, P>(&env, "broadcast_process", inputs, keyed.keys, make);
        let streams = keyed.inner.zip(broadcast.inner).zip(env.context()).map(|((keyed, broadcast), context)| {
            let writable = Rc::clone(&setup.operator.writable);
            let core = KeyedCore::<K>::new(context, operator, setup);
            let broadcast = Input { stream: broadcast, pact: Pipeline, counted: false };
            aligned2(by_hash(keyed), broadcast, context.setting(operator), |_| {
                BroadcastOperator::new(core, process, writable)
            })
        });
        let (main, side) = streams.unzip();
        (Stream { env: Rc::clone(&env), operator, inner: main }, Stream { env, operator, inner: side })
    }
}
