"""cog.yaml: every rule of cog-runtime.md 1, with the path and the words a publisher gets."""

from pathlib import Path

import pytest

from models_catalog.cog_config import (
    BuildConfig,
    CogConfig,
    Concurrency,
    Reference,
    RunCommand,
    SecretMount,
    Traces,
    Weight,
    WeightSource,
)  # fmt: skip
from models_catalog.cog_yaml import CogYamlInvalid, load, parse

BUILD = 'build:\n  python_version: "3.12"\n'


def mistakes(text: str, folder: Path | None = None) -> dict[str, str]:
    with pytest.raises(CogYamlInvalid) as invalid:
        parse(text, folder)
    return {error.field: error.message for error in invalid.value.errors}


def build_of(text: str, folder: Path | None = None) -> BuildConfig:
    build = parse(BUILD + text, folder).build
    assert build is not None
    return build


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "run.py").write_text("")
    (tmp_path / "requirements.txt").write_text("")
    return tmp_path


def test_an_empty_file_is_legal_but_cannot_be_published(tmp_path: Path) -> None:
    assert parse("") == CogConfig()
    (tmp_path / "cog.yaml").write_text("")
    with pytest.raises(CogYamlInvalid, match="run: Name what predicts"):
        load(tmp_path)


def test_a_project_without_cog_yaml_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(CogYamlInvalid, match=r"no cog\.yaml"):
        load(tmp_path)


def test_a_full_file_is_understood(project: Path) -> None:
    (project / "requirements.txt").write_text(
        "# models\ntorch==2.9.1 \\\n  --hash=x\n\ncog==0.23.1\nCoglet >= 0.1\ncogs\n"
    )
    (project / "cog.yaml").write_text("""
build:
  python_version: 3.12
  python_requirements: requirements.txt
  system_packages: [ffmpeg, libgl1]
  gpu: true
  cuda: 12.8
  cudnn: 9
  sdk_version: 0.23.1
  run:
    - pip list
    - command: fetch weights
      mounts: [{type: secret, id: token, target: /run/token}]
  pre_install: [echo late]
run: run.py:Runner
train: run.py:train
model: registry.example/alice/model
environment: [A=1, B=x=y, C=]
concurrency: {max: 4, default_target: 2}
weights:
  - {name: base.v1, target: /src/weights/, source: {uri: "hf://org/repo", include: ["*.bin"], exclude: [old/*]}}
  - {name: more, target: /src/more, source: [{uri: file:///x}, {uri: local/path}]}
observability: {traces: {enabled: true, sampler: ratio, sampler_arg: "0.5", trace_header_format: w3c}}
""")
    config = load(project)
    assert config == CogConfig(
        predict=Reference("run.py", "Runner"),
        train=Reference("run.py", "train"),
        build=BuildConfig(
            python_version="3.12",
            python_requirements="requirements.txt",
            requirements=("torch==2.9.1    --hash=x", "cogs"),
            system_packages=("ffmpeg", "libgl1"),
            run=(
                RunCommand("pip list"),
                RunCommand("fetch weights", (SecretMount("token", "/run/token"),)),
                RunCommand("echo late"),
            ),
            gpu=True,
            cuda="12.8",
            cudnn="9",
            sdk_version="0.23.1",
        ),
        model="registry.example/alice/model",
        environment=config.environment,
        concurrency=Concurrency(4, 2),
        weights=(
            Weight("base.v1", "/src/weights", (WeightSource("hf://org/repo", ("*.bin",), ("old/*",)),)),
            Weight("more", "/src/more", (WeightSource("file:///x"), WeightSource("local/path"))),
        ),
        traces=Traces(enabled=True, sampler="ratio", sampler_arg="0.5", trace_header_format="w3c"),
        warnings=config.warnings,
    )
    assert dict(config.environment) == {"A": "1", "B": "x=y", "C": ""}
    assert len(config.warnings) == 3  # cog in the requirements, pre_install, concurrency
    assert str(config.predict) == "run.py:Runner"


def test_run_and_its_old_name_mean_the_same() -> None:
    assert parse("run: a/b.py:X").predict == parse("predict: a/b.py:X").predict == Reference("a/b.py", "X")
    assert parse("predict: b.py:X").warnings == ("'predict' is the old name of 'run'.",)


