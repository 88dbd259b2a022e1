"""`make bench`: every benchmark, one after another; `python -m benchmarks.replay` runs one."""

from . import kdiff, mirror, recording, replay, report

replay.main()
report.main()
kdiff.main()
recording.main()
mirror.main()
