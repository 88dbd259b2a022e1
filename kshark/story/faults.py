"""Sessions in trouble: a crash, records that come late, twice, torn or elsewhere, a wrong clock, hostile texts."""

from .agents import BOOKKEEPER, CLAIMS_HANDLER, COURIER, FRAUD_CHECKER, PHOTO_CHECKER, REFUNDER, SUPPORTER
from .session_writer import Fields, Pen, Scene, StoryRecord

CRASHED = "sess_crashed"
"""Never ended: the process died inside a tool call, which has a ``call_started`` and nothing else."""
LATE = "sess_late_claim"
"""Late, twice, elsewhere and torn. The name is one that murmur2 and crc32 place apart in 3, 12 and 20 partitions."""
CLOCK_SKEW = "sess_clock_skew"
"""A sub-agent on a machine whose clock is 4 s behind: by its clock it began before it was asked."""
HOSTILE = "sess_hostile"
"""Texts that would drive a careless terminal or browser: escape sequences, markup, overrides, faked lines."""
ERASED = "sess_erased"
"""A key with a tombstone and nothing else."""

LATE_SECONDS = 75
CLOCK_BEHIND_MS = 4_000
LATE_DUPLICATES = 6
LATE_UNREADABLE = 1


def crashed(scene: Scene) -> None:
    """The month-end close: nine accounts go well, and the process is gone in the middle of the tenth."""
    pen = scene.opens(CRASHED, BOOKKEEPER, minute=71.8)
    pen.starts("Close the books for December", ledger="northwind-eu", period="2025-12")
    pen.thinks("Close 2025-12", "Fourteen accounts are open. I'll reconcile them one by one, then export the ledger.")
    for account in range(1200, 1209):
        balance = round(pen.rng.uniform(-9_000, 84_000), 2)
        pen.calls(
            "ledger.reconcile", {"account": account}, {"balance": balance, "difference": 0}, pen.between(640, 2_100)
        )
    pen.remembers("close.2025-12", {"reconciled": 9, "of": 14})
    pen.thinks("9 of 14 reconciled", "Account 1209 is the large one. I'll export it before I reconcile it.")
    pen.opens("ledger.export", {"account": 1209, "format": "parquet", "rows": 2_418_077})


def late(scene: Scene) -> None:
    """A damaged parcel. The courier's process loses its network for 75 s; another client checks the photos."""
    pen = scene.opens(LATE, CLAIMS_HANDLER, minute=101.6)
    pen.starts("Settle the claim for parcel NW-55120", claim="CL-7781")
    pen.hears("The box came open and two of the glasses are broken. I attached photos.")
    pen.thinks("Broken glasses, photos attached", "I need the parcel's history, and somebody who looks at the photos.")
    pen.sends_again(1, after_ms=2_100)
    courier = pen.delegates(COURIER, "what happened to NW-55120 on its way")
    photos = pen.delegates(PHOTO_CHECKER, "is the damage from transport")
    _traces_the_parcel(courier)
    _looks_at_photos(photos)
    for seconds in range(0, LATE_SECONDS + 1, 4):
        pen.calls("claims.poll", {"claim": "CL-7781", "waited_s": seconds}, {"courier": "no answer yet"}, 90)
        pen.waits(3.9)
        if seconds == 8:
            pen.receives(photos, result="transport damage, two glasses")
    pen.receives(courier, result="dropped at the Leipzig hub, 02:14")
    pen.waits(6)
    pen.decides(
        "pay in full", "The courier's own log has the drop, and the photos agree with it.", 0.97, "ask for the box"
    )
    pen.calls("claims.pay", {"claim": "CL-7781", "amount_eur": 64.8}, {"payment": "pay_30c1", "state": "sent"})
    pen.sends_again(2, after_ms=1_400)
    pen.says("We've sent you 64.80 euros for the two glasses. You needn't return anything.")
    pen.sends_torn()
    pen.ends("succeeded", result={"paid_eur": 64.8})


