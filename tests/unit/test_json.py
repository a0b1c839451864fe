"""JSON that was decoded."""

from __future__ import annotations

from farcall._json import is_array, is_object


class List(list[int]):
    pass


class Dict(dict[str, int]):
    pass


def test_decoded_json_has_no_subclasses() -> None:
    """An array is a list and an object a dict; instances of their subclasses are neither."""
    assert is_array([])
    assert not is_array(List())
    assert is_object({})
    assert not is_object(Dict())
