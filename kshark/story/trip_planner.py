"""A trip planned by agents that call agents: three levels deep, two in parallel, one in its own session."""

from .agents import CONVERTER, FARE_FINDER, HOTEL_FINDER, PLANNER, TRIP_RESEARCHER, VISA_ADVISER
from .session_writer import Fields, Scene, SessionWriter, ToolCall

TRIP_PLANNER = "sess_trip_planner"
"""The planner asks research-agent, which asks fares-agent, which asks currency-agent; hotels-agent works meanwhile."""
VISA_CHECK = "sess_visa_check"
"""The sub-agent of the trip that has a session of its own."""


def write_trip_planner(scene: Scene) -> None:
    """Write the planning of ten days in Japan for two, on a budget."""
    session = scene.open_session(TRIP_PLANNER, PLANNER, minute=55.25)
    session.starts("Plan ten days in Japan for two, at most 5,200 euros", traveller="m.keller", adults=2)
    session.hears("We'd like to be there for the cherry blossom. Tokyo and Kyoto, nothing fancy, 5,200 euros at most.")
    session.thinks("Blossom, Tokyo and Kyoto, 5,200 euros", "Flights and hotels can be looked for at the same time.")
    session.decides(
        "ask for flights and hotels at once", "Neither needs the other once the dates are fixed.", 0.9, "flights first"
    )
    research = session.delegates(TRIP_RESEARCHER, "when is the blossom, and what do flights cost then")
    hotels = session.delegates(HOTEL_FINDER, "hotels for ten nights, below 110 euros a night")
    _finds_dates_and_flights(research)
    _finds_hotels(hotels)
    session.receives(hotels, result={"tokyo": "Hotel Kazami, 96 euros", "kyoto": "Machiya Ume, 104 euros"})
    session.receives(research, result={"dates": "2026-03-27 to 2026-04-06", "fare_eur": 1_712})
    visa = session.delegates(VISA_ADVISER, "do two German citizens need visas for ten days", VISA_CHECK)
    _checks_visa(visa)
    session.receives(visa, result="no visa, passports must be valid throughout the stay")
    session.thinks("1,712 + 1,000 + rail 420 + meals", "4,310 euros in all. That leaves a margin of 890.")
    session.remembers("trip.m.keller", {"dates": "2026-03-27 to 2026-04-06", "total_eur": 4_310})
    session.says(
        "27 March to 6 April: flights 1,712, ten nights 1,000, trains 420, about 4,310 euros in all. Shall I book?"
    )
    session.waits(48)
    session.hears("Yes please, but the later flight home.")
    session.calls(
        "flights.hold", {"offer": "off_7714", "return": "late"}, {"held_until": "2026-01-16T12:00:00Z"}, 2_240
    )
    session.calls("hotels.book", {"hotel": "Hotel Kazami", "nights": 5}, {"booking": "HK-20931"}, 1_105)
    session.calls("hotels.book", {"hotel": "Machiya Ume", "nights": 5}, {"booking": "MU-88120"}, 962)
    session.says("Both hotels are booked, and the flights are held until tomorrow noon.")
    session.ends("succeeded", result={"total_eur": 4_310, "bookings": ["HK-20931", "MU-88120"]})


def _finds_dates_and_flights(session: SessionWriter) -> None:
    session.searches("cherry blossom forecast Tokyo Kyoto 2026", [{"id": "jma/2026-01", "score": 0.93}], 340)
    pages = ("jnto.example/blossom", "weathernews.example/sakura", "kyoto.example/spring")
    session.calls_together(
        ToolCall(
            "web.fetch",
            {"url": f"https://{page}"},
            {"chars": session.between(3_000, 21_000)},
            session.between(380, 1_900),
        )
        for page in pages
    )
    session.thinks("Three forecasts", "Full bloom around 28 March in Tokyo and 1 April in Kyoto.")
    fares = session.delegates(FARE_FINDER, "the cheapest return fare for two, out 26 to 28 March, back 5 to 7 April")
    _finds_fares(fares)
    session.receives(fares, result={"offer": "off_7714", "price_eur": 1_712})
    session.thinks(
        "Offer off_7714 at 1,712 euros", "Out on 27 March, back on 6 April: both blossoms, and the best fare."
    )


def _finds_fares(session: SessionWriter) -> None:
    for out, back, price in ((26, 5, 318_400), (27, 5, 296_750), (27, 6, 281_900), (28, 6, 304_120), (28, 7, 334_600)):
        arguments: Fields = {"from": "FRA", "to": "TYO", "out": f"2026-03-{out}", "back": f"2026-04-{back:02}"}
        session.calls("flights.search", arguments, {"price_jpy": price, "seats": 2})
    session.thinks("Five offers in yen", "The prices are in yen and the budget is in euros, so I need the rate.")
    rate = session.delegates(CONVERTER, "281,900 yen in euros")
    rate.calls("rates.get", {"base": "JPY", "quote": "EUR"}, {"rate": 0.006073, "as_of": "2026-01-15"}, 88)
    rate.thinks("281900 at 0.006073", "1,711.98 euros")
    session.receives(rate, result=1_711.98)
    session.calls(
        "flights.offer", {"out": "2026-03-27", "back": "2026-04-06"}, {"offer": "off_7714", "price_eur": 1_712}
    )


def _finds_hotels(session: SessionWriter) -> None:
    for city in ("Tokyo", "Kyoto"):
        arguments: Fields = {"city": city, "nights": 5, "max_eur": 110}
        session.calls("hotels.search", arguments, {"found": session.between(20, 60)}, session.between(400, 900))
        for page in range(1, 5):
            session.calls(
                "hotels.reviews", {"city": city, "page": page}, {"score": round(session.rng.uniform(7.1, 9.3), 1)}
            )
        session.thinks(
            f"Reviews of four hotels in {city}", f"In {city} the smaller one is quieter, and near the station."
        )


def _checks_visa(session: SessionWriter) -> None:
    session.starts("Do two German citizens need visas for ten days in Japan?", asked_by="trip-planner")
    session.searches("Japan visa exemption Germany short stay", [{"id": "mofa/exemptions", "score": 0.95}], 260)
    session.calls(
        "rules.lookup", {"nationality": "DE", "destination": "JP", "days": 10}, {"visa": False, "max_days": 90}
    )
    session.thinks("Exempt for 90 days", "No visa. The passports have to be valid for the whole stay.")
    session.ends("succeeded", result="no visa, passports must be valid throughout the stay")
