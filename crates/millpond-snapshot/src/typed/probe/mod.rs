//! Finds the shape of a type by asking for a value of it, again and again.
//!
//! A type that can be deserialized tells its deserializer what it wants. What it does not tell (which names are aliases of
//! one field, which fields have a default, whether unknown ones are errors) it gives away by how it takes a wrong value:
//! a field twice, one left out, one too many. Each pass makes one such experiment; what has been learned stays in the tree.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::fmt::{self, Display};

use serde::de::value::StrDeserializer;
use serde::de::{self, DeserializeOwned, DeserializeSeed, Deserializer, IntoDeserializer, Visitor};

use super::shape::{FieldShape, Shape, StructShape, VariantShape};

/// More passes than any type needs that a person can read.
const PASSES: usize = 20_000;
/// Parts of one type. A list of fixed length has a part for each place.
const NODES: usize = 20_000;

/// The shape of `T`; [`Shape::Unknown`] if it cannot be found without a value.
pub fn shape_of<T: DeserializeOwned>() -> Shape {
    learn::<T>(&Session::default()).map_or(Shape::Unknown, |root| root.shape())
}

/// All that can be known of `T`; nothing if it asks its input what it is.
fn learn<T: DeserializeOwned>(session: &Session) -> Option<Node> {
    let mut root = Node::default();
    for _ in 0..PASSES {
        session.advanced.set(false);
        session.path.borrow_mut().clear();
        let taken = T::deserialize(Probe { node: &mut root, session });
        match taken {
            Ok(_) if !session.advanced.get() => return Some(root),
            Ok(_) | Err(Stop::Advanced) => {}
            Err(_) => return None,
        }
    }
    None
}

