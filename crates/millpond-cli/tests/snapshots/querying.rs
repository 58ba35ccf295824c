//! `query`.

use std::path::Path;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, UInt64Type};
use millpond_snapshot::RecordBatch;
use millpond_snapshot::arrow_schema::DataType;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Value, json};

use super::support::Place;

/// The whole of a Parquet file.
fn read_parquet(path: &Path) -> RecordBatch {
    let file = std::fs::File::open(path).unwrap();
    let mut reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
    let batch = reader.next().unwrap().unwrap();
    assert!(reader.next().is_none());
    batch
}

#[test]
fn each_kind_of_state_is_a_table_of_what_it_holds() {
    let golden = Path::new(&std::env::var("CARGO_MANIFEST_DIR").unwrap())
        .join("../millpond-snapshot/tests/golden/v1/expected.json");
    let expected: Value = serde_json::from_slice(&std::fs::read(golden).unwrap()).unwrap();
    let expected = expected.as_object().unwrap();
    assert_eq!(expected.len(), 9);
    let place = Place::golden();
    for (state, expected) in expected {
        let name = state.strip_prefix("golden/").unwrap();
        let mut found = place.rows("flights#golden", &format!("select * from \"golden\".\"{name}\""));
        let rows = found.as_array_mut().unwrap();
        assert!(!rows.is_empty());
        if ["operator-list", "operator-union", "broadcast"].contains(&name) {
            rows.iter_mut().for_each(|row| *row = row["value"].take());
        } else {
            let hashes: Vec<_> = rows.iter_mut().map(|row| row.as_object_mut().unwrap().remove("hash")).collect();
            assert!(hashes.iter().all(|hash| hash.as_ref().is_some_and(Value::is_u64)), "{hashes:?}");
        }
        assert_eq!(found, *expected, "{state}");
    }
}

#[test]
fn a_snapshot_answers_for_its_own_time() {
    let place = Place::flights();
    let sql = "select key, value from \"sum\".\"total\" order by key";
    let row = |key: &str, value: u64| json!({ "key": key, "value": value });
    assert_eq!(place.rows("flights@2", sql), json!([row("a", 10), row("b", 2), row("c", 3)]));
    assert_eq!(place.rows("flights@latest", sql), json!([row("a", 10), row("c", 3), row("d", 4)]));
    assert_eq!(Place::crowd(9).rows("flights@5", "select * from tomorrow.total"), json!([]));
}

#[test]
fn aggregates_and_groups() {
    let place = Place::golden();
    let sql = "select count(*) as n, sum(value) as total, min(key) as first from golden.reducing where value > 3";
    assert_eq!(place.rows("flights@3", sql), json!([{ "n": 3, "total": 109, "first": "a" }]));
    let sql = "select key.line as line, count(*) as n from golden.map where value group by 1 order by 1";
    assert_eq!(place.rows("flights@3", sql), json!([{ "line": -1, "n": 1 }, { "line": 1, "n": 3 }]));
    let sql = "select key, array_length(value) as n, value[1] as first from golden.list where key = 5";
    assert_eq!(place.rows("flights@3", sql), json!([{ "key": 5, "n": 5, "first": 0 }]));
}

#[test]
fn states_join_and_columns_of_one_name_are_told_apart() {
    let place = Place::golden();
    let sql = "select * from golden.reducing r join golden.aggregating a on r.key = a.key order by r.key";
    let found = place.rows("flights@3", sql);
    let keys: Vec<_> = found.as_array().unwrap().iter().map(|row| (&row["r.key"], &row["a.value"])).collect();
    assert_eq!(keys, [(&json!("a"), &json!(5)), (&json!("c"), &json!(3))]);
    assert_eq!(found[0]["r.value"], 100);
    assert_eq!(found[0]["expires_at"], 9000);
    let sql =
        "select r.key from golden.reducing r left anti join golden.aggregating a on r.key = a.key order by 1";
    assert_eq!(place.rows("flights@3", sql), json!([{ "key": "d" }, { "key": "e" }]));
}

#[test]
fn two_snapshots_in_one_query() {
    let place = Place::flights();
    let sql = "select coalesce(now.key, old.key) as key, old.value as old, now.value as now \
               from total_of_4 now full join before.\"sum\".total old on now.key = old.key \
               where now.value is distinct from old.value order by 1";
    let sql = sql.replace("total_of_4", "\"sum\".total");
    let outcome = place.query("flights@4", &sql, "--json --with before=flights@2");
    outcome.says(&[]);
    let found: Value = serde_json::from_str(&outcome.out).unwrap();
    let expected = json!([
        { "key": "b", "old": 2, "now": null },
        { "key": "d", "old": null, "now": 4 },
    ]);
    assert_eq!(found, expected);
    place.query("flights@4", "select 1", "--with snapshot=flights@2").fails(&["called 'snapshot' already"]);
    place.query("flights@4", "select * from then.a.b", "").fails(&["no snapshot called 'then'"]);
    assert_eq!(place.query("flights@4", "select 1", "--with flights@2").code, 2);
}

