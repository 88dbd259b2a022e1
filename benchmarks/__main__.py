"""`make bench`: every benchmark, one after another; `python -m benchmarks.replay` runs one."""

from . import mirror, replay

replay.main()
mirror.main()
