"""Real sets of answers, read into one form."""

import csv
import gzip
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

CUTS = {("nps", 10): 6, ("csat", 5): 2, ("csat", 10): 4, ("ces", 7): 3}


@dataclass(frozen=True)
class Answer:
    minute: int
    detractor: bool
    metric: str
    values: dict[str, str]


@dataclass(frozen=True)
class Setup:
    name: str
    folder: str
    dimensions: tuple[str, ...]
    sample: str = ""


SETS = (
    Setup("airline_tweets", "airline_tweets", ("airline", "timezone")),
    Setup("olist", "olist", ("state", "category", "status", "seller_state")),
    Setup("olist random", "olist", ("state", "category", "status", "seller_state"), "random"),
    Setup("pwc_calls", "pwc_calls", ("agent", "topic")),
    Setup("callcentre_rwfd", "callcentre_rwfd", ("channel", "reason", "state", "call_center")),
    Setup("nsmc_ko", "nsmc_ko", ("product",)),
    Setup("carpentries_nps", "carpentries_nps", ("touchpoint", "site", "when_taken", "pace")),
    Setup("germeval_de", "germeval_de", ("touchpoint",)),
)


def read_answers(folder: Path, setup: Setup) -> list[Answer]:
    """Read the answers that have a time and a score, in the order of their minutes."""
    answers = []
    with gzip.open(folder / setup.folder / "responses.csv.gz", "rt", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if not row["occurred_at"] or not row["score"]:
                continue
            if setup.sample not in row.get("sample", ""):
                continue
            cut = CUTS[row["metric"], int(float(row["scale_max"]))]
            minute = int(datetime.fromisoformat(row["occurred_at"]).timestamp()) // 60
            values = {d: " ".join(row[d].split())[:100] for d in setup.dimensions}
            values = {d: v for d, v in values.items() if v}
            answers.append(Answer(minute, float(row["score"]) <= cut, row["metric"], values))
    return sorted(answers, key=lambda a: a.minute)
