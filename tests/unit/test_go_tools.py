"""Programs built with Go: found in the cache, made whole, or a sentence that says what to do."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from local.go_build import NoBinaries, Source, build
from local.go_tools import PROMTOOL, TOOLS, ensure

# As much of Go as a build asks for: it says where, and writes the file that it was told to.
GO = """#!/bin/sh -e
echo "$PWD $CGO_ENABLED $*" >> "$CALLED"
while [ $# -gt 1 ]; do
  if [ "$1" = -o ]; then made=$2; fi
  shift
done
package=${1%@*}
file=${made:-$GOBIN/${package##*/}}
echo "#!/bin/sh" > "$file"
chmod +x "$file"
exit ${GO_FAILS:-0}
"""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, on a machine without Go."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("ZOOKEEPER_FUNCTIONS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return tmp_path / "cache"


@pytest.fixture
def called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: Path) -> Path:
    """What Go was called with; now there is one, of ours."""
    assert not cache.exists()
    for program in ("sh", "chmod"):
        path = shutil.which(program, path="/usr/bin:/bin")
        assert path is not None
        (tmp_path / "bin" / program).symlink_to(path)
    (tmp_path / "bin" / "go").write_text(GO)
    (tmp_path / "bin" / "go").chmod(0o755)
    monkeypatch.setenv("CALLED", str(tmp_path / "called"))
    return tmp_path / "called"


def test_without_go_it_is_said_what_to_install_and_where(cache: Path) -> None:
    with pytest.raises(NoBinaries, match=f"Go is not installed.*put helm into {cache}"):
        ensure("helm", lambda _: None)


def test_what_was_built_once_is_not_built_again(cache: Path) -> None:
    program = cache / "tools" / TOOLS["helm"].version / "helm"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    said: list[str] = []
    assert (ensure("helm", said.append), said) == (program, [])


@pytest.mark.parametrize("name", TOOLS)
def test_a_tool_is_built_in_its_version_and_left_alone_afterwards(
    name: str, cache: Path, called: Path
) -> None:
    said: list[str] = []
    program = ensure(name, said.append)
    assert program == cache / "tools" / TOOLS[name].version / name
    assert program.read_text() == "#!/bin/sh\n"
    assert [line.partition(" (")[0].partition(" in ")[0] for line in said] == [
        f"building {name}",
        f"built {name}",
    ]
    assert ensure(name, said.append) == program
    assert len(called.read_text().splitlines()) == 1


def test_a_module_is_built_where_it_is_and_as_it_was_told(tmp_path: Path, called: Path) -> None:
    source = Source("./cmd/it", module=tmp_path, flags=("-mod=vendor",), linker="-X a=b")
    build(tmp_path / "made" / "it", source, lambda _: None, takes="a moment")
    (line,) = called.read_text().splitlines()
    assert line.startswith(f"{tmp_path} 0 build -mod=vendor -trimpath -ldflags -X a=b -o ")
    assert line.endswith("/it ./cmd/it")


def test_a_build_that_fails_leaves_nothing(
    tmp_path: Path, called: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GO_FAILS", "3")
    with pytest.raises(NoBinaries, match=r"cmd/it did not build \(go ended with 3, its reason"):
        build(tmp_path / "made" / "it", Source("./cmd/it", tmp_path), print, takes="a moment")
    assert called.exists()
    assert [each.name for each in (tmp_path / "made").iterdir()] == [".it.lock"]


def test_a_build_that_another_finished_meanwhile_is_taken_as_it_is(
    tmp_path: Path, called: Path
) -> None:
    (tmp_path / "it").touch(mode=0o755)
    assert build(tmp_path / "it", Source("./cmd/it"), print, takes="a moment") == tmp_path / "it"
    assert not called.exists()


def test_promtool_is_the_version_that_its_module_pins() -> None:
    wanted = f"github.com/prometheus/prometheus {TOOLS['promtool'].version} "
    assert wanted in (PROMTOOL / "go.mod").read_text()
