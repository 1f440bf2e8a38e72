"""The files of the project: what is, or with the next commit could be, under version control."""

import pathlib
import subprocess


def files(*patterns):
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", "--", *patterns],
        check=True, capture_output=True).stdout.decode()
    paths = (pathlib.Path(name) for name in sorted(set(listing.split("\0"))) if name)
    return [path for path in paths if path.is_file() and not path.is_symlink()]
