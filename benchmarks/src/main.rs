//! `benchmarks/run.sh NAME …`

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::Parser;
use millpond_benchmarks::harness::{self, Settings};
use millpond_benchmarks::{jobs, peers, suite};

/// Events have many strings, and the system's allocator is slow with them. All subjects in Rust have it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures Millpond and its peers on the same work, in turn.
#[derive(Parser)]
#[command(after_help = after_help())]
struct Command {
    /// The benchmarks to run, or `all`
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
    /// Those of them that are left out
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    skip: Vec<String>,
    /// How often each subject is measured
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Whom to compare with, by the beginnings of their names [default: everybody]
    #[arg(long, value_name = "PEER", value_delimiter = ',')]
    peers: Vec<String>,
    /// Multiplies the numbers of records and keys
    #[arg(long, default_value_t = 1.0)]
    scale: f64,
    /// Workers
    #[arg(short, long, default_value_t = 2)]
    parallelism: usize,
    /// How long to wait before each measurement for a machine that has nothing else to do
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = humantime::parse_duration)]
    patience: Duration,
    /// Where Flink is unpacked [default: millpond-benchmarks in the user's cache]
    #[arg(long, value_name = "DIR", env = "MILLPOND_BENCHMARKS_CACHE")]
    cache: Option<PathBuf>,
    /// Where stores and checkpoints are written, and removed again [default: the system's temporary directory]
    #[arg(long, value_name = "DIR")]
    scratch: Option<PathBuf>,
    /// Keep the results under benchmarks/results/
    #[arg(long)]
    save: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

fn after_help() -> String {
    let lines = suite::all().into_iter().map(|b| format!("  {:18} {}\n", b.name, b.about));
    format!("Benchmarks:\n{}", lines.collect::<String>())
}

fn cache() -> PathBuf {
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or_else(home);
    cache.unwrap_or_else(std::env::temp_dir).join("millpond-benchmarks")
}

fn run(command: Command) -> Result<()> {
    let settings = Settings {
        rounds: command.rounds,
        peers: command.peers,
        scale: command.scale,
        parallelism: command.parallelism,
        cache: command.cache.unwrap_or_else(cache),
        scratch: command.scratch,
        patience: command.patience,
    };
    let all = suite::all();
    if let Some(unknown) = command
        .names
        .iter()
        .chain(&command.skip)
        .find(|name| *name != "all" && !all.iter().any(|b| b.name == **name))
    {
        bail!("there is no benchmark '{unknown}'\n{}", after_help());
    }
    for benchmark in all {
        let wanted = command.names.iter().any(|name| name == "all" || name == benchmark.name);
        if wanted && !command.skip.iter().any(|name| name == benchmark.name) {
            eprintln!("{}", benchmark.name);
            let report = harness::run(&benchmark, &settings)?;
            if command.json {
                println!("{}", serde_json::to_string_pretty(&report)?);
            } else {
                println!("{}", report.render());
            }
            if command.save {
                eprintln!("kept as {}", report.archive()?.display());
            }
        }
    }
    Ok(())
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // What is measured runs in processes of its own, which are this program again.
    match arguments.first().map(String::as_str) {
        Some("job") => return jobs::main(&arguments[1..]),
        Some("peer") => return peers::main(&arguments[1..]),
        _ => {}
    }
    match run(Command::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
