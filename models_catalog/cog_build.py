"""The `build` part of a cog.yaml: Python version, requirements, commands, CUDA.

Called by `models_catalog.cog_yaml`.  Source: cog-runtime.md 1.2, checklist 8 (1, 9, 10).
"""

import re
from pathlib import Path, PurePosixPath

from models_catalog.cog_config import BuildConfig, RunCommand, SecretMount
from models_catalog.yaml_reading import Reader, describe, join

_KEYS = (
    "python_version", "python_requirements", "python_packages", "system_packages", "run", "pre_install", "gpu", "cuda",
    "cudnn", "sdk_version",
)  # fmt: skip
_OLDEST_PYTHON, _NEWEST_PYTHON = (3, 10), (3, 13)
_OLDEST_SDK = (0, 16, 0)
# `cog` or `coglet` as a whole distribution name, with any extras, version, URL, marker or comment after it.
_SDK_LINE = re.compile(r"\s*(cog|coglet)\s*(\[|[<>=!~;@#\s(]|$)", re.IGNORECASE)


def read(reader: Reader, value: object, folder: Path | None, warnings: list[str]) -> BuildConfig | None:
    """The validated `build` mapping; mistakes go to `reader`, deprecations to `warnings`."""
    values = reader.mapping(value, "build", _KEYS)
    if values is None:
        return None
    if "python_version" not in values:
        reader.wrong("build.python_version", 'Required, for example "3.12".')
    return BuildConfig(
        python_version=_python_version(reader, values["python_version"]) if "python_version" in values else None,
        python_requirements=(file := _requirements_file(reader, values, folder)),
        python_packages=(packages := _python_packages(reader, values, warnings)),
        requirements=_without_sdk(_requirement_lines(reader, folder, file, packages), warnings),
        system_packages=_system_packages(reader, values.get("system_packages", [])),
        run=_run_commands(reader, values, warnings),
        gpu=bool(reader.boolean(values["gpu"], "build.gpu")) if "gpu" in values else False,
        cuda=_cuda(reader, values["cuda"]) if "cuda" in values else None,
        cudnn=_cudnn(reader, values["cudnn"]) if "cudnn" in values else None,
        sdk_version=_sdk_version(reader, values["sdk_version"]) if "sdk_version" in values else None,
    )


def check_file(reader: Reader, file: str, path: str, folder: Path | None) -> bool:
    """Is `file` a relative path inside the project and, where the folder is known, a file? Reports at `path` if not."""
    parts = PurePosixPath(file)
    if parts.is_absolute() or ".." in parts.parts or "\\" in file or "\0" in file:
        reader.wrong(path, f"Expected a path inside the project, got {describe(file)}.")
        return False
    if folder is not None and not (folder / file).is_file():
        reader.wrong(path, f"There is no file {describe(file)} in the project.")
        return False
    return True


def _python_version(reader: Reader, value: object) -> str | None:
    path = "build.python_version"
    if isinstance(value, float) and value == 3.1:
        reader.wrong(path, 'Write "3.10" in quotes: without them YAML reads the number 3.1.')
        return None
    text = str(value) if isinstance(value, float) else value
    match = re.fullmatch(r"(\d+)\.(\d+)(\.\d+)?", text) if isinstance(text, str) else None
    if match is None:
        reader.wrong(path, f'Expected a version like "3.12" or "3.12.4", got {describe(value)}.')
        return None
    if not _OLDEST_PYTHON <= (int(match[1]), int(match[2])) <= _NEWEST_PYTHON:
        reader.wrong(path, f"Python {text} is not supported; choose 3.10, 3.11, 3.12 or 3.13.")
        return None
    return match[0]


def _requirements_file(reader: Reader, values: dict[str, object], folder: Path | None) -> str | None:
    if "python_requirements" not in values:
        return None
    path = "build.python_requirements"
    if "python_packages" in values:
        reader.wrong(path, "Give either 'python_requirements' or 'python_packages', not both.")
    file = reader.string(values["python_requirements"], path)
    return file if file is not None and check_file(reader, file, path, folder) else None


def _python_packages(reader: Reader, values: dict[str, object], warnings: list[str]) -> tuple[str, ...]:
    if "python_packages" not in values:
        return ()
    warnings.append("'build.python_packages' is deprecated; use 'build.python_requirements'.")
    packages = reader.strings(values["python_packages"], "build.python_packages")
    for number, package in enumerate(packages):
        if "\n" in package:
            reader.wrong(f"build.python_packages[{number}]", "Expected a single requirement, on one line.")
    return packages


