"""The library of agentlog: it records what AI agents do in Kafka, and holds the core that the tools share.

from agentlog import AgentTracer
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .current_tracer import current as current
    from .errors import AgentlogError as AgentlogError
    from .errors import KafkaError as KafkaError
    from .errors import KafkaRefused as KafkaRefused
    from .errors import KafkaUnavailable as KafkaUnavailable
    from .errors import SettingsError as SettingsError
    from .errors import TopicNotFound as TopicNotFound
    from .recording.delivery.accounting import Stats as Stats
    from .recording.prices import Price as Price
    from .recording.spans.context import ContextThreadPoolExecutor as ContextThreadPoolExecutor
    from .recording.spans.context import carry as carry
    from .tracer import AgentTracer as AgentTracer

_HOMES = {
    "AgentTracer": "tracer",
    "AgentlogError": "errors",
    "ContextThreadPoolExecutor": "recording.spans.context",
    "KafkaError": "errors",
    "KafkaRefused": "errors",
    "KafkaUnavailable": "errors",
    "Price": "recording.prices",
    "SettingsError": "errors",
    "Stats": "recording.delivery.accounting",
    "TopicNotFound": "errors",
    "carry": "recording.spans.context",
    "current": "current_tracer",
}
__all__ = sorted(_HOMES)  # noqa: PLE0605  all keys are texts


def __getattr__(name: str) -> Any:
    """Import the module of a public name when the name is first used."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted(_HOMES)
