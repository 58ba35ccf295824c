//! Keys that a query says, on their way out of a snapshot.

use arrow_array::{Array, ArrayRef};
use arrow_cast::cast;
use futures::stream::try_unfold;
use millpond_snapshot::arrow_schema::DataType;
use millpond_snapshot::chunk::{HASH, KEY};
use millpond_snapshot::edit;
use millpond_snapshot::manifest::Manifest;
use millpond_snapshot::repository::StateId;
use millpond_snapshot::{Error, OperatorUid, RecordBatch, StateName};

use super::names::{Target, split};
use crate::failure::Failure;
use crate::sql::{Rows, Session};

/// Whose keys a query says.
pub(super) struct Doomed<'q> {
    uid: OperatorUid,
    /// The one state that they are taken out of; `None` for all.
    only: Option<StateName>,
    query: &'q str,
}

impl<'q> Doomed<'q> {
    /// From `[UID[/STATE]:] QUERY`. Without a name it is the operator whose tables the query reads.
    pub(super) fn parse(manifest: &Manifest, session: &Session, text: &'q str) -> Result<Self, Failure> {
        match split(manifest, text, ':') {
            Ok((Target::Operator(uid), query)) => return Ok(Doomed { uid, only: None, query }),
            Ok((Target::State(id), query)) => {
                return Ok(Doomed { uid: id.operator, only: Some(id.state), query });
            }
            Err(_) => {}
        }
        let mut uids: Vec<String> = session.tables(text)?.into_iter().map(|(uid, _)| uid).collect();
        uids.sort();
        uids.dedup();
        let [uid] = &uids[..] else {
            return Err(Failure::Query(format!(
                "it is not clear whose keys {text:?} says, as it reads {}; put UID: or UID/STATE: before it",
                if uids.is_empty() { "no state".to_owned() } else { uids.join(", ") }
            )));
        };
        let uid = uid.parse::<OperatorUid>().map_err(Error::from)?;
        Ok(Doomed { uid, only: None, query: text })
    }

    /// Takes the keys out; gives how many rows are gone from each state.
    pub(super) async fn remove(
        &self,
        edit: &mut edit::Edit,
        session: &Session,
    ) -> Result<Vec<(StateId, u64)>, Failure> {
        let query = self.query.trim().trim_end_matches(';');
        let asked = session.query(query).await?;
        let has = |name| asked.schema().column_with_name(name).is_some();
        let mut answers = match (has(HASH), has(KEY)) {
            (true, true) => vec![asked],
            (false, true) => {
                drop(asked);
                self.with_hashes(edit, session, query).await?
            }
            _ => {
                return Err(Failure::Query(format!(
                    "a query that says which keys to delete gives a column key: select key from …; {query:?} gives {}",
                    asked
                        .schema()
                        .fields()
                        .iter()
                        .map(|field| field.name().as_str())
                        .collect::<Vec<_>>()
                        .join(", ")
                )));
            }
        };
        let key_type = edit.key_type(&self.uid)?;
        answers.reverse();
        let keys = try_unfold(answers, move |mut answers| {
            let key_type = key_type.clone();
            async move {
                while let Some(rows) = answers.last_mut() {
                    if let Some(batch) =
                        rows.next().await.map_err(|failure| Error::InvalidInput(failure.to_string()))?
                    {
                        return Ok(Some((keys_of(&batch, &key_type)?, answers)));
                    }
                    answers.pop();
                }
                Ok(None)
            }
        });
        Ok(edit.remove_keys(&self.uid, self.only.as_ref(), keys).await?)
    }

    /// The keys that a query says with their hashes, which stand beside them in the operator's states.
    async fn with_hashes(&self, edit: &edit::Edit, session: &Session, query: &str) -> Result<Vec<Rows>, Failure> {
        let operator = edit.manifest().operator(&self.uid);
        let keyed =
            operator.into_iter().flat_map(|operator| &operator.states).filter(|state| state.kind.is_keyed());
        let meant = keyed.filter(|state| self.only.as_ref().is_none_or(|only| state.name == *only));
        let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
        let mut answers = Vec::new();
        for state in meant {
            let table = format!("{}.{}", quoted(self.uid.as_str()), quoted(state.name.as_str()));
            let keys = format!("select hash, key from {table} where key in (select key from ({query}) as doomed)");
            answers.push(session.query(&keys).await?);
        }
        Ok(answers)
    }
}

/// The two columns of a batch, of the types that the operator has.
fn keys_of(batch: &RecordBatch, key_type: &DataType) -> Result<RecordBatch, Error> {
    let column = |name: &str, wanted: &DataType| -> Result<ArrayRef, Error> {
        let missing = || Error::InvalidInput(format!("the query gives no column {name}"));
        let found = batch.column_by_name(name).ok_or_else(missing)?;
        let unfit = |error| {
            let found = found.data_type();
            Error::InvalidInput(format!("the query gives a {name} of type {found}, and it is {wanted}: {error}"))
        };
        if found.null_count() > 0 {
            return Err(Error::InvalidInput(format!("the query gives a {name} that is null; leave it out")));
        }
        cast(found, wanted).map_err(unfit)
    };
    let columns = [(HASH, column(HASH, &DataType::UInt64)?), (KEY, column(KEY, key_type)?)];
    RecordBatch::try_from_iter(columns).map_err(|error| Error::InvalidInput(format!("keys to delete: {error}")))
}
