//! Command lines taken apart, as a shell or systemd does it: quotes, continuation lines, variables.

/// One word, and the line on which it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) text: String,
    pub(super) line: u64,
}

/// A part of a command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    Word(Word),
    /// The end of one command: a new line, `;`, `|`, `&`, a bracket.
    End,
}

/// Whose rules hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    Shell,
    /// ExecStart= and Environment= of a unit, continuation lines joined.
    Unit,
}

/// What a variable holds, where that is known.
pub(super) type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Splits `text`, whose first line has the number `line`.
pub(super) fn split(text: &str, line: u64, dialect: Dialect, lookup: Lookup<'_>) -> Vec<Token> {
    let mut splitter = Splitter {
        chars: text.chars().peekable(),
        line,
        dialect,
        lookup,
        word: None,
        tokens: Vec::new(),
    };
    splitter.run();
    splitter.tokens
}

/// The words alone.
pub(super) fn words(text: &str, line: u64, dialect: Dialect, lookup: Lookup<'_>) -> Vec<Word> {
    let tokens = split(text, line, dialect, lookup).into_iter();
    let word = |token| match token {
        Token::Word(word) => Some(word),
        Token::End => None,
    };
    tokens.filter_map(word).collect()
}

/// Replaces the variables that are known, and nothing else.
pub(super) fn expand(text: &str, lookup: Lookup<'_>) -> String {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        expanded.push_str(before);
        let braced = after
            .strip_prefix('{')
            .and_then(|after| after.split_once('}'));
        let (name, written, behind) = match braced {
            Some((name, behind)) => (name, name.len() + 2, behind),
            None => {
                let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
                let end = after.find(|c| !is_name(c)).unwrap_or(after.len());
                (&after[..end], end, &after[end..])
            }
        };
        match lookup(name) {
            Some(value) => expanded.push_str(&value),
            None => {
                expanded.push('$');
                expanded.push_str(&after[..written]);
            }
        }
        rest = behind;
    }
    expanded + rest
}

struct Splitter<'a, 'l> {
    chars: std::iter::Peekable<std::str::Chars<'a>>,
    line: u64,
    dialect: Dialect,
    lookup: Lookup<'l>,
    word: Option<Word>,
    tokens: Vec<Token>,
}

impl Splitter<'_, '_> {
    fn run(&mut self) {
        while let Some(c) = self.next() {
            match c {
                '\\' => self.escaped(),
                '\'' => self.single(),
                '"' => self.double(),
                '$' => self.variable(false),
                '#' if self.dialect == Dialect::Shell && self.word.is_none() => self.comment(),
                c if c.is_whitespace() => {
                    self.end_word();
                    if c == '\n' {
                        self.end_command();
                    }
                }
                ';' | '|' | '&' | '(' | ')' | '`' if self.dialect == Dialect::Shell => {
                    self.end_word();
                    self.end_command();
                }
                c => self.push(c),
            }
        }
        self.end_word();
    }

    fn next(&mut self) -> Option<char> {
        let c = self.chars.next();
        self.line += u64::from(c == Some('\n'));
        c
    }

    fn push(&mut self, c: char) {
        self.begin().push(c);
    }

    fn begin(&mut self) -> &mut String {
        let line = self.line;
        let word = self.word.get_or_insert_with(|| Word {
            text: String::new(),
            line,
        });
        &mut word.text
    }

    fn end_word(&mut self) {
        self.tokens.extend(self.word.take().map(Token::Word));
    }

    fn end_command(&mut self) {
        if self.dialect == Dialect::Shell && !matches!(self.tokens.last(), None | Some(Token::End))
        {
            self.tokens.push(Token::End);
        }
    }

    fn comment(&mut self) {
        while self.chars.next_if(|&c| c != '\n').is_some() {}
    }

    fn escaped(&mut self) {
        match self.next() {
            // A continuation line.
            Some('\n') | None => {}
            Some('\r') if self.chars.peek() == Some(&'\n') => {
                self.next();
            }
            Some(c) => self.push(c),
        }
    }

    fn single(&mut self) {
        self.begin();
        while let Some(c) = self.next() {
            match c {
                '\'' => return,
                '$' if self.dialect == Dialect::Unit => self.variable(true),
                c => self.push(c),
            }
        }
    }

