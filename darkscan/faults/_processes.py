"""The processes of a run, as /proc shows them."""

from pathlib import Path

_PROC = Path("/proc")


def stage_pids(run_dir: Path, stage: str | None = None) -> list[int]:
    """The living processes of a run's stages; of one stage, if it is named."""
    found = []
    for entry in _PROC.iterdir():
        if not entry.name.isdecimal():
            continue
        words = command_of(int(entry.name))
        if str(run_dir) not in words or "darkscan.stages" not in words:
            continue
        if stage is None or words[words.index("darkscan.stages") + 1 :][:1] == [stage]:
            found.append(int(entry.name))
    return sorted(found)


def run_folder_of(supervisor: int) -> Path | None:
    """The folder in shared memory of the run that a process supervises; None: it has none yet."""
    for entry in _PROC.iterdir():
        if not entry.name.isdecimal():
            continue
        words = command_of(int(entry.name))
        if "--run" in words and words[-2:] == ["--parent", str(supervisor)]:
            return Path(words[words.index("--run") + 1])
    return None


def command_of(pid: int) -> list[str]:
    """The words of a process's command; none if it is gone."""
    try:
        command = (_PROC / str(pid) / "cmdline").read_bytes()
    except OSError:
        return []
    return command.decode(errors="replace").split("\0")[:-1]


def resident_bytes(pid: int) -> int:
    """The memory that a process has in use; 0 if it is gone."""
    try:
        for line in (_PROC / str(pid) / "status").read_text(encoding="ascii").splitlines():
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


def descriptors(pid: int) -> int:
    """How many files a process has open; 0 if it is gone."""
    try:
        return len(list((_PROC / str(pid) / "fd").iterdir()))
    except OSError:
        return 0
