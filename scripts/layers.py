#!/usr/bin/env python3
"""Checks that dependencies point one way: between the crates, between the layers of a crate, and between
the files of a crate. Prints each arrow that does not, and exits with 1 if there is one.

    scripts/layers.py            check
    scripts/layers.py --edges    also print what each file uses

Tests may use anything: `#[cfg(test)]` items, dev-dependencies and the tests folders are left out. A
`pub use` that only hands a name on is no use of it.
Needs Python 3.11 and nothing else.
"""

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# What each crate of the workspace may depend on.
CRATES = {
    "tulip-core": set(),
    "tulip-http": {"tulip-core"},
    "tulip-sinks": {"tulip-core", "tulip-http"},
    "tulip-archive": {"tulip-core", "tulip-http", "tulip-sinks"},
    "tulip-fleet": {"tulip-core", "tulip-http", "tulip-sinks", "tulip-archive"},
    "tulip-report": {"tulip-core", "tulip-archive", "tulip-fleet"},
    "tulip-ledger": {"tulip-core", "tulip-archive", "tulip-fleet"},
    "tulip-emulator": {"tulip-core"},
    "tulip-test-s3": set(),
    "tulip-cli": {
        "tulip-core", "tulip-http", "tulip-sinks", "tulip-archive", "tulip-fleet", "tulip-ledger",
        "tulip-report",
        "tulip-emulator",
    },
}

# Folders of a crate that are layers, and which other layers each may use. A layer that is not there
# yet is not checked. Files outside of a layer are bound by the rule against circles only.
LAYERS = {
    "tulip-http": {"transport": set(), "api": {"transport"}, "download": {"transport"}},
    "tulip-sinks": {"fs": set(), "cloud": set()},
}

# Pairs of files that may use each other: a builder and what it builds, and nothing else.
# An entry that is not needed any more is an error, so that the list stays short.
PAIRS = {
    ("crates/tulip-archive/src/builder.rs", "crates/tulip-archive/src/exporter.rs"),
    ("crates/tulip-emulator/src/builder.rs", "crates/tulip-emulator/src/emulator.rs"),
    ("crates/tulip-http/src/builder.rs", "crates/tulip-http/src/client.rs"),
}


def code_of(text):
    """Rust code without comments, strings and items that only tests have."""
    token = re.compile(
        r'//[^\n]*|/\*(?:[^*]|\*(?!/))*\*/'
        r'|b?r(?P<hashes>#*)"(?:.|\n)*?"(?P=hashes)'
        r'|b?"(?:\\(?:.|\n)|[^"\\])*"'
        r"|b?'(?:\\(?:x..|u\{[^}]*\}|.)|[^'\\])'"
    )
    code = token.sub(" ", text)
    while found := re.search(r"#\[cfg\((?:all\()?test\b[^]]*\]", code):
        code = code[: found.start()] + code[end_of_item(code, found.end()):]
    return code


def end_of_item(code, at):
    """Where the item ends that begins at `at`: behind its `;`, or behind its braces."""
    depth = 0
    for i in range(at, len(code)):
        match code[i]:
            case "{":
                depth += 1
            case "}":
                depth -= 1
                if depth == 0:
                    # `use a::{b};` goes on behind its braces.
                    rest = code[i + 1:].lstrip()
                    return i + 1 + (len(code[i + 1:]) - len(rest) + 1 if rest.startswith(";") else 0)
            case ";" if depth == 0:
                return i + 1
    return len(code)


def leaves(tree, prefix=()):
    """The paths of a `use` tree, each with the name that it gets."""
    tree = tree.strip()
    if "{" in tree:
        head, inner = tree.split("{", 1)
        head = tuple(part.strip() for part in head.split("::") if part.strip())
        depth, start, inner = 0, 0, inner[: inner.rindex("}")]
        for i, char in enumerate(inner + ","):
            depth += {"{": 1, "}": -1}.get(char, 0)
            if char == "," and depth == 0:
                if inner[start:i].strip():
                    yield from leaves(inner[start:i], prefix + head)
                start = i + 1
        return
    path, _, alias = tree.partition(" as ")
    path = prefix + tuple(part.strip() for part in path.split("::") if part.strip())
    if path and path[-1] == "self":
        path = path[:-1]
    if path:
        yield path, alias.strip() or path[-1]


