"""Reads a page of "berth policy report", or what a browser made of it.

    page.py check FILE            one finding a line, exit status 1 with any
    page.py rows FILE             each row of a table: its class, then its cells, with tabs between
    page.py text FILE             all that is written
"""

import html.parser
import re
import sys

VOID = {"meta", "rect", "br"}
ALLOWED = {"html", "head", "meta", "title", "style", "body", "header", "main", "footer", "nav", "section", "div",
           "h1", "h2", "h3", "p", "ul", "li", "dl", "dt", "dd", "a", "b", "strong", "code", "span", "table",
           "caption", "thead", "tbody", "tr", "th", "td", "svg", "rect"}


class Page(html.parser.HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.stack, self.found, self.rows, self.words = [], [], [], []
        self.style, self.ids, self.links, self.attributes = "", set(), [], {}
        self.headings, self.tables, self.charts = [], 0, 0

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag not in ALLOWED:
            self.found.append(f"an element '{tag}'")
        for name, value in attrs.items():
            if name.startswith("on") or name in ("src", "srcset", "style", "action", "data"):
                self.found.append(f"{tag} has '{name}'")
            if name == "href":
                self.links.append(value)
            if name == "id":
                if value in self.ids:
                    self.found.append(f"the id '{value}' twice")
                self.ids.add(value)
        if tag == "html":
            self.attributes = attrs
        if tag in ("h1", "h2", "h3"):
            self.headings.append(int(tag[1]))
        if tag == "table":
            self.tables += 1
        if tag == "caption":
            self.tables -= 1
        if tag == "th" and attrs.get("scope") not in ("row", "col"):
            self.found.append("a th without a scope")
        if tag == "svg":
            self.charts += 1
            if attrs.get("role") != "img" or not attrs.get("aria-label"):
                self.found.append("a chart without words")
        if tag == "tr":
            self.rows.append([attrs.get("class", "")])
        if tag in ("td", "th") and self.rows:
            self.rows[-1].append("")
        if tag not in VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.stack.pop()

    def handle_endtag(self, tag):
        if tag in VOID:
            return
        if not self.stack or self.stack[-1] != tag:
            self.found.append(f"'</{tag}>' in {self.stack[-3:]}")
        if tag in self.stack:
            while self.stack.pop() != tag:
                pass

    def handle_data(self, data):
        if self.stack and self.stack[-1] == "style":
            self.style += data
            return
        self.words.append(data)
        if self.rows and len(self.rows[-1]) > 1 and ("td" in self.stack or "th" in self.stack):
            self.rows[-1][-1] += data


def luminance(colour):
    digits = colour.lstrip("#")
    if len(digits) == 3:
        digits = "".join(c * 2 for c in digits)
    parts = [int(digits[i:i + 2], 16) / 255 for i in (0, 2, 4)]
    parts = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def contrast(a, b):
    light, dark = sorted((luminance(a), luminance(b)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def check_style(style, found):
    if re.search(r"url\(|@import|expression", style):
        found.append("the style fetches something")
    for medium in ("prefers-color-scheme:dark", "print"):
        if medium not in style:
            found.append(f"no style for {medium}")
    palettes = re.findall(r":root\{([^}]*)\}", style)
    if len(palettes) != 3:
        found.append(f"{len(palettes)} palettes")
    for i, palette in enumerate(palettes):
        colour = dict(re.findall(r"--([a-z-]+):(#[0-9a-f]+)", palette))
        for front, back in (("text", "page"), ("text", "card"), ("soft", "page"), ("soft", "card"),
                            ("accent", "card"), ("accent", "page"), ("good", "good-back"),
                            ("warn", "warn-back"), ("bad", "bad-back")):
            if contrast(colour[front], colour[back]) < 4.5:
                found.append(f"palette {i}: {front} on {back}: {contrast(colour[front], colour[back]):.2f} to 1")


def check(page, text):
    found = page.found
    if page.stack:
        found.append(f"not closed: {page.stack}")
    if page.attributes.get("lang") != "en":
        found.append("no language")
    if page.tables:
        found.append("a table without a caption")
    for link in page.links:
        if not link.startswith("#") or link[1:] not in page.ids:
            found.append(f"a link to '{link}'")
    if page.headings[:1] != [1] or page.headings.count(1) != 1:
        found.append("not one h1")
    for a, b in zip(page.headings, page.headings[1:]):
        if b > a + 1:
            found.append(f"h{b} follows h{a}")
    if "default-src 'none'" not in text:
        found.append("no Content-Security-Policy")
    check_style(page.style, found)
    return found


def main():
    text = open(sys.argv[2], encoding="utf-8").read()
    page = Page()
    page.feed(text)
    page.close()
    if sys.argv[1] == "rows":
        for row in page.rows:
            print("\t".join(row))
    elif sys.argv[1] == "text":
        print("".join(page.words))
    else:
        found = check(page, text)
        print("\n".join(found))
        sys.exit(bool(found))


main()
