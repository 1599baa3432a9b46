import json

import pytest
from tests.fakes.pattern_networks import saved_candle_network

from triptych.domain.errors import ArtifactError
from triptych.inference.pattern_card import PatternCard, hash_of, read_pattern_card

CARD = PatternCard(
    kind="chart_patterns", length=8, labels=("a",), numbers=(), learnt=("a",), threshold=(0.5,), network={}, taught=None
)


def test_a_network_of_generated_charts_has_seen_no_candle_of_a_market():
    assert CARD.taught_until_ms is None


def test_a_folder_without_a_network_is_refused(tmp_path):
    with pytest.raises(ArtifactError) as refused:
        read_pattern_card(tmp_path)
    assert str(refused.value) == (
        f"{tmp_path} holds no network of patterns: card.json is missing. Train it again, or copy the folder anew."
    )


def test_a_card_of_another_format_is_refused_by_its_first_mistake(tmp_path):
    (tmp_path / "card.json").write_text('{"kind": "chart_patterns"}')
    with pytest.raises(ArtifactError) as refused:
        read_pattern_card(tmp_path)
    assert str(refused.value) == (
        f"{tmp_path / 'card.json'} is no card of a network of patterns: length: Field required. Train it again, or "
        "copy the folder anew."
    )


def test_missing_and_changed_files_are_named(tmp_path):
    saved_candle_network(tmp_path / "net")
    graph = tmp_path / "net" / "model.onnx"
    content = graph.read_bytes()
    graph.write_bytes(content[:-1] + b"x")
    with pytest.raises(ArtifactError) as refused:
        read_pattern_card(tmp_path / "net")
    assert refused.value.message == f"{graph} is damaged: it is not the file its card was written for."
    graph.unlink()
    with pytest.raises(ArtifactError) as refused:
        read_pattern_card(tmp_path / "net")
    assert refused.value.message == f"{tmp_path / 'net'} is damaged: model.onnx is missing."


def test_the_hash_is_another_when_the_card_is(tmp_path):
    path = tmp_path / "card.json"
    path.write_text(json.dumps({"a": 1}))
    before = hash_of(tmp_path)
    path.write_text(json.dumps({"a": 2}))
    assert hash_of(tmp_path) != before
