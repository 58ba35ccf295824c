//! Which operator or state somebody means.
//!
//! Uids and names of states may have `/`, `=` and `:` in them, so that what is meant is what the snapshot has.

use millpond_snapshot::manifest::Manifest;
use millpond_snapshot::repository::StateId;
use millpond_snapshot::{Error, OperatorUid};

/// An operator, or one of its states.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    Operator(OperatorUid),
    State(StateId),
}

/// What `text` names, if it is `UID` or `UID/STATE` of the snapshot.
pub(super) fn target(manifest: &Manifest, text: &str) -> Result<Target, Error> {
    let mut found: Vec<Target> = Vec::new();
    for operator in &manifest.operators {
        if operator.uid.as_str() == text {
            found.push(Target::Operator(operator.uid.clone()));
        }
        let states = operator
            .states
            .iter()
            .map(|state| StateId { operator: operator.uid.clone(), state: state.name.clone() });
        found.extend(states.filter(|id| id.to_string() == text).map(Target::State));
    }
    match found.len() {
        1 => Ok(found.remove(0)),
        0 => Err(Error::NotFound(format!(
            "the snapshot has no operator or state {text:?}; it has {}",
            there(manifest)
        ))),
        _ => Err(Error::InvalidInput(format!(
            "{text:?} may be an operator or a state; use the library to say which"
        ))),
    }
}

/// What stands before and behind the sign of an argument that is `TARGET SIGN REST`.
pub(super) fn split<'t>(manifest: &Manifest, text: &'t str, sign: char) -> Result<(Target, &'t str), Error> {
    let mut first = None;
    for (at, _) in text.match_indices(sign) {
        let (left, right) = (text[..at].trim(), text[at + sign.len_utf8()..].trim());
        match target(manifest, left) {
            Ok(target) => return Ok((target, right)),
            Err(error) => first = first.or(Some(error)),
        }
    }
    Err(first.unwrap_or_else(|| Error::InvalidInput(format!("{text:?} has no {sign:?}"))))
}

fn there(manifest: &Manifest) -> String {
    let names: Vec<String> = manifest.states().map(|(op, state)| format!("{}/{}", op.uid, state.name)).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    use millpond_snapshot::Epoch;
    use millpond_snapshot::chunk::StateKind;
    use millpond_snapshot::manifest::{OperatorSnapshot, StateSnapshot, UidSource};

    use super::*;

    fn manifest(operators: &[(&str, &[&str])]) -> Manifest {
        let state = |name: &&str| StateSnapshot {
            name: name.parse().unwrap(),
            kind: StateKind::OperatorList,
            key_schema: None,
            map_key_schema: None,
            value_schema: None,
            ttl_ms: None,
            chunks: vec![],
            rows_inline: Some(vec![]),
        };
        let operators = operators.iter().map(|(uid, states)| OperatorSnapshot {
            uid: uid.parse().unwrap(),
            uid_source: UidSource::Given,
            name: String::new(),
            kind: String::new(),
            states: states.iter().map(state).collect(),
        });
        Manifest { operators: operators.collect(), ..Manifest::new("j".parse().unwrap(), Epoch(1)) }
    }

    #[test]
    fn signs_in_names_are_no_hindrance() {
        let manifest = manifest(&[("a/b", &["c=d"]), ("a", &["x"])]);
        let operator = |uid: &str| Target::Operator(uid.parse().unwrap());
        let state = |uid: &str, name: &str| {
            Target::State(StateId { operator: uid.parse().unwrap(), state: name.parse().unwrap() })
        };
        assert_eq!(split(&manifest, "a/b=z", '=').unwrap(), (operator("a/b"), "z"));
        assert_eq!(split(&manifest, "a/b/c=d=e", '=').unwrap(), (state("a/b", "c=d"), "e"));
        assert_eq!(split(&manifest, "a/x: select 'y: z'", ':').unwrap(), (state("a", "x"), "select 'y: z'"));
        let error = split(&manifest, "q=z", '=').unwrap_err().to_string();
        assert!(error.contains("\"q\"") && error.contains("a/b/c=d, a/x"), "{error}");
    }
}
