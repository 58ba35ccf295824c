//! Who takes part in a comparison of throughput: each runs the same work to its end.

use anyhow::Result;

use crate::flink::Backend;
use crate::harness::{Lab, Sample, Subject};

/// A job of ours.
pub(super) struct Millpond {
    pub(super) name: &'static str,
    /// The job and its own options.
    pub(super) job: Vec<String>,
    /// How often it takes a checkpoint: what `--checkpoint-interval` takes.
    pub(super) interval: &'static str,
}

impl Subject for Millpond {
    fn name(&self) -> &str {
        self.name
    }

    fn measure(&mut self, lab: &mut Lab) -> Result<Sample> {
        let store = lab.fresh("store");
        let mut arguments = vec!["job".to_owned(), self.job[0].clone()];
        arguments.extend(run_flags(lab.settings.parallelism, &store.display().to_string(), self.interval));
        arguments.extend(self.job[1..].iter().cloned());
        let outcome = lab.run(&arguments);
        let _ = std::fs::remove_dir_all(store);
        Ok(outcome?.into())
    }
}

/// What every run of a job of ours is given.
pub(super) fn run_flags(parallelism: usize, store: &str, interval: &str) -> Vec<String> {
    let parallelism = parallelism.to_string();
    ["run", "--quiet", "-p", &parallelism, "--store", store, "--checkpoint-interval", interval]
        .map(str::to_owned)
        .to_vec()
}

/// The same by hand, on other ground.
pub(super) struct Peer {
    pub(super) name: &'static str,
    pub(super) arguments: Vec<String>,
}

impl Subject for Peer {
    fn name(&self) -> &str {
        self.name
    }

    fn measure(&mut self, lab: &mut Lab) -> Result<Sample> {
        let mut arguments = vec!["peer".to_owned()];
        arguments.extend(self.arguments.iter().cloned());
        arguments.extend(["-p".to_owned(), lab.settings.parallelism.to_string()]);
        Ok(lab.run(&arguments)?.into())
    }
}

/// The same by hand in Java.
pub(super) struct Java {
    pub(super) class: &'static str,
    pub(super) arguments: Vec<String>,
}

impl Subject for Java {
    fn name(&self) -> &str {
        "java"
    }

    fn measure(&mut self, lab: &mut Lab) -> Result<Sample> {
        let mut arguments = self.arguments.clone();
        arguments.extend(["--parallelism".to_owned(), lab.settings.parallelism.to_string()]);
        Ok(lab.java()?.run_alone(self.class, &arguments)?.into())
    }
}

/// The same as a DataStream job on Flink.
pub(super) struct FlinkJob {
    pub(super) name: &'static str,
    pub(super) backend: Backend,
    pub(super) class: &'static str,
    pub(super) arguments: Vec<String>,
    /// The interval of checkpoints in milliseconds; 0 for never.
    pub(super) interval: u64,
}

impl FlinkJob {
    fn run(&self, lab: &mut Lab) -> Result<Sample> {
        let parallelism = lab.settings.parallelism;
        let mut arguments = vec!["--checkpoint-interval".to_owned(), self.interval.to_string()];
        arguments.extend(self.arguments.iter().cloned());
        Ok(lab.flink(self.backend)?.run(parallelism, self.class, &arguments)?.into())
    }
}

impl Subject for FlinkJob {
    fn name(&self) -> &str {
        self.name
    }

    /// Java is fast once it has run for a while, so it does, and is measured then.
    fn prepare(&mut self, lab: &mut Lab) -> Result<()> {
        self.run(lab)?;
        Ok(())
    }

    fn measure(&mut self, lab: &mut Lab) -> Result<Sample> {
        self.run(lab)
    }
}

/// A subject whose rows are not those of the others.
pub(super) struct Unchecked(pub(super) Box<dyn Subject>);

impl Subject for Unchecked {
    fn name(&self) -> &str {
        self.0.name()
    }
    fn prepare(&mut self, lab: &mut Lab) -> Result<()> {
        self.0.prepare(lab)
    }
    fn measure(&mut self, lab: &mut Lab) -> Result<Sample> {
        Ok(Sample { result: None, ..self.0.measure(lab)? })
    }
}

/// `--name value` for each pair.
pub(super) fn options(pairs: &[(&str, String)]) -> Vec<String> {
    pairs.iter().flat_map(|(name, value)| [format!("--{name}"), value.clone()]).collect()
}
