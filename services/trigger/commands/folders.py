"""Programme folders as the verbs read them: with the settings that a programme is checked by."""

from datetime import timedelta
from pathlib import Path

from services.trigger.settings import TriggerSettings
from shared.durations import parse_duration
from shared.programme.loading import load_programme
from shared.programme.models import Programme
from shared.settings import PREFIX, SettingsFault, read_variable


def todays_folder() -> Path:
    """The folder of the programme that runs: EARSHOT_PROGRAMME, else `programme`."""
    usual = TriggerSettings.model_fields["programme"].default
    return Path(read_variable(f"{PREFIX}PROGRAMME", str(usual)))


def open_folder(folder: Path) -> Programme:
    """Load a programme as the service would. Raises ProgrammeError and SettingsFault."""
    return load_programme(folder, dedupe=read_span("dedupe"))


def read_span(setting: str) -> timedelta:
    """A duration of trigger's settings, where the others need not be set. Raises SettingsFault."""
    name = f"{PREFIX}{setting.upper()}"
    said = read_variable(name)
    try:
        usual: timedelta = TriggerSettings.model_fields[setting].default
        return parse_duration(said) if said else usual
    except ValueError as error:
        raise SettingsFault(f"{name}: {error}") from None
