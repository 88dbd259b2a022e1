"""Sessions that succeed and waste work: a repeated search, a growing prompt, values too large for an event."""

from hashlib import sha256

from .agents import LAWYER, REPORTER, SUPPORTER, Tokens
from .session_writer import Fields, Scene, SessionWriter

SUPPORT_SEARCH = "sess_support_search"
"""A session that repeats one vector search: 26 ``retrieval`` events with the same query."""
REPORT_HISTORY = "sess_report_history"
"""A session that sends its whole history with each prompt: 32 ``llm_call`` events, each 3,150 tokens longer."""
LARGE = "sess_large"
"""A session with a reference in an input and in an output; the values are in an object store."""

SEARCHES = 26
REPORT_STEPS = 32
REPORT_FIRST_TOKENS = 3_800
REPORT_STEP_TOKENS = 3_150


def write_support_search(scene: Scene) -> None:
    """Write the support agent that searches the same article before each step and never keeps it."""
    session = scene.open_session(SUPPORT_SEARCH, SUPPORTER, minute=31.4)
    session.starts("Help the customer to sign in again", ticket="T-90817", channel="chat")
    session.hears("I have a new phone and now I can't sign in, it wants a code from the old one.")
    articles = [
        {"id": f"kb/{name}", "score": score}
        for name, score in (("2fa-new-phone", 0.91), ("2fa-reset", 0.88), ("backup-codes", 0.84), ("sso", 0.41))
    ]
    for step in range(SEARCHES):
        session.searches("reset two-factor authentication", articles, session.between(180, 460))
        session.waits(session.rng.uniform(0, 12))
        _takes_one_step(session, SIGN_IN_STEPS[step % len(SIGN_IN_STEPS)], step)
    session.says("You're in, and the new phone is registered. Please keep the backup codes somewhere safe.")
    session.ends("succeeded", result={"two_factor": "reset", "verified_by": "backup code"})


SIGN_IN_STEPS = (
    ("Which account is it?", "accounts.get", {"email": "lena.ortiz@example.com"}, {"account_id": "acc_5521"}),
    ("Is two-factor on?", "accounts.security", {"account_id": "acc_5521"}, {"two_factor": "totp", "devices": 1}),
    ("Are there backup codes?", "accounts.backup_codes", {"account_id": "acc_5521"}, {"left": 7}),
    ("Has the session changed?", "accounts.sessions", {"account_id": "acc_5521"}, {"active": 0}),
    ("Any sign of abuse?", "accounts.sign_ins", {"account_id": "acc_5521", "days": 7}, {"failed": 3, "country": "ES"}),
)


def _takes_one_step(session: SessionWriter, step: tuple[str, str, Fields, Fields], number: int) -> None:
    question, tool, arguments, output = step
    session.thinks(f"Step {number + 1}: 4 articles found. {question}", f"I'll check with {tool}.")
    session.calls(tool, arguments, output)
    if number % 6 == 5:
        session.says("Could you try one of the backup codes that you got when you set up the old phone?")
        session.waits(session.rng.uniform(9, 31))
        session.hears(SIGN_IN_REPLIES[number // 6])


SIGN_IN_REPLIES = (
    "Where would I have those?",
    "I found a printed sheet, is it that? Eight digits each?",
    "It says the code was used already.",
    "The next one worked. It asks me to add a device.",
)


def write_report_history(scene: Scene) -> None:
    """Write the report agent that sends its whole history with each question and caches nothing."""
    session = scene.open_session(REPORT_HISTORY, REPORTER, minute=47.9)
    session.starts("Write the weekly sales report", week="2026-W02", requested_by="sales-ops")
    session.hears("The weekly report, please, with a line on each region.")
    for step in range(REPORT_STEPS):
        region, table = REGIONS[step % len(REGIONS)], TABLES[step // len(REGIONS)]
        tokens = Tokens(REPORT_FIRST_TOKENS + step * REPORT_STEP_TOKENS, session.between(90, 260))
        session.thinks(
            f"All {step} results so far, then: {table} in {region}?", f"Next I need {table} for {region}.", tokens
        )
        query: Fields = {"table": table, "region": region, "group_by": "week", "sum": "value"}
        rows = {"rows": session.between(40, 90), "last": round(session.rng.uniform(11_000, 98_000), 2)}
        session.calls("warehouse.query", query, rows, session.between(310, 2_400))
        session.waits(session.rng.uniform(2, 24))
    session.remembers("report.2026-W02", "s3://northwind-reports/2026-W02.md")
    session.says("The report is there: eight regions, orders up 4.1 %, returns flat, two regions below plan.")
    session.ends("succeeded", result={"report": "s3://northwind-reports/2026-W02.md", "regions": len(REGIONS)})


REGIONS = ("north", "south", "east", "west", "alps", "baltic", "iberia", "islands")
TABLES = ("orders", "returns", "pipeline", "plan")


def write_large(scene: Scene) -> None:
    """Write the session with a contract of 214 pages as input and output, both too large for an event."""
    session = scene.open_session(LARGE, LAWYER, minute=92.3)
    contract = CLAUSE.encode() * 9_200
    notes = NOTE.encode() * 3_100
    session.starts("Review the supply contract with Halden Freight", document="contracts/halden-2026.pdf")
    session.hears("Anything in there about liability that we haven't seen before?")
    call = session.opens_call("documents.extract", {"document": make_reference("contracts/halden-2026.txt", contract)})
    for pages in ("1 to 70", "71 to 140", "141 to 214"):
        session.thinks(f"Pages {pages}", f"Pages {pages}: liability is dealt with in {session.between(1, 6)} places.")
    session.closes_call(call, make_reference("contracts/halden-2026.notes.txt", notes))
    session.calls(
        "contracts.compare", {"with": "halden-2024"}, {"new_clauses": ["14.3", "14.7"], "dropped": ["9.2"]}, 1_830
    )
    session.thinks("Clauses 14.3 and 14.7 are new", "14.7 makes us liable for delays at the border, without a limit.")
    session.decides(
        "report 14.7 to legal before answering",
        "An unlimited liability is for a person to accept, however unlikely the case is.",
        0.88,
        "answer the user alone",
    )
    session.calls("legal.open_ticket", {"clause": "14.7", "severity": "high"}, {"ticket": "LEG-3318"})
    session.says(
        "Two clauses are new. 14.7 makes us liable for border delays without a limit; legal has it as LEG-3318."
    )
    session.ends("succeeded", result={"new_clauses": ["14.3", "14.7"], "ticket": "LEG-3318"})


CLAUSE = (
    "14.7 The Supplier shall bear any loss that arises from delay at a border, whether or not it could be foreseen, "
    "and without regard to the limits of section 9.\n"
)
NOTE = "14.7: new. No limit. Compare 9.1 of 2024, where the limit was the price of the shipment. Ask legal.\n"


def make_reference(key: str, content: bytes) -> Fields:
    """Return the reference to ``content``, which is in the object store under ``key``."""
    digest, preview = sha256(content).hexdigest(), content[:120].decode()
    return {"$ref": f"s3://northwind-agent-payloads/{key}", "bytes": len(content), "sha256": digest, "preview": preview}