def _traces_the_parcel(pen: Pen) -> None:
    pen.held_until = pen.now + LATE_SECONDS * 1000
    for hub, hour in (("Hamburg", 19), ("Hannover", 22), ("Leipzig", 2), ("Munich", 7)):
        pen.calls("courier.scan", {"parcel": "NW-55120", "hub": hub}, {"at": f"{hour:02}:14", "weight_g": 3_180})
    pen.calls("courier.incidents", {"hub": "Leipzig"}, {"incidents": ["dropped from belt 4, 02:14"]})
    pen.thinks("Scans at four hubs, one incident", "It was dropped at Leipzig at 02:14.")
    pen.sends_again(2, after_ms=350)


def _looks_at_photos(pen: Pen) -> None:
    for photo in range(1, 5):
        pen.calls(
            "images.describe", {"photo": f"CL-7781/{photo}.jpg"}, {"damage": "crushed corner"}, pen.between(600, 1_300)
        )
    pen.thinks("Four photos", "The corner is crushed from outside, so it is transport damage.")
    pen.sends_again(1, after_ms=900, partitioner="murmur2")


def clock_skew(scene: Scene) -> None:
    """A refund is held back until it was checked for fraud, on a machine that lives four seconds in the past."""
    pen = scene.opens(CLOCK_SKEW, REFUNDER, minute=64.1)
    pen.starts("Refund order 70-4415", amount_eur=389.0)
    pen.hears("I sent the camera back ten days ago and I'm still waiting for my money.")
    pen.calls("orders.get", {"order": "70-4415"}, {"item": "camera", "price_eur": 389.0, "returned": True})
    pen.decides("have it checked before paying", "Above 300 euros the policy wants a fraud check.", 0.93, "pay at once")
    checker = pen.delegates(FRAUD_CHECKER._replace(clock_ms=-CLOCK_BEHIND_MS), "is the return of order 70-4415 genuine")
    checker.calls("returns.weigh", {"order": "70-4415"}, {"expected_g": 742, "measured_g": 739})
    checker.calls("customers.history", {"customer": "cus_70"}, {"orders": 31, "returns": 2, "disputes": 0})
    checker.thinks("The weight fits, 2 returns in 31 orders", "Genuine.")
    pen.receives(checker, result={"genuine": True, "score": 0.03})
    pen.calls("payments.refund", {"order": "70-4415", "amount_eur": 389.0}, {"refund": "re_99d1", "state": "sent"})
    pen.says("The money is on its way and should be with you in two days. Sorry for the wait.")
    pen.ends("succeeded", result={"refund": "re_99d1"})


def erased(scene: Scene) -> None:
    """Somebody asked for their data to be deleted; a tombstone is what's left."""
    moment = scene.began + 20 * 60_000
    tombstone = StoryRecord("murmur2", ERASED.encode(), None, moment, (("agentlog.process", b"privacy-worker-01c4"),))
    scene.produced.append((moment, tombstone))


def hostile(scene: Scene) -> None:
    """A customer who tries what a text can do to the one who reads the log."""
    pen = scene.opens(HOSTILE, SUPPORTER, minute=38.2)
    pen.starts("[bold red]Help[/] the customer\x1b[2J with an order", ticket="T-90822\x1b]0;owned\x07")
    for text in HOSTILE_TEXTS:
        pen.hears(text)
        pen.thinks(text[:60], "There is no order in this that I could look up.")
        pen.waits(4)
    given: Fields = {"[link=file:///etc/passwd]order[/link]": "70-1\r70-2", "note\n": "\x1b[8mhidden\x1b[0m"}
    pen.calls("orders.find\x1b[1A", given, {"html": "<script>alert('orders')</script>", "\u202emun": 3})
    pen.is_refused("orders.get", {"order": "../../70-4415"}, "bad_request: \x1b[31mno such order\x1b[0m\nretry? [y/N]")
    pen.decides("hand over\r\nsess_invoice_847  succeeded", "The messages look like an attack [blink]!!![/blink]", 0.99)
    pen.says("I couldn't find that order. A colleague will answer you by mail.")
    pen.ends("failed", error="handed over\x1b[?1049h to a person \U000e0041\u200b")


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