class Module:
    """A file, and the modules below it."""

    def __init__(self, file, parent, name):
        self.file, self.parent, self.name = file, parent, name
        self.code = code_of(file.read_text())
        self.path = (parent.path if parent else ()) + ((name,) if parent else ())
        self.children, self.names, self.globs, self.uses = {}, {}, [], []
        self.rest = re.sub(r"\buse\s+[^;]+;", " ", self.code)
        words = set(re.findall(r"\w+", self.rest))
        for found in re.finditer(r"\b(pub(?:\([^)]*\))?\s+)?use\s+([^;]+);", self.code):
            for path, name in leaves(found[2]):
                if name == "*":
                    self.globs.append(path[:-1])
                else:
                    self.names[name] = path
                # A facade that only hands a name on does not use it.
                if not found[1] or name in words:
                    self.uses.append(path)
        for found in re.finditer(r"\bmod\s+(\w+)\s*;", self.code):
            self.add_child(found[1])
        self.defines = set(re.findall(r"\b(?:fn|struct|enum|trait|type|const|static|union)\s+(\w+)", self.code))

    def add_child(self, name):
        folder = self.file.parent
        if self.file.name not in ("lib.rs", "main.rs", "mod.rs"):
            folder = folder / self.file.stem
        for file in (folder / f"{name}.rs", folder / name / "mod.rs"):
            if file.is_file():
                self.children[name] = Module(file, self, name)

    def all(self):
        yield self
        for child in self.children.values():
            yield from child.all()

    def root(self):
        return self.parent.root() if self.parent else self

    def find(self, path, tried=frozenset()):
        """The module that defines what `path` names, or None if that is no file of this crate."""
        if (self, path) in tried or not path:
            return None
        tried |= {(self, path)}
        first, rest = path[0], path[1:]
        if first == "crate":
            return self.root().descend(rest, tried)
        if first == "self":
            return self.descend(rest, tried)
        if first == "super":
            return self.parent and (self.parent.find(rest, tried) if rest[:1] == ("super",) else self.parent.descend(rest, tried))
        if first in self.children:
            return self.descend(path, tried)
        return None

    def descend(self, path, tried):
        if not path:
            return self
        first, rest = path[0], path[1:]
        if first in self.children:
            return self.children[first].descend(rest, tried)
        if first not in self.defines:
            if first in self.names and (found := self.find(self.names[first] + rest, tried)):
                return found
            for path_of_glob in self.globs:
                found = self.find(path_of_glob, tried)
                if found and found is not self and (first in found.defines or first in found.names):
                    return found.descend(path, tried)
        return self

    def used(self):
        """The modules that this one uses."""
        paths = list(self.uses)
        paths += [tuple(found.split("::")) for found in re.findall(r"\b(?:crate|super|self)(?:::\w+)+", self.rest)]
        for child in self.children:
            paths += [(child, name) for name in re.findall(rf"(?<![:\w]){child}::(\w+)", self.rest)]
        for path in paths:
            path = path[:-1] if path[-1] == "*" else path
            found = self.find(path)
            if found and found is not self:
                yield found


def circles(edges):
    """Sets of files that all use each other, however many steps it takes (Tarjan)."""
    index, low, stack, found = {}, {}, [], []

    def visit(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in edges[node]:
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            at = stack.index(node)
            found.append(stack[at:])
            del stack[at:]

    for node in edges:
        if node not in index:
            visit(node)
    return [sorted(circle) for circle in found if len(circle) > 1]


def check_crates(problems):
    for manifest in sorted(ROOT.glob("crates/*/Cargo.toml")):
        crate = tomllib.loads(manifest.read_text())
        name = crate["package"]["name"]
        if name not in CRATES:
            problems.append(f"{name}: scripts/layers.py does not say what this crate may depend on")
            continue
        dependencies = set(crate.get("dependencies", {}))
        for target in crate.get("target", {}).values():
            dependencies |= set(target.get("dependencies", {}))
        for other in sorted(dependencies & set(CRATES) - CRATES[name]):
            problems.append(f"{name} must not depend on {other}")


def check_files(problems, show):
    unused = set(PAIRS)
    for library in sorted(ROOT.glob("crates/*/src/lib.rs")):
        crate = library.parent.parent.name
        relative = lambda module: str(module.file.relative_to(ROOT))
        edges = {}
        for module in Module(library, None, crate).all():
            # The root only re-exports and is the parent of all.
            used = {other for other in module.used() if other.parent} if module.parent else set()
            edges[relative(module)] = {relative(other) for other in used}
            layers = LAYERS.get(crate, {})
            layer = module.path[:1]
            for other in used:
                there = other.path[:1]
                if layer and layer[0] in layers and there[0] in layers and there != layer and there[0] not in layers[layer[0]]:
                    problems.append(f"{relative(module)} must not use {relative(other)}: layers point one way")
        if show:
            for file, used in sorted(edges.items()):
                print(file, "->", ", ".join(sorted(used)) or "nothing")
        for one, other in sorted(PAIRS):
            if other in edges.get(one, ()) and one in edges.get(other, ()):
                unused.discard((one, other))
                edges[other].discard(one)
        for circle in circles(edges):
            arrows = [f"    {one} -> {other}" for one in circle for other in sorted(edges[one] & set(circle))]
            problems.append("files use each other in a circle:\n" + "\n".join(arrows))
    problems.extend(f"the exception for {one} and {other} is not needed any more" for one, other in sorted(unused))


def main():
    problems = []
    check_crates(problems)
    check_files(problems, "--edges" in sys.argv[1:])
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
