//! A crate's sources: which module each file is, and its text without what is no code.

use std::fs;
use std::io;
use std::path::Path;

/// The files of a crate.
pub(crate) struct Crate {
    folder: String,
    pub(crate) sources: Vec<Source>,
}

/// One file.
pub(crate) struct Source {
    /// Below `src/`.
    pub(crate) file: String,
    /// Where it is in the crate; empty for `lib.rs`.
    pub(crate) module: Vec<String>,
    /// Its code: comments, literals and tests are blank, lines are where they were.
    pub(crate) code: String,
}

impl Crate {
    /// Reads all that is below a folder.
    pub(crate) fn read(folder: &str, root: &Path) -> io::Result<Crate> {
        let mut texts = Vec::new();
        gather(root, "", &mut texts)?;
        Ok(Crate::of(folder, texts))
    }

    /// Of files and their texts.
    pub(crate) fn of(folder: &str, mut texts: Vec<(String, String)>) -> Crate {
        texts.sort();
        let sources = texts
            .into_iter()
            .filter(|(file, _)| !is_tests(file))
            .map(|(file, text)| Source {
                module: module_of(&file),
                code: without_tests(&without_literals(&text)),
                file,
            })
            .collect();
        Crate {
            folder: folder.to_owned(),
            sources,
        }
    }

    /// A file as a person opens it.
    pub(crate) fn path(&self, file: &str) -> String {
        format!("{}/src/{file}", self.folder)
    }
}

impl Source {
    /// The first part of its module.
    pub(crate) fn layer(&self) -> &str {
        self.module.first().map_or("", String::as_str)
    }
}

fn gather(folder: &Path, below: &str, texts: &mut Vec<(String, String)>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.is_dir() {
            gather(&path, &format!("{below}{name}/"), texts)?;
        } else if name.ends_with(".rs") {
            texts.push((format!("{below}{name}"), fs::read_to_string(&path)?));
        }
    }
    Ok(())
}

/// Tests may look wherever they like.
fn is_tests(file: &str) -> bool {
    file.ends_with("tests.rs")
}

fn module_of(file: &str) -> Vec<String> {
    let mut parts: Vec<String> = file
        .trim_end_matches(".rs")
        .split('/')
        .map(str::to_owned)
        .collect();
    if matches!(parts.last().map(String::as_str), Some("mod" | "lib")) {
        parts.pop();
    }
    parts
}

/// The text with comments, strings and characters blanked.
fn without_literals(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut code = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let end = literal_end(&chars, at);
        if end == at {
            code.push(chars[at]);
            at += 1;
            continue;
        }
        code.extend(
            chars[at..end]
                .iter()
                .map(|c| if *c == '\n' { '\n' } else { ' ' }),
        );
        at = end;
    }
    code
}

/// Where the comment or literal ends that begins here; `at` when none does.
fn literal_end(chars: &[char], at: usize) -> usize {
    let is = |at: usize, text: &str| {
        let mut here = chars.get(at..).unwrap_or_default().iter();
        text.chars().all(|c| here.next() == Some(&c))
    };
    let find = |from: usize, text: &str| {
        (from..chars.len())
            .find(|at| is(*at, text))
            .map_or(chars.len(), |at| at + text.chars().count())
    };
    if is(at, "//") {
        return (at..chars.len())
            .find(|at| chars[*at] == '\n')
            .unwrap_or(chars.len());
    }
    if is(at, "/*") {
        return find(at + 2, "*/");
    }
    let in_name = at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_');
    if chars[at] == 'r' && (!in_name || chars[at - 1] == 'b') {
        let hashes = chars[at + 1..].iter().take_while(|c| **c == '#').count();
        if chars.get(at + 1 + hashes) == Some(&'"') {
            return find(at + 2 + hashes, &format!("\"{}", "#".repeat(hashes)));
        }
    }
    match chars[at] {
        '"' => {
            let mut end = at + 1;
            while end < chars.len() && chars[end] != '"' {
                end += if chars[end] == '\\' { 2 } else { 1 };
            }
            (end + 1).min(chars.len())
        }
        // Else it is a lifetime.
        '\'' if chars.get(at + 1) == Some(&'\\') => find(at + 3, "'"),
        '\'' if chars.get(at + 2) == Some(&'\'') => at + 3,
        _ => at,
    }
}

/// The code with every item blanked that is only there for tests.
fn without_tests(code: &str) -> String {
    const MARK: &str = "#[cfg(test)]";
    let mut kept = String::with_capacity(code.len());
    let mut rest = code;
    while let Some(begin) = rest.find(MARK) {
        let item = &rest[begin..];
        let end = item_end(item);
        kept += &rest[..begin];
        kept.extend(item[..end].chars().filter(|c| *c == '\n'));
        rest = &item[end..];
    }
    kept + rest
}

/// Where an item ends: at its semicolon, or behind its braces.
fn item_end(item: &str) -> usize {
    let mut depth = 0;
    for (at, c) in item.char_indices() {
        match c {
            ';' if depth == 0 => return at + 1,
            '{' => depth += 1,
            '}' => {
                depth -= 1;
                if depth == 0 {
                    return at + 1;
                }
            }
            _ => {}
        }
    }
    item.len()
}
