//! Numbers and tables as people read them.

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, Table};
use indicatif::{HumanBytes, HumanCount};
use jiff::Timestamp;

use crate::output::plain;

pub(super) fn bytes(bytes: u64) -> String {
    HumanBytes(bytes).to_string()
}

pub(super) fn count(number: u64) -> String {
    HumanCount(number).to_string()
}

/// `1 object`, `2,000 objects`.
pub(super) fn counted(number: u64, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {what}{plural}", count(number))
}

/// In UTC, to the second.
pub(super) fn time(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

/// From milliseconds: `12ms`, `1.4s`, `2m 5s`.
pub(super) fn duration(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms}ms"),
        1_000..60_000 => format!("{}.{}s", ms / 1_000, ms % 1_000 / 100),
        _ => format!("{}m {}s", ms / 60_000, ms % 60_000 / 1_000),
    }
}

/// A table with neither lines nor escape sequences. `right` are the columns of numbers.
pub(super) fn table<const N: usize>(header: [&str; N], rows: Vec<[String; N]>, right: &[usize]) -> String {
    table_of(header, rows, right)
}

/// [`table`], of any number of columns.
pub(super) fn table_of<'a>(
    header: impl IntoIterator<Item = &'a str>,
    rows: impl IntoIterator<Item = impl IntoIterator<Item = String>>,
    right: &[usize],
) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING).set_header(header);
    for row in rows {
        table.add_row(row.into_iter().map(|cell| plain(&cell)));
    }
    for column in right {
        if let Some(column) = table.column_mut(*column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.trim_fmt()
}

/// The same text, a little to the right.
pub(super) fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::duration;

    #[test]
    fn durations_are_as_long_as_they_need_to_be() {
        let shown = [12, 1_450, 125_000].map(duration);
        assert_eq!(shown, ["12ms", "1.4s", "2m 5s"]);
    }
}
