//! Whether values of one shape can become values of another, decided on the shapes alone, field by field.

use millpond_snapshot::typed::{FieldShape, Shape, StructShape, VariantShape};

/// What a comparison comes to.
#[derive(Debug, Default)]
pub(crate) struct Comparison {
    /// What becomes of each field that is not what it was, in words.
    pub(crate) changes: Vec<String>,
    /// What cannot be done, each with the way out.
    pub(crate) refusals: Vec<String>,
    /// Whether canonical bytes of a key may differ, so that keys have another place.
    pub(crate) moves: bool,
    /// Whether two values that are not equal may become equal.
    pub(crate) joins: bool,
    /// Whether a column cannot be read as values of the new type at once: nulls take the default of their field, or a
    /// number has become wider than any that a column holds.
    pub(crate) indirect: bool,
}

/// Compares old values, called `path` in messages, with the type that is to take them up.
pub(crate) fn compare(path: &str, old: &Shape, new: &Shape) -> Comparison {
    let mut comparison = Comparison::default();
    comparison.values(path, old, new);
    comparison
}

impl Comparison {
    fn change(&mut self, text: String) {
        self.changes.push(text);
    }

    fn refuse(&mut self, text: String) {
        self.refusals.push(text);
    }

    fn values(&mut self, path: &str, old: &Shape, new: &Shape) {
        match (old, new) {
            (Shape::Scalar(old), Shape::Scalar(new)) if old == new => {}
            (Shape::Scalar(from), Shape::Scalar(to)) if widens(from, to) => {
                self.change(format!("{path}: {from} → {to} (widened)"));
                self.indirect |= integer(to).is_some_and(|(_, bits)| bits > 64);
            }
            (Shape::Scalar(from), Shape::Scalar(to)) => self.refuse(format!("{path} {}", unlike(from, to))),
            (Shape::Option(old), Shape::Option(new)) => self.values(path, old, new),
            (Shape::Option(_), _) => {
                self.refuse(format!(
                    "{path} was {old} and is now {new}, which has no place for values that are absent: keep it optional, \
                     or give the field #[serde(default)]"
                ));
            }
            (old, Shape::Option(inner)) => {
                self.change(format!("{path}: {old} → {new} (may be absent now)"));
                self.moves = true;
                self.values(path, old, inner);
            }
            (Shape::List(old), Shape::List(new)) => self.values(&format!("{path}[]"), old, new),
            (Shape::Map(old_key, old_value), Shape::Map(new_key, new_value)) => {
                self.values(&format!("{path}{{key}}"), old_key, new_key);
                self.values(&format!("{path}{{}}"), old_value, new_value);
            }
            (Shape::Tuple(old), Shape::Tuple(new)) if old.len() == new.len() => {
                for (place, (old, new)) in old.iter().zip(new).enumerate() {
                    self.values(&format!("{path}.{place}"), old, new);
                }
            }
            (Shape::Struct(old), Shape::Struct(new)) => self.fields(path, old, new),
            (Shape::Enum(old), Shape::Enum(new)) => self.variants(path, old, new),
            (Shape::Again(_), Shape::Again(_)) => {}
            (Shape::Unknown, Shape::Unknown) => {}
            (Shape::Unknown, _) | (_, Shape::Unknown) => {
                self.change(format!("{path}: cannot be compared in advance; each row is checked when it is read"));
                self.moves = true;
            }
            _ => self.refuse(format!("{path} was {old} and is now {new}")),
        }
    }

