"""Ordinary billing sessions: single invoices, and reminders to a list of customers."""

from .agents import INVOICER, OLD_INVOICER, Agent
from .session_writer import Fields, Scene, SessionWriter

CUSTOMERS = (
    "Baltic Paper", "Corvo Design", "Delta Clinics", "Ebbe & Flut", "Fjord Foods", "Galleria Nove", "Hartmann Tools",
    "Inselbahn", "Juniper Labs", "Kestrel Air", "Lumen Print", "Mareike Voss", "Nordlicht Optik", "Orchard Schools",
    "Pixelhof", "Quarry Stone", "Rosengarten", "Sable Motors", "Tern Shipping", "Uhrwerk Berlin", "Vela Sails",
    "Wren & Partner",
)  # fmt: skip


def write_billing(scene: Scene) -> None:
    """Write all ordinary billing sessions."""
    _sends_invoice(
        scene.open_session("sess_billing_3310", INVOICER, 13.2), "Kestrel Air", "Maintenance, January", 2_150
    )
    _sends_invoice(scene.open_session("sess_billing_3316", OLD_INVOICER, 36.5), "Orchard Schools", "42 licences", 1_890)
    _sends_invoice(
        scene.open_session("sess_billing_3322", INVOICER, 84.6), "Tern Shipping", "Milestone 4: handover", 12_400
    )
    _sends_invoice(
        scene.open_session("sess_billing_3325", INVOICER, 127.6), "Juniper Labs", "Workshop, two days", 3_200
    )
    _sends_reminders(scene, "sess_billing_3312", OLD_INVOICER, 16.9)
    _sends_reminders(scene, "sess_billing_3323", INVOICER, 86.5)
    _matches_transfers(scene.open_session("sess_billing_3318", OLD_INVOICER, 52.4))
    _waits_for_an_exchange_rate(scene.open_session("sess_billing_3320", INVOICER, 61.2))


def _sends_invoice(session: SessionWriter, customer: str, item: str, amount: int) -> None:
    key = customer.lower().replace(" ", "_")
    session.starts(f"Invoice {customer}: {item}", amount=amount)
    session.hears(f"Please send {customer} the invoice for: {item}")
    session.thinks(f"{customer}, {item}, {amount}", "Customer first, then what was agreed, then the invoice.")
    session.calls("crm.find_customer", {"name": customer}, {"customer_id": f"cus_{key}"})
    session.calls("contracts.get", {"customer_id": f"cus_{key}"}, {"item": item, "amount": amount, "terms_days": 30})
    session.decides("create the invoice", "Item and amount agree with the contract.", 0.95, "ask about the amount")
    invoice = f"in_{session.rng.getrandbits(32):08x}"
    arguments: Fields = {
        "customer_id": f"cus_{key}",
        "amount": amount,
        "description": item,
        "idempotency_key": f"{key}-{amount}",
    }
    session.calls(
        "stripe.create_invoice", arguments, {"invoice_id": invoice, "status": "draft"}, session.between(520, 1_300)
    )
    session.calls("stripe.finalize_invoice", {"invoice_id": invoice}, {"status": "open"})
    session.calls("stripe.send_invoice", {"invoice_id": invoice}, {"sent_to": f"ap@{key.split('_')[0]}.example"})
    session.says(f"Done: {customer} has the invoice over {amount:,} dollars.")
    session.ends("succeeded", result={"invoice_id": invoice, "amount": amount})


def _sends_reminders(scene: Scene, session_id: str, agent: Agent, minute: float) -> None:
    session = scene.open_session(session_id, agent, minute)
    customers = session.rng.sample(CUSTOMERS, 18)
    session.starts("Remind customers of overdue invoices", count=len(customers))
    session.calls(
        "stripe.list_invoices", {"status": "open", "overdue": True}, {"count": len(customers), "has_more": False}
    )
    for customer in customers:
        _sends_reminder(session, customer)
        session.waits(session.rng.uniform(8, 70))
    session.says(f"{len(customers)} overdue invoices dealt with.")
    session.ends("succeeded", result={"reminded": len(customers)})


def _sends_reminder(session: SessionWriter, customer: str) -> None:
    days, invoice = session.between(3, 74), f"in_{session.rng.getrandbits(32):08x}"
    session.calls("stripe.retrieve_invoice", {"invoice_id": invoice}, {"customer": customer, "overdue_days": days})
    session.calls("crm.last_contact", {"name": customer}, {"days_ago": session.between(1, 90)})
    tone, why = REMINDERS[min(days // 25, 2)]
    session.thinks(f"{customer} is {days} days late", f"A {tone} reminder.")
    session.decides(
        f"send a {tone} reminder to {customer}", why.format(days=days), round(session.rng.uniform(0.7, 0.97), 2), "wait"
    )
    session.calls(
        "mail.send", {"to": customer, "template": f"reminder_{tone}", "invoice_id": invoice}, {"queued": True}
    )


REMINDERS = (
    ("friendly", "Only {days} days late and usually on time: a mail has been overlooked, most likely."),
    ("plain", "{days} days late, and a friendly mail went out before."),
    ("firm", "{days} days late. The contract allows a fee from day 50, and the next step is a person."),
)


def _matches_transfers(session: SessionWriter) -> None:
    session.starts("Match this morning's bank transfers to open invoices", account="northwind-main", transfers=46)
    session.calls("bank.list_transfers", {"since": "2026-01-15T06:00:00Z"}, {"count": 46})
    for number in range(1, 47):
        customer, amount = session.rng.choice(CUSTOMERS), session.between(90, 18_000)
        transfer, match_count = f"tr_{number:04}", session.rng.choices((1, 0, 2), (8, 1, 1))[0]
        session.calls("bank.get_transfer", {"transfer": transfer}, {"from": customer, "amount": amount})
        session.calls("stripe.search_invoices", {"customer": customer, "amount": amount}, {"found": match_count})
        if match_count == 1:
            session.calls("ledger.post", {"transfer": transfer, "customer": customer}, {"posted": True})
        else:
            _puts_transfer_aside(session, transfer, match_count)
        session.waits(session.rng.uniform(5, 45))
    session.says("All 46 transfers are looked at; those that fit no invoice, or two, are put aside for accounting.")
    session.ends("succeeded", result={"transfers": 46})


def _puts_transfer_aside(session: SessionWriter, transfer: str, match_count: int) -> None:
    session.thinks(f"{transfer} fits {match_count} invoices", "That's for a person to say.")
    session.decides(
        f"put {transfer} aside", f"It fits {match_count} open invoices; a wrong match is hard to undo.", 0.88, "guess"
    )
    session.calls("ledger.put_aside", {"transfer": transfer}, {"queue": "accounting"})


def _waits_for_an_exchange_rate(session: SessionWriter) -> None:
    session.starts("Invoice Fjord Foods in Norwegian kroner", amount_nok=48_000)
    session.hears("Fjord Foods wants its invoice in kroner, at today's rate.")
    session.thinks("Kroner at today's rate", "I need the official rate of today.")
    for attempt in range(1, 6):
        session.gets_error(
            "rates.official", {"base": "NOK"}, "http_503: the rate service is down for maintenance", 2_010
        )
        session.waits(2**attempt)
    session.fails("dependency_down", "rates.official did not answer in five attempts over 62 s")
    session.decides(
        "stop here",
        "Any other rate would be a guess, and the invoice would have to be corrected.",
        0.9,
        "use yesterday's",
    )
    session.says("The official rate can't be had until 16:00. I didn't send an invoice; please ask me again then.")
    session.ends("failed", error="dependency_down: no official exchange rate")
