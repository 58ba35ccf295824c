use super::*;

#[test]
fn columns_are_matched_by_name() {
    let rows = read_csv("other,count,name\nx,1,a\ny,,b\n").unwrap();
    assert_eq!(rows, [row("a", 1), row("b", None)]);
}

#[test]
fn line_ends_and_byte_order_marks_of_other_systems_are_accepted() {
    let rows = read_csv("\u{feff}name,count\r\na,1\r\n\r\nb,2\r\n").unwrap();
    assert_eq!(rows, [row("a", 1), row("b", 2)]);
    let rows = read_csv("\u{feff}\"name\",count\n\u{feff}a,1").unwrap();
    assert_eq!(rows, [row("\u{feff}a", 1)], "only at the start is it a mark");
}

#[test]
fn quoted_fields_may_hold_anything() {
    let rows = read_csv("name,count\n\"a,\r\nb \"\"c\"\"\n\",1\n\"\",2\n5\" pipe,\"3\"\n\"\"\"\",4").unwrap();
    assert_eq!(rows, [row("a,\r\nb \"c\"\n", 1), row("", 2), row("5\" pipe", 3), row("\"", 4)]);
}

#[test]
fn a_delimiter_can_be_chosen() {
    let (_dir, path) = file("in.tsv", "name\tcount\na,b\t1\n");
    assert_eq!(read(&Files::csv::<Row>([&path]).delimiter(b'\t'), &path).unwrap(), [row("a,b", 1)]);
    let error = Files::csv::<Row>([&path]).delimiter(b'"').discover().unwrap_err().to_string();
    assert!(error.contains("delimiter"), "{error}");
}

#[test]
fn files_without_records_are_no_error() {
    for content in ["", "name,count", "name,count\n", "\r\n\nname,count\n\n\n"] {
        assert_eq!(read_csv(content).unwrap(), [], "{content:?}");
    }
}

#[test]
fn a_malformed_record_is_named_with_line_and_reason() {
    let cases: [(&[u8], &str); 6] = [
        (b"\"a\nb\",NA", "column 'count', 'NA'"),
        (b"a", "it has 1 fields, but the header has 2"),
        (b"a,1,2", "it has 3 fields, but the header has 2"),
        (b"\"a\"b,1", "text behind the closing quote of field 1"),
        (b"\xff\xfe,1", "column 'name' is not UTF-8"),
        (b"a,9999999999999999999999", "too large"),
    ];
    for (bad, reason) in cases {
        let content = [b"name,count\nx,1\n\"y\nz\",2\n", bad, b"\nlast,3\n"].concat();
        let (error, parsed) = malformed(&content, true);
        assert!(error.contains("line 5: ") && error.contains(reason), "{error}");
        assert_eq!(parsed.len(), 4);
        assert_eq!(parsed[3], Parsed::Record(row("last", 3)));
        let found = parsed[2].malformed().unwrap();
        assert_eq!((found.line, found.text.as_str()), (5, String::from_utf8_lossy(bad).as_ref()));
        assert!(found.reason.contains(reason), "{found}");
    }
}

#[test]
fn a_missing_column_is_named_with_those_that_are_there() {
    let error = read_csv("nom,count\na,1\n").unwrap_err().to_string();
    assert!(error.contains("missing field `name`") && error.contains("nom, count"), "{error}");
}

#[test]
fn quotes_that_are_not_closed_are_malformed() {
    let (error, parsed) = malformed("name,count\na,1\n\"b,2\nc,3\n", true);
    assert!(error.contains("line 3: the quotes of field 1 are not closed"), "{error}");
    assert_eq!(parsed[0], Parsed::Record(row("a", 1)));
    assert_eq!(parsed[1].malformed().unwrap().text, "\"b,2\nc,3");
    assert_eq!(parsed.len(), 2);
}

#[test]
fn a_header_that_cannot_be_used_fails_a_tolerant_source_too() {
    for header in [&b"name,\xff\n"[..], b"\"name\"x,count\n", &[b'x'; 200_000]] {
        let (_dir, path) = file("in.csv", header);
        let source = Files::csv::<Row>([&path]).max_record_bytes(1000).tolerant();
        let error = read(&source, &path).unwrap_err().to_string();
        assert!(error.contains("the header of the input file"), "{error}");
    }
}

#[test]
fn a_record_that_is_too_long_is_not_kept() {
    let content = format!("name,count\na,1\n\"{}\n\",2\nc,3\n", "long ".repeat(100_000));
    let (error, parsed) = malformed(content, true);
    assert!(error.contains("line 3: it is longer than 100000 bytes"), "{error}");
    assert!(error.len() < 1000);
    assert_eq!(parsed.len(), 3);
    assert!(parsed[1].malformed().unwrap().text.starts_with("\"long long"));
    assert_eq!(parsed[2], Parsed::Record(row("c", 3)));
}
