"""The outbound event's module, under its earlier name."""

import sys

from .sinks import outbound

sys.modules[__name__] = outbound
