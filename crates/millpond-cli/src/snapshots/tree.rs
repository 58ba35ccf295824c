//! Lineage as text: one line a snapshot, what branched off indented below what it came from.

use std::collections::{BTreeMap, BTreeSet};

use millpond_snapshot::log::SnapshotId;
use millpond_snapshot::repository::{Descent, Edge};

/// Draws the snapshots, each with its label. They may come from anywhere, also from each other in a circle: every
/// snapshot is drawn once.
pub(super) fn draw(labels: &BTreeMap<SnapshotId, String>, edges: &[Edge]) -> String {
    let mut children: BTreeMap<&str, Vec<&Edge>> = BTreeMap::new();
    let mut origins: BTreeMap<&SnapshotId, &Edge> = BTreeMap::new();
    for edge in edges {
        children.entry(&edge.from).or_default().push(edge);
        origins.insert(&edge.to, edge);
    }
    let names: BTreeMap<String, &SnapshotId> = labels.keys().map(|id| (id.to_string(), id)).collect();
    let is_root = |id: &&SnapshotId| origins.get(id).is_none_or(|edge| !names.contains_key(&edge.from));
    let mut drawn = BTreeSet::new();
    let mut lines = Vec::new();
    // Whatever is in a circle has no root, and is drawn after those that have.
    for start in labels.keys().filter(is_root).chain(labels.keys()) {
        let mut stack = vec![(start, 0)];
        while let Some((id, depth)) = stack.pop() {
            if !drawn.insert(id) {
                continue;
            }
            lines.push(line(id, depth, &labels[id], origins.get(id).copied(), &names));
            let of = children.get(id.to_string().as_str()).into_iter().flatten();
            let of: Vec<_> = of.filter(|edge| labels.contains_key(&edge.to)).collect();
            // The last of the same job goes on at the same depth, below what branches off before it.
            let main = of.iter().rposition(|edge| edge.descent == Descent::Parent);
            stack.extend(main.map(|at| (&of[at].to, depth)));
            let branches = of.iter().enumerate().filter(|(at, _)| Some(*at) != main);
            stack.extend(branches.rev().map(|(_, edge)| (&edge.to, depth + 1)));
        }
    }
    lines.join("\n")
}

fn line(
    id: &SnapshotId,
    depth: usize,
    label: &str,
    origin: Option<&Edge>,
    names: &BTreeMap<String, &SnapshotId>,
) -> String {
    let branch = if depth == 0 { String::new() } else { format!("{}└ ", "  ".repeat(depth - 1)) };
    let from = match origin {
        Some(edge) if edge.descent == Descent::Parent && names.contains_key(&edge.from) => String::new(),
        Some(edge) => {
            let how = match edge.descent {
                Descent::Parent => "after",
                Descent::Fork => "fork of",
                Descent::Copy => "copy of",
                Descent::Edit => "edit of",
            };
            format!("  ({how} {})", edge.from)
        }
        None => String::new(),
    };
    format!("{branch}{id}  {label}{from}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edge(from: &str, to: &str, descent: Descent) -> Edge {
        Edge { from: from.to_owned(), to: to.parse().unwrap(), descent }
    }

    fn drawn(snapshots: &[&str], edges: &[Edge]) -> String {
        draw(&snapshots.iter().map(|id| (id.parse().unwrap(), "x".to_owned())).collect(), edges)
    }

    #[test]
    fn a_job_is_a_column_and_a_fork_is_a_branch() {
        let edges = [
            edge("a@1", "a@2", Descent::Parent),
            edge("a@1", "b@2", Descent::Fork),
            edge("b@2", "b@3", Descent::Parent),
            edge("a@2", "a@3", Descent::Parent),
            edge("z@9 in s3://x", "c@1", Descent::Copy),
        ];
        let expected = "\
a@1  x
└ b@2  x  (fork of a@1)
└ b@3  x
a@2  x
a@3  x
c@1  x  (copy of z@9 in s3://x)";
        assert_eq!(drawn(&["a@1", "a@2", "a@3", "b@2", "b@3", "c@1"], &edges), expected);
    }

    #[test]
    fn a_circle_is_drawn_once_and_what_is_gone_is_named() {
        let edges = [
            edge("a@2", "a@1", Descent::Parent),
            edge("a@1", "a@2", Descent::Parent),
            edge("a@7", "a@8", Descent::Parent),
        ];
        assert_eq!(drawn(&["a@1", "a@2", "a@8"], &edges), "a@8  x  (after a@7)\na@1  x\na@2  x");
    }
}
