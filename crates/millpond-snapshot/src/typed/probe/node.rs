//! What is known of a type so far.

use super::session::{NODES, Session, Stop};
use crate::typed::shape::{FieldShape, Shape, StructShape, VariantShape};

/// What is known of a part of the type.
#[derive(Default)]
pub(super) enum Node {
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
pub(super) struct Members {
    pub(super) all: Vec<Member>,
    /// Whether it takes a value that has every field once.
    pub(super) sound: bool,
    pub(super) closed: Option<bool>,
}

pub(super) struct Member {
    pub(super) name: &'static str,
    /// The field that it is a name of, once that is known.
    pub(super) of: Option<&'static str>,
    pub(super) default: Option<bool>,
    pub(super) node: Node,
}

pub(super) struct Variant {
    pub(super) name: &'static str,
    pub(super) content: Content,
}

pub(super) enum Content {
    New,
    Unit,
    Held(Node),
}

impl Node {
    /// Whether there is something left to learn.
    pub(super) fn is_open(&self) -> bool {
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

    pub(super) fn shape(&self) -> Shape {
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
    pub(super) fn become_if_new(
        &mut self,
        session: &Session,
        parts: usize,
        make: impl FnOnce() -> Node,
    ) -> Result<(), Stop> {
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
    pub(super) fn is_open(&self) -> bool {
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
pub(super) enum Experiment {
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

impl Members {
    pub(super) fn new(names: &'static [&'static str]) -> Self {
        let member = |name: &&'static str| Member { name, of: None, default: None, node: Node::New };
        Members { all: names.iter().map(member).collect(), sound: false, closed: None }
    }

    /// The places of those that are not aliases.
    fn primary(&self) -> impl Iterator<Item = usize> + '_ {
        self.all.iter().enumerate().filter(|(_, member)| member.of == Some(member.name)).map(|(place, _)| place)
    }

    pub(super) fn experiment(&self) -> Experiment {
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
    pub(super) fn given(&self, experiment: Experiment) -> Vec<Option<usize>> {
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
}
