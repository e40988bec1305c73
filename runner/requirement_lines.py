"""A model's requirement lines: refused if they could reach outside the project, explained if they can't be installed.

Only ready-made wheels are installed, so no package's own code runs while an environment is made. What is judged here is
what the installer would otherwise follow: other files, local paths, version control, plain http.
Source: cog-runtime.md 1.2, 5.2; design.md, "Trust".
"""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from models_catalog.cog_config import BuildConfig
from runner.build_errors import BuildFailed

_OPTION = re.compile(r"(--?[A-Za-z][\w-]*)(?:\s*=\s*|\s+)?(.*)")
_FILES = {"-r", "--requirement", "-c", "--constraint"}
_INDEXES = {"-i", "--index-url", "--extra-index-url"}
_PLAIN = {"--pre", "--only-binary", "--prefer-binary", "--no-index"}
_UNKNOWN = re.compile(r"Because (\S+) was not found in the package registry")
_NO_VERSION = re.compile(r"Because there (?:is|are) no versions? of ([A-Za-z0-9._-]+)(\S*)")
_ONLY_OTHER = re.compile(r"only the following versions of ([A-Za-z0-9._-]+) are available")
_NO_WHEEL = re.compile(r"Wheels are required for `([^`]+)`|Because ([A-Za-z0-9._-]+)\S* has no (?:usable )?wheels")
_NOT_PARSED = re.compile(r"Couldn't parse requirement in `([^`]+)`")
_NO_NETWORK = re.compile(r"Failed to fetch|Request failed after|error sending request|dns error", re.IGNORECASE)


def judge(lines: Iterable[str], project: Path, *, file: str = "the requirements") -> None:
    """Raise BuildFailed for a line that leads out of the project or needs code of the package to be run."""
    _judge(lines, project, file, depth=0)


def _judge(lines: Iterable[str], project: Path, file: str, depth: int) -> None:
    for line in lines:
        text = line.split(" #")[0].strip()
        if option := _OPTION.fullmatch(text):
            _judge_option(option[1], option[2].strip().strip("'\""), project, file, depth)
        else:
            _judge_requirement(text, project, file)


def _judge_option(name: str, value: str, project: Path, file: str, depth: int) -> None:
    if name in _FILES:
        other = _inside(value, project, f"{file}: {name} {value}")
        if depth > 8:
            raise BuildFailed(f"{file} includes other files too deeply.", "Put the requirements into one file.")
        try:
            text = re.sub(r"\\\r?\n", " ", other.read_text("utf-8-sig"))
        except UnicodeDecodeError as error:
            raise BuildFailed(f"{value} is not UTF-8.", f"Save {value} as UTF-8.") from error
        found = [line.strip() for line in text.splitlines() if line.strip() and not line.strip().startswith("#")]
        _judge(found, project, value, depth + 1)
    elif name in _INDEXES or name in ("-f", "--find-links"):
        if not value.startswith("https://"):
            raise BuildFailed(
                f"{file}: {name} {value}: only https:// addresses are followed.", f"Mend this line of {file}."
            )
    elif name not in _PLAIN:
        raise BuildFailed(f"{file}: the option {name} is not supported here.", f"Take it out of {file}.")


def _judge_requirement(text: str, project: Path, file: str) -> None:
    shown = f"{file}: {text}"
    source = text.partition("@")[2].strip() if re.match(r"[A-Za-z0-9._-]+\s*(\[[^]]*\])?\s*@", text) else text
    if re.match(r"(git|hg|svn|bzr)\+", source):
        raise BuildFailed(
            f"{shown}: packages from version control are not supported, since installing one runs its code.",
            "Name a release, or put a ready-made wheel (.whl) into the project.",
        )
    if source.startswith(("http://", "file:")):
        raise BuildFailed(
            f"{shown}: only https:// addresses and files of the project are followed.", f"Mend this line of {file}."
        )
    if source.startswith((".", "/", "~")) or ("/" in source and "://" not in source):
        _inside(source.partition(";")[0].strip(), project, shown)
        if not source.partition(";")[0].strip().endswith(".whl"):
            raise BuildFailed(
                f"{shown}: only ready-made wheels (.whl) of the project are installed.", "Build a wheel of it first."
            )


def _inside(path: str, project: Path, shown: str) -> Path:
    target = (project / path).resolve()
    if path.startswith(("/", "~")) or not target.is_relative_to(project.resolve()):
        raise BuildFailed(f"{shown}: the path leads out of the project.", "Use a path inside the project.")
    if not target.is_file():
        raise BuildFailed(f"{shown}: the project has no such file.", "Add the file, or mend the line.")
    return target


def explain(output: Sequence[str], build: BuildConfig, project: Path) -> BuildFailed:
    """The installer's last words as an error that names the line to mend."""
    text = " ".join(output)
    if found := _UNKNOWN.search(text):
        name = re.split(r"[=<>!~\[]", found[1])[0]
        return BuildFailed(f"There is no package named {name}.", f"Mend {_place(name, build, project)}.")
    if found := _NO_VERSION.search(text) or _ONLY_OTHER.search(text):
        version = found[2] if found.re is _NO_VERSION else ""
        return BuildFailed(
            f"There is no {found[1]}{version} for Python {build.python_version} on this machine.",
            f"Mend {_place(found[1], build, project)}, or choose another build.python_version.",
        )
    if found := _NO_WHEEL.search(text):
        name = found[1] or found[2]
        return BuildFailed(
            f"{name} has no ready-made wheel for Python {build.python_version} on this machine, "
            "and building it would run its code.",
            f"Mend {_place(name, build, project)}: "
            "choose a version that has one, or put a wheel (.whl) into the project.",
        )
    if found := _NOT_PARSED.search(text):
        where = build.python_requirements or "build.python_packages"
        wrong = [line.strip() for line in output if line.strip() and not line.startswith(("error", "Using"))]
        return BuildFailed(f"A line of {where} is no requirement: {' '.join(wrong[:2])}", f"Mend that line of {where}.")
    if _NO_NETWORK.search(text):
        return BuildFailed("The package index could not be reached.", "Submit the same archive again later.")
    last = [line for line in output if line.strip()][-6:]
    return BuildFailed("The packages could not be installed:\n" + "\n".join(last), "Mend the requirements.")


def _place(name: str, build: BuildConfig, project: Path) -> str:
    """Where the publisher named a package: `line 3 of requirements.txt`."""
    wanted = _normalized(name)
    if build.python_requirements:
        lines = (project / build.python_requirements).read_text("utf-8-sig", errors="replace").splitlines()
        for number, line in enumerate(lines, start=1):
            if _normalized(re.split(r"[\s=<>!~;@\[]", line.strip(), maxsplit=1)[0]) == wanted:
                return f"line {number} of {build.python_requirements} ({line.strip()})"
        return f"{build.python_requirements} (a package there needs {name})"
    for number, line in enumerate(build.python_packages):
        if _normalized(re.split(r"[\s=<>!~;@\[]", line.strip(), maxsplit=1)[0]) == wanted:
            return f"build.python_packages[{number}] in cog.yaml ({line.strip()})"
    return "the requirements"


def _normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
