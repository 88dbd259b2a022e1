"""`make bench`: every benchmark, one after another; `python -m benchmarks.replay` runs one."""

from . import recording, replay

replay.main()
recording.main()
