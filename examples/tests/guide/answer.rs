//! Whether commands print what the page says.
//!
//! On the page, `…` stands for anything in a line, and a line of nothing else for any number of lines. What differs from one
//! run to the next may be written as it once was: moments, durations, sizes, the numbers of snapshots, runs and output
//! files. Blanks count as one, and so does a line that draws a table: how wide a column is, depends on what is in it. A
//! checkpoint that the clock took on a slow machine is on no page, so its line in a list of snapshots is passed over.

/// Whether `found` is what `expected` says.
pub(crate) fn matches(expected: &str, found: &str) -> bool {
    let counts = |line: &String| !line.is_empty() && line.split(' ').nth(1) != Some("checkpoint");
    let lines = |text: &str| text.lines().map(plain).filter(counts).collect::<Vec<_>>();
    all_lines(&lines(expected), &lines(found))
}

fn all_lines(expected: &[String], found: &[String]) -> bool {
    match expected.split_first() {
        None => found.is_empty(),
        Some((first, rest)) if first == "…" => {
            (0..=found.len()).any(|skipped| all_lines(rest, &found[skipped..]))
        }
        Some((first, rest)) => {
            found.split_first().is_some_and(|(line, others)| one_line(first, line) && all_lines(rest, others))
        }
    }
}

fn one_line(expected: &str, found: &str) -> bool {
    match expected.split_once('…') {
        None => expected == found,
        Some((before, after)) => found.strip_prefix(before).is_some_and(|rest| {
            rest.char_indices().map(|(at, _)| at).chain([rest.len()]).any(|at| one_line(after, &rest[at..]))
        }),
    }
}

/// A line without what differs from one run to the next.
fn plain(line: &str) -> String {
    let mut words: Vec<String> = Vec::new();
    for word in line.split_whitespace() {
        let before = words.last().map(String::as_str);
        let is_amount = before.is_some_and(|before| before.trim_start_matches('(').parse::<f64>().is_ok());
        match word.trim_end_matches(['.', ',', ')']) {
            "B" | "KiB" | "MiB" if is_amount => *words.last_mut().expect("an amount") = "SIZE".to_owned(),
            _ if before == Some("run") && is_number(word.trim_end_matches(',')) => words.push("RUN".to_owned()),
            _ => {
                let word = general(word);
                // `1m 5s` is one duration.
                if !(word == "DURATION" && before == Some("DURATION")) {
                    words.push(word);
                }
            }
        }
    }
    words.join(" ")
}

fn is_number(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit())
}

fn general(word: &str) -> String {
    let digits = word.trim_end_matches(|c: char| c.is_ascii_lowercase());
    let unit = &word[digits.len()..];
    match word {
        // A line of a table.
        _ if word.chars().all(|c| ('\u{2500}'..='\u{257f}').contains(&c)) => word.chars().take(1).collect(),
        _ if word.parse::<jiff::Timestamp>().is_ok() || word.parse::<jiff::civil::Date>().is_ok() => {
            "TIME".to_owned()
        }
        _ if word.strip_suffix('Z').is_some_and(|time| time.parse::<jiff::civil::Time>().is_ok()) => {
            "TIME".to_owned()
        }
        _ if is_number(digits) && ["ms", "s", "m", "h"].contains(&unit) => "DURATION".to_owned(),
        _ if word.len() == 32 && word.bytes().all(|byte| byte.is_ascii_hexdigit()) => "ID".to_owned(),
        _ => numbers(word),
    }
}

/// `delays@7` and `part-delays-000001-00000002-000.jsonl` without their numbers.
fn numbers(word: &str) -> String {
    let is_file = word.contains("part-");
    let (mut plain, mut in_address) = (String::new(), false);
    for c in word.chars() {
        if c.is_ascii_digit() && (is_file || in_address) {
            // One for all digits of a number.
            if !plain.ends_with('№') {
                plain.push('№');
            }
        } else {
            in_address = c == '@';
            plain.push(c);
        }
    }
    plain
}

#[test]
fn what_differs_from_run_to_run_does_not_count() {
    for (expected, found) in [
        ("delays@7  savepoint", "delays@12 savepoint"),
        ("2026-11-24 19:35:44Z", "2027-01-01 00:00:00Z"),
        ("since 2026-11-24T19:35:44Z", "since 2027-01-01T00:00:00.5Z"),
        ("1.94 KiB  46ms", "100 B 1s"),
        ("1 object (1.94 KiB) copied.", "1 object (8 B) copied."),
        ("1s", "1m 5s"),
        ("run 1 with 1 worker", "run 17 with 1 worker"),
        ("part-delays-000001-00000002-000.jsonl", "part-delays-000004-00000010-000.jsonl"),
        ("┌────┬──┐", "┌──────┬─┐"),
        ("the … is …", "the state is here"),
        ("a\n…\nd", "a\nb\nc\nd\n"),
        ("a\n…\nd", "a\nd"),
        ("delays@2 savepoint\ndelays@9 savepoint", "delays@2 savepoint\ndelays@8 checkpoint\ndelays@9 savepoint"),
        ("b3a37aa9c307227a1ccd64e04e6592f6", "be217afa6ecf676be63a7856f5bfd0d4"),
    ] {
        assert!(matches(expected, found), "{expected} / {found}");
    }
}

#[test]
fn everything_else_does() {
    for (expected, found) in [
        ("", "something"),
        ("something", ""),
        ("delays@7", "delays-v2@7"),
        ("'delays#week-1'", "'delays#week-2'"),
        ("6099", "6109"),
        ("1 worker", "4 worker"),
        ("a\nb", "a\nb\nc"),
        ("a\nb\nc", "a\nb"),
        ("the … is", "the state was"),
        ("{\"flights\":699,\"late\":143}", "{\"flights\":699,\"late\":136}"),
    ] {
        assert!(!matches(expected, found), "{expected} / {found}");
    }
}
