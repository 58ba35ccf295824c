//! Names given by people. Each is checked once, where it enters, and is safe to put in a path or a
//! message from then on.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Why a name was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} {given:?} is not valid: {rule}")]
pub struct InvalidName {
    what: &'static str,
    given: String,
    rule: &'static str,
}

impl InvalidName {
    pub(crate) fn new(what: &'static str, given: &str, rule: &'static str) -> Self {
        let given = given.chars().take(120).collect();
        InvalidName { what, given, rule }
    }
}

impl From<InvalidName> for crate::Error {
    fn from(error: InvalidName) -> Self {
        crate::Error::InvalidInput(error.to_string())
    }
}

const PATH_NAME_RULE: &str = "use 1 to 100 letters, digits, '.', '_' or '-', beginning with a letter or a digit";
const TEXT_NAME_RULE: &str = "use 1 to 200 bytes of text without control characters";

fn is_path_name(name: &str) -> bool {
    let bytes = name.as_bytes();
    bytes.len() <= 100
        && bytes.first().is_some_and(u8::is_ascii_alphanumeric)
        && bytes.iter().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(b))
}

fn is_text_name(name: &str) -> bool {
    (1..=200).contains(&name.len()) && !name.chars().any(char::is_control)
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $what:literal, $check:ident, $rule:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(String);

        impl $type {
            /// Checks and takes a name.
            pub fn new(name: impl Into<String>) -> Result<Self, InvalidName> {
                let name = name.into();
                if $check(&name) {
                    return Ok($type(name));
                }
                Err(InvalidName::new($what, &name, $rule))
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl FromStr for $type {
            type Err = InvalidName;
            fn from_str(name: &str) -> Result<Self, InvalidName> {
                $type::new(name)
            }
        }

        impl TryFrom<String> for $type {
            type Error = InvalidName;
            fn try_from(name: String) -> Result<Self, InvalidName> {
                $type::new(name)
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> String {
                name.0
            }
        }

        impl AsRef<str> for $type {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    };
}

name! {
    /// The name of a job, and of its directory in the store.
    JobName, "job name", is_path_name, PATH_NAME_RULE
}
name! {
    /// A name that a person gave to a snapshot of a job.
    Tag, "tag", is_path_name, PATH_NAME_RULE
}
name! {
    /// What identifies an operator from one version of a program to the next.
    OperatorUid, "operator uid", is_text_name, TEXT_NAME_RULE
}
name! {
    /// What identifies a state within its operator.
    StateName, "state name", is_text_name, TEXT_NAME_RULE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_names_cannot_leave_their_directory() {
        for good in ["a", "flights", "A.b_c-9", &"x".repeat(100)] {
            assert!(JobName::new(good).is_ok(), "{good}");
        }
        for bad in ["", ".", "..", ".a", "-a", "a/b", "a b", "a@1", "a#t", "é", &"x".repeat(101)] {
            assert!(JobName::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn text_names_may_be_prose_but_not_control_characters() {
        assert!(OperatorUid::new("sum per airport / 1h").is_ok());
        for bad in ["", "a\nb", "a\u{7f}", &"x".repeat(201)] {
            assert!(OperatorUid::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_bad_name_does_not_deserialize() {
        assert!(serde_json::from_str::<JobName>("\"../x\"").is_err());
        assert_eq!(serde_json::from_str::<JobName>("\"x\"").unwrap().as_str(), "x");
    }
}
