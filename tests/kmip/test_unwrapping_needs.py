"""What an answer may leave out of KeyWrappingData, and what it may not."""

from __future__ import annotations

from kms_tornado.kmip.enums import (
    BlockCipherMode,
    CryptographicAlgorithm,
    EncodingOption,
    HashingAlgorithm,
    MaskGenerator,
    PaddingMethod,
)
from kms_tornado.kmip.ttlv import ItemType, Node, structure
from kms_tornado.kmip.unwrapping_needs import find_lost_need

from ..rows import each_row

UID = Node("UniqueIdentifier", ItemType.TEXT_STRING, "kek")


def choice(tag: str, value: int) -> Node:
    return Node(tag, ItemType.ENUMERATION, int(value))


OAEP = choice("PaddingMethod", PaddingMethod.OAEP)
SHA_1, SHA_256 = (
    choice("HashingAlgorithm", one) for one in (HashingAlgorithm.SHA_1, HashingAlgorithm.SHA_256)
)
MASK_1, MASK_256 = (node._replace(tag="MaskGeneratorHashingAlgorithm") for node in (SHA_1, SHA_256))
AES, RSA = (
    choice("CryptographicAlgorithm", one)
    for one in (CryptographicAlgorithm.AES, CryptographicAlgorithm.RSA)
)
MODE = choice("BlockCipherMode", BlockCipherMode.AEAD)
LABEL, NO_LABEL = (Node("PSource", ItemType.BYTE_STRING, octets) for octets in (b"label", b""))
BARE, TTLV = (
    choice("EncodingOption", one)
    for one in (EncodingOption.NO_ENCODING, EncodingOption.TTLV_ENCODING)
)


def data(*parameters: Node, option: Node | None = None) -> Node:
    within = structure("CryptographicParameters", *parameters)
    information = structure("EncryptionKeyInformation", UID, within)
    return structure("KeyWrappingData", information, *([] if option is None else [option]))


@each_row(
    ("parameters", "lost", "is_needed"),
    [
        ((MODE,), MODE, True),
        ((OAEP, SHA_1), OAEP, True),
        ((OAEP, SHA_1), SHA_1, True),
        ((OAEP, LABEL), LABEL, True),
        ((OAEP, NO_LABEL), NO_LABEL, False),
        ((OAEP, SHA_256, MASK_1), MASK_1, True),
        ((OAEP, SHA_256, MASK_256), MASK_256, False),
        ((OAEP, MASK_1), MASK_1, True),
        ((OAEP, MASK_256), MASK_256, False),
        ((OAEP, AES), AES, True),
        ((OAEP, RSA), RSA, False),
        ((MODE, AES), AES, False),
        ((OAEP, choice("MaskGenerator", MaskGenerator.MGF1)), choice("MaskGenerator", 1), False),
    ],
    ids=lambda value: getattr(value, "tag", None),
)
def test_parameter_without_which_a_key_is_unwrapped_in_another_way_is_needed(
    parameters, lost, is_needed
):
    shown = data(*(node for node in parameters if node != lost))
    assert find_lost_need(data(*parameters), shown) == (lost if is_needed else None)


def test_all_parameters_together_are_needed_too():
    whole = data(OAEP, SHA_1)
    assert find_lost_need(whole, structure("KeyWrappingData")) == OAEP
    assert find_lost_need(whole, whole) is None
    assert find_lost_need(structure("KeyWrappingData"), structure("KeyWrappingData")) is None


def test_encoding_option_is_needed_where_it_says_that_there_is_no_encoding():
    assert find_lost_need(data(option=BARE), data()) == BARE
    assert find_lost_need(data(option=BARE), data(option=BARE)) is None
    assert find_lost_need(data(option=TTLV), data()) is None
