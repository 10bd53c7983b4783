"""A reader of HCL, as far as templates/coder needs it: blocks, objects, lists, strings, heredocs.

parse(text) is a list of (type, [label...], body), and a body a dict of attributes and, under
"blocks", such a list. A string is itself; whatever has to be evaluated, references and templates
among it, is an Expr of its words. What does not lex or nest raises SyntaxError with its line.
"""

import re

TOKEN = re.compile(r"""
    (?P<blank>[ \t\r]+|\#[^\n]*|//[^\n]*|/\*.*?\*/)
  | (?P<newline>\n)
  | (?P<heredoc><<-?(?P<mark>[A-Z]+)\n(?P<lines>.*?)\n[ \t]*(?P=mark)(?=\n))
  | (?P<string>"(?:[^"\\$]|\\.|\$(?!\{)|\$\{[^{}]*\})*")
  | (?P<number>[0-9]+(?:\.[0-9]+)?)
  | (?P<word>[A-Za-z_][A-Za-z0-9_-]*)
  | (?P<sign>=>|==|!=|[{}\[\]()=,.?:<>*!&|+-])
""", re.VERBOSE | re.DOTALL)


class Expr(str):
    """Something that terraform would evaluate."""


def lex(text):
    at, line, tokens = 0, 1, []
    while at < len(text):
        match = TOKEN.match(text, at)
        if not match:
            raise SyntaxError(f"line {line}: '{text[at:at + 20]!r}'")
        kind = match.lastgroup if match["heredoc"] is None else "heredoc"
        if kind != "blank":
            tokens.append((kind, match["lines"] if kind == "heredoc" else match[0], line))
        line += match[0].count("\n")
        at = match.end()
    return tokens + [("end", "", line)]


class Parser:
    def __init__(self, text):
        self.tokens, self.at = lex(text), 0

    def peek(self, *values):
        return self.tokens[self.at][1] in values and self.tokens[self.at][0] != "string"

    def take(self, value=None):
        kind, text, line = self.tokens[self.at]
        if value is not None and (text != value or kind == "string"):
            raise SyntaxError(f"line {line}: '{text}' where '{value}' should be")
        self.at += 1
        return kind, text

    def lines(self):
        while self.tokens[self.at][0] == "newline":
            self.at += 1

    def body(self, end):
        made = {"blocks": []}
        self.lines()
        while self.tokens[self.at][0] != "end" and not self.peek("}"):
            name, labels = self.take()[1], []
            while self.tokens[self.at][0] == "string":
                labels.append(self.take()[1][1:-1])
            if self.peek("{"):
                self.take()
                made["blocks"].append((name, labels, self.body("}")))
            else:
                self.take("=")
                if name in made:
                    raise SyntaxError(f"'{name}' twice")
                made[name] = self.value()
            self.lines()
        if end:
            self.take(end)
        return made

    def list_of(self, close, item):
        self.take()
        made = []
        self.lines()
        while not self.peek(close):
            made.append(item())
            self.lines()
            if self.peek(","):
                self.take()
            self.lines()
        self.take(close)
        return made

    def pair(self):
        kind, key = self.take()
        self.take("=")
        return key[1:-1] if kind == "string" else key, self.value()

    def value(self):
        """One value, and whatever makes an expression of it, up to the end of the line."""
        start = self.at
        if self.peek("{"):
            return dict(self.list_of("}", self.pair))
        if self.peek("["):
            return self.list_of("]", self.value)
        kind, text = self.take()
        if kind in ("string", "number") and self.peek("\n", ",", "}", "]"):
            if kind == "number" or "${" not in text:
                return float(text) if kind == "number" else re.sub(r"\\n", "\n", text[1:-1])
        if text in ("true", "false") and self.peek("\n", ",", "}", "]"):
            return text == "true"
        depth = 0
        self.at = start
        while depth > 0 or not self.peek("\n", ",", "}", "]"):
            if self.tokens[self.at][0] == "end":
                raise SyntaxError("the text ends in a value")
            depth += self.peek("(", "[") - self.peek(")", "]") if depth or not self.peek("]") else 0
            self.at += 1
        return Expr(" ".join(t[1] for t in self.tokens[start:self.at]))


def parse(text):
    parser = Parser(text)
    made = parser.body(None)
    if parser.tokens[parser.at][0] != "end":
        raise SyntaxError(f"line {parser.tokens[parser.at][2]}: '}}' without '{{'")
    return made["blocks"]
