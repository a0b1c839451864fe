"""The arguments of one method: bound as Python binds them, sent by name or by position."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from inspect import Parameter
from typing import Any, Protocol

import msgspec
from msgspec import UNSET, Struct
from msgspec.structs import replace

from farcall._codec.codec import Codec, codec_of
from farcall._codec.faults import item, mismatch
from farcall._codec.generated import Field, converter_of
from farcall._codec.mirror import Member, find_mirror
from farcall._codec.mirror_reading import arguments_reader
from farcall._codec.mirror_writing import arguments_writer
from farcall._codec.records import Fields, members_reader, members_writer
from farcall._codec.shape import OMIT, Shape
from farcall._codec.text import Convert, FastThenDetailed, decoded, encoded
from farcall._contract.spec import Role
from farcall._json import is_array, is_object
from farcall._nursery import ends_program

_AT = "params"
_NO_TEXTS: Mapping[str, bytes] = {}


class Declared(Protocol):
    """A parameter of a function, its annotation resolved."""

    @property
    def name(self) -> str:
        """The name, here and on the wire."""
        ...

    @property
    def role(self) -> Role: ...

    @property
    def annotation(self) -> Any: ...

    @property
    def default(self) -> object:
        """The default, or `inspect.Parameter.empty`."""
        ...


class Argument(Struct, frozen=True):
    """A `Declared` parameter without a function."""

    name: str
    annotation: Any
    role: Role = "either"
    default: object = Parameter.empty


class Arguments:
    """Carries the arguments of one method over the wire.

    Args:
        parameters: The parameters in the order of the function, positional ones first.

    Raises:
        UnsupportedType: values of a type cannot cross the wire.
    """

    def __init__(self, parameters: Iterable[Declared]) -> None:
        declared = tuple(parameters)
        self._codecs = [codec_of(each.annotation) for each in declared]
        self._fields = [
            Field(each.name, each.name, codec, each.default is Parameter.empty)
            for each, codec in zip(declared, self._codecs, strict=True)
        ]
        self._names = [each.name for each in declared]
        self._required = [each.name for each in declared if each.default is Parameter.empty]
        self._positional = [each.name for each in declared if each.role != "keyword"]
        self._only_positional = {
            each.name: each.default for each in declared if each.role == "positional"
        }
        # A server that takes all arguments by position does not know their names.
        self._is_array = len(self._only_positional) == len(declared)

    def bind(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """Bind arguments to names in declared order, omitting those not passed.

        Raises:
            TypeError: Python would raise it for a local call, or the call leaves out an argument
                that goes by position before others.
        """
        if len(args) > len(self._positional):
            most = len(self._positional)
            raise TypeError(f"expected at most {most} arguments by position, got {len(args)}")
        bound = dict(zip(self._positional, args, strict=False))
        for name in kwargs:
            self._check_keyword(name, bound)
        bound.update(kwargs)
        given = {
            name: value for name in self._names if (value := bound.get(name, OMIT)) is not OMIT
        }
        for name in self._required:
            if name not in given:
                raise TypeError(f"missing argument {name!r}")
        if self._is_array:
            self._check_gaps(given)
        return given

    def encode(
        self, args: Sequence[Any], kwargs: Mapping[str, Any], *, is_plain: bool = False
    ) -> bytes | None:
        """Write the arguments of a call; None if there are none.

        They are an array if all parameters are positional only, and an object otherwise. Arguments
        that were not passed, or are `OMIT`, are left out: the server's defaults apply.

        Raises:
            TypeError: see `bind`.
            EncodeError: an argument is not of its type.
        """
        are_all = len(args) == len(self._names) == len(self._positional)
        if args and are_all and not kwargs and (write := self._quick_write) is not None:
            try:
                return write(dict(zip(self._names, args, strict=True)))
            except Exception:  # noqa: BLE001  # the codec writes them, or reports the fault
                pass
        return self.write(self.bind(args, kwargs), is_plain=is_plain)

    def write(
        self,
        bound: Mapping[str, Any],
        texts: Mapping[str, bytes] = _NO_TEXTS,
        *,
        is_plain: bool = False,
    ) -> bytes | None:
        """Write the arguments that `bind` returned; see `encode`.

        Args:
            bound: Arguments by name.
            texts: Further arguments by name, which are JSON text already.
            is_plain: Whether a plain peer gets them, which can get lone surrogates.
        """
        if bound and not texts and (write := self._quick_write) is not None:
            try:
                return write(bound)
            except Exception:  # noqa: BLE001  # the codec writes them, or reports the fault
                pass
        if self._is_array:
            return self._write_array(bound, texts, is_plain)
        if not texts:
            return encoded(self._writing, bound, _AT, is_plain=is_plain) if bound else None
        members = list[bytes]()
        if bound:
            members.append(encoded(self._writing_some, bound, _AT, is_plain=is_plain)[1:-1])
        members += (b"%b:%b" % (msgspec.json.encode(name), text) for name, text in texts.items())
        return b"{%b}" % b",".join(members)

    def _write_array(
        self, bound: Mapping[str, Any], texts: Mapping[str, bytes], is_plain: bool
    ) -> bytes | None:
        given = [name for name in self._names if name in bound or name in texts]
        if not given:
            return None
        if not texts:
            return encoded(self._writing_array, bound, _AT, is_plain=is_plain)

        def text_of(name: str) -> bytes:
            one = {name: bound[name]}
            return encoded(self._writing_array, one, _AT, is_plain=is_plain)[1:-1]

        items = (texts[name] if name in texts else text_of(name) for name in given)
        return b"[%b]" % b",".join(items)

    def decode(self, params: bytes | None) -> tuple[list[Any], dict[str, Any]]:
        """Read the arguments of a call, which came by position or by name.

        Returns:
            The positional and the keyword arguments for the function.

        Raises:
            Faults: an argument is missing, unknown, or not of its type.
        """
        values = self._read_quickly(params)
        if values is None:
            return self.split(self._read_carefully(params))
        if len(self._positional) == len(values) and UNSET not in values:
            return values, {}
        return self.split(self._given(values))

    def read(self, params: bytes | None) -> dict[str, Any]:
        """Read the arguments of a call by name, omitting those not sent; see `decode`."""
        values = self._read_quickly(params)
        if values is None:
            return self._read_carefully(params)
        return self._given(values)

    def _read_carefully(self, params: bytes | None) -> dict[str, Any]:
        return decoded(self._reading, b"{}" if params is None else params, _AT)

    def _read_quickly(self, params: bytes | None) -> list[Any] | None:
        """Read the arguments by their mirrors; None if the codec has to."""
        if (read := self._quick_read) is None:
            return None
        try:
            return read(b"{}" if params is None else params)
        except BaseException as error:  # the codec reads them, or reports the fault
            if ends_program(error):
                raise
            return None

    def _given(self, values: Iterable[Any]) -> dict[str, Any]:
        pairs = zip(self._names, values, strict=True)
        return {name: value for name, value in pairs if value is not UNSET}

    def split(self, values: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        """Split arguments by name into positional and keyword arguments for the function."""
        kwargs = dict(values)
        # A positional-only argument cannot be skipped: it gets its default.
        args = [kwargs.pop(name, default) for name, default in self._only_positional.items()]
        return args, kwargs

    def _check_gaps(self, given: Mapping[str, Any]) -> None:
        """Refuse to leave out an argument before others: an array has no gaps."""
        for name, expected in zip(given, self._names, strict=False):
            if name != expected:
                raise TypeError(f"argument {expected!r} cannot be left out before {name!r}")

    def _check_keyword(self, name: str, bound: Mapping[str, Any]) -> None:
        if name in bound:
            raise TypeError(f"got two values for argument {name!r}")
        if name not in self._names or name in self._only_positional:
            raise TypeError(f"got an unexpected keyword argument {name!r}")

    @cached_property
    def _quick_read(self) -> Callable[[bytes], list[Any]] | None:
        def find() -> Callable[[bytes], list[Any]]:
            readings = [codec.mirror_reading("refuse") for codec in self._codecs]
            return arguments_reader(self._members, readings, len(self._positional))

        return find_mirror(find)

    @cached_property
    def _quick_write(self) -> Callable[[Mapping[str, Any]], bytes] | None:
        def find() -> Callable[[Mapping[str, Any]], bytes]:
            writings = [codec.mirror_writing() for codec in self._codecs]
            return arguments_writer(self._members, writings, is_array=self._is_array)

        return find_mirror(find)

    @cached_property
    def _members(self) -> list[Member]:
        return [
            Member(field.name, f"_{index}", field.is_required, field.type)
            for index, field in enumerate(self._fields)
        ]

    @cached_property
    def _writing(self) -> FastThenDetailed[Any]:
        return FastThenDetailed(lambda is_detailed: members_writer(self._table(is_detailed)))

    @cached_property
    def _writing_some(self) -> FastThenDetailed[Any]:
        some = [replace(field, is_required=False) for field in self._fields]
        return FastThenDetailed(
            lambda is_detailed: members_writer(replace(self._table(is_detailed), fields=some))
        )

    @cached_property
    def _writing_array(self) -> FastThenDetailed[Any]:
        def make(is_detailed: bool) -> Convert[list[Any]]:
            write = self._writing_some.way(is_detailed)
            return lambda bound: list(write(bound).values())

        return FastThenDetailed(make)

    @cached_property
    def _reading(self) -> FastThenDetailed[dict[str, Any]]:
        return FastThenDetailed(self._reader)

    def _reader(self, is_detailed: bool) -> Convert[dict[str, Any]]:
        def position(name: str) -> str:
            return item(self._positional.index(name))

        table = self._table(is_detailed)
        read_object = read_named = members_reader("arguments", table)
        if is_detailed:
            read_named = members_reader("arguments", replace(table, path_of=position))

        def read(data: Any) -> Any:
            if is_object(data):
                return read_object(data)
            if is_array(data):
                return read_named(self._named(data))
            raise mismatch("expected object or array")

        return read

    def _table(self, is_detailed: bool) -> Fields:
        def shape(codec: Codec[Any]) -> Shape:
            return codec.shape(is_detailed=is_detailed)

        converter = converter_of(
            lambda codec: shape(codec).read,
            lambda codec: shape(codec).write,
            is_detailed=is_detailed,
        )
        return Fields(self._fields, converter, refuses_unknown=True, noun="argument")

    def _named(self, data: list[Any]) -> dict[str, Any]:
        if len(data) > len(self._positional):
            raise mismatch("unknown argument", item(len(self._positional)))
        return dict(zip(self._positional, data, strict=False))
