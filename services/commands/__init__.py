"""The operator's verbs, one module each with `main(arguments) -> exit code`."""

from typing import Final

VERBS: Final = {
    "run": "start all four services (the default); embedded servers where none are named",
    "stop": "end what runs under var/: services, embedded servers, the Kafka of `kafka`",
    "kafka": "start a real Kafka on loopback, with its topics",
    "demo": "four weeks of history, live traffic, one fault, and the alert",
    "replay": "play historical answers and events through the public interfaces",
    "topics": "create Kafka's topics and check them",
    "migrate": "bring the schemas of the services up to date",
    "settings": "list the settings with meaning and default",
    "keys": "draw, list and revoke API keys",
    "deadletters": "list, show and send back the records that could not be processed",
}