#[test]
fn names_are_found_as_people_write_them() {
    let place = Place::crowd(10);
    let n = |sql: &str| place.rows("flights@5", sql)[0]["n"].clone();
    for name in ["\"sum\".\"total\"", "sum.total", "SUM.Total", "snapshot.sum.total", "\"Sum\".total"] {
        assert_eq!(n(&format!("select Count(*) as n from {name}")), 9, "{name}");
    }
    assert_eq!(n("select value.split.offset as n from splits"), 500);
    place.query("flights@5", "select * from total", "").fails(&[
        "total may be any of",
        "\"sum\".\"total\"",
        "\"tomorrow\".\"total\"",
    ]);
    assert_eq!(n("with total as (select 7 as n) select n from total"), 7);
}

#[test]
fn there_are_ways_to_find_out_what_can_be_asked() {
    let place = Place::golden();
    place.query("flights#golden", "show tables", "").says(&["golden", "operator-union", "aggregating"]);
    place.query("flights#golden", "describe golden.timers", "").says(&["timestamp", "Int64", "hash"]);
    let sql = "select column_name from information_schema.columns where table_name = 'map' order by 1";
    let found = place.rows("flights#golden", sql);
    assert_eq!(
        found.as_array().unwrap().iter().map(|row| &row["column_name"]).collect::<Vec<_>>(),
        ["hash", "key", "map_key", "value"]
    );
    let plan = place.query("flights#golden", "explain select key from golden.value", "");
    plan.says(&["StateScan: \"golden\".\"value\", columns=[key]"]);
}

#[test]
fn what_has_expired_counts_until_it_is_left_out() {
    let place = Place::golden();
    let keys = |filter: &str| {
        let found = place.rows("flights@3", &format!("select key from golden.aggregating {filter} order by key"));
        found.as_array().unwrap().iter().map(|row| row["key"].as_str().unwrap().to_owned()).collect::<String>()
    };
    assert_eq!(keys(""), "abc");
    assert_eq!(keys("where expires_at is null or expires_at > 1000 * to_unixtime(now())"), "b");
}

#[test]
fn a_large_state_is_read_side_by_side_to_the_same_rows() {
    let place = Place::crowd(70_000);
    let sql = "select count(*) as n, count(distinct key) as keys, sum(value) as total, max(hash) > min(hash) as hashes \
               from \"sum\".total";
    let left: Vec<u64> = (0..70_000).filter(|key| key % 10 != 0).collect();
    let expected =
        json!([{ "n": left.len(), "keys": left.len(), "total": left.iter().sum::<u64>(), "hashes": true }]);
    assert_eq!(place.rows("flights@5", sql), expected);
    let sql = "select key, value from \"sum\".total order by value desc limit 2";
    let expected = json!([{ "key": "k69999", "value": 69_999 }, { "key": "k69998", "value": 69_998 }]);
    assert_eq!(place.rows("flights@5", sql), expected);
    assert_eq!(place.rows("flights@5", "select key from \"sum\".total limit 5").as_array().unwrap().len(), 5);
    let csv = place.query("flights@5", "select value from \"sum\".total", "--format csv");
    let values: u64 = csv.out.lines().skip(1).map(|line| line.parse::<u64>().unwrap()).sum();
    assert_eq!(values, left.iter().sum::<u64>());
}

#[test]
fn a_table_shows_the_first_rows_and_says_that_there_are_more() {
    let place = Place::flights();
    let sql = "select value as n, 'x' as x from generate_series(1, 500)";
    let outcome = place.query("flights@4", sql, "--rows 3");
    outcome.says(&["3 rows shown, and there are more"]);
    let lines: Vec<_> = outcome.out.lines().map(str::trim).take(4).collect();
    assert_eq!(lines, ["n  x", "1  x", "2  x", "3  x"]);
    let whole = place.query("flights@4", sql, "--rows 500").out;
    assert_eq!(whole.lines().count(), 501);
    assert_eq!(place.query("flights@4", "select 'a\u{1b}[2J' as evil", "").out.trim(), "evil\n a\u{fffd}[2J");
}

#[test]
fn csv_has_a_header_and_json_for_what_is_made_of_parts() {
    let place = Place::golden();
    let sql = "select key, value, value.note as note from golden.value order by key";
    let outcome = place.query("flights@3", sql, "--format csv");
    let mut reader = csv::Reader::from_reader(outcome.out.as_bytes());
    assert_eq!(reader.headers().unwrap(), ["key", "value", "note"].as_slice());
    let rows: Vec<Vec<String>> =
        reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect();
    let keys: Vec<&str> = rows.iter().map(|row| row[0].as_str()).collect();
    assert_eq!(keys, ["", "Genève", "jfk", "zrh"]);
    assert_eq!((rows[3][2].as_str(), rows[2][2].as_str()), ("sun", ""));
    let value: Value = serde_json::from_str(&rows[1][1]).unwrap();
    assert_eq!(value, json!({ "sum": i64::MAX, "note": null, "mean": 0.5 }));
}

