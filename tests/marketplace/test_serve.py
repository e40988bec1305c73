"""What `manage.py serve` refuses, and what it tells the operator at the end of a start."""

import socket
from pathlib import Path

import pytest

from accounts import tokens
from accounts.models import User
from marketplace import first_start
from marketplace.children import Program
from marketplace.processes import lock
from marketplace.serve import Plan, Refused, is_listening, run


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def plan(var_dir: Path, port: int) -> Plan:
    return Plan(var_dir, "127.0.0.1", port, servers=[Program("mark", ("touch", str(var_dir / "started")))])


def test_a_second_serve_on_the_same_folder_is_refused(tmp_path: Path, free_port: int) -> None:
    with lock(tmp_path / "lock"), pytest.raises(Refused, match="is already served by process"):
        run(plan(tmp_path, free_port))
    assert not (tmp_path / "started").exists()


def test_a_taken_port_is_told_before_anything_starts(tmp_path: Path, free_port: int) -> None:
    with socket.create_server(("127.0.0.1", free_port)):
        assert is_listening("0.0.0.0", free_port)
        with pytest.raises(Refused, match=f"port {free_port}: Address already in use"):
            run(plan(tmp_path, free_port))
    assert not (tmp_path / "started").exists()
    assert not is_listening("127.0.0.1", free_port)


@pytest.mark.django_db
def test_the_first_start_makes_an_operator_whose_secrets_only_the_files_know(tmp_path: Path) -> None:
    operator = first_start.ensure_operator(tmp_path)
    user = User.objects.get(is_superuser=True)
    assert operator.password is not None
    assert operator.token is not None
    assert user.check_password(operator.password)
    caller = tokens.find_caller(operator.token)
    assert caller is not None
    assert caller.user_id == user.pk
    modes = {name: (tmp_path / name).stat().st_mode & 0o777 for name in ("admin-password", "admin-token")}
    assert modes == {"admin-password": 0o600, "admin-token": 0o600}
    assert first_start.ensure_operator(tmp_path) == operator


@pytest.mark.django_db
def test_a_changed_password_is_not_told(tmp_path: Path) -> None:
    first_start.ensure_operator(tmp_path)
    user = User.objects.get(is_superuser=True)
    user.set_password("of my own choosing")
    user.save()
    operator = first_start.ensure_operator(tmp_path)
    assert operator.password is None
    assert "(as you set it)" in first_start.greeting("http://localhost:8000", operator, tmp_path)


@pytest.mark.django_db
def test_an_installation_with_an_operator_gets_no_second_one(tmp_path: Path) -> None:
    User.objects.create_superuser("root", "root@example.test", "a password of length")
    assert first_start.ensure_operator(tmp_path) == first_start.Operator("root", None, None)
    assert list(tmp_path.iterdir()) == []