def _requirement_lines(
    reader: Reader, folder: Path | None, file: str | None, packages: tuple[str, ...]
) -> tuple[str, ...]:
    if file is None or folder is None:
        return packages
    try:
        text = (folder / file).read_text("utf-8-sig")
    except UnicodeDecodeError:
        reader.wrong("build.python_requirements", f"{file} is not UTF-8.")
        return ()
    joined = re.sub(r"\\\r?\n", " ", text)
    return tuple(line for line in map(str.strip, joined.splitlines()) if line and not line.startswith("#"))


def _without_sdk(lines: tuple[str, ...], warnings: list[str]) -> tuple[str, ...]:
    kept = tuple(line for line in lines if not _SDK_LINE.match(line))
    if len(kept) < len(lines):
        warnings.append("'cog' and 'coglet' in the requirements are left out: the build installs them itself.")
    return kept


def _system_packages(reader: Reader, value: object) -> tuple[str, ...]:
    names = [
        reader.matching(item, path, r"[a-z0-9][a-z0-9+.:~=-]*", "the name of a Debian package")
        for path, item in reader.items(value, "build.system_packages")
    ]
    return tuple(name for name in names if name is not None)


def _run_commands(reader: Reader, values: dict[str, object], warnings: list[str]) -> tuple[RunCommand, ...]:
    commands = [_run_command(reader, item, path) for path, item in reader.items(values.get("run", []), "build.run")]
    if "pre_install" in values:
        warnings.append("'build.pre_install' is deprecated; use 'build.run'.")
        for path, item in reader.items(values["pre_install"], "build.pre_install"):
            text = _single_line(reader, item, path)
            commands.append(RunCommand(text) if text is not None else None)
    return tuple(command for command in commands if command is not None)


def _run_command(reader: Reader, value: object, path: str) -> RunCommand | None:
    if not isinstance(value, dict):
        text = _single_line(reader, value, path)
        return RunCommand(text) if text is not None else None
    values = reader.mapping(value, path, ("command", "mounts")) or {}
    text = _single_line(reader, values.get("command"), f"{path}.command")
    mounts = [_mount(reader, item, at) for at, item in reader.items(values.get("mounts", []), f"{path}.mounts")]
    return RunCommand(text, tuple(mount for mount in mounts if mount is not None)) if text is not None else None


def _single_line(reader: Reader, value: object, path: str) -> str | None:
    text = reader.string(value, path)
    if text is not None and "\n" in text.strip():
        reader.wrong(path, "A command must be a single line; make it several, or a script in the project.")
        return None
    return text.strip() if text is not None else None


def _mount(reader: Reader, value: object, path: str) -> SecretMount | None:
    values = reader.mapping(value, path, ("type", "id", "target"))
    if values is None:
        return None
    if values.get("type") != "secret":
        reader.wrong(join(path, "type"), f"Expected 'secret', got {describe(values.get('type'))}.")
    secret = reader.string(values.get("id"), join(path, "id"))
    target = reader.string(values.get("target"), join(path, "target"))
    return SecretMount(secret, target) if secret is not None and target is not None else None


def _cuda(reader: Reader, value: object) -> str | None:
    text = str(value) if isinstance(value, float) else value
    version = reader.matching(text, "build.cuda", r"\d+\.\d+(\.\d+)?", 'a version like "11.8" or "11.8.0"')
    if version is not None and int(version.split(".")[0]) < 11:
        reader.wrong("build.cuda", f"CUDA {version} is too old; 11.0 is the minimum.")
    return version


def _cudnn(reader: Reader, value: object) -> str | None:
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    return reader.matching(text, "build.cudnn", r"\d+", 'a major version like "9"')


def _sdk_version(reader: Reader, value: object) -> str | None:
    path = "build.sdk_version"
    version = reader.matching(value, path, r"prerelease|\d+\.\d+\.\d+\S*", 'a version like "0.23.1" or "prerelease"')
    if version is None or version == "prerelease":
        return version
    numbers = re.findall(r"\d+", version)[:3]
    if tuple(map(int, numbers)) < _OLDEST_SDK:
        reader.wrong(path, f"cog {version} is too old; 0.16.0 is the minimum.")
    return version
