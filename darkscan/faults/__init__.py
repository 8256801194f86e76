"""Faults on purpose: put into a run from outside, in campaigns, and through the decoders."""

if __name__.partition(".")[0] != "darkscan":
    raise ImportError(f"import darkscan.{__name__}: the folder at the top is a link")

from darkscan.faults._fault import KINDS, Fault, parse_fault
from darkscan.faults._injector import Injector, injected

__all__ = ["KINDS", "Fault", "Injector", "injected", "parse_fault"]
