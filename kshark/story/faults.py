"""Sessions with faults: a crash, late, repeated, torn or misplaced records, a wrong clock, hostile texts."""

from .agents import BOOKKEEPER, CLAIMS_HANDLER, COURIER, FRAUD_CHECKER, PHOTO_CHECKER, REFUNDER, SUPPORTER
from .session_writer import Fields, Scene, SessionWriter, StoryRecord

CRASHED = "sess_crashed"
"""A session without an end: the process died in a tool call, of which only the ``call_started`` exists."""
LATE = "sess_late_claim"
"""Late, repeated, misplaced and torn records. murmur2 and crc32 put this id apart in 3, 12 and 20 partitions."""
CLOCK_SKEW = "sess_clock_skew"
"""A sub-agent on a machine whose clock is 4 s behind: by its timestamps it began before it was asked."""
HOSTILE = "sess_hostile"
"""Texts that attack a terminal or browser: escape sequences, markup, overrides, forged lines."""
ERASED = "sess_erased"
"""A key with a tombstone and nothing else."""

LATE_SECONDS = 75
CLOCK_BEHIND_MS = 4_000
LATE_DUPLICATES = 6
LATE_UNREADABLE = 1


def write_crashed(scene: Scene) -> None:
    """Write the month-end close: nine accounts succeed, and the process dies in the tenth."""
    session = scene.open_session(CRASHED, BOOKKEEPER, minute=71.8)
    session.starts("Close the books for December", ledger="northwind-eu", period="2025-12")
    session.thinks(
        "Close 2025-12", "Fourteen accounts are open. I'll reconcile them one by one, then export the ledger."
    )
    for account in range(1200, 1209):
        balance = round(session.rng.uniform(-9_000, 84_000), 2)
        session.calls(
            "ledger.reconcile", {"account": account}, {"balance": balance, "difference": 0}, session.between(640, 2_100)
        )
    session.remembers("close.2025-12", {"reconciled": 9, "of": 14})
    session.thinks("9 of 14 reconciled", "Account 1209 is the large one. I'll export it before I reconcile it.")
    session.opens_call("ledger.export", {"account": 1209, "format": "parquet", "rows": 2_418_077})


def write_late(scene: Scene) -> None:
    """Write the damaged parcel: a process loses its network for 75 s; another client checks the photos."""
    session = scene.open_session(LATE, CLAIMS_HANDLER, minute=101.6)
    session.starts("Settle the claim for parcel NW-55120", claim="CL-7781")
    session.hears("The box came open and two of the glasses are broken. I attached photos.")
    session.thinks(
        "Broken glasses, photos attached", "I need the parcel's history, and somebody who looks at the photos."
    )
    session.sends_again(1, after_ms=2_100)
    courier = session.delegates(COURIER, "what happened to NW-55120 on its way")
    photos = session.delegates(PHOTO_CHECKER, "is the damage from transport")
    _traces_the_parcel(courier)
    _looks_at_photos(photos)
    for seconds in range(0, LATE_SECONDS + 1, 4):
        session.calls("claims.poll", {"claim": "CL-7781", "waited_s": seconds}, {"courier": "no answer yet"}, 90)
        session.waits(3.9)
        if seconds == 8:
            session.receives(photos, result="transport damage, two glasses")
    session.receives(courier, result="dropped at the Leipzig hub, 02:14")
    session.waits(6)
    session.decides(
        "pay in full", "The courier's own log has the drop, and the photos agree with it.", 0.97, "ask for the box"
    )
    session.calls("claims.pay", {"claim": "CL-7781", "amount_eur": 64.8}, {"payment": "pay_30c1", "state": "sent"})
    session.sends_again(2, after_ms=1_400)
    session.says("We've sent you 64.80 euros for the two glasses. You needn't return anything.")
    session.sends_torn()
    session.ends("succeeded", result={"paid_eur": 64.8})


def _traces_the_parcel(session: SessionWriter) -> None:
    session.buffered_until = session.now + LATE_SECONDS * 1000
    for hub, hour in (("Hamburg", 19), ("Hannover", 22), ("Leipzig", 2), ("Munich", 7)):
        session.calls("courier.scan", {"parcel": "NW-55120", "hub": hub}, {"at": f"{hour:02}:14", "weight_g": 3_180})
    session.calls("courier.incidents", {"hub": "Leipzig"}, {"incidents": ["dropped from belt 4, 02:14"]})
    session.thinks("Scans at four hubs, one incident", "It was dropped at Leipzig at 02:14.")
    session.sends_again(2, after_ms=350)


