"""Signing in and out."""

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from darkscan.host.web._access import COOKIE, SESSION_SECONDS
from darkscan.host.web._host import caller_of, host_of
from darkscan.host.web._models import Problem, SessionAnswer, SignIn

router = APIRouter(prefix="/api/session", tags=["session"])


@router.get("", response_model=SessionAnswer)
async def session(request: Request) -> Response:
    """Whether a token is needed, and who is signed in."""
    caller = caller_of(request)
    name = "" if caller.session is None else caller.session.name
    return _answer(needed=not caller.free, authenticated=caller.authenticated, name=name)


@router.post(
    "",
    response_model=SessionAnswer,
    responses={
        401: {"model": Problem, "description": "That is not the host's token."},
        422: {"model": Problem, "description": "A value cannot be; the line begins with its name."},
        429: {"model": Problem, "description": "Too many wrong tokens; `Retry-After` says when."},
    },
)
async def sign_in(request: Request, given: SignIn) -> Response:
    """Exchanges the host's token for a session, which a cookie keeps for a week.

    Where no token is needed, none is looked at, and there is no cookie.
    """
    caller, access = caller_of(request), host_of(request).access
    if caller.free:
        return _answer(needed=False, authenticated=True, name=given.name)
    access.check(caller.address, given.token)
    answer = _answer(needed=True, authenticated=True, name=given.name)
    answer.set_cookie(
        COOKIE,
        access.sign_in(given.name),
        max_age=SESSION_SECONDS,
        httponly=True,
        samesite="strict",
        secure=_over_tls(request),
    )
    return answer


@router.delete("", response_model=SessionAnswer)
async def sign_out(request: Request) -> Response:
    """Ends the session; its cookie is good for nothing from then on."""
    caller, access = caller_of(request), host_of(request).access
    if caller.session is not None:
        access.sign_out(caller.session)
    answer = _answer(needed=not caller.free, authenticated=caller.free, name="")
    answer.delete_cookie(COOKIE, httponly=True, samesite="strict", secure=_over_tls(request))
    return answer


def _answer(*, needed: bool, authenticated: bool, name: str) -> JSONResponse:
    answer = SessionAnswer(needed=needed, authenticated=authenticated, name=name)
    return JSONResponse(answer.model_dump(), headers={"cache-control": "no-store"})


def _over_tls(request: Request) -> bool:
    """Whether a proxy takes the request over TLS."""
    return request.headers.get("x-forwarded-proto", "").lower() == "https"
