//! Where a source is to begin, when somebody says so.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

/// Where a source is to begin, instead of where a snapshot stands or at its beginning.
///
/// Written `earliest` or `beginning`, `latest` or `end`, a time such as `2026-11-24T10:00:00Z`, or a position of the
/// source's own, such as `1000`.
///
/// ```
/// use millpond::source::SourcePosition;
/// assert_eq!("beginning".parse(), Ok(SourcePosition::Earliest));
/// assert_eq!("end".parse::<SourcePosition>().unwrap().to_string(), "latest");
/// assert_eq!("1000".parse(), Ok(SourcePosition::At("1000".to_owned())));
/// assert!(matches!("2026-11-24T10:00:00Z".parse::<SourcePosition>(), Ok(SourcePosition::Timestamp(_))));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum SourcePosition {
    /// With the first record that there is.
    Earliest,
    /// Behind the last record that there is when the run starts.
    Latest,
    /// With what came at or after this time; what that means is the source's to say. Millisecond precision.
    Timestamp(SystemTime),
    /// At a position that only the source understands.
    At(String),
}

/// A form of position that a source accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PositionForm {
    /// [`SourcePosition::Earliest`].
    Earliest,
    /// [`SourcePosition::Latest`].
    Latest,
    /// [`SourcePosition::Timestamp`].
    Timestamp,
    /// [`SourcePosition::At`], and what is to be written.
    At(&'static str),
    /// [`SourcePosition::At`] with a whole number, and which, such as `the index of a record`.
    Number(&'static str),
}

impl PositionForm {
    fn accepts(self, position: &SourcePosition) -> bool {
        if let (PositionForm::Number(_), SourcePosition::At(text)) = (self, position) {
            return text.parse::<u64>().is_ok();
        }
        matches!(
            (self, position),
            (PositionForm::Earliest, SourcePosition::Earliest)
                | (PositionForm::Latest, SourcePosition::Latest)
                | (PositionForm::Timestamp, SourcePosition::Timestamp(_))
                | (PositionForm::At(_), SourcePosition::At(_))
        )
    }
}

impl fmt::Display for PositionForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PositionForm::Earliest => "earliest",
            PositionForm::Latest => "latest",
            PositionForm::Timestamp => "a time such as 2026-11-24T10:00:00Z",
            PositionForm::At(what) | PositionForm::Number(what) => what,
        })
    }
}

/// Why a position was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PositionError {
    /// Nothing was given.
    #[error(
        "a position is empty; give earliest, latest, a time such as 2026-11-24T10:00:00Z, or a position of the source"
    )]
    Empty,
    /// The source can only begin where it does by itself.
    #[error("it reads from where it stands only: no position can be given")]
    Unsupported,
    /// The source does not take this form.
    #[error("it does not take {given:?}; it takes {accepted}")]
    Form {
        /// What was given.
        given: String,
        /// What could have been.
        accepted: String,
    },
    /// The form is right, and what it says is not.
    #[error("it cannot begin at {given:?}: {problem}")]
    Value {
        /// What was given.
        given: String,
        /// What is wrong with it.
        problem: String,
    },
}

impl SourcePosition {
    /// Whether a source that accepts `forms` takes it.
    ///
    /// # Errors
    /// If not; the message says what it takes.
    pub fn check(&self, forms: &[PositionForm]) -> Result<(), PositionError> {
        if forms.is_empty() {
            return Err(PositionError::Unsupported);
        }
        if forms.iter().any(|form| form.accepts(self)) {
            return Ok(());
        }
        let accepted: Vec<String> = forms.iter().map(PositionForm::to_string).collect();
        Err(PositionError::Form { given: self.to_string(), accepted: accepted.join(", ") })
    }

    /// That what it says is wrong, although the form is right.
    pub fn wrong(&self, problem: impl fmt::Display) -> PositionError {
        PositionError::Value { given: self.to_string(), problem: problem.to_string() }
    }
}

impl fmt::Display for SourcePosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SourcePosition::Earliest => f.write_str("earliest"),
            SourcePosition::Latest => f.write_str("latest"),
            SourcePosition::Timestamp(time) => match jiff::Timestamp::try_from(*time) {
                Ok(time) => write!(f, "{time:.3}"),
                Err(_) => f.write_str("a time out of range"),
            },
            SourcePosition::At(text) => f.write_str(text),
        }
    }
}

impl FromStr for SourcePosition {
    type Err = PositionError;

    fn from_str(text: &str) -> Result<Self, PositionError> {
        Ok(match text.trim() {
            "" => return Err(PositionError::Empty),
            "earliest" | "beginning" => SourcePosition::Earliest,
            "latest" | "end" => SourcePosition::Latest,
            text => match text.parse::<jiff::Timestamp>() {
                Ok(time) => SourcePosition::Timestamp(to_the_millisecond(time)),
                Err(_) => SourcePosition::At(text.to_owned()),
            },
        })
    }
}

fn to_the_millisecond(time: jiff::Timestamp) -> SystemTime {
    let millis = time.as_millisecond();
    let distance = Duration::from_millis(millis.unsigned_abs());
    if millis < 0 { SystemTime::UNIX_EPOCH - distance } else { SystemTime::UNIX_EPOCH + distance }
}

impl TryFrom<String> for SourcePosition {
    type Error = PositionError;
    fn try_from(text: String) -> Result<Self, PositionError> {
        text.parse()
    }
}

impl From<SourcePosition> for String {
    fn from(position: SourcePosition) -> String {
        position.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        for text in ["earliest", "latest", "2026-11-24T10:00:00.125Z", "1969-12-31T23:59:59.500Z", "42", "a=b c"] {
            let position: SourcePosition = text.parse().unwrap();
            assert_eq!(position.to_string(), text);
            assert_eq!(position.to_string().parse(), Ok(position));
        }
        assert_eq!(" ".parse::<SourcePosition>(), Err(PositionError::Empty));
    }

    #[test]
    fn a_source_takes_the_forms_that_it_says() {
        let index = PositionForm::Number("the index of a record");
        assert!(SourcePosition::At("x".into()).check(&[index]).is_err());
        assert_eq!(SourcePosition::At("x".into()).check(&[PositionForm::At("any")]), Ok(()));
        assert_eq!(SourcePosition::Earliest.check(&[]), Err(PositionError::Unsupported));
        assert_eq!(SourcePosition::At("3".into()).check(&[PositionForm::Earliest, index]), Ok(()));
        let error = SourcePosition::Latest.check(&[PositionForm::Earliest, index]).unwrap_err().to_string();
        assert!(error.contains("\"latest\"") && error.contains("earliest, the index of a record"), "{error}");
    }
}