    fn fields(&mut self, path: &str, old: &StructShape, new: &StructShape) {
        let mut taken: Vec<(&FieldShape, &FieldShape)> = Vec::new();
        let mut gone: Vec<&FieldShape> = Vec::new();
        for field in &old.fields {
            let at = format!("{path}.{}", field.name);
            let Some(taker) = new.field(&field.name) else {
                gone.push(field);
                continue;
            };
            if let Some((other, _)) = taken.iter().find(|(_, other)| other.name == taker.name) {
                self.refuse(format!(
                    "{at} and {path}.{} of the snapshot are both names of the field '{}': only one can be it",
                    other.name, taker.name
                ));
                continue;
            }
            taken.push((field, taker));
            if field.name != taker.name {
                self.change(format!("{at}: renamed to {}", taker.name));
            }
            self.field(&at, field, taker);
        }
        let added: Vec<&FieldShape> =
            new.fields.iter().filter(|field| !taken.iter().any(|(_, taker)| taker.name == field.name)).collect();
        for field in &gone {
            let FieldShape { name, shape, .. } = field;
            if new.closed {
                self.refuse(format!(
                    "{path}.{name} ({shape}) is not a field any more, and the type takes no fields that it does not know: \
                     leave out deny_unknown_fields"
                ));
                continue;
            }
            let alike = added.iter().find(|other| other.shape.stored() == *shape);
            let hint = alike.map_or_else(String::new, |other| {
                format!("; if it is called {} now, say #[serde(alias = \"{name}\")]", other.name)
            });
            self.change(format!("{path}.{name}: removed, was {shape}{hint}"));
            self.moves = true;
            self.joins = true;
        }
        for FieldShape { name, shape, default, .. } in added {
            if *default {
                self.change(format!("{path}.{name}: added, default"));
                self.moves = true;
            } else {
                self.refuse(format!(
                    "{path}.{name} ({shape}) is new, and the snapshot has no value for it: give it #[serde(default)], or, \
                     if it is an old field under a new name, #[serde(alias = \"…\")]"
                ));
            }
        }
        // Names are no part of a key's bytes, but their order is.
        let places = taken.iter().map(|(_, taker)| new.fields.iter().position(|field| field.name == taker.name));
        self.moves |= !places.is_sorted();
    }

    fn field(&mut self, path: &str, old: &FieldShape, new: &FieldShape) {
        match (&old.shape, &new.shape) {
            (Shape::Option(inner), shape)
                if !matches!(shape, Shape::Option(_) | Shape::Unknown) && new.default =>
            {
                self.change(format!("{path}: {} → {shape} (absent ones take the default)", old.shape));
                self.moves = true;
                self.joins = true;
                self.indirect = true;
                self.values(path, inner, shape);
            }
            (old, new) => self.values(path, old, new),
        }
    }

    fn variants(&mut self, path: &str, old: &[VariantShape], new: &[VariantShape]) {
        let find = |name: &str| new.iter().find(|variant| variant.name == name);
        for VariantShape { name, content } in old {
            let at = format!("{path}<{name}>");
            match (content, find(name).map(|variant| &variant.content)) {
                (_, None) => self.refuse(format!(
                    "{at} is not a variant any more, and there may be values of it: keep the variant, or let another one \
                     answer to it with #[serde(alias = \"{name}\")]"
                )),
                (None, Some(None)) => {}
                (Some(old), Some(Some(new))) => self.values(&at, old, new),
                (Some(old), Some(None)) => self.refuse(format!("{at} held {old} and now holds nothing")),
                (None, Some(Some(new))) => self.refuse(format!("{at} held nothing and now holds {new}")),
            }
        }
        let added = new.iter().filter(|variant| !old.iter().any(|known| known.name == variant.name));
        let added: Vec<&str> = added.map(|variant| variant.name.as_str()).collect();
        // The name is a part of a key's bytes, and a name in the list may be another one of a variant: then keys of the old
        // name are written with the new one.
        let names = |all: &[VariantShape]| all.iter().map(|variant| variant.name.clone()).collect::<Vec<_>>();
        self.moves |= names(old) != names(new);
        if !added.is_empty() {
            self.change(format!("{path}: variants added: {}", added.join(", ")));
        }
    }
}

/// Sign and bits of an integer type.
fn integer(name: &str) -> Option<(bool, u32)> {
    let bits = |text: &str| text.parse().ok();
    match name.split_at_checked(1)? {
        ("i", rest) => Some((true, bits(rest)?)),
        ("u", rest) => Some((false, bits(rest)?)),
        _ => None,
    }
}

/// Whether every value of `old` is one of `new`, of the same family.
fn widens(old: &str, new: &str) -> bool {
    match (integer(old), integer(new)) {
        (Some((old_signed, old_bits)), Some((new_signed, new_bits))) => {
            // An unsigned one needs a bit for the sign; a signed one never fits into an unsigned one.
            new_bits > old_bits && (new_signed || !old_signed)
        }
        _ => matches!((old, new), ("f32", "f64")),
    }
}

fn unlike(old: &str, new: &str) -> String {
    let float = |name: &str| matches!(name, "f16" | "f32" | "f64");
    let why = match (integer(old), integer(new)) {
        (Some(_), Some(_)) => ", which cannot hold every value of it",
        (None, None) if float(old) && float(new) => ", which is less exact",
        (Some(_), None) if float(new) => "; whole numbers become fractions only when told to",
        (None, Some(_)) if float(old) => "; fractions become whole numbers only when told to",
        _ => "",
    };
    format!("was {old} and is now {new}{why}")
}