def test_all_mistakes_are_reported_at_once() -> None:
    text = "run: x\ntrain: y\nenvironment: [PATH=1]\nbuild: {gpu: 1}\nnonsense: 2"
    assert set(mistakes(text)) == {
        "nonsense", "run", "train", "environment[0]", "build.gpu", "build.python_version",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "field", "message"),
    [
        # 1.1
        ("- a", "", "Expected a mapping, got a list."),
        ("a: [", "", "Not valid YAML: "),
        ("run: a.py:A\nrun: b.py:B", "", "'run' appears twice (line 2)"),
        ("predictt: run.py:A", "predictt", "Unknown key. Did you mean 'predict'?"),
        ("zzz: 1", "zzz", "Unknown key. Known keys: build, concurrency"),
        (
            "build: {python_version: '3.12', pythn_packages: []}",
            "build.pythn_packages",
            "Did you mean 'python_packages'?",
        ),
        ("build: text", "build", "Expected a mapping, got 'text'."),
        ("run: run.py:A\npredict: run.py:A", "predict", "either 'run' or its old name"),
        ("run: Runner", "run", "Expected a reference like 'run.py:Runner', got 'Runner'."),
        ("run: a.py:b.py:C", "run", "Expected a reference"),
        ("run: a.py:not a name", "run", "Expected a reference"),
        ("run: .py:A", "run", "Expected a reference"),
        ("run: 5", "run", "Expected a non-empty string, got 5."),
        ("train: a.py", "train", "Expected a reference"),
        ("run: ../a.py:A", "run", "a path inside the project"),
        ("run: /a.py:A", "run", "a path inside the project"),
        ("run: missing.py:A", "run", "There is no file 'missing.py' in the project."),
        ("image: a\nmodel: b", "model", "either 'image' or 'model'"),
        ("model: a/b:tag", "model", "without tag or digest"),
        ("model: a/b@sha256:0", "model", "without tag or digest"),
        ("image: ''", "image", "Expected a non-empty string"),
        ("environment: {A: 1}", "environment", "Expected a list, got a mapping."),
        ("environment: [A]", "environment[0]", "Expected NAME=value, got 'A'."),
        ("environment: ['1A=x']", "environment[0]", "Expected NAME=value"),
        ("environment: [A=1, A=2]", "environment[1]", "A is set twice."),
        ("concurrency: {}", "concurrency.max", "Required"),
        ("concurrency: {max: 0}", "concurrency.max", "Expected an integer of at least 1, got 0."),
        ("concurrency: {max: true}", "concurrency.max", "got true"),
        ("concurrency: {max: 1, default_target: x}", "concurrency.default_target", "an integer"),
        ("build: {python_version: '3.10'}\nconcurrency: {max: 2}", "concurrency.max", "needs Python 3.11"),
        # 1.2
        ("build: {}", "build.python_version", 'Required, for example "3.12".'),
        ("build: {python_version: 3.10}", "build.python_version", 'Write "3.10" in quotes'),
        ("build: {python_version: '3.9'}", "build.python_version", "Python 3.9 is not supported"),
        ("build: {python_version: '3.14'}", "build.python_version", "Python 3.14 is not supported"),
        ("build: {python_version: 3}", "build.python_version", "Expected a version like"),
        ("build: {python_version: [3]}", "build.python_version", "got a list"),
        (BUILD + "  python_requirements: nope.txt", "build.python_requirements", "There is no file 'nope.txt'"),
        (BUILD + "  python_requirements: ../x.txt", "build.python_requirements", "a path inside the project"),
        (
            BUILD + "  python_requirements: requirements.txt\n  python_packages: []",
            "build.python_requirements",
            "either 'python_requirements' or 'python_packages'",
        ),
        (BUILD + "  python_packages: [1]", "build.python_packages[0]", "Expected a non-empty string, got 1."),
        (BUILD + "  system_packages: ['--force']", "build.system_packages[0]", "the name of a Debian package"),
        (BUILD + "  system_packages: ['a b']", "build.system_packages[0]", "the name of a Debian package"),
        (BUILD + '  run: ["a\\nb"]', "build.run[0]", "must be a single line"),
        (BUILD + '  pre_install: ["a\\nb"]', "build.pre_install[0]", "must be a single line"),
        (BUILD + "  run: [{mounts: []}]", "build.run[0].command", "Expected a non-empty string, got nothing."),
        (
            BUILD + "  run: [{command: a, mounts: [{type: bind, id: a, target: b}]}]",
            "build.run[0].mounts[0].type",
            "Expected 'secret', got 'bind'.",
        ),
        (
            BUILD + "  run: [{command: a, mounts: [{type: secret, id: a}]}]",
            "build.run[0].mounts[0].target",
            "a non-empty",
        ),
        (BUILD + "  gpu: yes please", "build.gpu", "Expected true or false"),
        (BUILD + "  cuda: '10.2'", "build.cuda", "CUDA 10.2 is too old"),
        (BUILD + "  cuda: '11'", "build.cuda", "a version like"),
        (BUILD + "  cudnn: '9.1'", "build.cudnn", "a major version"),
        (BUILD + "  sdk_version: 0.15.9", "build.sdk_version", "cog 0.15.9 is too old"),
        (BUILD + "  sdk_version: latest", "build.sdk_version", "a version like"),
        # 1.3
        ("weights: []", "model", "Required when 'weights' is used."),
        ("model: m\nweights: [{}]", "weights[0].name", "Required."),
        ("model: m\nweights: [{name: A, target: /a, source: {uri: x}}]", "weights[0].name", "a name of a-z"),
        ("model: m\nweights: [{name: a, target: a, source: {uri: x}}]", "weights[0].target", "absolute path"),
        ("model: m\nweights: [{name: a, target: /, source: {uri: x}}]", "weights[0].target", "other than '/'"),
        ("model: m\nweights: [{name: a, target: /a, source: []}]", "weights[0].source", "at least one source"),
        ("model: m\nweights: [{name: a, target: /a, source: {}}]", "weights[0].source.uri", "a non-empty string"),
        ("model: m\nweights: [{name: a, target: /a, source: {uri: 's3://x'}}]", "weights[0].source.uri", "hf://org/repo"),
        (
            "model: m\nweights: [{name: a, target: /a, source: {uri: x, include: ['!b']}}]",
            "weights[0].source.include[0]",
            "may not start with '!'",
        ),
        (
            "model: m\nweights: [{name: a, target: /a, source: {uri: x, exclude: ['']}}]",
            "weights[0].source.exclude[0]",
            "Expected a non-empty string",
        ),
        (
            "model: m\nweights: [{name: a, target: /a, source: {uri: x}}, {name: a, target: /b, source: {uri: x}}]",
            "weights[1].name",
            "'a' is used twice.",
        ),
        (
            "model: m\nweights: [{name: a, target: /a, source: {uri: x}}, {name: b, target: /a/b/, source: {uri: x}}]",
            "weights[1].target",
            "/a/b and /a are the same or inside each other.",
        ),
        ("observability: {tracing: {}}", "observability.tracing", "Did you mean 'traces'?"),
        ("observability: {traces: {sampler_arg: '1.5'}}", "observability.traces.sampler_arg", 'from "0" to "1"'),
        (
            "observability: {traces: {trace_header_format: b3}}",
            "observability.traces.trace_header_format",
            "w3c or jaeger",
        ),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_place(text: str, field: str, message: str, project: Path) -> None:
    found = mistakes(text, project)
    assert message in found[field]


@pytest.mark.parametrize(
    "name",
    [
        "PATH", "LD_LIBRARY_PATH", "PYTHONPATH", "VIRTUAL_ENV", "PYTHONUNBUFFERED", "LIBRARY_PATH", "HF_ENDPOINT",
        "HF_HUB_ENABLE_HF_TRANSFER", "R8_X", "REPLICATE_X", "CUDA_X", "NVIDIA_X", "NV_X", "PGET_X", "KUBERNETES_X",
        "OTEL_X",
    ],
)  # fmt: skip
def test_the_platforms_own_variables_cannot_be_set(name: str) -> None:
    assert "reserved" in mistakes(f"environment: [{name}=1]")["environment[0]"]


@pytest.mark.parametrize(
    ("line", "dropped"),
    [
        ("cog", True), ("cog==0.9", True), ("COG[tracing] >=1", True), ("coglet ; python_version>'3'", True),
        ("cog @ https://example.com/cog.whl", True), ("cogwheel", False), ("my-cog", False), ("cog-extras==1", False),
    ],
)  # fmt: skip
def test_the_sdk_is_dropped_from_the_requirements(line: str, dropped: bool) -> None:
    build = build_of(f"  python_packages: ['numpy==2.0', \"{line}\"]\n")
    assert build.requirements == (("numpy==2.0",) if dropped else ("numpy==2.0", line))


@pytest.mark.parametrize("version", ["3.11", "'3.10'", "'3.12.4'", "3.13"])
def test_supported_python_versions_are_accepted_quoted_or_not(version: str) -> None:
    build = parse(f"build: {{python_version: {version}}}").build
    assert build is not None and build.python_version == version.strip("'")


def test_a_document_that_doubles_itself_is_answered_quickly() -> None:
    laughs = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 40))
    assert mistakes(laughs + "build: *a39\nrun: *a39")["build"] == "Expected a mapping, got a list."
