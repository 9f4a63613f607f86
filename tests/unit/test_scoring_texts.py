from hypothesis import given
from hypothesis import strategies as st

from services.scoring.consumer.texts import clean_segments
from shared.segments import clean_value

texts = st.text(st.sampled_from("a b\u00a0\u0007"), max_size=4)


@given(st.lists(st.dictionaries(texts, texts, max_size=3), max_size=6))
def test_segments_met_before_are_cleaned_as_at_first_sight(met: list[dict[str, str]]) -> None:
    for brought in [*met, *met]:
        expected = {
            key: value
            for name, text in brought.items()
            if (key := clean_value(name)) and (value := clean_value(text))
        }

        assert clean_segments(brought) == expected
