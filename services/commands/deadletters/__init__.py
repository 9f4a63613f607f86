"""Dead letters: what could not be processed. List them, show one in full, send them back."""

import asyncio
import os
import sys
from collections.abc import Sequence

from services.commands.deadletters.arguments import Asked, read_arguments
from services.commands.deadletters.listing import list_groups
from services.commands.deadletters.replaying import replay_letters
from services.commands.deadletters.showing import show_letters
from shared import logs
from shared.broker import broker_of
from shared.clock import utc_now
from shared.failpoints import arm
from shared.launch import adopt_running
from shared.process import CannotStart
from shared.settings import KafkaSettings, SettingsFault, read_settings
from shared.stream import Broker, KafkaUnavailable

_VERBS = {"list": list_groups, "show": show_letters, "replay": replay_letters}


def main(arguments: Sequence[str]) -> int:
    asked = read_arguments(arguments, utc_now())
    logs.configure("critical")  # what an operator must know is said in sentences
    arm()
    try:
        adopt_running()
        return asyncio.run(run(asked, broker_of(read_settings(KafkaSettings))))
    except (CannotStart, KafkaUnavailable, SettingsFault) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; what was sent back is not sent again by the next replay\n")
        return 1
    except BrokenPipeError:  # `… | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0 if asked.verb != "replay" else 1


async def run(asked: Asked, broker: Broker) -> int:
    """Do what was asked; the exit code. Raises KafkaUnavailable."""
    return await _VERBS[asked.verb](asked, broker)
