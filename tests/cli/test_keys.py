"""``darkscan keys``: two computers come to know each other by what is printed."""

import shlex
from pathlib import Path

import pytest

from darkscan.cli.main import main


def printed(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["keys", *words]) == 0
    return capsys.readouterr().out


def test_what_new_prints_can_be_typed_on_the_other_computer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rig, host = str(tmp_path / "rig"), str(tmp_path / "host")
    line = printed(capsys, "new", "--keys", rig).splitlines()[-1]
    words = shlex.split(line)
    assert words[:3] == ["darkscan", "keys", "allow"]
    assert words[4:] == ["NAME"]
    told = printed(capsys, "allow", words[3], "rig 1", "--keys", host)
    assert told == f"allowed: rig 1  {words[3]}\n"
    listed = printed(capsys, "list", "--keys", host)
    assert "own key: none yet" in listed
    assert f"  {words[3]}  rig 1\n" in listed
    again = printed(capsys, "allow", words[3], "rig 2", "--keys", host)
    assert again == f"allowed: rig 2, until now rig 1  {words[3]}\n"
    assert printed(capsys, "remove", "rig 2", "--keys", host) == "allowed no more: rig 2\n"
    assert "allowed: nobody" in printed(capsys, "list", "--keys", host)


def test_the_folder_is_the_users_own_unless_another_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DARKSCAN_CONFIG", str(tmp_path / "settings"))
    printed(capsys, "new")
    assert (tmp_path / "settings" / "keys" / "own.key").is_file()
    monkeypatch.delenv("DARKSCAN_CONFIG")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    printed(capsys, "new")
    assert (tmp_path / "config" / "darkscan" / "keys" / "own.key").is_file()


def test_a_public_key_is_allowed_from_its_file_and_a_secret_one_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rig, host = tmp_path / "rig", str(tmp_path / "host")
    printed(capsys, "new", "--keys", str(rig))
    assert main(["keys", "allow", str(rig / "own.key"), "rig", "--keys", host]) == 2
    assert "own.key: KEY: holds a secret key" in capsys.readouterr().err
    printed(capsys, "allow", str(rig / "own.pub"), "rig", "--keys", host)
    key = (rig / "own.pub").read_text().strip()
    assert f"{key}  rig" in printed(capsys, "list", "--keys", host)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["allow", "nonsense", "rig"], "KEY: is no public key"),
        (["allow", "{folder}/noise", "rig"], "noise: KEY: does not begin with a public key"),
        (["allow", "{folder}/huge", "rig"], "huge: KEY: is too large to be a key"),
        (["allow", "{folder}", "rig"], "cannot be read: Is a directory"),
        (["remove", "nobody"], "NAME: nobody is allowed by the name 'nobody'"),
        (["list", "--keys", "{folder}/noise"], "noise: --keys: is no folder"),
    ],
    ids=["no key", "a file without one", "a huge file", "a folder", "nobody", "keys in a file"],
)
def test_what_cannot_be_used_is_told_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], told: str
) -> None:
    (tmp_path / "noise").write_text("no key here\n")
    (tmp_path / "huge").write_bytes(bytes(10_000))
    given = [word.replace("{folder}", str(tmp_path)) for word in words]
    if "--keys" not in given:
        given += ["--keys", str(tmp_path / "keys")]
    assert main(["keys", *given]) == 2
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1
