"""The image without a container engine: the Dockerfile's own steps, in a clean environment in a temporary folder."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from filelock import FileLock

from include.settings import PROJECT_ROOT
from tests.deployment.compose import DOCKERFILE, copied, python_steps

IN_IMAGE = "/opt/insight"
INSTALL_SECONDS = 600


@dataclass(frozen=True)
class Image:
    """project: what is /opt/insight in the image; bin: the programs of its Python."""

    project: Path
    bin: Path

    def run(self, *command: str, seconds: float = 180) -> subprocess.CompletedProcess[str]:
        """A command as a container of the image would start it, with nothing of this process's environment."""
        return subprocess.run(
            [str(self.bin / command[0]), *command[1:]],
            cwd=self.project,
            env=self.environment(self.project.parent),
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )

    def environment(self, home: Path) -> dict[str, str]:
        return {
            "PATH": f"{self.bin}:/usr/local/bin:/usr/bin:/bin",
            "PYTHONPATH": str(self.project),
            "PYTHONUNBUFFERED": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            "HOME": str(home),
            "LANG": "C.UTF-8",
        }


def _python(step: list[str], bin_folder: Path, project: Path) -> list[str]:
    return [str(bin_folder / "python"), *(word.replace(IN_IMAGE, str(project)) for word in step[1:])]


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    """Installed once for a lock file and Dockerfile, by the RUN steps of the Dockerfile; the project is copied anew each time."""
    lock = PROJECT_ROOT / "requirements-production.lock"
    digest = hashlib.sha256(lock.read_bytes() + DOCKERFILE.read_bytes() + sys.version.encode()).hexdigest()[:16]
    installed = Path(tempfile.gettempdir()) / f"insight-image-{digest}"
    project = tmp_path_factory.mktemp("image") / "insight"
    bin_folder = installed / "bin"
    project.mkdir()
    for name in copied():
        source = PROJECT_ROOT / name
        if source.is_dir():
            left_out = shutil.ignore_patterns("__pycache__", "target", "logs", ".user.yml")
            shutil.copytree(source, project / name, ignore=left_out)
        else:
            shutil.copy2(source, project / name)
    install, *others = python_steps()
    with FileLock(f"{installed}.lock"):
        if not (installed / ".ready").exists():
            shutil.rmtree(installed, ignore_errors=True)
            subprocess.run([sys.executable, "-m", "venv", str(installed)], check=True)
            _run(_python(install, bin_folder, project), project)
            (installed / ".ready").touch()
    for step in others:
        _run(_python(step, bin_folder, project), project)
    for path in [project, *project.rglob("*")]:
        path.chmod(path.stat().st_mode & ~0o222)  # as in a container whose file system is read-only
    return Image(project, bin_folder)


def _run(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr[-2000:]}"
