from importlib.util import find_spec
from pathlib import Path

from shared.embedded.processes import StartFailed


def find_library() -> Path:
    """Return librdkafka as the wheel confluent-kafka brings it."""
    spec = find_spec("confluent_kafka")
    for place in (spec.submodule_search_locations or ()) if spec else ():
        package = Path(place)
        for folder in (package.with_name("confluent_kafka.libs"), package / ".dylibs"):
            for library in sorted(folder.glob("librdkafka*")):
                return library.resolve()
    raise StartFailed(
        "the wheel confluent-kafka (librdkafka) is not installed for this platform: "
        "install it, or let EARSHOT_KAFKA_BOOTSTRAP name a Kafka of your own"
    )
