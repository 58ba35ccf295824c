//! Command lines, as people write them and get them wrong.

use std::time::Duration;

use clap::error::ErrorKind;

use super::plan::PlanFormat;
use super::{Command, Program, parse};
use crate::job::options::{Cluster, Listen, PendingOutput, RunOptions, StateBackend};
use crate::runtime::restart::RestartStrategy;
use crate::source::SourcePosition;

#[derive(clap::Args, Debug)]
struct Own {
    /// Where results go
    #[arg(long, default_value = "out")]
    output: String,
}

fn read(line: &str) -> Result<Command<Own>, clap::Error> {
    let program = Program { name: "flights".into(), about: Some("Counts flights".into()), version: None };
    parse(&program, ["flights"].into_iter().chain(line.split_whitespace()))
}

fn run(flags: &str) -> RunOptions {
    match read(&format!("run {flags}")) {
        Ok(Command::Run(options, _)) => *options,
        other => panic!("{flags}: {other:?}"),
    }
}

/// What is said of a mistake, in one line.
fn mistake(line: &str) -> String {
    let error = read(line).expect_err(line);
    assert_eq!(error.exit_code(), 2, "{line}");
    error.to_string().replace('\n', " ")
}

fn help(verb: &str) -> String {
    let error = read(&format!("{verb} --help")).expect_err("help");
    assert_eq!(error.kind(), ErrorKind::DisplayHelp);
    assert_eq!(error.exit_code(), 0);
    error.to_string()
}

#[test]
fn no_flags_give_the_documented_defaults() {
    let given = run("");
    // What the library does not do by itself, but a program does.
    let expected =
        RunOptions { listen: Listen::Prefer("127.0.0.1:8081".into()), quiet: false, ..RunOptions::default() };
    assert_eq!(format!("{given:?}"), format!("{expected:?}"));
}

#[test]
fn every_flag_arrives_where_it_belongs() {
    let options =
        run("-p 4 --store s3://b/x --name f2 --checkpoint-interval 500ms --min-pause 1s --checkpoint-timeout 2m \
         --tolerable-failed-checkpoints 3 --retain 5 --retain-on-cancel -s flights#v1 -n --map a=b --map c=d \
         --drop old --drop op/state --strict-uids --restart none --listen 0.0.0.0:9000 --hosts h:1,[::1]:2 \
         --process 1 --savepoint-every 48h -q --source-position in=end --source-position a=b=7 \
         --pending-output drop --take-over");
    assert_eq!(options.parallelism, Some(4));
    assert_eq!(options.store.as_deref(), Some("s3://b/x"));
    assert_eq!(options.name.as_deref(), Some("f2"));
    assert_eq!(options.checkpoint_interval, Duration::from_millis(500));
    assert_eq!(options.min_pause, Duration::from_secs(1));
    assert_eq!(options.checkpoint_timeout, Duration::from_secs(120));
    assert_eq!(options.tolerable_failures, 3);
    assert_eq!(options.retain, 5);
    assert!(options.retain_on_cancel && options.allow_non_restored && options.strict_uids && options.quiet);
    assert_eq!(options.from.as_deref(), Some("flights#v1"));
    assert_eq!(options.map, [("a".into(), "b".into()), ("c".into(), "d".into())]);
    assert_eq!(options.drop, [("old".into(), None), ("op".into(), Some("state".into()))]);
    assert_eq!(options.source_positions[0], ("in".into(), SourcePosition::Latest));
    assert_eq!(options.source_positions[1], ("a=b".into(), SourcePosition::At("7".into())));
    assert_eq!(options.pending_output, Some(PendingOutput::Drop));
    assert!(options.take_over && !options.fresh && run("--fresh").fresh);
    assert_eq!(options.restart, RestartStrategy::None);
    assert_eq!(options.listen, Listen::At("0.0.0.0:9000".into()));
    assert_eq!(options.cluster, Some(Cluster { hosts: vec!["h:1".into(), "[::1]:2".into()], process: 1 }));
    assert_eq!(options.savepoint_every, Some(Duration::from_secs(48 * 3600)));
}

#[test]
fn flinks_long_names_and_the_jobs_own_options_are_taken() {
    let command = read("run --fromSavepoint flights@42 --allowNonRestoredState --output there").unwrap();
    let Command::Run(options, own) = command else { panic!("{command:?}") };
    assert_eq!(options.from.as_deref(), Some("flights@42"));
    assert!(options.allow_non_restored);
    assert_eq!(own.output, "there");
}

#[test]
fn the_last_slash_parts_a_state_from_its_uid() {
    let drop = |text: &str| run(&format!("--drop {text}")).drop.remove(0);
    assert_eq!(drop("a/b/c"), ("a/b".into(), Some("c".into())));
    assert_eq!(drop("a/b/"), ("a/b".into(), None));
}

#[test]
fn restart_strategies_read_as_written() {
    let (second, minute) = (Duration::from_secs(1), Duration::from_secs(60));
    let exponential = |reset_after, attempts| RestartStrategy::ExponentialDelay {
        initial: second,
        max: minute,
        multiplier: 2.0,
        reset_after,
        attempts,
    };
    for (text, expected) in [
        ("none", RestartStrategy::None),
        ("fixed:3,1s", RestartStrategy::FixedDelay { attempts: 3, delay: second }),
        ("exponential", RestartStrategy::default()),
        ("exponential:1s,1m,2", exponential(RestartStrategy::RESET_AFTER, None)),
        ("exponential:1s,1m,2,1m", exponential(minute, None)),
        ("exponential:1s,1m,2,1m,7", exponential(minute, Some(7))),
        ("rate:3,1m,1s", RestartStrategy::FailureRate { failures: 3, interval: minute, delay: second }),
    ] {
        assert_eq!(run(&format!("--restart {text}")).restart, expected, "{text}");
    }
    for text in ["", "never", "none:1", "fixed", "fixed:3", "fixed:-1,1s", "fixed:3,1s,", "rate:1,0s,1s"] {
        mistake(&format!("run --restart={text}"));
    }
    for text in ["2m,1m,2", "0s,1m,2", "1s,1m,0.5", "1s,1m,NaN", "1s,1m,inf", "1s,1m,2,1h,3,4"] {
        mistake(&format!("run --restart exponential:{text}"));
    }
}

