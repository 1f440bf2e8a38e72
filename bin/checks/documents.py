"""Links and file names in the documents lead somewhere, and nothing names a path of one machine."""

import pathlib
import re
import sys

from tree import files

# Written so that this file does not match itself.
MACHINE = re.compile("|".join([r"(?<![\w.])/wo" + r"rk/", r"/(?:home|Users)/" + r"\w+/", r"(?<!\w)/ro" + r"ot/\w"]))
OUTSIDE = re.compile(r"\.\./sha" + "red")
NAMED_FILE = re.compile(r"`((?:[\w.+-]+/)*[\w+-]+\.(?:swift|py|sql|c|h|yaml|yml|conf|md)|(?:bin|deploy|\.ci)/[\w./-]+)`")


def slug(heading):
    return re.sub(r"[^\w\- ]", "", heading.strip().lower().replace("`", "")).replace(" ", "-")


def headings(path):
    text = re.sub(r"^```.*?^```", "", path.read_text(), flags=re.M | re.S)
    return {slug(match) for match in re.findall(r"^#+ +(.+)$", text, re.M)}


def links(document):
    text = document.read_text()
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        path = document.parent / name if name else document
        if not path.exists():
            yield f"{document}: {target} leads nowhere"
        elif anchor and path.suffix == ".md" and anchor not in headings(path):
            yield f"{document}: {name} has no heading #{anchor}"


def named_files(document, everything):
    for name in sorted(set(NAMED_FILE.findall(document.read_text()))):
        # What deploy/create-secrets makes is nobody's but the operator's.
        if name.startswith("deploy/secrets/") or pathlib.Path(name.rstrip("/")).exists():
            continue
        if not any(path == name or path.endswith("/" + name) for path in everything):
            yield f"{document}: there is no file {name}"


def machine_paths():
    for path in files():
        try:
            lines = path.read_text().splitlines()
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(lines, 1):
            if MACHINE.search(line) or (OUTSIDE.search(line) and str(path) != ".ci/run"):
                yield f"{path}:{number}: a path of one machine: {line.strip()[:80]}"


everything = [str(path) for path in files()]
documents = files("*.md")
complaints = [complaint for document in documents for complaint in links(document)]
complaints += [complaint for document in documents for complaint in named_files(document, everything)]
complaints += machine_paths()
print("\n".join(complaints) or f"{len(documents)} documents")
sys.exit(bool(complaints))
