"""Merging: journals each frame's result, acknowledges it, and at the end makes the map."""

import time
from pathlib import Path

import structlog

from darkscan.pipeline.core.errors import DarkscanError
from darkscan.pipeline.core.frame_results import (
    HERE,
    FrameResult,
    Inspected,
    LedgerSums,
    NotInspected,
    Scorer,
    Stamp,
)
from darkscan.pipeline.core.settings import updated
from darkscan.pipeline.core.units import FrameId
from darkscan.pipeline.running.specification import RunSpec
from darkscan.pipeline.running.timings import TRACE_NAME, write_trace
from darkscan.pipeline.transport.journal import JOURNAL_NAME, Journal, outcome
from darkscan.pipeline.transport.links import Inbox, Outbox
from darkscan.pipeline.transport.messages import (
    Acknowledged,
    Claimed,
    Distrusted,
    EndOfScan,
    Failed,
    FrameRef,
    FrameScores,
    Message,
    Thumbnail,
    describe,
)
from darkscan.pipeline.transport.station import Station
from darkscan.stages.merging import write_map
from darkscan.stages.merging._agreement import Tolerances, disagreement

_MOST_AT_ONCE = 10_000  # frames named in one message

_log = structlog.get_logger(__name__)


def _scorer_of(record: FrameResult | NotInspected) -> Scorer | None:
    return record.scorer if isinstance(record, FrameResult) else None


