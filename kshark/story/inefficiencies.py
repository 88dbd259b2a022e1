"""Sessions that end well and are worth a look: a search in a loop, a prompt that grows, values too large to keep."""

from hashlib import sha256

from .agents import LAWYER, REPORTER, SUPPORTER, Tokens
from .session_writer import Fields, Pen, Scene

SUPPORT_SEARCH = "sess_support_search"
"""The same vector search in each of its iterations: 26 ``retrieval`` events with one query."""
REPORT_HISTORY = "sess_report_history"
"""The whole history in each prompt: 32 ``llm_call`` events, each 3,150 tokens longer than the last, none cached."""
LARGE = "sess_large"
"""A payload by reference in an input and in an output: the values lie in an object store."""

SEARCHES = 26
REPORT_STEPS = 32
REPORT_FIRST_TOKENS = 3_800
REPORT_STEP_TOKENS = 3_150


def support_search(scene: Scene) -> None:
    """A support agent that looks up the same article before each step, and never keeps what it found."""
    pen = scene.opens(SUPPORT_SEARCH, SUPPORTER, minute=31.4)
    pen.starts("Help the customer to sign in again", ticket="T-90817", channel="chat")
    pen.hears("I have a new phone and now I can't sign in, it wants a code from the old one.")
    articles = [
        {"id": f"kb/{name}", "score": score}
        for name, score in (("2fa-new-phone", 0.91), ("2fa-reset", 0.88), ("backup-codes", 0.84), ("sso", 0.41))
    ]
    for step in range(SEARCHES):
        pen.searches("reset two-factor authentication", articles, pen.between(180, 460))
        pen.waits(pen.rng.uniform(0, 12))
        _takes_one_step(pen, SIGN_IN_STEPS[step % len(SIGN_IN_STEPS)], step)
    pen.says("You're in, and the new phone is registered. Please keep the backup codes somewhere safe.")
    pen.ends("succeeded", result={"two_factor": "reset", "verified_by": "backup code"})


SIGN_IN_STEPS = (
    ("Which account is it?", "accounts.get", {"email": "lena.ortiz@example.com"}, {"account_id": "acc_5521"}),
    ("Is two-factor on?", "accounts.security", {"account_id": "acc_5521"}, {"two_factor": "totp", "devices": 1}),
    ("Are there backup codes?", "accounts.backup_codes", {"account_id": "acc_5521"}, {"left": 7}),
    ("Has the session changed?", "accounts.sessions", {"account_id": "acc_5521"}, {"active": 0}),
    ("Any sign of abuse?", "accounts.sign_ins", {"account_id": "acc_5521", "days": 7}, {"failed": 3, "country": "ES"}),
)


def _takes_one_step(pen: Pen, step: tuple[str, str, Fields, Fields], number: int) -> None:
    question, tool, given, output = step
    pen.thinks(f"Step {number + 1}: 4 articles found. {question}", f"I'll check with {tool}.")
    pen.calls(tool, given, output)
    if number % 6 == 5:
        pen.says("Could you try one of the backup codes that you got when you set up the old phone?")
        pen.waits(pen.rng.uniform(9, 31))
        pen.hears(SIGN_IN_REPLIES[number // 6])


SIGN_IN_REPLIES = (
    "Where would I have those?",
    "I found a printed sheet, is it that? Eight digits each?",
    "It says the code was used already.",
    "The next one worked. It asks me to add a device.",
)


def report_history(scene: Scene) -> None:
    """A report agent that sends everything it has ever seen with every question, and caches nothing."""
    pen = scene.opens(REPORT_HISTORY, REPORTER, minute=47.9)
    pen.starts("Write the weekly sales report", week="2026-W02", requested_by="sales-ops")
    pen.hears("The weekly report, please, with a line on each region.")
    for step in range(REPORT_STEPS):
        region, table = REGIONS[step % len(REGIONS)], TABLES[step // len(REGIONS)]
        tokens = Tokens(REPORT_FIRST_TOKENS + step * REPORT_STEP_TOKENS, pen.between(90, 260))
        pen.thinks(
            f"All {step} results so far, then: {table} in {region}?", f"Next I need {table} for {region}.", tokens
        )
        query: Fields = {"table": table, "region": region, "group_by": "week", "sum": "value"}
        rows = {"rows": pen.between(40, 90), "last": round(pen.rng.uniform(11_000, 98_000), 2)}
        pen.calls("warehouse.query", query, rows, pen.between(310, 2_400))
        pen.waits(pen.rng.uniform(2, 24))
    pen.remembers("report.2026-W02", "s3://northwind-reports/2026-W02.md")
    pen.says("The report is there: eight regions, orders up 4.1 %, returns flat, two regions below plan.")
    pen.ends("succeeded", result={"report": "s3://northwind-reports/2026-W02.md", "regions": len(REGIONS)})


REGIONS = ("north", "south", "east", "west", "alps", "baltic", "iberia", "islands")
TABLES = ("orders", "returns", "pipeline", "plan")


def large(scene: Scene) -> None:
    """A contract of 214 pages goes in, its text with notes comes out; both are too large for an event."""
    pen = scene.opens(LARGE, LAWYER, minute=92.3)
    contract = CLAUSE.encode() * 9_200
    notes = NOTE.encode() * 3_100
    pen.starts("Review the supply contract with Halden Freight", document="contracts/halden-2026.pdf")
    pen.hears("Anything in there about liability that we haven't seen before?")
    call = pen.opens("documents.extract", {"document": by_reference("contracts/halden-2026.txt", contract)})
    for pages in ("1 to 70", "71 to 140", "141 to 214"):
        pen.thinks(f"Pages {pages}", f"Pages {pages}: liability is dealt with in {pen.between(1, 6)} places.")
    pen.closes(call, by_reference("contracts/halden-2026.notes.txt", notes))
    pen.calls(
        "contracts.compare", {"with": "halden-2024"}, {"new_clauses": ["14.3", "14.7"], "dropped": ["9.2"]}, 1_830
    )
    pen.thinks("Clauses 14.3 and 14.7 are new", "14.7 makes us liable for delays at the border, without a limit.")
    pen.decides(
        "report 14.7 to legal before answering",
        "An unlimited liability is for a person to accept, however unlikely the case is.",
        0.88,
        "answer the user alone",
    )
    pen.calls("legal.open_ticket", {"clause": "14.7", "severity": "high"}, {"ticket": "LEG-3318"})
    pen.says("Two clauses are new. 14.7 makes us liable for border delays without a limit; legal has it as LEG-3318.")
    pen.ends("succeeded", result={"new_clauses": ["14.3", "14.7"], "ticket": "LEG-3318"})


CLAUSE = (
    "14.7 The Supplier shall bear any loss that arises from delay at a border, whether or not it could be foreseen, "
    "and without regard to the limits of section 9.\n"
)
NOTE = "14.7: new. No limit. Compare 9.1 of 2024, where the limit was the price of the shipment. Ask legal.\n"


def by_reference(key: str, content: bytes) -> Fields:
    """What an event keeps of ``content``, which lies in the object store under ``key``."""
    digest, preview = sha256(content).hexdigest(), content[:120].decode()
    return {"$ref": f"s3://northwind-agent-payloads/{key}", "bytes": len(content), "sha256": digest, "preview": preview}
