"""Where the engine is installed, by make, and whether it is."""

from pathlib import Path

HERE = Path(__file__).parent
VENV = HERE / ".venv"
PYTHON = VENV / "bin" / "python"


def installed() -> bool:
    """Whether make got to the end."""
    return (VENV / ".installed").exists()


def site_packages() -> Path:
    """The folder of the engine's packages."""
    return next(VENV.glob("lib/python3*/site-packages"))
