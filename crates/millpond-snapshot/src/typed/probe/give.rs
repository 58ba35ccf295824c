//! What a type is given that asks for a value.

use serde::de::value::StrDeserializer;
use serde::de::{self, DeserializeSeed, Deserializer, IntoDeserializer, Visitor};

use super::node::{Content, Experiment, Members, Node, Variant};
use super::session::{Met, NODES, Session, Stop};

/// No field is called this.
const EXTRA: &str = "\u{0}millpond";

impl Members {
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
pub(super) struct Probe<'a> {
    pub(super) node: &'a mut Node,
    pub(super) session: &'a Session,
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
