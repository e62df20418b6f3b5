//! What files import of their crate: `use` trees, and paths that begin with `crate`,
//! `super`, `self`, the crate's own name or a module below.

use std::collections::HashMap;

use crate::source::{Crate, Source};

/// One file names something of another.
#[derive(Debug)]
pub(crate) struct Import {
    /// Positions among the sources.
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) line: usize,
    /// The path, from the crate on.
    pub(crate) words: String,
    /// A module shows something of its own under its name, and does not use it.
    pub(crate) is_facade: bool,
}

/// A path as a file has it.
struct Path {
    words: Vec<String>,
    line: usize,
    /// Of a `pub use`.
    is_shown: bool,
    /// The name it is known by here.
    name: String,
}

/// All imports of a crate.
pub(crate) fn imports(of: &Crate) -> Vec<Import> {
    let modules: HashMap<&[String], usize> = of
        .sources
        .iter()
        .enumerate()
        .map(|(at, source)| (source.module.as_slice(), at))
        .collect();
    let absolute: Vec<Vec<Path>> = of
        .sources
        .iter()
        .map(|source| paths_of(source, &modules))
        .collect();
    // What modules show of others, so that a name is traced to where it is made.
    let mut shown: HashMap<(usize, &str), &[String]> = HashMap::new();
    for (from, paths) in absolute.iter().enumerate() {
        for path in paths.iter().filter(|path| path.is_shown) {
            shown.insert((from, &path.name), &path.words);
        }
    }
    let mut found = Vec::new();
    for (from, paths) in absolute.iter().enumerate() {
        for path in paths {
            let Some(to) = source_of(&path.words, &modules, &shown) else {
                continue;
            };
            if to == from {
                continue;
            }
            let own = &of.sources[from].module;
            found.push(Import {
                from,
                to,
                line: path.line,
                words: format!("crate::{}", path.words.join("::")),
                is_facade: path.is_shown && of.sources[to].module.starts_with(own),
            });
        }
    }
    found
}

/// The file in which a path ends.
fn source_of(
    words: &[String],
    modules: &HashMap<&[String], usize>,
    shown: &HashMap<(usize, &str), &[String]>,
) -> Option<usize> {
    let mut words = words.to_vec();
    // A chain of modules that show each other's names is short.
    for _ in 0..8 {
        let (length, at) = (0..=words.len())
            .rev()
            .find_map(|length| Some((length, *modules.get(&words[..length])?)))?;
        let next = words
            .get(length)
            .and_then(|name| shown.get(&(at, name.as_str())));
        match next {
            Some(path) if path.len() <= words.len() + 8 && **path != words[..=length] => {
                words = path.iter().chain(&words[length + 1..]).cloned().collect();
            }
            _ => return Some(at),
        }
    }
    None
}

/// The paths of a file that lead into its own crate, from the crate on.
fn paths_of(source: &Source, modules: &HashMap<&[String], usize>) -> Vec<Path> {
    let tokens = tokens(&source.code);
    let mut paths = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let before = at.checked_sub(1).map_or("", |before| tokens[before].0);
        let (word, line) = tokens[at];
        if word == "use" {
            let is_shown = is_public(&tokens[..at]);
            let end = (at..tokens.len())
                .find(|at| tokens[*at].0 == ";")
                .unwrap_or(tokens.len());
            let mut leaves = Vec::new();
            tree(&tokens[at + 1..end], &[], &mut leaves);
            paths.extend(leaves.into_iter().map(|(words, name, line)| Path {
                words,
                line,
                is_shown,
                name,
            }));
            at = end;
        } else if is_name(word) && before != "::" {
            let mut words = vec![word.to_owned()];
            while at + 2 < tokens.len() && tokens[at + 1].0 == "::" && is_name(tokens[at + 2].0) {
                words.push(tokens[at + 2].0.to_owned());
                at += 2;
            }
            if words.len() > 1 {
                let name = words[words.len() - 1].clone();
                paths.push(Path {
                    words,
                    line,
                    is_shown: false,
                    name,
                });
            }
        }
        at += 1;
    }
    paths
        .into_iter()
        .filter_map(|path| {
            Some(Path {
                words: absolute(&path.words, &source.module, modules)?,
                ..path
            })
        })
        .collect()
}

