"""`make bench`: every benchmark, one after another; `python -m benchmarks.replay` runs one."""

from . import kdiff, mirror, recording, replay

replay.main()
kdiff.main()
recording.main()
mirror.main()
