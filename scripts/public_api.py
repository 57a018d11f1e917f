#!/usr/bin/env python3
"""Writes down the public items of the libraries, so that every change of them is seen in review.

    scripts/public_api.py            compare target/doc with docs/public-api.txt
    scripts/public_api.py --write    replace docs/public-api.txt

Reads what `cargo doc --no-deps --all-features` has built. Needs Python 3.11 and nothing else.
"""

import difflib
import html
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LISTED = ROOT / "docs" / "public-api.txt"
CRATES = [
    "tulip_core", "tulip_http", "tulip_archive", "tulip_fleet", "tulip_ledger", "tulip_report",
    "tulip_emulator", "tulip_cli",
]


def text_of(markup):
    """Rendered Rust as one line of text."""
    markup = re.sub(r'<details class="[^"]*type-contents-toggle.*?</summary>', "", markup, flags=re.S)
    markup = re.sub(r'<a[^>]*class="src[^"]*".*?</a>', "", markup, flags=re.S)
    text = html.unescape(re.sub(r"<[^>]+>", "", markup))
    text = re.sub(r"//[^\n]*", "", text)
    return re.sub(r"\s+", " ", text).replace("( ", "(").replace(", )", ")").strip()


def section(page, start, ends):
    """The markup between an anchor and the first of some others."""
    begin = page.find(f'id="{start}"')
    if begin < 0:
        return ""
    found = [at for at in (page.find(f'id="{end}"', begin) for end in ends) if at >= 0]
    return page[begin : min(found, default=len(page))]


def lines_of(page, path):
    """An item's declaration, and the methods of its own."""
    declared = re.search(r'<pre class="rust item-decl"><code>(.*?)</code></pre>', page, flags=re.S)
    yield f"{path}: {text_of(declared.group(1)) if declared else ''}"
    own = section(page, "implementations", ["trait-implementations", "synthetic-implementations"])
    for header in re.findall(r'<h4 class="code-header">(.*?)</h4>', own, flags=re.S):
        yield f"{path}: {text_of(header)}"


def public_items(doc):
    for crate in CRATES:
        index = doc / crate / "all.html"
        if not index.is_file():
            sys.exit(f"{index} is not there: run cargo doc --no-deps --all-features first")
        for link in sorted(set(re.findall(r'<li><a href="([^"]+)">', index.read_text()))):
            kind = link.rsplit("/", 1)[-1].split(".")[0]
            name = link.removesuffix(".html").replace("/", "::").replace(f"{kind}.", "")
            yield from lines_of((doc / crate / link).read_text(), f"{crate}::{name} ({kind})")


def main():
    now = "".join(f"{line}\n" for line in public_items(ROOT / "target" / "doc"))
    if "--write" in sys.argv:
        LISTED.write_text(now)
        return 0
    before = LISTED.read_text() if LISTED.is_file() else ""
    changes = difflib.unified_diff(
        before.splitlines(), now.splitlines(), "docs/public-api.txt", "now", lineterm="", n=0
    )
    changes = list(changes)
    print("\n".join(changes) or f"{len(now.splitlines())} lines, as docs/public-api.txt has them")
    if changes:
        print("The public items have changed. If that is meant: scripts/public_api.py --write")
    return int(bool(changes))


if __name__ == "__main__":
    sys.exit(main())
