"""Key material hides."""

from __future__ import annotations

import copy
import json
import pickle
import traceback

import pytest

from kms_tornado.crypto.material import KeyMaterial

from ..rows import each_row

CANARY = b"canary-of-32-bytes-in-plain-text"


@pytest.mark.parametrize(
    "show",
    [
        pytest.param(repr, id="repr"),
        pytest.param(str, id="str"),
        pytest.param(format, id="format"),
        pytest.param(lambda material: f"{[material]!r}", id="inside a list"),
        pytest.param(lambda material: "%s" % material, id="percent"),  # noqa: UP031
        pytest.param(lambda material: str(ValueError(material)), id="inside an exception"),
    ],
)
def test_key_material_hides_its_bytes(show):
    shown = show(KeyMaterial(CANARY))
    assert "hidden" in shown
    for form in (CANARY.decode(), CANARY.hex(), CANARY.hex().upper()):
        assert form not in shown


@each_row(
    "take_out",
    [
        pytest.param(pickle.dumps, id="pickle"),
        pytest.param(copy.copy, id="copy"),
        pytest.param(copy.deepcopy, id="deepcopy"),
        pytest.param(json.dumps, id="json"),
        pytest.param(bytes, id="bytes"),
        pytest.param(vars, id="vars"),
        pytest.param(hash, id="hash"),
        pytest.param(lambda material: material.__getstate__(), id="getstate"),
        pytest.param(lambda material: f"{material:x}", id="format with a specification"),
    ],
)
def test_key_material_leaves_only_by_reveal(take_out):
    material = KeyMaterial(CANARY)
    with pytest.raises(TypeError) as caught:
        take_out(material)
    assert CANARY.decode() not in "".join(traceback.format_exception(caught.value))
    assert material.reveal() == CANARY


def test_key_material_is_equal_by_value():
    assert KeyMaterial(CANARY) == KeyMaterial(CANARY)
    assert KeyMaterial(CANARY) != KeyMaterial(CANARY[1:])
    assert KeyMaterial(CANARY) != CANARY


def test_key_material_counts_bits():
    assert KeyMaterial(CANARY).bits == 256


def test_key_material_is_made_of_bytes_only():
    with pytest.raises(TypeError):
        KeyMaterial("text")  # type: ignore[arg-type]