    fn double(&mut self) {
        self.begin();
        while let Some(c) = self.next() {
            match c {
                '"' => return,
                '\\' => match self.next() {
                    Some('\n') | None => {}
                    Some(c @ ('"' | '\\' | '$' | '`')) => self.push(c),
                    Some(c) => self.begin().extend(['\\', c]),
                },
                '$' => self.variable(true),
                c => self.push(c),
            }
        }
    }

    /// What follows a `$`. A variable that is not known stays as it is written.
    fn variable(&mut self, quoted: bool) {
        match self.chars.peek() {
            Some('$') => {
                self.next();
                self.push('$');
            }
            Some('{') => {
                self.next();
                let inner = self.until('{', '}');
                let (name, default) = match inner.split_once(":-").or(inner.split_once('-')) {
                    Some((name, default)) => (name, Some(default)),
                    None => (inner.as_str(), None),
                };
                let value = (self.lookup)(name).or(default.map(str::to_owned));
                let whole = quoted || self.dialect == Dialect::Unit;
                self.value(value, &format!("${{{inner}}}"), whole);
            }
            Some('(') => {
                self.next();
                let inner = self.until('(', ')');
                self.begin().push_str(&format!("$({inner})"));
            }
            _ => {
                let mut name = String::new();
                let is_name = |c: &char| c.is_ascii_alphanumeric() || *c == '_';
                while let Some(c) = self.chars.next_if(is_name) {
                    name.push(c);
                }
                self.value((self.lookup)(&name), &format!("${name}"), quoted);
            }
        }
    }

    fn until(&mut self, open: char, close: char) -> String {
        let (mut inner, mut depth) = (String::new(), 0);
        while let Some(c) = self.next() {
            match c {
                c if c == close && depth == 0 => break,
                c if c == close => depth -= 1,
                c if c == open => depth += 1,
                _ => {}
            }
            inner.push(c);
        }
        inner
    }

    fn value(&mut self, value: Option<String>, written: &str, whole: bool) {
        let Some(value) = value else {
            return self.begin().push_str(written);
        };
        if whole {
            return self.begin().push_str(&value);
        }
        for (index, part) in value.split_whitespace().enumerate() {
            if index > 0 {
                self.end_word();
            }
            self.begin().push_str(part);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str, dialect: Dialect) -> Vec<String> {
        let known = |name: &str| (name == "ARGS").then(|| "--a b".to_owned());
        let tokens = split(text, 1, dialect, &known);
        let text = |token| match token {
            Token::Word(word) => word.text,
            Token::End => "|".into(),
        };
        tokens.into_iter().map(text).collect()
    }

    #[test]
    fn quotes_continuations_comments_and_variables() {
        for (text, expected) in [
            ("a 'b c' \"d e\"f", vec!["a", "b c", "d ef"]),
            ("a \\\n  b # no\nc", vec!["a", "b", "|", "c"]),
            ("a|b && c", vec!["a", "|", "b", "|", "c"]),
            (
                "x $ARGS \"$ARGS\" '$ARGS'",
                vec!["x", "--a", "b", "--a b", "$ARGS"],
            ),
            (
                "${ARGS} ${NO:-y} ${NO} $NO",
                vec!["--a", "b", "y", "${NO}", "$NO"],
            ),
            ("a\"\" '' b", vec!["a", "", "b"]),
            ("$(hostname -f)x", vec!["$(hostname -f)x"]),
            ("'open", vec!["open"]),
        ] {
            assert_eq!(texts(text, Dialect::Shell), expected, "{text}");
        }
        assert_eq!(
            texts("a;b '${ARGS}' $ARGS %i #c", Dialect::Unit),
            ["a;b", "--a b", "--a", "b", "%i", "#c"]
        );
    }

    #[test]
    fn a_word_has_the_line_on_which_it_begins() {
        let found = words("a \\\n 'b\nc' d", 7, Dialect::Unit, &|_| None);
        let lines: Vec<_> = found.iter().map(|word| word.line).collect();
        assert_eq!(lines, [7, 8, 9]);
    }
}
