//! `millpond snapshots query`

use std::path::PathBuf;

use clap::Args;
use clap::builder::RangedU64ValueParser;
use millpond_snapshot::Error;
use millpond_snapshot::repository::SnapshotAddress;

use super::answer::{Format, write};
use super::place::Place;
use crate::failure::Failure;
use crate::output::Waiting;
use crate::sql::Session;

/// Ask a snapshot with SQL
///
/// Each state of each operator is a table, "uid"."state"; the state's name alone will do if no other operator has one of
/// that name. Names need quotes only if they are more than letters, digits and _; their case counts only where it tells
/// two apart.
///
/// Keyed state has a row for each key (for each entry of a map; for each timer) and the columns key, map_key (maps), value,
/// or timestamp in milliseconds (timers), expires_at in milliseconds (states with a time to live), and hash. The state of an
/// operator, such as how far a source has read, has a row for each element and the columns value and, if it is broadcast,
/// key. A field of a struct is value.field or value['field']. What has no columns of its own is JSON text.
///
/// Entries that have outlived their time to live are there until compaction leaves them out, and count: expires_at tells.
///
/// The query reads and never changes anything. Rows are streamed, and what must be held, for groups, sorts and joins, goes to
/// temporary files when it is more than --memory.
#[derive(Args)]
#[command(after_long_help = EXAMPLES, after_help = "Examples: --help")]
pub(crate) struct Query {
    /// JOB@42, JOB@latest, JOB#tag or ./exported-directory
    snapshot: SnapshotAddress,
    /// SELECT …, SHOW TABLES, DESCRIBE "uid"."state", EXPLAIN …
    #[arg(value_name = "SQL")]
    sql: String,
    /// Another snapshot, whose tables are NAME."uid"."state" in the same query
    #[arg(long = "with", value_name = "NAME=SNAPSHOT", value_parser = named)]
    others: Vec<(String, SnapshotAddress)>,
    /// How rows are written; json is one array, a row a line
    #[arg(long, value_enum, default_value_t = Format::Table, conflicts_with = "json")]
    format: Format,
    /// Write to a file, which is there when the whole answer is; one of that name is replaced
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// How many rows a table shows; the other formats have all
    #[arg(long, value_name = "N", default_value_t = 100)]
    rows: usize,
    /// How much memory groups, sorts and joins may take before they go to temporary files
    #[arg(long, value_name = "MIB", default_value_t = 512, value_parser = RangedU64ValueParser::<usize>::new().range(32..))]
    memory: usize,
    #[command(flatten)]
    place: Place,
}

const EXAMPLES: &str = r#"Examples:
  What tables there are, and the columns of one
    millpond snapshots query flights@latest 'show tables'
    millpond snapshots query flights@latest 'describe "sum"."total"'
  The ten greatest, and the sum of all
    millpond snapshots query flights@latest 'select key, value from total order by value desc limit 10'
    millpond snapshots query flights@latest 'select count(*), sum(value) from "sum"."total"'
  Fields of structs, joins, groups
    millpond snapshots query flights@42 'select value.carrier, count(*) from "last-seen"."latest" group by 1'
    millpond snapshots query flights@42 'select a.key from "a"."seen" a left join "b"."seen" b on a.key = b.key where b.key is null'
  Two snapshots at once
    millpond snapshots query flights@42 --with before=flights@41 \
      'select key, now.value - then.value from "sum"."total" now join before."sum"."total" then using (key)'
  Without what has expired; timers as times
    millpond snapshots query flights@42 'select * from "dedupe"."seen" where expires_at is null or expires_at > 1000 * to_unixtime(now())'
    millpond snapshots query flights@42 'select key, to_timestamp_millis(timestamp) from "windows"."event-time-timers"'
  For other tools
    millpond snapshots query ./monday 'select * from total' --format parquet --output total.parquet
    millpond snapshots query ./monday 'select * from total' --format csv | sort"#;

impl Query {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let format = if self.place.json { Format::Json } else { self.format };
        format.check(self.output.as_deref())?;
        let mut session = Session::new(self.place.find(&self.snapshot).await?, self.memory)?;
        for (name, address) in &self.others {
            session.add(name, self.place.find(address).await?)?;
        }
        let waiting = Waiting::new("Reading".to_owned());
        let rows = session.query(&self.sql).await?;
        write(rows, format, self.output.as_deref(), self.rows, waiting).await
    }
}

fn named(text: &str) -> Result<(String, SnapshotAddress), Error> {
    let parts = text.split_once('=').filter(|(name, _)| !name.is_empty());
    let (name, address) = parts
        .ok_or_else(|| Error::InvalidInput(format!("{text:?} is not NAME=SNAPSHOT, such as before=flights@41")))?;
    Ok((name.to_owned(), address.parse()?))
}
