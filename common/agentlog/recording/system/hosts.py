"""The programs that run an agent: how each ends or freezes a process, so that nothing recorded waits behind its end.

``docs/where-it-runs.md`` has the same table.
"""

import os
import re
import sys
from collections.abc import Callable
from typing import Any

FINALIZERS = ("multiprocessing.util", "billiard.util")
"""The modules whose finalizers run at the end of a child that leaves without ``atexit``."""


def call_at_end_of_child(close: Callable[[], None], registry: object) -> None:
    """Let ``close`` be called at the end of this process, if it is a child that ends without ``atexit``.

    Args:
        close: delivers what waits.
        registry: lives as long as ``close`` may be called.
    """
    for name in FINALIZERS:
        if (util := sys.modules.get(name)) is not None:
            _register_finalizer(util, close, registry)
    if (signals := sys.modules.get("celery.signals")) is not None:
        # A child of Celery's prefork pool leaves by os._exit, right after this signal.
        signals.worker_process_shutdown.connect(lambda **_: close(), weak=False, dispatch_uid="agentlog")


def _register_finalizer(util: Any, close: Callable[[], None], registry: object) -> None:
    """Register a finalizer. A child forgets those of its parent, so it is registered again after each fork."""

    def register(_: object) -> None:
        util.Finalize(None, close, exitpriority=100)

    register(registry)
    util.register_after_fork(registry, register)


def may_end_without_notice() -> bool:
    """Return whether this process may be frozen or ended right after a session's end, without a call of ours."""
    return any(is_here() for is_here in ENDS_WITHOUT_NOTICE)


def _is_lambda() -> bool:
    """AWS Lambda freezes the process as soon as its function has returned."""
    return "AWS_LAMBDA_RUNTIME_API" in os.environ


def _is_rq_job() -> bool:
    """RQ's work horse leaves by os._exit, right after its job."""
    rq = sys.modules.get("rq.job")
    return rq is not None and rq.get_current_job() is not None


def _is_billiard_pool() -> bool:
    """A child of billiard's pool leaves by os._exit. Celery says so before, by a signal; others don't."""
    pool, process = sys.modules.get("billiard.pool"), sys.modules.get("billiard.process")
    is_child = pool is not None and process is not None and process.current_process().name != "MainProcess"
    return is_child and "celery.signals" not in sys.modules


def _is_uwsgi_without_threads() -> bool:
    """Before 2.0.30, uWSGI runs no other thread between two requests unless it is told to."""
    uwsgi = sys.modules.get("uwsgi")
    if uwsgi is None or [int(part) for part in re.findall(rb"\d+", uwsgi.version)[:3]] >= [2, 0, 30]:
        return False
    return not {"enable-threads", "threads"} & {str(name) for name in uwsgi.opt}


ENDS_WITHOUT_NOTICE = (_is_lambda, _is_rq_job, _is_billiard_pool, _is_uwsgi_without_threads)