class Merging:
    """Counts each frame once, whatever is sent twice, and writes the defect map."""

    def __init__(self, run_dir: Path, spec: RunSpec, station: Station) -> None:
        self._spec = spec
        self._station = station
        self._journal = Journal(spec.out_dir / JOURNAL_NAME)
        self._positive = sum(map(self._positives, self._journal.settled.values()))
        self._stamps: dict[FrameId, Stamp] = {}
        self._planned = frozenset(spec.frames)
        self._origins = spec.model.origins(spec.scan.frame_shape)
        # Frames whose thumbnail or scores are here, but not both yet.
        self._thumbnails: dict[FrameId, Thumbnail] = {}
        self._scores: dict[FrameId, FrameScores] = {}
        self._received_ns: dict[FrameId, int] = {}
        # What workers elsewhere say of frames that are scored here as well.
        self._claims: dict[FrameId, FrameScores] = {}
        self._distrusted: set[Scorer] = set()
        self._tolerances = Tolerances.of(spec)
        self._inbox = Inbox(run_dir, "merging")
        self._to_acquisition = Outbox(run_dir, "acquisition")
        remote = spec.remote_workers is not None
        self._to_gateway = Outbox(run_dir, "gateway", droppable=True) if remote else None
        station.listen_to(self._inbox.socket)
        # What a predecessor journaled may not have been acknowledged.
        for frame, record in self._journal.settled.items():
            self._to_acquisition.send(Acknowledged(frame=frame, outcome=outcome(record)))

    def run(self) -> bool:
        """Works until the map is written; False if it was told to stop before."""
        while not self._station.stopping:
            message = self._inbox.next()
            if message is None:
                self._journal.keep_up()
                self._station.wait()
            elif isinstance(message, EndOfScan):
                self._finish(message)
                return True
            else:
                self._take(message)
            self._beat()
        return False

    def _take(self, message: Message) -> None:
        received = time.monotonic_ns()
        unplanned = _frames_of(message) - self._planned if self._planned else set()
        if unplanned:
            _log.warning("message refused: no such frame is planned", frames=sorted(unplanned))
            return
        match message:
            case Thumbnail(ref=ref) if ref.frame not in self._journal.settled:
                self._thumbnails[ref.frame] = message
                self._join(ref.frame)
            case FrameScores(ref=ref) if ref.frame in self._journal.settled:
                self._acknowledge(ref.frame)
            case FrameScores(ref=ref) if message.scores.shape != (len(self._origins),):
                error = f"{message.scores.size} scores came for {len(self._origins)} windows"
                _log.error("frame cannot be merged", frame=ref.frame, error=error)
                self._to_acquisition.send(Failed(frame=ref.frame, stage="merging", error=error))
            case FrameScores(ref=ref, scorer=scorer) if scorer in self._distrusted:
                self._inspect_again(scorer, [ref.frame])
            case FrameScores(ref=ref):
                self._check_claim(message)
                self._scores[ref.frame] = message
                self._received_ns[ref.frame] = received
                self._join(ref.frame)
            case Claimed(answer=answer):
                self._claims[answer.ref.frame] = answer
            case NotInspected(meta=meta):
                self._settle(message, received)
                self._acknowledge(meta.frame)
            case Thumbnail():
                pass  # the frame was sent again, and is settled by now
            case _:
                _log.warning("unexpected message", kind=type(message).__name__)

    def _join(self, frame: FrameId) -> None:
        """Settles a frame once its scores and its thumbnail are here, in whichever order."""
        scored, thumbnail = self._scores.get(frame), self._thumbnails.get(frame)
        if scored is None or thumbnail is None or not _show_the_same(scored.ref, thumbnail.ref):
            return
        result = FrameResult(
            meta=scored.meta,
            origins=self._origins,
            scores=scored.scores,
            thumbnail=thumbnail.pixels,
            traces=scored.traces,
            stamps=scored.stamps,
            scorer=scored.scorer,
        )
        self._settle(result, self._received_ns[frame])
        self._acknowledge(frame)

    def _settle(self, record: FrameResult | NotInspected, received: int) -> None:
        frame = record.meta.frame
        if self._journal.append(record):
            self._positive += self._positives(record)
            self._stamp(frame, received)
        for waiting in (self._scores, self._thumbnails, self._received_ns, self._claims):
            waiting.pop(frame, None)

    def _check_claim(self, found: FrameScores) -> None:
        """Holds what a worker elsewhere said of a frame against what was found here."""
        claim = self._claims.pop(found.ref.frame, None)
        if claim is None or found.scorer != HERE:
            return
        difference = disagreement(claim, found, self._tolerances)
        if difference is not None and claim.scorer not in self._distrusted:
            self._distrust(claim.scorer, found.ref.frame, difference)

    def _distrust(self, scorer: Scorer, frame: FrameId, difference: str) -> None:
        """Nothing that a worker elsewhere found counts any more: it is all inspected again."""
        reason = (
            f"worker {scorer.name} answered falsely (frame {frame}: {difference}); "
            "its frames were inspected again"
        )
        _log.warning("worker distrusted", name=scorer.name, frame=frame, difference=difference)
        self._distrusted.add(scorer)
        doubtful = [
            of for of, record in self._journal.settled.items() if _scorer_of(record) == scorer
        ]
        for of in doubtful:
            self._positive -= self._positives(self._journal.settled[of])
            self._stamps.pop(of, None)
        self._journal.withdraw(doubtful, reason)
        waiting = [of for of, scored in self._scores.items() if scored.scorer == scorer]
        for of in waiting:
            del self._scores[of]
        self._inspect_again(scorer, [*doubtful, *waiting])

    def _inspect_again(self, scorer: Scorer, frames: list[FrameId]) -> None:
        for first in range(0, max(1, len(frames)), _MOST_AT_ONCE):
            some = Distrusted(scorer=scorer, frames=tuple(frames[first : first + _MOST_AT_ONCE]))
            self._to_acquisition.send(some)
        if self._to_gateway is not None:
            self._to_gateway.send(Distrusted(scorer=scorer, frames=()))

    def _acknowledge(self, frame: FrameId) -> None:
        settled = self._journal.settled[frame]  # the first record counts
        self._to_acquisition.send(Acknowledged(frame=frame, outcome=outcome(settled)))

    def _positives(self, record: FrameResult | NotInspected) -> int:
        if isinstance(record, NotInspected):
            return 0
        return int((record.scores >= self._spec.model.threshold).sum())

    def _stamp(self, frame: FrameId, received: int) -> None:
        # Kept beside the journal: a record cannot time its own writing.
        self._stamps[frame] = Stamp(
            stage="merging",
            received_ns=received,
            started_ns=received,
            finished_ns=time.monotonic_ns(),
        )

    def _stamped(self, result: FrameResult) -> FrameResult:
        stamp = self._stamps.get(result.meta.frame)
        if stamp is None:  # a predecessor of this process journaled it
            return result
        return updated(result, stamps=(*result.stamps, stamp))

    def _finish(self, end: EndOfScan) -> None:
        settled = [self._journal.settled[frame] for frame in sorted(self._journal.settled)]
        outcomes = [outcome(record) for record in settled]
        counted = LedgerSums(
            captured=len(settled),
            mapped=outcomes.count("mapped"),
            quarantined=outcomes.count("quarantined"),
            lost=outcomes.count("lost"),
            in_flight=0,
        )
        if counted != end.sums:
            raise DarkscanError(f"the ledger says {end.sums}, the journal {counted}")
        spec = self._spec
        inspected = Inspected(
            scan=spec.scan,
            recipe_name=spec.recipe.name,
            recipe_hash=spec.recipe_hash,
            model=spec.model,
            results=tuple(r for r in settled if isinstance(r, FrameResult)),
            not_inspected=tuple(r for r in settled if isinstance(r, NotInspected)),
            sums=counted,
            warnings=(*spec.warnings, *end.warnings, *self._journal.withdrawals),
        )
        try:
            write_trace(spec.out_dir / TRACE_NAME, [self._stamped(r) for r in inspected.results])
            write_map(inspected, spec.out_dir, spec.recipe.output.picture_px)
        except DarkscanError:
            raise
        except Exception as error:
            # The journal is what it is: a successor of this process would fail as well.
            _log.exception("the map cannot be made")
            raise DarkscanError(f"the map cannot be made: {describe(error)}") from error
        # The journal stays: should this process die here, its successor does it all again.
        self._journal.close()
        self._beat(now=True)

    def _beat(self, *, now: bool = False) -> None:
        self._station.beat(len(self._journal.settled), now=now, positives=self._positive)


def _frames_of(message: Message) -> set[FrameId]:
    """The frames that a message says something about."""
    match message:
        case Thumbnail(ref=ref):
            return {ref.frame}
        case FrameScores(ref=ref, meta=meta):
            return {ref.frame, meta.frame}
        case NotInspected(meta=meta):
            return {meta.frame}
    return set()


def _show_the_same(one: FrameRef, other: FrameRef) -> bool:
    """Whether two references mean the same pixels, whichever sending of them."""
    return (one.session, one.slot, one.generation) == (other.session, other.slot, other.generation)