/// Shows values of `T` that have, together, each variant of each enum in it under each name, as far as there are values
/// without a type inside itself. With each come the names that it was made with, from the outside in.
pub(super) fn each_variant<T: DeserializeOwned>(mut show: impl FnMut(&[&'static str], T)) {
    let session = Session::default();
    let Some(mut root) = learn::<T>(&session) else { return };
    let mut known = HashSet::new();
    let mut wanted: Vec<Vec<usize>> = vec![Vec::new()];
    while let Some(choices) = wanted.pop() {
        session.path.borrow_mut().clear();
        session.met.borrow_mut().clear();
        let chosen = choices.len();
        *session.choices.borrow_mut() = choices;
        let taken = T::deserialize(Probe { node: &mut root, session: &session });
        let met = session.met.borrow();
        if let Ok(value) = taken {
            show(&met.iter().map(|met| met.name).collect::<Vec<_>>(), value);
        }
        known.extend(met.iter().map(|met| (met.of, met.place)));
        for at in chosen..met.len() {
            for place in &met[at].others {
                if known.insert((met[at].of, *place)) {
                    let before = met[..at].iter().map(|met| met.place);
                    wanted.push(before.chain([*place]).collect());
                }
            }
        }
    }
}

#[derive(Default)]
struct Session {
    /// Whether this pass has taught something.
    advanced: Cell<bool>,
    nodes: Cell<usize>,
    /// The structs and enums around the one at hand: a name, and where its list of fields stands.
    path: RefCell<Vec<(&'static str, usize)>>,
    /// Which variants are to be taken, by place, for the enums in the order in which they are met.
    choices: RefCell<Vec<usize>>,
    /// The enums that were met in this pass.
    met: RefCell<Vec<Met>>,
}

/// An enum that was met, and the variant that was taken.
struct Met {
    /// Where its variants stand, which tells it from others.
    of: usize,
    place: usize,
    name: &'static str,
    /// The variants that could have been taken instead.
    others: Vec<usize>,
}

impl Session {
    fn advance(&self) {
        self.advanced.set(true);
    }

    /// Enters a type; `Err` if it is inside itself.
    fn enter(&self, name: &'static str, parts: &'static [&'static str]) -> Result<(), Stop> {
        let id = (name, parts.as_ptr() as usize);
        let mut path = self.path.borrow_mut();
        if !parts.is_empty() && path.contains(&id) {
            return Err(Stop::Again(name));
        }
        path.push(id);
        Ok(())
    }

    fn leave(&self) {
        self.path.borrow_mut().pop();
    }

    /// Which variant is to be taken of the enum that is met now.
    fn choice(&self) -> Option<usize> {
        self.choices.borrow().get(self.met.borrow().len()).copied()
    }
}

/// Why a pass ended early.
#[derive(Debug)]
enum Stop {
    /// Something was learned; another pass goes further.
    Advanced,
    /// A type was met inside itself.
    Again(&'static str),
    Duplicate(&'static str),
    /// The value is not one that the type takes.
    Other,
}

impl Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl std::error::Error for Stop {}

impl de::Error for Stop {
    fn custom<T: Display>(_: T) -> Self {
        Stop::Other
    }
    fn duplicate_field(field: &'static str) -> Self {
        Stop::Duplicate(field)
    }
}

/// What is known of a part of the type.
#[derive(Default)]
enum Node {
    #[default]
    New,
    Scalar(&'static str),
    Option(Box<Node>),
    List(Box<Node>),
    Map(Box<(Node, Node)>),
    Tuple(Vec<Node>),
    Struct(Members),
    Enum(Vec<Variant>),
    Again(&'static str),
}

#[derive(Default)]
struct Members {
    all: Vec<Member>,
    /// Whether it takes a value that has every field once.
    sound: bool,
    closed: Option<bool>,
}

struct Member {
    name: &'static str,
    /// The field that it is a name of, once that is known.
    of: Option<&'static str>,
    default: Option<bool>,
    node: Node,
}

struct Variant {
    name: &'static str,
    content: Content,
}

enum Content {
    New,
    Unit,
    Held(Node),
}

impl Node {
    /// Whether there is something left to learn.
    fn is_open(&self) -> bool {
        match self {
            Node::New => true,
            Node::Scalar(_) | Node::Again(_) => false,
            Node::Option(inner) | Node::List(inner) => inner.is_open(),
            Node::Map(parts) => parts.0.is_open() || parts.1.is_open(),
            Node::Tuple(parts) => parts.iter().any(Node::is_open),
            Node::Struct(members) => {
                members.experiment() != Experiment::None
                    || members.primary().any(|place| members.all[place].node.is_open())
            }
            Node::Enum(variants) => variants.iter().any(Variant::is_open),
        }
    }

    fn shape(&self) -> Shape {
        match self {
            Node::New => Shape::Unknown,
            Node::Scalar(name) => Shape::scalar(name),
            Node::Option(inner) => Shape::Option(Box::new(inner.shape())),
            Node::List(item) => Shape::List(Box::new(item.shape())),
            Node::Map(parts) => Shape::Map(Box::new(parts.0.shape()), Box::new(parts.1.shape())),
            Node::Tuple(parts) => Shape::Tuple(parts.iter().map(Node::shape).collect()),
            Node::Struct(members) => Shape::Struct(members.shape()),
            Node::Enum(variants) => Shape::Enum(variants.iter().map(Variant::shape).collect()),
            Node::Again(name) => Shape::Again((*name).to_owned()),
        }
    }

    /// Makes something of a node that was new.
    fn become_if_new(&mut self, session: &Session, parts: usize, make: impl FnOnce() -> Node) -> Result<(), Stop> {
        if matches!(self, Node::New) {
            session.nodes.set(session.nodes.get().saturating_add(parts + 1));
            if session.nodes.get() > NODES {
                return Err(Stop::Other);
            }
            session.advance();
            *self = make();
        }
        Ok(())
    }
}

impl Variant {
    fn is_open(&self) -> bool {
        match &self.content {
            Content::New => true,
            Content::Unit => false,
            Content::Held(node) => node.is_open(),
        }
    }

    fn shape(&self) -> VariantShape {
        let content = match &self.content {
            Content::New | Content::Unit => None,
            Content::Held(node) => Some(node.shape()),
        };
        VariantShape { name: self.name.to_owned(), content }
    }
}

/// What is tried on a struct in a pass.
#[derive(Clone, Copy, PartialEq)]
enum Experiment {
    /// The member twice: the error names the field that it belongs to.
    Twice(usize),
    /// Everything once.
    Sound,
    /// All but this one.
    Without(usize),
    /// One more than there is.
    Extra,
    /// Everything has been tried.
    None,
}

/// No field is called this.
const EXTRA: &str = "\u{0}millpond";

impl Members {
    fn new(names: &'static [&'static str]) -> Self {
        let member = |name: &&'static str| Member { name, of: None, default: None, node: Node::New };
        Members { all: names.iter().map(member).collect(), sound: false, closed: None }
    }

    /// The places of those that are not aliases.
    fn primary(&self) -> impl Iterator<Item = usize> + '_ {
        self.all.iter().enumerate().filter(|(_, member)| member.of == Some(member.name)).map(|(place, _)| place)
    }

    fn experiment(&self) -> Experiment {
        if let Some(place) = self.all.iter().position(|member| member.of.is_none()) {
            return Experiment::Twice(place);
        }
        if !self.sound {
            return Experiment::Sound;
        }
        if let Some(place) = self.primary().find(|place| self.all[*place].default.is_none()) {
            return Experiment::Without(place);
        }
        if self.closed.is_none() { Experiment::Extra } else { Experiment::None }
    }

    /// The members to give, in order; `None` is one that does not exist.
    fn given(&self, experiment: Experiment) -> Vec<Option<usize>> {
        match experiment {
            Experiment::Twice(place) => vec![Some(place), Some(place)],
            Experiment::Without(left_out) => self.primary().filter(|place| *place != left_out).map(Some).collect(),
            Experiment::Extra => self.primary().map(Some).chain([None]).collect(),
            Experiment::Sound | Experiment::None => self.primary().map(Some).collect(),
        }
    }

    fn shape(&self) -> StructShape {
        let fields = self.primary().map(|place| {
            let member = &self.all[place];
            let aliases =
                self.all.iter().filter(|other| other.of == Some(member.name) && other.name != member.name);
            FieldShape {
                name: member.name.to_owned(),
                shape: member.node.shape(),
                aliases: aliases.map(|other| other.name.to_owned()).collect(),
                default: member.default == Some(true),
            }
        });
        StructShape { fields: fields.collect(), closed: self.closed == Some(true) }
    }

    /// Gives a value to a visitor, as the next experiment has it, and learns from what comes back.
    fn visit<'de, V: Visitor<'de>>(&mut self, visitor: V, session: &Session) -> Result<V::Value, Stop> {
        let experiment = self.experiment();
        let given = self.given(experiment).into_iter();
        let outcome = visitor.visit_map(Given { members: self, given, value: None, session });
        if let Err(Stop::Advanced | Stop::Again(_)) = outcome {
            return outcome;
        }
        match (experiment, &outcome) {
            (Experiment::None, _) => return outcome,
            (Experiment::Twice(place), Err(Stop::Duplicate(field))) => {
                let known = self.all.iter().any(|member| member.name == *field);
                self.all[place].of = Some(if known { field } else { self.all[place].name });
            }
            (Experiment::Twice(place), _) => self.all[place].of = Some(self.all[place].name),
            (Experiment::Sound, Ok(_)) => self.sound = true,
            (Experiment::Sound, Err(_)) => return outcome,
            (Experiment::Without(place), _) => self.all[place].default = Some(outcome.is_ok()),
            (Experiment::Extra, _) => self.closed = Some(outcome.is_err()),
        }
        session.advance();
        outcome.map_err(|_| Stop::Advanced)
    }
}

/// The members of a struct, one after the other.
struct Given<'a> {
    members: &'a mut Members,
    given: std::vec::IntoIter<Option<usize>>,
    /// The value to give next.
    value: Option<Option<usize>>,
    session: &'a Session,
}

impl<'de> de::MapAccess<'de> for Given<'_> {
    type Error = Stop;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Stop> {
        self.value = self.given.next();
        let Some(next) = self.value else { return Ok(None) };
        let name = next.map_or(EXTRA, |place| self.members.all[place].name);
        let name: StrDeserializer<'_, Stop> = name.into_deserializer();
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Stop> {
        let mut nothing = Node::New;
        let node = match self.value.take().flatten() {
            Some(place) => &mut self.members.all[place].node,
            None => &mut nothing,
        };
        seed.deserialize(Probe { node, session: self.session })
    }
}

/// Some items, one after the other.
struct Items<'a, 'n> {
    nodes: std::slice::IterMut<'n, Node>,
    session: &'a Session,
}

impl<'de> de::SeqAccess<'de> for Items<'_, '_> {
    type Error = Stop;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Stop> {
        let Some(node) = self.nodes.next() else { return Ok(None) };
        seed.deserialize(Probe { node, session: self.session }).map(Some)
    }
}

/// One entry, or none where a map is inside itself.
struct Entry<'a> {
    parts: Option<&'a mut (Node, Node)>,
    session: &'a Session,
    done: bool,
}

impl<'de> de::MapAccess<'de> for Entry<'_> {
    type Error = Stop;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Stop> {
        match &mut self.parts {
            Some(parts) if !self.done => {
                self.done = true;
                seed.deserialize(Probe { node: &mut parts.0, session: self.session }).map(Some)
            }
            _ => Ok(None),
        }
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Stop> {
        match &mut self.parts {
            Some(parts) => seed.deserialize(Probe { node: &mut parts.1, session: self.session }),
            None => Err(Stop::Other),
        }
    }
}

/// Asks for a value of one part.
struct Probe<'a> {
    node: &'a mut Node,
    session: &'a Session,
}

impl Probe<'_> {
    fn scalar(&mut self, name: &'static str) -> Result<(), Stop> {
        self.node.become_if_new(self.session, 0, || Node::Scalar(name))
    }

    /// The type is found by looking at a value.
    fn unclear<T>(&self) -> Result<T, Stop> {
        Err(Stop::Other)
    }
}

/// If the type was met inside itself, what holds it is where it ends: the next pass gives none.
fn ends<T>(outcome: Result<T, Stop>, inner: &mut Node, session: &Session) -> Result<T, Stop> {
    match outcome {
        Err(Stop::Again(name)) => {
            *inner = Node::Again(name);
            session.advance();
            Err(Stop::Advanced)
        }
        other => other,
    }
}

macro_rules! scalars {
    ($($method:ident $visit:ident $name:literal $value:expr;)*) => {$(
        fn $method<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Stop> {
            self.scalar($name)?;
            visitor.$visit($value)
        }
    )*};
}

impl<'de> Deserializer<'de> for Probe<'_> {
    type Error = Stop;

    // One rather than nothing: it may have to be a number that is not zero.
    scalars! {
        deserialize_bool visit_bool "bool" false;
        deserialize_i8 visit_i8 "i8" 1;
        deserialize_i16 visit_i16 "i16" 1;
        deserialize_i32 visit_i32 "i32" 1;
        deserialize_i64 visit_i64 "i64" 1;
        deserialize_i128 visit_i128 "i128" 1;
        deserialize_u8 visit_u8 "u8" 1;
        deserialize_u16 visit_u16 "u16" 1;
        deserialize_u32 visit_u32 "u32" 1;
        deserialize_u64 visit_u64 "u64" 1;
        deserialize_u128 visit_u128 "u128" 1;
        deserialize_f32 visit_f32 "f32" 1.0;
        deserialize_f64 visit_f64 "f64" 1.0;
        deserialize_char visit_char "char" 'a';
        deserialize_str visit_str "text" "";
        deserialize_string visit_string "text" String::new();
        deserialize_bytes visit_bytes "bytes" &[];
        deserialize_byte_buf visit_byte_buf "bytes" Vec::new();
        deserialize_identifier visit_str "text" "";
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Stop> {
        self.unclear()
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Stop> {
        self.scalar("unit")?;
        visitor.visit_unit()
    }

    fn deserialize_unit<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Stop> {
        self.scalar("unit")?;
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Stop> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Stop> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        let Probe { node, session } = self;
        node.become_if_new(session, 1, || Node::Option(Box::default()))?;
        match node {
            Node::Option(inner) if matches!(**inner, Node::Again(_)) => visitor.visit_none(),
            Node::Option(inner) => {
                let taken = visitor.visit_some(Probe { node: inner, session });
                ends(taken, inner, session)
            }
            node => Probe { node, session }.unclear(),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        let Probe { node, session } = self;
        node.become_if_new(session, 1, || Node::List(Box::default()))?;
        match node {
            Node::List(item) => {
                let nodes = match **item {
                    Node::Again(_) => [].iter_mut(),
                    _ => std::slice::from_mut(&mut **item).iter_mut(),
                };
                let taken = visitor.visit_seq(Items { nodes, session });
                ends(taken, item, session)
            }
            node => Probe { node, session }.unclear(),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value, Stop> {
        let Probe { node, session } = self;
        if length > NODES {
            return Probe { node, session }.unclear();
        }
        node.become_if_new(session, length, || Node::Tuple((0..length).map(|_| Node::New).collect()))?;
        match node {
            Node::Tuple(parts) => visitor.visit_seq(Items { nodes: parts.iter_mut(), session }),
            node => Probe { node, session }.unclear(),
        }
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, Stop> {
        self.deserialize_tuple(length, visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        let Probe { node, session } = self;
        node.become_if_new(session, 2, || Node::Map(Box::default()))?;
        match node {
            Node::Map(parts) => {
                let ended = matches!(parts.1, Node::Again(_));
                let given = if ended { None } else { Some(&mut **parts) };
                let taken = visitor.visit_map(Entry { parts: given, session, done: false });
                ends(taken, &mut parts.1, session)
            }
            node => Probe { node, session }.unclear(),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Stop> {
        let Probe { node, session } = self;
        session.enter(name, fields)?;
        node.become_if_new(session, fields.len(), || Node::Struct(Members::new(fields)))?;
        let taken = match node {
            Node::Struct(members) => members.visit(visitor, session),
            node => Probe { node, session }.unclear(),
        };
        session.leave();
        taken
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Stop> {
        let Probe { node, session } = self;
        session.enter(name, variants)?;
        let variant = |name: &&'static str| Variant { name, content: Content::New };
        node.become_if_new(session, variants.len(), || Node::Enum(variants.iter().map(variant).collect()))?;
        let taken = match node {
            Node::Enum(all) => {
                // One that ends in itself cannot be the one that a value is made of.
                let ended = |variant: &Variant| matches!(variant.content, Content::Held(Node::Again(_)));
                let open = all.iter().position(|variant| !ended(variant) && variant.is_open());
                let asked = session.choice().filter(|place| all.get(*place).is_some_and(|v| !ended(v)));
                match open.or(asked).or_else(|| all.iter().position(|variant| !ended(variant))) {
                    Some(place) => {
                        let others = (0..all.len()).filter(|other| *other != place && !ended(&all[*other]));
                        session.met.borrow_mut().push(Met {
                            of: all.as_ptr() as usize,
                            place,
                            name: all[place].name,
                            others: others.collect(),
                        });
                        if all[place].is_open() {
                            session.advance();
                        }
                        let taken = visitor.visit_enum(Chosen { variant: &mut all[place], session });
                        match taken {
                            Err(Stop::Again(name)) => {
                                all[place].content = Content::Held(Node::Again(name));
                                session.advance();
                                Err(Stop::Advanced)
                            }
                            other => other,
                        }
                    }
                    None => Err(Stop::Other),
                }
            }
            node => Probe { node, session }.unclear(),
        };
        session.leave();
        taken
    }
}

/// A variant that has been chosen.
struct Chosen<'a> {
    variant: &'a mut Variant,
    session: &'a Session,
}

impl<'a> Chosen<'a> {
    fn held(self) -> (&'a mut Node, &'a Session) {
        if !matches!(self.variant.content, Content::Held(_)) {
            self.variant.content = Content::Held(Node::New);
        }
        match &mut self.variant.content {
            Content::Held(node) => (node, self.session),
            Content::New | Content::Unit => unreachable!("it was set above"),
        }
    }
}

impl<'de, 'a> de::EnumAccess<'de> for Chosen<'a> {
    type Error = Stop;
    type Variant = Chosen<'a>;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Chosen<'a>), Stop> {
        let name: StrDeserializer<'_, Stop> = self.variant.name.into_deserializer();
        Ok((seed.deserialize(name)?, self))
    }
}

impl<'de> de::VariantAccess<'de> for Chosen<'_> {
    type Error = Stop;

    fn unit_variant(self) -> Result<(), Stop> {
        self.variant.content = Content::Unit;
        Ok(())
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Stop> {
        let (node, session) = self.held();
        seed.deserialize(Probe { node, session })
    }

    fn tuple_variant<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value, Stop> {
        let (node, session) = self.held();
        Probe { node, session }.deserialize_tuple(length, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Stop> {
        let (node, session) = self.held();
        Probe { node, session }.deserialize_struct("", fields, visitor)
    }
}

#[cfg(test)]
#[path = "probe_tests.rs"]
mod tests;