#[test]
fn a_mistake_gets_one_message_that_says_what_to_write() {
    for (line, hint) in [
        ("run --checkpoint-interval 10", "write 10s, 10ms or 10m"),
        ("run --checkpoint-interval soon", "such as 500ms, 10s, 5m or 48h"),
        ("run --checkpoint-interval 99999999999999999999y", "such as 500ms"),
        ("run --checkpoint-interval 11y", "longer than 10 years"),
        ("run --checkpoint-timeout 0s", "longer than zero"),
        ("run --savepoint-every 0s", "longer than zero"),
        ("run -p 0", "1..=1024"),
        ("run --retain 0", "1.."),
        ("run --name a/b", "letters, digits"),
        ("run -s flights@", "JOB@42"),
        ("run --map ab", "OLD=NEW"),
        ("run --map =b", "operator uid"),
        ("run --drop /s", "operator uid"),
        ("run --listen 8081", "127.0.0.1:8081"),
        ("run --hosts a:1,b --process 0", "HOST:PORT"),
        ("run --hosts a:1,b:0 --process 0", "HOST:PORT"),
        ("run --hosts a:1,b:1", "--process"),
        ("run --process 0", "--hosts"),
        ("run --hosts a:1,b:1 --process 2", "0 to 1"),
        ("run --hosts a:1,a:1 --process 0", "twice"),
        ("run --hosts a:1,b:1 --process 0 -p 3", "multiple of 2"),
        ("run --source-position end", "UID=POSITION"),
        ("run --source-position in=", "a position is empty"),
        ("run --pending-output keep", "commit"),
        ("run --fresh -s flights@1", "cannot be used with"),
        ("check", "--from-savepoint"),
        ("plan --format svg", "mermaid"),
        ("fly", "Usage: flights"),
    ] {
        let said = mistake(line);
        assert!(said.contains(hint), "{line}: {said}");
    }
}

#[test]
fn listening_may_be_off_or_at_localhost() {
    assert_eq!(run("--listen off").listen, Listen::Off);
    assert_eq!(run("--listen localhost:0").listen, Listen::At("127.0.0.1:0".into()));
    assert_eq!(run("--listen [::1]:80").listen, Listen::At("[::1]:80".into()));
}

#[test]
fn help_teaches() {
    let run = help("run");
    let headings =
        ["The job's own options:", "Job:", "Start from a snapshot:", "Checkpoints and savepoints:", "Operation:"];
    let places: Vec<usize> =
        headings.iter().map(|heading| run.find(&format!("\n{heading}\n")).expect(heading)).collect();
    assert!(places.is_sorted(), "{run}");
    for text in ["--output", "[default: 10s]", "[default: exponential:1s,1m,1.5,1h]", "flights run -s flights@42"]
    {
        assert!(run.contains(text), "{text}: {run}");
    }
    assert!(help("check").contains("Exit code 0"));
    assert!(help("").contains("Counts flights"));
}

#[test]
fn no_arguments_show_the_help_and_fail() {
    let error = read("").expect_err("help");
    assert_eq!(error.exit_code(), 2);
    assert!(error.to_string().contains("Commands:"));
}

#[test]
fn check_takes_what_run_takes_to_restore() {
    let command = read("check -s flights@7 --map a=b --drop c -n --strict-uids --store ./s --json").unwrap();
    let Command::Check(options, _) = command else { panic!("{command:?}") };
    assert_eq!(options.from, "flights@7");
    assert_eq!(options.store.as_deref(), Some("./s"));
    assert_eq!(options.flags.map, [("a".into(), "b".into())]);
    assert_eq!(options.flags.drop, [("c".into(), None)]);
    assert!(options.flags.allow_non_restored && options.strict_uids && options.json);
}

#[test]
fn plan_takes_json_for_short() {
    assert!(matches!(read("plan --json"), Ok(Command::Plan(PlanFormat::Json, _))));
    assert!(matches!(read("plan --format dot"), Ok(Command::Plan(PlanFormat::Dot, _))));
    assert!(matches!(read("plan"), Ok(Command::Plan(PlanFormat::Table, _))));
}

#[test]
fn state_goes_where_it_is_told() {
    let options = run("--state-backend disk --state-cache 2GiB --state-dir /mnt/fast");
    assert_eq!((options.state_backend, options.state_cache), (StateBackend::Disk, 2 << 30));
    assert_eq!(options.state_dir.as_deref(), Some(std::path::Path::new("/mnt/fast")));
    assert_eq!(run("--state-cache 1500").state_cache, 1500);
    for (flags, said) in [
        ("--state-backend rocks", "memory, disk"),
        ("--state-cache 0", "more than nothing"),
        ("--state-cache lots", "512MiB"),
    ] {
        let mistake = mistake(&format!("run {flags}"));
        assert!(mistake.contains(said), "{flags}: {mistake}");
    }
    let help = help("run");
    assert!(help.contains("--state-backend") && help.contains("256MB"), "{help}");
}
