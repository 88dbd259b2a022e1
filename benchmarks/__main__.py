"""The command line: `make bench` runs all benchmarks in turn; `python -m benchmarks.replay` runs one."""

from . import importing, kdiff, mirror, recording, replay, report, sessions

replay.main()
sessions.main()
report.main()
importing.main()
kdiff.main()
recording.main()
mirror.main()
