"""`make bench`: every benchmark, one after another; `python -m benchmarks.replay` runs one."""

from . import importing, kdiff, mirror, recording, replay, report, sessions

replay.main()
sessions.main()
report.main()
importing.main()
kdiff.main()
recording.main()
mirror.main()
