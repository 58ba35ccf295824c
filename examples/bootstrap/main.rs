//! A job whose state comes from elsewhere: customers have points, from another system, before the first purchase is seen.
//!
//! ```text
//! cargo run --example bootstrap -- fill                       a snapshot from points.csv: points@1
//! cargo run --example bootstrap -- run -s points@1            the job goes on from it
//! ```
//!
//! `fill` needs no engine: it writes the state as the job declares it, operator uid, name and types, from rows in any
//! order, as many as there are. What does not fit is refused, by `fill` or by `check -s points@1`, before anything runs.

#![allow(clippy::print_stdout, reason = "a program says where its result is")]

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser};
use millpond::{Env, Error, FileSink, Files, KeyedContext, Program, WatermarkStrategy};
use millpond_snapshot::Store;
use millpond_snapshot::edit::{Edit, Publish, ValueRow};
use millpond_snapshot::store::OpenMode;
use serde::{Deserialize, Serialize};

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data");

/// The uid of the operator and the name of its state: where the points stand in a snapshot.
const OPERATOR: &str = "balances";
const STATE: &str = "points";

/// What a customer buys: as many points as it costs.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Purchase {
    customer: String,
    amount: u64,
}

/// What a customer has.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Balance {
    customer: String,
    points: u64,
}

/// What this job can be told, besides what every job can.
#[derive(Args, Clone, Debug)]
struct Options {
    /// A CSV file of purchases [default: the bundled data]
    #[arg(long, value_name = "FILE")]
    purchases: Option<PathBuf>,
    /// Where results go
    #[arg(long, value_name = "DIR", default_value = "points-output")]
    output: PathBuf,
}

/// The job.
fn points(env: &Env<'_>, options: &Options) -> Result<(), Error> {
    let file = options.purchases.clone().unwrap_or_else(|| Path::new(DATA).join("purchases.csv"));
    env.source(Files::csv::<Purchase>([file]), WatermarkStrategy::none())
        .uid("purchases")
        .key_by(|purchase| purchase.customer.clone())
        .process_fn(|setup| {
            let points = setup.value::<u64>(STATE);
            move |purchase: &Purchase, context: &mut KeyedContext<'_, String, Balance, ()>| {
                let now = points.get().unwrap_or(0) + purchase.amount;
                points.set(now);
                context.emit(Balance { customer: purchase.customer.clone(), points: now });
                Ok(())
            }
        })
        .uid(OPERATOR)
        .sink(FileSink::json_lines(options.output.clone()).follow_history(true))
        .uid("results");
    Ok(())
}

/// Fill a snapshot with what customers have
#[derive(Parser)]
#[command(name = "fill")]
struct Fill {
    /// A CSV file of customers and their points
    #[arg(default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/data/points.csv"))]
    file: PathBuf,
    /// The store of the snapshot
    #[arg(long, value_name = "URL", default_value = "millpond-store")]
    store: String,
    /// The job that it is for
    #[arg(long, default_value = "points")]
    name: String,
}

impl Fill {
    /// Writes the snapshot; gives its address.
    async fn run(self) -> Result<String, Box<dyn std::error::Error>> {
        let store = Store::open(&self.store, OpenMode::CreateIfMissing).await?;
        let mut edit = Edit::of_nothing(&store, &self.name.parse()?).await?;
        let rows = csv::Reader::from_path(&self.file)?.into_deserialize::<Balance>();
        edit.bootstrap(&OPERATOR.parse()?, &STATE.parse()?)?
            .try_write(rows.map(|row| row.map(|row| ValueRow::new(row.customer, row.points))))
            .await?;
        let reason = format!("filled from {}", self.file.display());
        let published = edit.publish(Publish { reason: Some(reason), ..Publish::default() }).await?;
        Ok(published.id.to_string())
    }
}

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1).peekable();
    if arguments.peek().is_none_or(|first| first != "fill") {
        return Program::new("points", points).about("Adds up the points of customers").main();
    }
    let runtime = tokio::runtime::Runtime::new();
    let filled =
        runtime.map_err(Into::into).and_then(|runtime| runtime.block_on(Fill::parse_from(arguments).run()));
    match filled {
        Ok(address) => {
            println!("{address}: start from it with run -s {address}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