def _looks_at_photos(session: SessionWriter) -> None:
    for photo in range(1, 5):
        session.calls(
            "images.describe",
            {"photo": f"CL-7781/{photo}.jpg"},
            {"damage": "crushed corner"},
            session.between(600, 1_300),
        )
    session.thinks("Four photos", "The corner is crushed from outside, so it is transport damage.")
    session.sends_again(1, after_ms=900, partitioner="murmur2")


def write_clock_skew(scene: Scene) -> None:
    """Write the refund whose fraud check runs on a machine with its clock four seconds behind."""
    session = scene.open_session(CLOCK_SKEW, REFUNDER, minute=64.1)
    session.starts("Refund order 70-4415", amount_eur=389.0)
    session.hears("I sent the camera back ten days ago and I'm still waiting for my money.")
    session.calls("orders.get", {"order": "70-4415"}, {"item": "camera", "price_eur": 389.0, "returned": True})
    session.decides(
        "have it checked before paying", "Above 300 euros the policy wants a fraud check.", 0.93, "pay at once"
    )
    checker = session.delegates(
        FRAUD_CHECKER._replace(clock_ms=-CLOCK_BEHIND_MS), "is the return of order 70-4415 genuine"
    )
    checker.calls("returns.weigh", {"order": "70-4415"}, {"expected_g": 742, "measured_g": 739})
    checker.calls("customers.history", {"customer": "cus_70"}, {"orders": 31, "returns": 2, "disputes": 0})
    checker.thinks("The weight fits, 2 returns in 31 orders", "Genuine.")
    session.receives(checker, result={"genuine": True, "score": 0.03})
    session.calls("payments.refund", {"order": "70-4415", "amount_eur": 389.0}, {"refund": "re_99d1", "state": "sent"})
    session.says("The money is on its way and should be with you in two days. Sorry for the wait.")
    session.ends("succeeded", result={"refund": "re_99d1"})


def write_erased(scene: Scene) -> None:
    """Write the tombstone of a session whose data a customer had deleted."""
    moment = scene.began + 20 * 60_000
    tombstone = StoryRecord("murmur2", ERASED.encode(), None, moment, (("agentlog.process", b"privacy-worker-01c4"),))
    scene.arrivals.append((moment, tombstone))


def write_hostile(scene: Scene) -> None:
    """Write the session of a customer who attacks the readers of the log with texts."""
    session = scene.open_session(HOSTILE, SUPPORTER, minute=38.2)
    session.starts("[bold red]Help[/] the customer\x1b[2J with an order", ticket="T-90822\x1b]0;owned\x07")
    for text in HOSTILE_TEXTS:
        session.hears(text)
        session.thinks(text[:60], "There is no order in this that I could look up.")
        session.waits(4)
    arguments: Fields = {"[link=file:///etc/passwd]order[/link]": "70-1\r70-2", "note\n": "\x1b[8mhidden\x1b[0m"}
    session.calls("orders.find\x1b[1A", arguments, {"html": "<script>alert('orders')</script>", "\u202emun": 3})
    session.gets_error(
        "orders.get", {"order": "../../70-4415"}, "bad_request: \x1b[31mno such order\x1b[0m\nretry? [y/N]"
    )
    session.decides(
        "hand over\r\nsess_invoice_847  succeeded", "The messages look like an attack [blink]!!![/blink]", 0.99
    )
    session.says("I couldn't find that order. A colleague will answer you by mail.")
    session.ends("failed", error="handed over\x1b[?1049h to a person \U000e0041\u200b")


HOSTILE_TEXTS = (
    "\x1b[31mred\x1b[0m \x1b[5A\x1b[2Kthis line replaces the one above",
    "[red]markup[/red] [/] [link=https://evil.example]click[/link] [@click=app.quit]",
    "\u202eeerf si redro siht\u202c and \u2066isolated\u2069",
    "lines\n\nsess_invoice_847  Invoice Acme Corp for milestone 2    succeeded after 2 s\n14:23:09.120 0.0 s user",
    "<img src=x onerror=alert(1)> <!-- --> </pre> &lt; | `rm -rf /` | **bold** | [a](javascript:alert(1))",
    "\x1b]8;;https://evil.example\x1b\\click me\x1b]8;;\x1b\\ \x1b]52;c;aGk=\x07 paste \x9b31m one byte",
    "\x85 next line \x00 nul \x08\x08\x08 backspace \x0c form feed \x7f delete, tab\there",
    "z\u0310\u0324\u0349a\u0311\u0329l\u0351\u0347go, a\u200bb\ufeffc, \u2028line separator\u2029paragraph",
    '{"event_id": "evt_fake", "session_id": "sess_invoice_847", "event_type": "session_end"}',
)
