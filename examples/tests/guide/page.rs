//! A page of the guide, as the commands that a reader copies from it.
//!
//! A block of `sh` is run; a block of `text` right behind it is what it prints. A comment before a block, which a reader of
//! the page does not see, says what else is to be known of it:
//!
//! * `<!-- until -->`: it looks at something that takes a moment. It is run again until it prints what the page says.
//! * `<!-- exit 1 -->`: it ends with this exit code, and not with 0.
//! * `<!-- skip -->`: it is not run.

use std::path::PathBuf;

/// A block of commands.
#[derive(Debug, PartialEq)]
pub(crate) struct Block {
    /// The line on the page where its first command stands, from 1.
    pub(crate) line: usize,
    pub(crate) commands: String,
    pub(crate) how: How,
    /// What the page says that it prints.
    pub(crate) answer: Option<String>,
}

/// How a block is run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum How {
    /// Once, and every command in it succeeds.
    Once,
    /// Again and again, until it prints what the page says.
    Until,
    /// Once, and it ends with this code.
    Exit(i32),
}

/// The folder of the pages.
pub(crate) fn folder() -> PathBuf {
    PathBuf::from(std::env::var("CARGO_MANIFEST_DIR").unwrap()).join("../docs/guide")
}

/// The blocks of a page that are to be run, in order.
pub(crate) fn blocks(text: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut directive: Option<&str> = None;
    // The last block of commands is the last thing on the page so far, but for blank lines.
    let mut is_last = false;
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let comment = line.strip_prefix("<!-- ").and_then(|rest| rest.strip_suffix(" -->"));
        if let Some(comment) = comment {
            assert!(directive.is_none(), "line {}: two comments before one block", number + 1);
            directive = Some(comment);
        } else if let Some(language) = line.strip_prefix("```") {
            let body = lines.by_ref().map(|(_, line)| line).take_while(|line| *line != "```");
            let body: String = body.flat_map(|line| [line, "\n"]).collect();
            let how = directive.take();
            match language {
                "sh" if how != Some("skip") => {
                    blocks.push(Block { line: number + 2, commands: body, how: read(how, number), answer: None });
                    is_last = true;
                }
                "text" if is_last => {
                    assert_eq!(how, None, "line {}: a comment before an answer", number + 1);
                    blocks.last_mut().expect("there is a last one").answer = Some(body);
                    is_last = false;
                }
                _ => is_last = false,
            }
        } else if !line.trim().is_empty() {
            assert_eq!(directive, None, "line {}: the comment before it belongs to no block", number + 1);
            is_last = false;
        }
    }
    for block in &blocks {
        let waits_for_nothing = block.how == How::Until && block.answer.is_none();
        assert!(!waits_for_nothing, "line {}: the page does not say what to wait for", block.line);
    }
    blocks
}

fn read(directive: Option<&str>, number: usize) -> How {
    match directive.map(|text| text.split_once(' ').unwrap_or((text, ""))) {
        None => How::Once,
        Some(("until", "")) => How::Until,
        Some(("exit", code)) => How::Exit(code.parse().expect("an exit code")),
        Some(_) => panic!("line {number}: nobody knows <!-- {} -->", directive.unwrap_or_default()),
    }
}

#[test]
fn a_page_is_read_as_a_reader_does() {
    let page = "# Title\n\n```sh\nmkdir a\n```\n\nIt says nothing.\n\n<!-- until -->\n```sh\nls\nls b\n```\n\n```text\nb\n…\n```\n\n\
                ```text\na picture\n```\n\n<!-- exit 2 -->\n```sh\nfalse\n```\n\n<!-- skip -->\n```sh\nrm -r /\n```\n";
    let block = |line, commands: &str, how, answer: Option<&str>| Block {
        line,
        commands: commands.to_owned(),
        how,
        answer: answer.map(str::to_owned),
    };
    assert_eq!(
        blocks(page),
        [
            block(4, "mkdir a\n", How::Once, None),
            block(11, "ls\nls b\n", How::Until, Some("b\n…\n")),
            block(26, "false\n", How::Exit(2), None),
        ]
    );
}