#[test]
fn parquet_keeps_the_types_and_goes_to_a_file_or_through_a_pipe() {
    let place = Place::golden();
    let sql = "select key, value.sum as sum, value from golden.value order by key";
    place.query("flights@3", sql, "--format parquet --output found.parquet").says(&[]);
    let found = read_parquet(&place.path("found.parquet"));
    let keys: Vec<_> = found.column(0).as_string::<i64>().iter().flatten().collect();
    assert_eq!(keys, ["", "Genève", "jfk", "zrh"]);
    assert_eq!(found.column(1).as_primitive::<Int64Type>().values(), &[0, i64::MAX, 9, 7]);
    assert!(matches!(found.schema().field(2).data_type(), DataType::Struct(fields) if fields.len() == 3));

    let piped =
        place.output("query flights@3 --format parquet", &["select max(hash) as hash from golden.reducing"]);
    assert!(piped.status.success());
    std::fs::write(place.path("piped.parquet"), piped.stdout).unwrap();
    let found = read_parquet(&place.path("piped.parquet"));
    assert_eq!(found.column(0).as_primitive::<UInt64Type>().value(0), 17_304_015_560_864_710_283);
}

#[test]
fn a_file_is_the_whole_answer_or_what_it_was() {
    let place = Place::golden();
    std::fs::write(place.path("kept"), "before").unwrap();
    let outcome = place.query("flights@3", "select value / 0 from golden.reducing", "--format csv --output kept");
    outcome.fails(&["Divide by zero"]);
    assert_eq!(std::fs::read_to_string(place.path("kept")).unwrap(), "before");
    place.query("flights@3", "select key from golden.reducing order by 1", "--format csv --output kept").says(&[]);
    assert_eq!(std::fs::read_to_string(place.path("kept")).unwrap(), "key\na\nc\nd\ne\n");
    place.query("flights@3", "select 1", "--output no/where").fails(&["no/where cannot be written"]);
    let left = std::fs::read_dir(place.path("")).unwrap().count();
    assert_eq!(left, 2, "the store and the file, and no temporary one");
}

#[test]
fn what_cannot_be_answered_says_why() {
    let place = Place::flights();
    let ask = |sql: &str| place.query("flights@4", sql, "");
    ask("selec 1").fails(&["not SQL", "selec"]);
    ask("").fails(&["No SQL"]);
    ask("select 1; select 2").fails(&["single SQL statement"]);
    ask("select * from \"sum\".count")
        .fails(&["flights@4 has no table \"sum\".\"count\"", "it has \"files\".\"splits\", \"sum\".\"total\""]);
    ask("select * from '/etc/passwd'").fails(&["no table /etc/passwd"]);
    ask("select Value from \"sum\".total").fails(&["no column Value", "value", "case counts"]);
    let sql = "select array_agg(repeat('x', 10000)) from generate_series(1, 20000)";
    place.query("flights@4", sql, "--memory 32").fails(&["more than the 32 MiB", "--memory"]);
    place.query("flights@9", "select 1", "").fails(&["there is no snapshot flights@9"]);
    for line in ["query flights@4", "query flights@4 x --json --format csv", "query flights@4 x --memory 1"] {
        assert_eq!(place.run(line).code, 2, "{line}");
    }
}

#[test]
fn nothing_but_reading_is_done() {
    let place = Place::flights();
    for sql in [
        "copy (select 1) to 'out.csv' stored as csv",
        "create external table t stored as csv location 'out.csv'",
        "create table t as select 1",
        "create view v as select 1",
        "insert into \"sum\".total select * from \"sum\".total",
        "delete from \"sum\".total",
        "update \"sum\".total set value = 1",
        "drop table \"sum\".total",
        "set datafusion.runtime.memory_limit = '100G'",
        "explain copy (select 1) to 'out.csv' stored as csv",
        "explain analyze insert into \"sum\".total select * from \"sum\".total",
    ] {
        place.query("flights@4", sql, "").fails(&["a query only reads"]);
    }
    assert!(!place.path("out.csv").exists());
}

#[test]
fn a_chunk_that_is_not_as_it_was_written_is_named() {
    let place = Place::flights();
    let chunk = place.chunks()[0].clone();
    let mut bytes = std::fs::read(&chunk).unwrap();
    bytes[100] ^= 1;
    std::fs::write(&chunk, bytes).unwrap();
    let name = chunk.file_name().unwrap().to_str().unwrap();
    let outcome = place.query("flights@4", "select sum(value) from \"sum\".total", "");
    outcome.fails(&[name, "BLAKE3 hash", "millpond snapshots verify"]);
}

#[test]
fn an_exported_directory_is_asked_without_a_store() {
    let place = Place::flights();
    place.run("export flights@3 ./tuesday").says(&["flights@3"]);
    std::fs::remove_dir_all(place.path("store")).unwrap();
    let found = place.rows("./tuesday", "select sum(value) as total from \"sum\".total");
    assert_eq!(found, json!([{ "total": 13 }]));
}
