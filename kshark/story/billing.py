"""Ordinary billing: single invoices, and rounds of reminders over a list of customers."""

from .agents import INVOICER, OLD_INVOICER, Agent
from .session_writer import Fields, Pen, Scene

CUSTOMERS = (
    "Baltic Paper", "Corvo Design", "Delta Clinics", "Ebbe & Flut", "Fjord Foods", "Galleria Nove", "Hartmann Tools",
    "Inselbahn", "Juniper Labs", "Kestrel Air", "Lumen Print", "Mareike Voss", "Nordlicht Optik", "Orchard Schools",
    "Pixelhof", "Quarry Stone", "Rosengarten", "Sable Motors", "Tern Shipping", "Uhrwerk Berlin", "Vela Sails",
    "Wren & Partner",
)  # fmt: skip


def billing(scene: Scene) -> None:
    """All ordinary billing sessions."""
    _invoices(scene.opens("sess_billing_3310", INVOICER, 13.2), "Kestrel Air", "Maintenance, January", 2_150)
    _invoices(scene.opens("sess_billing_3316", OLD_INVOICER, 36.5), "Orchard Schools", "42 licences", 1_890)
    _invoices(scene.opens("sess_billing_3322", INVOICER, 84.6), "Tern Shipping", "Milestone 4: handover", 12_400)
    _invoices(scene.opens("sess_billing_3325", INVOICER, 127.6), "Juniper Labs", "Workshop, two days", 3_200)
    _reminds(scene, "sess_billing_3312", OLD_INVOICER, 16.9)
    _reminds(scene, "sess_billing_3323", INVOICER, 86.5)
    _matches_transfers(scene.opens("sess_billing_3318", OLD_INVOICER, 52.4))
    _waits_for_an_exchange_rate(scene.opens("sess_billing_3320", INVOICER, 61.2))


def _invoices(pen: Pen, customer: str, item: str, amount: int) -> None:
    key = customer.lower().replace(" ", "_")
    pen.starts(f"Invoice {customer}: {item}", amount=amount)
    pen.hears(f"Please send {customer} the invoice for: {item}")
    pen.thinks(f"{customer}, {item}, {amount}", "Customer first, then what was agreed, then the invoice.")
    pen.calls("crm.find_customer", {"name": customer}, {"customer_id": f"cus_{key}"})
    pen.calls("contracts.get", {"customer_id": f"cus_{key}"}, {"item": item, "amount": amount, "terms_days": 30})
    pen.decides("create the invoice", "Item and amount agree with the contract.", 0.95, "ask about the amount")
    invoice = f"in_{pen.rng.getrandbits(32):08x}"
    given: Fields = {
        "customer_id": f"cus_{key}",
        "amount": amount,
        "description": item,
        "idempotency_key": f"{key}-{amount}",
    }
    pen.calls("stripe.create_invoice", given, {"invoice_id": invoice, "status": "draft"}, pen.between(520, 1_300))
    pen.calls("stripe.finalize_invoice", {"invoice_id": invoice}, {"status": "open"})
    pen.calls("stripe.send_invoice", {"invoice_id": invoice}, {"sent_to": f"ap@{key.split('_')[0]}.example"})
    pen.says(f"Done: {customer} has the invoice over {amount:,} dollars.")
    pen.ends("succeeded", result={"invoice_id": invoice, "amount": amount})


def _reminds(scene: Scene, session_id: str, agent: Agent, minute: float) -> None:
    pen = scene.opens(session_id, agent, minute)
    customers = pen.rng.sample(CUSTOMERS, 18)
    pen.starts("Remind customers of overdue invoices", count=len(customers))
    pen.calls("stripe.list_invoices", {"status": "open", "overdue": True}, {"count": len(customers), "has_more": False})
    for customer in customers:
        _reminds_one(pen, customer)
        pen.waits(pen.rng.uniform(8, 70))
    pen.says(f"{len(customers)} overdue invoices dealt with.")
    pen.ends("succeeded", result={"reminded": len(customers)})


def _reminds_one(pen: Pen, customer: str) -> None:
    days, invoice = pen.between(3, 74), f"in_{pen.rng.getrandbits(32):08x}"
    pen.calls("stripe.retrieve_invoice", {"invoice_id": invoice}, {"customer": customer, "overdue_days": days})
    pen.calls("crm.last_contact", {"name": customer}, {"days_ago": pen.between(1, 90)})
    tone, why = REMINDERS[min(days // 25, 2)]
    pen.thinks(f"{customer} is {days} days late", f"A {tone} reminder.")
    pen.decides(
        f"send a {tone} reminder to {customer}", why.format(days=days), round(pen.rng.uniform(0.7, 0.97), 2), "wait"
    )
    pen.calls("mail.send", {"to": customer, "template": f"reminder_{tone}", "invoice_id": invoice}, {"queued": True})


REMINDERS = (
    ("friendly", "Only {days} days late and usually on time: a mail has been overlooked, most likely."),
    ("plain", "{days} days late, and a friendly mail went out before."),
    ("firm", "{days} days late. The contract allows a fee from day 50, and the next step is a person."),
)


def _matches_transfers(pen: Pen) -> None:
    pen.starts("Match this morning's bank transfers to open invoices", account="northwind-main", transfers=46)
    pen.calls("bank.list_transfers", {"since": "2026-01-15T06:00:00Z"}, {"count": 46})
    for number in range(1, 47):
        customer, amount = pen.rng.choice(CUSTOMERS), pen.between(90, 18_000)
        transfer, found = f"tr_{number:04}", pen.rng.choices((1, 0, 2), (8, 1, 1))[0]
        pen.calls("bank.get_transfer", {"transfer": transfer}, {"from": customer, "amount": amount})
        pen.calls("stripe.search_invoices", {"customer": customer, "amount": amount}, {"found": found})
        if found == 1:
            pen.calls("ledger.post", {"transfer": transfer, "customer": customer}, {"posted": True})
        else:
            _puts_aside(pen, transfer, found)
        pen.waits(pen.rng.uniform(5, 45))
    pen.says("All 46 transfers are looked at; those that fit no invoice, or two, are put aside for accounting.")
    pen.ends("succeeded", result={"transfers": 46})


def _puts_aside(pen: Pen, transfer: str, found: int) -> None:
    pen.thinks(f"{transfer} fits {found} invoices", "That's for a person to say.")
    pen.decides(
        f"put {transfer} aside", f"It fits {found} open invoices; a wrong match is hard to undo.", 0.88, "guess"
    )
    pen.calls("ledger.put_aside", {"transfer": transfer}, {"queue": "accounting"})


def _waits_for_an_exchange_rate(pen: Pen) -> None:
    pen.starts("Invoice Fjord Foods in Norwegian kroner", amount_nok=48_000)
    pen.hears("Fjord Foods wants its invoice in kroner, at today's rate.")
    pen.thinks("Kroner at today's rate", "I need the official rate of today.")
    for attempt in range(1, 6):
        pen.is_refused("rates.official", {"base": "NOK"}, "http_503: the rate service is down for maintenance", 2_010)
        pen.waits(2**attempt)
    pen.fails("dependency_down", "rates.official did not answer in five attempts over 62 s")
    pen.decides(
        "stop here",
        "Any other rate would be a guess, and the invoice would have to be corrected.",
        0.9,
        "use yesterday's",
    )
    pen.says("The official rate can't be had until 16:00. I didn't send an invoice; please ask me again then.")
    pen.ends("failed", error="dependency_down: no official exchange rate")
