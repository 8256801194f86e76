"""The signals that ask a process to end."""

import signal

ENDING_SIGNALS = (
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGUSR2,
    signal.SIGALRM,
    signal.SIGVTALRM,
    signal.SIGPROF,
    signal.SIGXCPU,
    signal.SIGIO,
    signal.SIGPWR,
)
"""Signals that end a process unless it handles them: it would leave what it holds in shared
memory, and axes on their way. SIGUSR1 is not among them: it holds a scan."""


def ending_signals() -> list[signal.Signals]:
    """Those that the process's parent did not tell it to ignore, as nohup does with SIGHUP."""
    return [number for number in ENDING_SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
