//! What was asked for through this server: under which id, and whether its outcome was told to anybody.

use std::collections::{BTreeMap, HashSet};

/// How many ids that clients chose are remembered.
const MAX_CHOSEN: usize = 1000;

/// Requests that the coordinator has taken on.
#[derive(Debug, Default)]
pub(super) struct Operations {
    /// The coordinator's id, by the id that a client chose, and by age.
    chosen: BTreeMap<String, (u64, String)>,
    next: u64,
    /// Those whose outcome nobody has heard.
    untold: HashSet<String>,
}

impl Operations {
    /// The coordinator's id for one that a client may have chosen.
    pub(super) fn resolve<'a>(&'a self, id: &'a str) -> &'a str {
        self.chosen(id).unwrap_or(id)
    }

    /// The request that a client has already made under this id: asking twice is asking once.
    pub(super) fn chosen(&self, id: &str) -> Option<&str> {
        self.chosen.get(id).map(|(_, id)| id.as_str())
    }

    /// Remembers a request under the coordinator's `id`.
    pub(super) fn accept(&mut self, id: &str, chosen: Option<String>) {
        self.untold.insert(id.to_owned());
        let Some(chosen) = chosen else { return };
        self.next += 1;
        self.chosen.insert(chosen, (self.next, id.to_owned()));
        if self.chosen.len() > MAX_CHOSEN {
            let oldest = self.chosen.iter().min_by_key(|(_, (age, _))| *age).map(|(chosen, _)| chosen.clone());
            oldest.map(|oldest| self.chosen.remove(&oldest));
        }
    }

    /// The outcome of a request was told.
    pub(super) fn told(&mut self, id: &str) {
        self.untold.remove(id);
    }

    /// Whether somebody may still come for an outcome.
    pub(super) fn is_awaited(&self) -> bool {
        !self.untold.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chosen_id_leads_to_the_coordinators() {
        let mut operations = Operations::default();
        operations.accept("r1", Some("mine".into()));
        assert_eq!(operations.resolve("mine"), "r1");
        assert_eq!(operations.resolve("r1"), "r1");
        assert_eq!(operations.chosen("r1"), None);
    }

    #[test]
    fn an_outcome_is_awaited_until_it_was_told() {
        let mut operations = Operations::default();
        assert!(!operations.is_awaited());
        operations.accept("r1", None);
        assert!(operations.is_awaited());
        operations.told("r1");
        assert!(!operations.is_awaited());
    }

    #[test]
    fn the_oldest_chosen_ids_are_forgotten() {
        let mut operations = Operations::default();
        for n in 0..=MAX_CHOSEN {
            operations.accept("r", Some(format!("{:04}", MAX_CHOSEN - n)));
        }
        assert_eq!(operations.chosen(&format!("{MAX_CHOSEN:04}")), None);
        assert_eq!(operations.chosen("0000"), Some("r"));
        assert_eq!(operations.chosen.len(), MAX_CHOSEN);
    }
}
