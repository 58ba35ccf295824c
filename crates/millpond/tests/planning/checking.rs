//! `JOB check` and `JOB run` as a program's `main` gets them: exit codes, and what is refused.

use std::process::ExitCode;

use millpond::{Env, Error, IteratorSource, Program, Stdout, WatermarkStrategy};

/// The form that the job has.
#[derive(clap::Args, Clone)]
struct Form {
    /// The uid of the operator that counts; derived if none is given
    #[arg(long)]
    uid: Option<String>,
    /// Whether the input is filtered first, which changes derived uids
    #[arg(long)]
    filtered: bool,
    /// Whether there is an operator that counts
    #[arg(long)]
    uncounted: bool,
}

fn define(env: &Env<'_>, form: &Form) -> Result<(), Error> {
    let numbers = env.source(IteratorSource::new(|| 0..12_u64), WatermarkStrategy::none()).uid("numbers");
    let numbers = if form.filtered { numbers.filter(|_| true) } else { numbers };
    if form.uncounted {
        return Ok(());
    }
    let counts = numbers.key_by(|number| number % 2).count();
    let counts = match &form.uid {
        Some(uid) => counts.uid(uid),
        None => counts,
    };
    counts.filter(|_| false).sink(Stdout::new()).uid("out");
    Ok(())
}

fn program(line: &str) -> String {
    let arguments =
        ["counting"].into_iter().chain(line.split_whitespace()).map(|word| word.trim_matches('\'').into());
    code(Program::new("counting", define).main_from(arguments))
}

fn code(code: ExitCode) -> String {
    format!("{code:?}")
}

/// Runs the job to its end, and then the checks, each with the exit code that it must have.
fn after_a_run(form: &str, checks: &[(&str, u8)]) {
    let directory = tempfile::tempdir().unwrap();
    let store = directory.path().join("store").display().to_string();
    assert_eq!(program(&format!("run -q --listen off --store {store} {form}")), code(ExitCode::SUCCESS));
    for (check, expected) in checks {
        let found = program(&format!("check --store {store} -s counting@latest {check}"));
        assert_eq!(found, code(ExitCode::from(*expected)), "check {check}");
        // A run does what the check says.
        let ran = program(&format!("run -q --listen off --name other --store {store} -s counting@latest {check}"));
        assert_eq!(ran == code(ExitCode::SUCCESS), *expected == 0, "run {check}");
    }
}

#[test]
fn a_check_says_whether_a_run_starts() {
    after_a_run(
        "--uid counts",
        &[
            ("--uid counts", 0),
            ("--uid counts --strict-uids", 0),
            ("--uid totals", 1),
            ("--uid totals --map counts=totals", 0),
            ("--uid totals --drop counts", 0),
            ("--uncounted", 1),
            ("--uncounted -n", 0),
            ("--uncounted --drop counts --drop out", 0),
            // What cannot be checked does not fit.
            ("--uid totals --map counts=nobody", 2),
            ("--uid numbers", 2),
            ("--uid counts --source-position numbers=latest", 2),
            ("--uid counts --source-position numbers=5", 0),
            ("--uid counts --source-position numbers=five", 2),
        ],
    );
}

#[test]
fn a_derived_uid_is_refused_if_uids_are_strict_and_else_wants_a_map_when_it_changes() {
    after_a_run("", &[("", 0), ("--strict-uids", 2), ("--filtered", 1), ("--uid counts", 1)]);
}
