"""The host's web page and its programming interface."""

from darkscan.host.web._access import read_token
from darkscan.host.web._app import description
from darkscan.host.web._metrics import Metrics
from darkscan.host.web.server import WebServer, WebSettings, only_here

__all__ = ["Metrics", "WebServer", "WebSettings", "description", "only_here", "read_token"]
