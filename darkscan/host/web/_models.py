"""What the routes take and give besides the store's own records."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from darkscan.host.store import Review, ScanSummary
from darkscan.pipeline.core.defect_map import Box, Defect, Point
from darkscan.pipeline.core.units import OneLine


class Answer(BaseModel):
    """Base of the answers."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Problem(Answer):
    """Why something was not answered."""

    detail: str = Field(description="one line")


class ScansAnswer(Answer):
    """Scans, the newest first."""

    scans: list[ScanSummary]
    next: str | None = Field(description="give it as `before` for those that follow; null: none")


class ReviewsAnswer(Answer):
    """Reviews, in the order of their numbers."""

    reviews: list[Review]


class PictureOfDefect(Answer):
    """What a defect's picture shows."""

    box_mm: Box = Field(description="[x, y, width, height] on the element")
    source: Literal["recording", "tiles"] | None = Field(
        description="where its pixels come from; null: they cannot be had"
    )
    attention: Literal["cells", "windows"] | None = Field(
        description="what the view `attention` shows: where the model sees a defect, run again, "
        "cell by cell; or the scores of whole windows, as far as they are kept"
    )


class DefectAnswer(Defect):
    """A defect as the map has it, and what belongs to it."""

    reviews: tuple[Review, ...] = Field(description="all of this defect, the first one first")
    stage_mm: Point | None = Field(
        description="[x, y] of the rig's axes that bring its middle under the middle of the "
        "camera's frame; null: the scan is of no rig, or the rig did not say"
    )
    picture: PictureOfDefect


class SignIn(Answer):
    """Asks for a session."""

    token: str = Field(max_length=200, description="the host's")
    name: OneLine = Field(default="", max_length=80, description="who asks")


class SessionAnswer(Answer):
    """Whether more may be asked."""

    needed: bool = Field(description="whether a token is needed")
    authenticated: bool = Field(description="whether all may be read and written")
    name: str = Field(description="who is signed in; empty: nobody, or not said")


class HealthAnswer(Answer):
    """Whether the host does its work."""

    status: Literal["ok", "failing"]
    problems: list[str] = Field(description="what is wrong, a line each")
    version: str = Field(description="darkscan's")
