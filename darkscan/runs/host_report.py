"""What a run tells its host besides what its uplink does: its beginning, its map and its end."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import structlog

from darkscan.pipeline.core.defect_map import MAP_NAME, DefectMap
from darkscan.pipeline.core.errors import DarkscanError
from darkscan.pipeline.core.settings import updated
from darkscan.pipeline.core.wire import WireError
from darkscan.pipeline.host_link.messages import ScanEnded, ScanOutcome
from darkscan.pipeline.host_link.outbox import Outbox, OutboxCounts
from darkscan.pipeline.host_link.target import HostTarget
from darkscan.pipeline.running.living_scans import LivingScan
from darkscan.pipeline.running.results_folder import REPORT_NAME
from darkscan.pipeline.running.specification import RunSpec
from darkscan.pipeline.running.supervisor import Aborted
from darkscan.pipeline.running.timings import TRACE_NAME
from darkscan.runs.delivery import Patience, deliver, put_map, standing, tell_of_the_dead
from darkscan.stages.uplink.account import Account
from darkscan.stages.uplink.began import plan_of, scan_began
from darkscan.stages.uplink.pixels import no_pixels, recorded_pixels
from darkscan.stages.uplink.words import utc, words

_log = structlog.get_logger(__name__)

_PICTURE_S = 60.0
"""How long the end of a run waits for the picture of the frames that its uplink left over."""

_AT_THE_END = Patience(in_all_s=15.0, unanswered_s=3.0)
_AFTER_A_FAILURE = Patience(in_all_s=3.0, unanswered_s=1.5)

Show = Callable[[str], None]
"""Is told in a few words how far it is."""


class HostLink:
    """A run's link to its host, if it has one; whatever becomes of it, the run goes on."""

    def __init__(self, run_dir: Path, spec: RunSpec) -> None:
        """Tells the host that the scan begins."""
        self.spec = spec
        """For the stages: without a host if nothing can be told."""
        self.problem: dict[str, str] = {}
        """Why nothing can be told, as the run's progress shows it."""
        self._report: HostReport | None = None
        if spec.host is None:
            return
        try:
            self._report = HostReport(run_dir, spec, spec.host)
        except (DarkscanError, WireError) as error:
            _log.warning("the host is told nothing", reason=str(error))
            self.problem = {"host": str(error)}
            self.spec = updated(spec, host=None)
            self.spec.write(run_dir)

    def finish(self, defect_map: DefectMap, show: Show, tell: Callable[[str], None]) -> None:
        """Tells the host of the finished map; ``tell`` is given a line on what it has."""
        for problem in self.problem.values():
            tell(f"host: nothing was told: {problem}")
        if self._report is not None:
            tell(self._report.finish(*outcome_of(defect_map), show))

    def fail(self, error: BaseException) -> None:
        """Tells the host that the run has failed, or was aborted."""
        if self._report is not None:
            self._report.fail(error)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._report is not None:
            self._report.close()


class HostReport:
    """A run's account to its host, from its beginning to its end.

    Nothing that goes wrong here is an error of the run: it is logged, and told in the end.
    """

    def __init__(self, run_dir: Path, spec: RunSpec, target: HostTarget) -> None:
        """Tells the beginning of the scan. Raises DarkscanError if the outbox does not take it."""
        self._run_dir, self._spec, self._target = run_dir, spec, target
        self._clock = time.monotonic()
        self._plan = plan_of(run_dir, spec)
        with ExitStack() as opened:
            self._outbox = opened.enter_context(Outbox(target.outbox, target.address))
            tell_of_the_dead(self._outbox)
            opened.enter_context(LivingScan(target.outbox, spec.scan_id))
            self._outbox.put(spec.scan_id, scan_began(spec, self._plan, datetime.now(UTC)))
            self._opened = opened.pop_all()

    def finish(self, outcome: ScanOutcome, reason: str, show: Show) -> str:
        """Tells the rest of what was found, the map and the end; sends it while there is a host.

        Returns a line on what the host has. Ctrl-C ends the waiting, and nothing else.
        """
        out, not_pictured = self._spec.out_dir, 0
        try:
            # The map first: should this process die now, the rest can be done without.
            files = (out / MAP_NAME, out / REPORT_NAME, out / TRACE_NAME)
            put_map(self._outbox, self._spec.scan_id, *files)
            try:
                not_pictured = self._catch_up(show)
            except Exception:  # noqa: BLE001 - the map is worth more than its picture
                _log.exception("the picture is not finished")
            self._end(outcome, reason, not_pictured)
            return self._deliver(_AT_THE_END, show)
        except (DarkscanError, WireError) as error:
            _log.warning("the host is not told of the map", reason=str(error))
            return f"host: the map could not be put into the outbox: {error}"

    def fail(self, error: BaseException) -> None:
        """Tells that the run has failed or was aborted; waits a moment for the host."""
        aborted = isinstance(error, Aborted | KeyboardInterrupt)
        reason = words(str(error)) or type(error).__name__
        try:
            self._end("aborted" if aborted else "failed", reason, 0)
            self._deliver(_AFTER_A_FAILURE, lambda _: None)
        except DarkscanError as problem:
            _log.warning("the host is not told of the end", reason=str(problem))

    def close(self) -> None:
        """The scan is over."""
        self._opened.close()

    def _catch_up(self, show: Show) -> int:
        """Reads the journal to its end, as the uplink would have; how many frames are not shown."""
        spec = self._spec
        account = Account(self._run_dir, spec, self._plan.frames, self._outbox)
        pixels = recorded_pixels(spec.recording or spec.record)
        until = time.monotonic() + _PICTURE_S
        with _interrupts() as asked:
            while account.read_on(no_pixels if asked() or time.monotonic() > until else pixels):
                account.tell()
                show(f"picture: frame {account.settled} of {spec.scan.frames_planned}")
            account.show_late(no_pixels, at_last=True)
            account.tell(now=True)
        return account.not_pictured

    def _end(self, outcome: ScanOutcome, reason: str, not_pictured: int) -> None:
        self._outbox.put(
            self._spec.scan_id,
            ScanEnded(
                outcome=outcome,
                reason=reason,
                ended=utc(datetime.now(UTC)),
                seconds=time.monotonic() - self._clock,
                frames_not_pictured=not_pictured,
            ),
        )

    def _deliver(self, patience: Patience, show: Show) -> str:
        def say(_counts: OutboxCounts, words: str) -> None:
            show(words)

        scan = self._spec.scan_id
        try:
            return deliver(self._outbox, self._target, patience, say, scan=scan).line
        except KeyboardInterrupt:
            return standing(self._outbox.counts(scan), self._target, "interrupted").line


@contextmanager
def _interrupts() -> Iterator[Callable[[], bool]]:
    """Takes note of Ctrl-C and its like instead of being interrupted; tells whether it came."""
    came: list[int] = []
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {
        number: signal.signal(number, lambda number, _: came.append(number))
        for number in numbers
        if signal.getsignal(number) is not signal.SIG_IGN  # as nohup wants it
    }
    try:
        yield lambda: bool(came)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def outcome_of(defect_map: DefectMap) -> tuple[ScanOutcome, str]:
    """How a scan with a map ended, and why not better."""
    ledger, coverage = defect_map.ledger, defect_map.coverage
    missing = ledger.captured - ledger.mapped
    if coverage.complete and not missing:
        return "complete", ""
    if missing:
        return "incomplete", f"{missing} of {ledger.captured} frames were not inspected"
    return "incomplete", f"{coverage.inspected_fraction:.1%} of the region was inspected"
