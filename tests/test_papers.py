"""The papers: a page in every folder, a short entrance, links that lead somewhere."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from agent.cli import COMMANDS, group
from tests.rooms import fresh, pages

ROOT = Path(__file__).parents[1]
MOST_BYTES = 7000  #: of the entrance
ENTRANCE_LINES = 10
FOREIGN = ("hw/lorawan/chirpstack", "hw/lorawan/things-stack")  #: laid out as their servers want it


def kept() -> list[Path]:
    """Every file of the project; what git does not know is not part of it."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("not a checkout")
    return [path for line in done.stdout.splitlines() if (path := ROOT / line).exists()]


def papers() -> list[Path]:
    return [path for path in kept() if path.suffix == ".md"]


def typed(text: str) -> list[str]:
    """What a page asks its reader to type: lines of shell blocks."""
    blocks = re.findall(r"```(?:sh|bash|console)\n(.*?)```", text, re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


def test_every_folder_has_a_page() -> None:
    folders = {
        folder.as_posix()
        for path in kept()
        for folder in path.relative_to(ROOT).parents
        if not folder.as_posix().startswith((".", *FOREIGN, "tests/data"))
    }
    missing = {one for one in folders if not (ROOT / one / "README.md").exists()}
    assert missing == set(), "a folder says in its README.md what lives there"


def test_the_entrance_is_short_and_leads_schools_to_their_own_in_its_first_lines() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.encode()) <= MOST_BYTES
    assert "hw/schule/README.md" in "\n".join(text.splitlines()[:ENTRANCE_LINES])
    assert "(agent/demo/demo.svg)" in text


def test_every_link_of_a_page_leads_somewhere() -> None:
    dead = []
    for page in papers():
        text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            path = (page.parent / target.split("#")[0]).resolve()
            if re.match(r"[a-z]+:|#", target) or path.exists():
                continue
            dead.append(f"{page.relative_to(ROOT)}: {target}")
    assert dead == []


def test_nothing_that_a_user_types_has_to_be_filled_in() -> None:
    told = {path: typed(path.read_text(encoding="utf-8")) for path in papers()}
    script = ROOT / "systemd/install.sh"
    told[script] = script.read_text(encoding="utf-8").splitlines()
    wrong = [
        f"{path.relative_to(ROOT)}: {line}"
        for path, lines in told.items()
        for line in lines
        if re.search(r"<[A-Za-z][\w -]*>", line)
    ]
    assert wrong == []


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example_and_stands_in_a_page(name: str) -> None:
    shown = CliRunner().invoke(group, [name, "--help"])
    assert shown.exit_code == 0
    assert "Example" in shown.output
    assert not re.search(r"<[a-z][\w -]*>", shown.output)
    folders = [page for page in papers() if page.name == "README.md" and page.parent != ROOT]
    assert any(f"stadtsinn {name}" in page.read_text(encoding="utf-8") for page in folders)


@pytest.mark.parametrize("page", pages(), ids=lambda path: path.parent.name)
def test_the_list_of_files_in_a_page_is_fresh(page: Path) -> None:
    assert page.read_text(encoding="utf-8") == fresh(page), "type  python -m tests.rooms"


def test_the_changelog_begins_with_the_version_that_is_built() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    versions = re.findall(r"^## \[([\d.]+)\] - (in work|\d{4}-\d\d-\d\d)$", text, re.M)
    assert [version for version, _ in versions] == sorted(
        (version for version, _ in versions), reverse=True
    )
    assert versions[0][0] == project["version"]
