//! `millpond snapshots graph`

use std::collections::BTreeMap;
use std::fmt::Write;

use clap::{Args, ValueEnum};
use millpond_snapshot::JobName;
use millpond_snapshot::log::Entry;
use millpond_snapshot::repository::{Descent, Edge, JobSummary, lineage};
use serde_json::{Value, json};

use super::marks::Marks;
use super::place::Place;
use super::tree;
use super::words::time;
use crate::failure::Failure;
use crate::output::{plain, print, print_json};

/// Draw which snapshot came from which
///
/// Along a job's runs, across jobs that began from another's snapshot, from where it was copied, and what was edited to make it.
#[derive(Args)]
pub(crate) struct Graph {
    /// Only this job's
    job: Option<JobName>,
    /// How it is drawn
    #[arg(long, value_enum, default_value_t = Format::Text, conflicts_with = "json")]
    format: Format,
    #[command(flatten)]
    place: Place,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    Text,
    Mermaid,
    Dot,
}

impl Graph {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let (store, jobs) = self.place.jobs(self.job.as_ref()).await?;
        let mut edges = lineage(&jobs);
        // A manifest may say anything, also that a snapshot came from itself.
        edges.retain(|edge| edge.from != edge.to.to_string());
        let mut labels = BTreeMap::new();
        for job in &jobs {
            let marks = Marks::of(&store, &job.job, job.in_use()).await?;
            labels.extend(job.snapshots().map(|entry| (entry.id(), label(entry, &marks))));
        }
        if self.place.json {
            return print_json(&json(&jobs, &edges));
        }
        let text = match self.format {
            Format::Text => tree::draw(&labels, &edges),
            Format::Mermaid | Format::Dot => {
                let mut nodes: BTreeMap<String, String> =
                    labels.into_iter().map(|(id, l)| (id.to_string(), l)).collect();
                for edge in &edges {
                    nodes.entry(edge.from.clone()).or_insert_with(|| not_there(edge.descent).to_owned());
                }
                match self.format {
                    Format::Dot => dot(&nodes, &edges),
                    _ => mermaid(&nodes, &edges),
                }
            }
        };
        print(&plain(text.trim_end()))
    }
}

/// What a node says of a snapshot, beside its address.
fn label(entry: &Entry, marks: &Marks) -> String {
    let words = marks.words(&entry.id());
    let comma = if words.is_empty() { "" } else { ", " };
    format!("{} {}{comma}{words}", entry.body.kind(), time(entry.time))
}

/// What a node says of a snapshot that the store does not have, or not any more.
fn not_there(descent: Descent) -> &'static str {
    match descent {
        Descent::Parent | Descent::Edit => "removed",
        Descent::Fork | Descent::Copy => "not here",
    }
}

/// How an edge is called; nothing for the ordinary case.
pub(super) fn name(descent: Descent) -> &'static str {
    match descent {
        Descent::Parent => "",
        Descent::Fork => "fork",
        Descent::Copy => "copy",
        Descent::Edit => "edit",
    }
}

fn dot(nodes: &BTreeMap<String, String>, edges: &[Edge]) -> String {
    let quoted = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
    let mut text = "digraph snapshots {\n  rankdir=LR;\n  node [shape=box];\n".to_owned();
    for (node, label) in nodes {
        let _ = writeln!(text, "  \"{0}\" [label=\"{0}\\n{1}\"];", quoted(node), quoted(label));
    }
    for edge in edges {
        let to = edge.to.to_string();
        let _ = writeln!(text, "  \"{}\" -> \"{to}\" [label=\"{}\"];", quoted(&edge.from), name(edge.descent));
    }
    text + "}\n"
}

fn mermaid(nodes: &BTreeMap<String, String>, edges: &[Edge]) -> String {
    let quoted = |text: &str| {
        let text = text.replace('&', "&amp;").replace('"', "&quot;").replace('#', "#35;");
        text.replace('<', "&lt;").replace('>', "&gt;")
    };
    let numbers: BTreeMap<&str, usize> = nodes.keys().map(String::as_str).zip(0..).collect();
    let number = |node: &str| numbers.get(node).copied().unwrap_or_default();
    let mut text = "flowchart LR\n".to_owned();
    for (node, label) in nodes {
        let _ = writeln!(text, "  n{}[\"{}<br>{}\"]", number(node), quoted(node), quoted(label));
    }
    for edge in edges {
        let name = name(edge.descent);
        let arrow = if name.is_empty() { "-->".to_owned() } else { format!("-- {name} -->") };
        let _ = writeln!(text, "  n{} {arrow} n{}", number(&edge.from), number(&edge.to.to_string()));
    }
    text
}

fn json(jobs: &[JobSummary], edges: &[Edge]) -> Value {
    let snapshots = jobs.iter().flat_map(JobSummary::snapshots);
    let snapshots: Vec<_> = snapshots
        .map(|entry| json!({ "snapshot": entry.id(), "kind": entry.body.kind(), "time": entry.time }))
        .collect();
    let edges = edges.iter().map(|edge| {
        let descent = match edge.descent {
            Descent::Parent => "parent",
            Descent::Fork => "fork",
            Descent::Copy => "copy",
            Descent::Edit => "edit",
        };
        json!({ "from": edge.from, "to": edge.to, "descent": descent })
    });
    json!({ "snapshots": snapshots, "edges": edges.collect::<Vec<_>>() })
}
