"""Hooks of mkdocs: what the site takes from outside of docs/, its links, its reference.

Pages link to each other by the paths of the repository, so that they can be read there too.
"""

import ast
import os
import posixpath
import re
from pathlib import Path

from mkdocs.structure.files import File

ROOT = Path(__file__).parents[1]
# Where they stand in the repository, and in the site.
ELSEWHERE = {
    "README.md": "index.md",
    "CHANGELOG.md": "CHANGELOG.md",
    "CONTRIBUTING.md": "CONTRIBUTING.md",
    "benchmarks/README.md": "benchmarks/README.md",
}
ROOM = re.compile(r"^::: ([\w.]+)$", re.M)
LINK = re.compile(r'(\]\(|\bsrc="|\bhref=")(?!\w+:|#)([^)"#\s]+)')


def on_files(files, config):
    """Add pages and pictures from outside of docs/."""
    pictures = {path.relative_to(ROOT).as_posix() for path in ROOT.glob("examples/*.jpg")}
    for source, place in (ELSEWHERE | {name: name for name in sorted(pictures)}).items():
        files.append(File.generated(config, place, abs_src_path=str(ROOT / source)))
    return files


def on_page_markdown(markdown, page, config, files):
    """Fill in the reference of a room; turn links of the repository into the site's, or to it."""
    markdown = ROOM.sub(lambda found: "\n\n".join(public_names(found[1])), markdown)
    here = Path(page.file.abs_src_path).relative_to(ROOT).parent.as_posix()

    def turned(found):
        target = posixpath.normpath(posixpath.join(here, found[2]))
        place = ELSEWHERE.get(target, target.removeprefix("docs/"))
        if files.get_file_from_path(place) is not None:
            start = posixpath.dirname(page.file.src_uri) or "."
            return found[1] + posixpath.relpath(place, start)
        if os.path.lexists(ROOT / target) and not target.startswith("docs/"):
            return f"{found[1]}{config.repo_url}/blob/main/{target}"
        return found[0]

    return LINK.sub(turned, markdown)


def public_names(room):
    """Yield an entry for each name that a package publishes, or each function of a module.

    They are looked up where they are defined: many have the name of their module.
    """
    package = ROOT.joinpath(*room.split("."))
    if not package.is_dir():
        tree = ast.parse(package.with_suffix(".py").read_text(encoding="utf-8"))
        yield from (f"::: {room}.{each.name}" for each in tree.body if hasattr(each, "name"))
        return
    nodes, sources = imports(room)
    for each in nodes:
        if isinstance(each, ast.Assign) and ast.unparse(each.targets[0]) == "__all__":
            for name in ast.literal_eval(each.value):
                if sources[name] != room:  # which is a room of its own
                    yield f"::: {source(name, sources[name])}.{name}"


def imports(room):
    """Give the nodes of a package's `__init__`, and the module that each name comes from."""
    file = ROOT.joinpath(*room.split("."), "__init__.py")
    # Some are imported when they are asked for, and for type checkers only.
    nodes = list(ast.walk(ast.parse(file.read_text(encoding="utf-8"))))
    found = (each for each in nodes if isinstance(each, ast.ImportFrom))
    return nodes, {name.name: each.module for each in found for name in each.names}


def source(name, module):
    """Follow a name through packages to the module that defines it."""
    while ROOT.joinpath(*module.split(".")).is_dir():
        module = imports(module)[1][name]
    return module
