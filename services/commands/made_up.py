"""A made-up company for the demo: a shop and a contact centre, seeded, with one fault on call."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

REGIONS: Final = ("EU", "US", "APAC")
PRODUCTS: Final = ("shoes", "jackets", "bags", "hats")
QUEUES: Final = {"billing": ("ana", "ben"), "delivery": ("cho", "dan"), "returns": ("eve", "fay")}
LANGUAGES: Final = ("en", "de", "ko", "th")
SHOP, CALLS = SURVEYS = ("post-delivery", "post-call")
FAULT: Final = {"region": "EU", "product": "shoes"}
_USUAL: Final = 0.14
_FAULTY: Final = 0.55
_REASONS: Final = ("delivery-late", "damaged", "price")


@dataclass
class Company:
    """Draws answers and calls. The same seed draws the same company."""

    seed: int = 7
    faulty: bool = False

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)  # noqa: S311 - a demo # nosec B311
        self._drawn = 0

    def history(self, end: datetime, *, days: int, a_day: int) -> Iterator[dict[str, Any]]:
        """Answers of the past `days`, in the order of time, more by day than by night."""
        for day in range(days, 0, -1):
            seconds = sorted(self._second_of_day() for _ in range(a_day))
            for second in seconds:
                yield self.answer(end - timedelta(days=day) + timedelta(seconds=second))

    def answer(self, when: datetime | None = None) -> dict[str, Any]:
        """One answer of the shop or of the contact centre."""
        body = self._shop() if self._random.random() < 0.6 else self._call_centre()
        self._drawn += 1
        body["id"] = f"demo-{self.seed}-{self._drawn}-{self._random.getrandbits(40):010x}"
        body["customer_id"] = f"c-{self._random.randrange(50_000)}"
        body["language"] = self._random.choice(LANGUAGES)
        if when is not None:
            body["answered_at"] = when.isoformat()
        return body

    def call_ended(self, when: datetime) -> dict[str, Any]:
        """A call of which the customer is asked by mail."""
        queue = self._random.choice(tuple(QUEUES))
        number = self._random.getrandbits(48)
        customer = {
            "id": f"c-{number:x}",
            "email": f"customer-{number:x}@example.org",
            "locale": self._random.choice(LANGUAGES),
        }
        call = {
            "id": f"call-{number:x}",
            "queue": queue,
            "agent": self._random.choice(QUEUES[queue]),
            "talk_s": self._random.randrange(40, 600),
        }
        return {
            "specversion": "1.0",
            "id": f"evt-{number:x}",
            "source": "/demo/contact-centre",
            "type": "support_call.ended",
            "time": when.isoformat(),
            "data": {
                "customer": customer,
                "call": call,
                "touchpoint": "support-call",
                "segments": {"region": self._random.choice(REGIONS)},
            },
        }

    def call_score(self) -> int:
        """What a caller answers, 1 to 5."""
        if self._random.random() < _USUAL:
            return self._random.choice((1, 2))
        return self._random.choice((3, 4, 4, 5, 5, 5))

    def _shop(self) -> dict[str, Any]:
        segments = {
            "region": self._random.choice(REGIONS),
            "product": self._random.choice(PRODUCTS),
            "channel": self._random.choice(("web", "app")),
        }
        hit = self.faulty and segments["region"] == "EU" and segments["product"] == "shoes"
        unhappy = self._random.random() < (_FAULTY if hit else _USUAL)
        score = self._random.choice((0, 2, 3, 5, 6) if unhappy else (7, 8, 9, 9, 10, 10))
        answers: dict[str, Any] = {"score": score}
        if unhappy:
            answers["reasons"] = ["delivery-late" if hit else self._random.choice(_REASONS)]
        if hit and unhappy:
            answers["comment"] = "The parcel came a week late and nobody told me."
        return {
            "survey": SHOP,
            "touchpoint": "delivery",
            "segments": segments,
            "answers": answers,
        }

    def _call_centre(self) -> dict[str, Any]:
        queue = self._random.choice(tuple(QUEUES))
        segments = {
            "region": self._random.choice(REGIONS),
            "queue": queue,
            "agent": self._random.choice(QUEUES[queue]),
        }
        return {
            "survey": CALLS,
            "touchpoint": "support-call",
            "segments": segments,
            "answers": {"score": self.call_score()},
        }

    def _second_of_day(self) -> int:
        hour = min(23.99, max(0.0, self._random.gauss(14, 4)))
        return int(hour * 3600)
