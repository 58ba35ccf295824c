//! The rows of operator state in words: where a source stands, what a sink has prepared.

use jiff::Timestamp;
use serde_json::Value;

use super::words;

/// `path a.csv, offset 1200; event time up to 2013-01-01 10:15:00Z`.
pub(super) fn in_words(row: &Value) -> String {
    // How the engine keeps where a source stands: a part of the input, and the greatest event time in it so far.
    if let (Some(split), Some(greatest)) = (row.get("split"), row.get("greatest").and_then(Value::as_i64)) {
        return match greatest {
            i64::MIN => of(split),
            i64::MAX => format!("{}; event time at its end", of(split)),
            millis => match Timestamp::from_millisecond(millis) {
                Ok(time) => format!("{}; event time up to {}", of(split), words::time(time)),
                Err(_) => format!("{}; event time up to {millis}", of(split)),
            },
        };
    }
    of(row)
}

fn of(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| match value {
                Value::Object(_) => format!("{} ({})", name.replace('_', " "), of(value)),
                _ => format!("{} {}", name.replace('_', " "), of(value)),
            });
            fields.collect::<Vec<_>>().join(", ")
        }
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::in_words;

    #[test]
    fn a_position_reads_like_a_sentence() {
        let split = json!({ "path": "a.csv", "offset": 1200 });
        let at = |greatest: i64| in_words(&json!({ "split": split, "greatest": greatest }));
        assert_eq!(at(i64::MIN), "offset 1200, path a.csv");
        assert_eq!(at(0), "offset 1200, path a.csv; event time up to 1970-01-01 00:00:00Z");
        assert_eq!(at(i64::MAX - 1), format!("offset 1200, path a.csv; event time up to {}", i64::MAX - 1));
        assert_eq!(in_words(&json!({ "at": { "file_id": 3 } })), "at (file id 3)");
        assert_eq!(in_words(&json!(7)), "7");
    }
}
