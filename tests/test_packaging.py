"""What `pip install pequel` brings: an SDK with one dependency, and every file both halves need."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from email import message_from_bytes
from email.message import Message
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
PACKAGES = ("sdk/pequel", "collector/pequel_collector")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built with what is installed: nothing is downloaded."""
    folder = tmp_path_factory.mktemp("wheel")
    command = ["-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(REPOSITORY)]
    build = subprocess.run([sys.executable, *command], capture_output=True, text=True)
    assert build.returncode == 0, build.stdout + build.stderr
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel's content, alone in a folder."""
    folder = tmp_path_factory.mktemp("installed")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


@pytest.fixture(scope="module")
def metadata(installed: Path) -> Message:
    (path,) = installed.glob("*.dist-info/METADATA")
    return message_from_bytes(path.read_bytes())


class TestMetadata:
    def test_requests_is_the_only_unconditional_dependency(self, metadata: Message) -> None:
        unconditional = [one for one in metadata.get_all("Requires-Dist", []) if ";" not in one]
        assert [one.partition("<")[0].partition(">")[0] for one in unconditional] == ["requests"]

    def test_the_collector_and_postgresql_are_extras(self, metadata: Message) -> None:
        assert {"collector", "postgres"} <= set(metadata.get_all("Provides-Extra", []))

    def test_the_license_travels(self, installed: Path) -> None:
        (path,) = installed.glob("*.dist-info/licenses/LICENSE")
        assert path.read_text() == (REPOSITORY / "LICENSE").read_text()

    def test_the_command_is_pequel(self, installed: Path) -> None:
        (path,) = installed.glob("*.dist-info/entry_points.txt")
        assert "pequel = pequel_collector.cli:main" in path.read_text()

    def test_pytest_finds_the_plugin(self, installed: Path) -> None:
        (path,) = installed.glob("*.dist-info/entry_points.txt")
        assert "[pytest11]\npequel = pequel.integrations.pytest" in path.read_text()


class TestFiles:
    @pytest.mark.parametrize("package", PACKAGES)
    def test_every_file_of_the_package_travels(self, installed: Path, package: str) -> None:
        """SQL, templates and `py.typed` as well as code."""
        source = REPOSITORY / package
        assert files_of(source) == files_of(installed / source.name)

    @pytest.mark.parametrize("package", PACKAGES)
    def test_the_package_says_that_it_is_typed(self, installed: Path, package: str) -> None:
        assert (installed / Path(package).name / "py.typed").is_file()

    def test_nothing_else_travels(self, installed: Path) -> None:
        names = {path.name for path in installed.iterdir() if path.suffix != ".dist-info"}
        assert names == {"pequel", "pequel_collector"}


class TestImporting:
    def test_the_sdk_needs_the_standard_library_only(self, installed: Path) -> None:
        """Requests is imported when something is sent; nothing else ever is."""
        modules = run_alone("import sys, pequel; print(*sys.modules)", installed).split()
        packages = {name.partition(".")[0] for name in modules if name != "__main__"}
        assert packages - sys.stdlib_module_names == {"pequel"}

    @pytest.mark.parametrize("package", ["pequel", "pequel_collector"])
    def test_the_package_knows_its_version(
        self, installed: Path, metadata: Message, package: str
    ) -> None:
        version = run_alone(f"import {package}; print({package}.__version__)", installed)
        assert version.strip() == metadata["Version"]


def files_of(package: Path) -> set[str]:
    """Return the names of a package's files, as far as they are not Python's cache."""
    files = (path for path in package.rglob("*") if path.is_file())
    return {str(path.relative_to(package)) for path in files if path.suffix != ".pyc"}


def run_alone(code: str, folder: Path) -> str:
    """Return what `code` prints in an interpreter that finds only `folder` and its own library."""
    script = f"import sys; sys.path.insert(0, {str(folder)!r}); {code}"
    done = subprocess.run([sys.executable, "-ISc", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout
