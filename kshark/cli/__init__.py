"""kshark's command line: a module for each command's options, which loads what the command does once it is called."""

from agentlog.terminal.command import new_app
from agentlog.terminal.run import run

from .clusters import clusters
from .demo import demo
from .export import export
from .import_ import import_
from .memory import memory
from .replay import replay
from .report import report
from .sessions import sessions
from .stats import stats
from .tail import tail
from .why import why

HELP = """\
What did a session do, step by step, and why?

\b
kshark demo story.ndjson                            # a story to try it on
kshark sessions --sort calls --file story.ndjson    # which one ran away?
kshark replay sess_invoice_847 --file story.ndjson  # what it did
kshark why sess_invoice_847 --file story.ndjson     # where it went wrong
kshark memory sess_invoice_847 --file story.ndjson  # what it knew
kshark replay sess_a1b2c3 --cluster us-east-1       # a session of your own
kshark report sess_a1b2c3 -o page.html              # the same as a page
kshark tail --errors                                # errors, as they happen
kshark stats                                        # what arrives
kshark export sess_a1b2c3 -o run.ndjson             # keep it as a file
kshark clusters                                     # which clusters answer?

Settings, clusters and credentials live in agentlog.toml; docs/settings.md tells all of it.

Exit codes: 0 done, 2 usage or settings, 3 the cluster can't be reached or refused, 4 no such session,
130 and 143 ended by a signal.
"""

app = new_app(HELP, sessions, replay, why, memory, report, tail, stats, export, import_, demo, clusters)


def main() -> None:
    """Run kshark."""
    run(app)
