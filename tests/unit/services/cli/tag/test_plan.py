"""What is tagged again, and why."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.cli.tag.inputs import Input, find_inputs, sha256_of
from services.cli.tag.manifest import Entry, Manifest, load_manifest, save_manifest
from services.cli.tag.plan import Plan, make_plan
from services.cli.tag.store import forget_all_but, is_kept, keep, kept
from services.errors import SettingsError
from services.records.jpeg import jpeg_size
from tests.processed import embedding, processed


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


@pytest.fixture
def picture(tmp_path: Path) -> Input:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.jpg").write_bytes(b"picture")
    return Input("a.jpg", tmp_path / "in" / "a.jpg", "picture")


@pytest.fixture
def tagged(out: Path, picture: Input) -> Manifest:
    """The manifest after a picture was tagged."""
    digest, stat = sha256_of(picture.path), picture.path.stat()
    keep(out, digest, [processed(0, [embedding(1)])])
    (out / "a.jpg.json").write_text("{}")
    entry = Entry(
        kind="picture",
        path=str(picture.path),
        sha256=digest,
        size=stat.st_size,
        mtime_ns=stat.st_mtime_ns,
        outputs={"a.jpg.json": sha256_of(out / "a.jpg.json")},
    )
    return Manifest(detection={"pack": "s"}, people={"Sam/1.jpg": "x"}, entries={"a.jpg": entry})


def plan(picture: Input, out: Path, old: Manifest, **now: dict[str, str]) -> Plan:
    new = Manifest(detection=old.detection, matching=old.matching, people=old.people)
    return make_plan([picture], out, old, new.model_copy(update=now))


def test_nothing_is_done_where_nothing_has_changed(
    picture: Input, out: Path, tagged: Manifest
) -> None:
    assert plan(picture, out, tagged).is_current


def test_a_new_or_changed_input_is_looked_at(picture: Input, out: Path, tagged: Manifest) -> None:
    assert plan(picture, out, Manifest(), people=tagged.people).reasons == {"a.jpg": "new"}
    picture.path.write_bytes(b"another picture")
    changed = plan(picture, out, tagged)
    assert (changed.detect, changed.match) == ([picture], [])
    assert changed.reasons == {"a.jpg": "the file has changed"}


def test_a_touched_input_is_read_and_found_to_be_the_same(
    picture: Input, out: Path, tagged: Manifest
) -> None:
    picture.path.write_bytes(picture.path.read_bytes())
    assert plan(picture, out, tagged).is_current


@pytest.mark.parametrize(
    ("now", "why"),
    [
        ({"people": {"Sam/1.jpg": "y"}}, "taught or forgotten since: Sam"),
        ({"people": {"Sam/1.jpg": "x", "Ann.png": "z"}}, "taught or forgotten since: Ann"),
        ({"people": {}}, "taught or forgotten since: Sam"),
        ({"matching": {"threshold": "0.5"}}, "named with other settings"),
        ({"labels": {"Sam.png": "z"}}, "other labels: Sam"),
    ],
)
def test_faces_are_matched_again_without_being_found_again(
    picture: Input, out: Path, tagged: Manifest, now: dict[str, dict[str, str]], why: str
) -> None:
    found = plan(picture, out, tagged, **now)
    assert (found.detect, found.match) == ([], [picture])
    assert found.reasons == {"a.jpg": why}


def test_other_models_mean_looking_again(picture: Input, out: Path, tagged: Manifest) -> None:
    assert plan(picture, out, tagged, detection={"pack": "l"}).detect == [picture]
    forget_all_but(out, set())
    assert plan(picture, out, tagged).detect == [picture]


def test_an_output_that_is_gone_or_was_changed_is_written_again(
    picture: Input, out: Path, tagged: Manifest
) -> None:
    (out / "a.jpg.json").write_text("{ }")
    assert "changed by somebody else" in plan(picture, out, tagged).reasons["a.jpg"]
    (out / "a.jpg.json").unlink()
    assert plan(picture, out, tagged).reasons == {"a.jpg": "a.jpg.json is gone"}


def test_the_manifest_comes_back_as_it_was_and_damage_is_told(out: Path, tagged: Manifest) -> None:
    assert load_manifest(out) == Manifest()
    save_manifest(out, tagged)
    assert load_manifest(out) == tagged
    (out / ".facestream" / "manifest.json").write_text("{")
    with pytest.raises(SettingsError, match="damaged"):
        load_manifest(out)


def test_kept_frames_have_their_faces_and_a_blank_picture_of_the_same_size(out: Path) -> None:
    frames = [processed(seq, [embedding(seq)]) for seq in range(3)]
    keep(out, "d" * 64, frames)
    assert is_kept(out, "d" * 64)
    again = list(kept(out, "d" * 64))
    assert [frame.frame.seq for frame in again] == [0, 1, 2]
    assert [frame.faces for frame in again] == [frame.faces for frame in frames]
    ref = again[0].frame
    assert jpeg_size(again[0].jpeg) == (ref.width, ref.height)


def test_inputs_are_found_in_folders_in_natural_order_and_outputs_are_none(tmp_path: Path) -> None:
    for name in ("in/b10.jpg", "in/b9.PNG", "in/c/v.mp4", "in/notes.txt", "in/out/b9.PNG"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    found = find_inputs([tmp_path / "in"], tmp_path / "in" / "out")
    assert [(each.key, each.kind) for each in found] == [
        ("b9.PNG", "picture"),
        ("b10.jpg", "picture"),
        ("c/v.mp4", "video"),
    ]
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "b10.jpg").write_bytes(b"x")
    both = find_inputs([tmp_path / "in", tmp_path / "other"], tmp_path / "out")
    assert len({each.key for each in both}) == len(both) == 5