/// `pub`, perhaps with a scope in parentheses, is what comes before.
fn is_public(before: &[(&str, usize)]) -> bool {
    let words: Vec<&str> = before.iter().rev().take(6).map(|(word, _)| *word).collect();
    match words[..] {
        ["pub", ..] => true,
        [")", ref scope @ ..] => scope
            .iter()
            .position(|word| *word == "(")
            .is_some_and(|at| scope.get(at + 1) == Some(&"pub")),
        _ => false,
    }
}

/// The leaves of a `use` tree, each with the name it gets.
fn tree(
    tokens: &[(&str, usize)],
    before: &[String],
    leaves: &mut Vec<(Vec<String>, String, usize)>,
) {
    let mut words = before.to_vec();
    let mut line = tokens.first().map_or(0, |(_, line)| *line);
    let mut name = None;
    let mut at = 0;
    while at < tokens.len() {
        match tokens[at].0 {
            "::" => {}
            "{" => {
                let mut depth = 0;
                let mut begin = at + 1;
                for end in at..tokens.len() {
                    match tokens[end].0 {
                        "{" => depth += 1,
                        "}" => depth -= 1,
                        _ => {}
                    }
                    let is_last = tokens[end].0 == "}" && depth == 0;
                    if is_last || tokens[end].0 == "," && depth == 1 {
                        if begin < end {
                            tree(&tokens[begin..end], &words, leaves);
                        }
                        begin = end + 1;
                    }
                }
                return;
            }
            "as" => {
                name = tokens.get(at + 1).map(|(name, _)| (*name).to_owned());
                break;
            }
            "self" if !words.is_empty() => {}
            word => {
                line = tokens[at].1;
                words.push(word.to_owned());
            }
        }
        at += 1;
    }
    if let Some(last) = words.last() {
        let name = name.unwrap_or_else(|| last.clone());
        leaves.push((words, name, line));
    }
}

/// A path from the crate on; `None` when it leads out of it.
fn absolute(
    words: &[String],
    module: &[String],
    modules: &HashMap<&[String], usize>,
) -> Option<Vec<String>> {
    let (first, rest) = words.split_first()?;
    match first.as_str() {
        "crate" => Some(rest.to_vec()),
        // The binary is a crate of its own, above the library.
        "alias_ctl" if module == ["main"] => Some(rest.to_vec()),
        "self" => Some([module, rest].concat()),
        "super" => {
            let ups = words.iter().take_while(|word| *word == "super").count();
            let above = module.get(..module.len().checked_sub(ups)?)?;
            Some([above, &words[ups..]].concat())
        }
        _ => {
            let below = [module, &words[..1]].concat();
            modules
                .contains_key(below.as_slice())
                .then(|| [module, words].concat())
        }
    }
}

fn is_name(word: &str) -> bool {
    word.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Names, `::`, and single signs, each with its line.
fn tokens(code: &str) -> Vec<(&str, usize)> {
    let mut tokens = Vec::new();
    let mut line = 1;
    let mut rest = code;
    while let Some(c) = rest.chars().next() {
        let length = if c.is_alphanumeric() || c == '_' {
            rest.find(|c: char| !(c.is_alphanumeric() || c == '_'))
                .unwrap_or(rest.len())
        } else if rest.starts_with("::") {
            2
        } else {
            c.len_utf8()
        };
        if c == '\n' {
            line += 1;
        }
        if !c.is_whitespace() {
            tokens.push((&rest[..length], line));
        }
        rest = &rest[length..];
    }
    tokens
}
