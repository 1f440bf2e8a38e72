"""Imports of every target against the level table of Package.swift, and the constructs that need a proof or have no place."""

import pathlib
import re
import sys

SYSTEM = {"Dispatch", "FoundationEssentials", "Glibc", "Darwin", "Musl", "Synchronization"}
PACKAGES = {"ArgumentParser", "HTTPTypes", "Logging", "Metrics", "CoreMetrics"}
# Features never see HTTP's server side; Streaming sees the client through which the upstream is asked.
FORBIDDEN = {"Auth": {"HTTPServer", "HTTPCore", "HTTPTypes"}, "Presets": {"HTTPServer", "HTTPCore", "HTTPTypes"},
             "RateLimit": {"HTTPServer", "HTTPCore", "HTTPTypes"}, "Idempotency": {"HTTPServer", "HTTPCore", "HTTPTypes"}, "Streaming": {"HTTPServer"},
             "OIDC": {"HTTPServer", "HTTPCore", "HTTPTypes"}}
# Tools beside the levels stand on the loop and on HTTP's grammar alone: nothing of the product that they judge.
BESIDE_REACHES = 1

IMPORT = re.compile(
    r"^\s*(?:@\w+(?:\([^)]*\))?\s+)*(?:(?:package|public|internal|private|fileprivate)\s+)?"
    r"import\s+(?:(?:struct|class|enum|protocol|func|let|var|typealias)\s+)?(\w+)")
# A loop's only waits are its poller and its timer wheel, and its tasks are made with its executor.
OFF_LOOP = re.compile(
    r"\b(withTaskGroup|withThrowingTaskGroup|withDiscardingTaskGroup|withThrowingDiscardingTaskGroup|TaskGroup|AsyncStream"
    r"|AsyncThrowingStream|Task\.sleep|Task\.detached|Thread\.sleep|usleep|unsafeFlags|DispatchQueue\.global)\b")
HAZARD = re.compile(r"\btry!|\bas!|\bfatalError\b|@unchecked Sendable|\bnonisolated\(unsafe\)")
# An asynchronous closure with a capture list does not run where its caller runs (Swift 6.3): every wait in it would send its task
# through the loop's queue again. One that is handed its loop is isolated to that.
LEAVES_LOOP = re.compile(r"\{\s*(?:@\w+\s+)*\[[^\[\]]*\](?!\s*loop in\b)[^\n{}]*\bin\b")
LEFTOVER = re.compile(r"\b(TODO|FIXME|XXX)\b")


def levels(manifest):
    """Target name to level; tools and test support are 'beside'."""
    table, level = {}, None
    for line in manifest.splitlines():
        if match := re.search(r"//\s*Level (\d)", line):
            level = int(match[1])
        elif re.search(r"//\s*(Beside the levels|What tests share)", line):
            level = "beside"
        if re.search(r"\.package\(", line):
            continue
        target = re.search(r"(?:\.(?:target|executableTarget|systemLibrary)\(\s*|^\s{12,})name: \"(\w+)\"", line)
        if target and level is not None:
            table.setdefault(target[1], level)
    return table


def code_of(line):
    """The line without its comment and without what stands in string literals."""
    return re.sub(r'"(?:\\.|[^"\\])*"', '""', line).split("//")[0]


def block_at(text, start):
    """From the brace at `start` to the one that closes it."""
    depth = 0
    for end in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[end], 0)
        if depth == 0:
            return text[start:end]
    return text[start:]


def main():
    complaints = []
    table = levels(pathlib.Path("Package.swift").read_text())
    folders = {path.name for path in pathlib.Path("Sources").iterdir() if path.is_dir()}
    for name in sorted(folders - set(table)):
        complaints.append(f"Sources/{name} has no level in Package.swift")
    manifest = pathlib.Path("Package.swift").read_text()
    if OFF_LOOP.search(manifest):
        complaints.append("Package.swift uses unsafeFlags")
    arrows = 0
    for module in sorted(folders & set(table)):
        own = table[module]
        for path in sorted(pathlib.Path("Sources", module).rglob("*.swift")):
            lines = path.read_text().splitlines()
            code = "\n".join(code_of(line) for line in lines)
            for match in LEAVES_LOOP.finditer(code) if own != "beside" else ():
                if re.search(r"\bawait\b", block_at(code, match.start())):
                    line = code.count("\n", 0, match.start()) + 1
                    complaints.append(f"{path}:{line}: an asynchronous closure with a capture list leaves its loop")
            for index, line in enumerate(lines):
                where = f"{path}:{index + 1}"
                if match := IMPORT.match(line):
                    imported = match[1]
                    arrows += 1
                    if imported in FORBIDDEN.get(module, ()):
                        complaints.append(f"{where}: {module} must not see {imported}")
                    elif imported in table:
                        level = table[imported]
                        reach = BESIDE_REACHES + 1 if own == "beside" else own
                        if level == "beside" or level >= reach:
                            complaints.append(f"{where}: {module} (level {own}) imports {imported} (level {level})")
                    elif imported == "Foundation":
                        complaints.append(f"{where}: FoundationEssentials, not Foundation")
                    elif imported not in SYSTEM | PACKAGES:
                        complaints.append(f"{where}: {imported} is no module that this project uses")
                code = code_of(line)
                if own != "beside" and (match := OFF_LOOP.search(code)):
                    complaints.append(f"{where}: {match[0]} has no place on a loop")
                if match := HAZARD.search(code):
                    above = lines[index - 1].strip() if index else ""
                    if "//" not in line and not above.startswith("//"):
                        complaints.append(f"{where}: {match[0]} without a proof on this line or the one above")
                if match := LEFTOVER.search(line):
                    complaints.append(f"{where}: {match[0]}")
    for complaint in complaints:
        print(complaint)
    if complaints:
        sys.exit(1)
    print(f"{len(folders)} modules, {arrows} imports")


main()
