use super::*;

#[test]
fn a_value_a_line_and_blank_lines_are_skipped() {
    let rows =
        read_json("\u{feff}{\"name\":\"a\",\"count\":1}\r\n\n  \t\r\n{\"name\":\"b\\u0000\",\"count\":null}")
            .unwrap();
    assert_eq!(rows, [row("a", 1), row("b\0", None)]);
    assert_eq!(read_json("").unwrap(), []);
    assert_eq!(read_json("\n\n").unwrap(), []);
}

#[test]
fn a_malformed_record_is_named_with_line_field_and_reason() {
    let cases: [(&[u8], &str); 5] = [
        (b"{\"name\":\"a\",\"count\":\"x\"}", "field 'count': invalid type"),
        (b"{\"name\":\"a\"", "EOF while parsing"),
        (b"{\"count\":1}", "missing field `name`"),
        (b"{\"name\":\"\xff\",\"count\":1}", "invalid unicode"),
        (b"{\"name\":\"\0\",\"count\":1}", "control character"),
    ];
    for (bad, reason) in cases {
        let content = [b"{\"name\":\"a\",\"count\":1}\n\n", bad, b"\r\n{\"name\":\"b\",\"count\":2}\n"].concat();
        let (error, parsed) = malformed(&content, false);
        assert!(error.contains("line 3: ") && error.contains(reason), "{error}");
        assert_eq!(parsed.len(), 3);
        assert_eq!(parsed[2], Parsed::Record(row("b", 2)));
        assert_eq!(parsed[1].malformed().unwrap().text, String::from_utf8_lossy(bad));
    }
}

#[test]
fn deep_nesting_does_not_overflow_the_stack() {
    let (error, _) = malformed("[".repeat(90_000), false);
    assert!(error.contains("line 1: "), "{error}");
}

#[test]
fn a_long_record_is_taken_up_to_the_limit() {
    let line = |length: usize| format!("{{\"name\":\"{}\",\"count\":1}}", "x".repeat(length));
    let overhead = line(0).len();
    for (length, end, fits) in
        [(100_000, "\r\n", true), (100_001, "\n", false), (400_000, "\n", false), (400_000, "", false)]
    {
        let content = format!("{}{end}", line(length - overhead));
        if fits {
            let (_dir, path) = file("in.jsonl", &content);
            let source = Files::json_lines::<Row>([&path]).max_record_bytes(100_000);
            assert_eq!(read(&source, &path).unwrap().len(), 1);
        } else {
            let (error, parsed) = malformed(&content, false);
            assert!(error.contains("longer than 100000 bytes"), "{error}");
            assert_eq!(parsed.len(), 1);
        }
    }
}

#[test]
fn compressed_files_may_have_several_members() {
    let content = [gzip(b"{\"name\":\"a\",\"count\":1}\n{\"name\":"), gzip(b"\"b\",\"count\":2}\n")].concat();
    let (_dir, path) = file("in.jsonl.gz", &content);
    let source = Files::json_lines::<Row>([&path]);
    assert_eq!(read(&source, &path).unwrap(), [row("a", 1), row("b", 2)]);

    fs::write(&path, &content[..content.len() - 5]).unwrap();
    let error = read(&source, &path).unwrap_err().to_string();
    assert!(error.contains("cannot be read near byte"), "{error}");
}
