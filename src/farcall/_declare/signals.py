"""A `Signal` of a service class: its type, its contract and its codecs."""

from __future__ import annotations

import inspect
from typing import Any, get_args, get_origin

import attrs
from msgspec import Struct

from farcall._codec import Codec, codec_of
from farcall._contract.algebra import target
from farcall._contract.definitions import Definitions
from farcall._contract.labels import spelled
from farcall._contract.records import Field, kind_of, read_fields
from farcall._contract.spec import EnumSpec, LiteralOf, Ref, Scalar, SignalSpec, TypeSpec
from farcall._declare.access import DeclaredAccess, check_allow, check_broadcast, read_access
from farcall._declare.annotations import Scope, without_class_var
from farcall._declare.marks import not_yet
from farcall._declare.methods import described
from farcall._declare.rules import Rule
from farcall._declare.sites import Site, site_of_attribute
from farcall._signals import Signal, SignalCodec, SignalKey, SignalOptions

_KEY_SCALARS = ("str", "int", "uuid")


class SignalEntry(Struct, frozen=True, eq=False):
    """A signal of a service: its contract, its codecs, and its descriptor."""

    spec: SignalSpec
    attribute: str
    signal: Any
    """A `Signal`; annotated so, type checkers would take it for a descriptor of this class."""
    codecs: SignalCodec[Any]

    @property
    def codec(self) -> Codec[Any]:
        return self.codecs.value


class ParsedSignal(Struct, frozen=True, eq=False):
    """A signal before it becomes an event of a service; subclasses use that of their bases."""

    attribute: str
    site: Site
    signal: Any
    """A `Signal`, as in `SignalEntry`."""
    options: SignalOptions
    value: Any
    """The type of its values."""
    access: DeclaredAccess

    @property
    def chosen_name(self) -> str | None:
        """The whole name on the wire that its declaration asks for; None for the usual one."""
        return self.options.name


def read_signal(cls: type[Any], attribute: str, signal: Any, scope: Scope) -> ParsedSignal:
    """Check the options of a signal, and find its type in the annotation or in ``Signal[T]()``.

    Raises:
        DeclarationError: It has no type, or an option is wrong or not available yet.
    """
    site, options = site_of_attribute(cls, attribute), signal.options
    if options.history:
        raise not_yet(site, Rule.HISTORY_LATER)
    access = read_access(site, options.protected, options.roles)
    if options.allow is not None:
        check_allow(site, options.allow)
    written = inspect.get_annotations(cls).get(attribute)
    annotation = (
        getattr(signal, "__orig_class__", Signal)
        if written is None
        else without_class_var(scope.resolve(written, cls, site, "the signal"))
    )
    if get_origin(annotation) is not Signal:
        raise site.error(
            Rule.SIGNAL_WITHOUT_TYPE,
            "the signal has no value type",
            f"Write `{attribute}: Signal[float] = Signal()`, with the type of the values",
        )
    return ParsedSignal(attribute, site, signal, options, get_args(annotation)[0], access)


def event_of(
    parsed: ParsedSignal, wire_name: str, definitions: Definitions, *, protected: bool = False
) -> SignalEntry:
    """Make an event, and define the types that it names.

    Args:
        parsed: The signal.
        wire_name: Its whole name.
        definitions: Of the service; takes the types.
        protected: Whether its class is protected.

    Raises:
        DeclarationError: Its values cannot cross the wire, its key is not a field for a key, or it
            is a broadcast with a rule about its subscribers.
    """
    options, access = parsed.options, parsed.access.within(protected=protected)
    if options.broadcast:
        check_broadcast(parsed.site, access, options.allow)
    value = described(parsed.value, definitions, parsed.site, "the values")
    key = None if options.key is None else _key_field(parsed, options.key)
    spec = SignalSpec(
        name=parsed.attribute,
        wire_name=wire_name,
        value=value,
        key=options.key,
        key_type=None if key is None else _key_type(key, parsed.site, definitions),
        access=access,
        **options.flags(),
    )
    by_key = None if key is None else SignalKey(key.attribute, codec_of(key.annotation))
    codecs = SignalCodec[Any](codec_of(parsed.value), by_key)
    return SignalEntry(spec, parsed.attribute, parsed.signal, codecs)


def _key_type(field: Field, site: Site, definitions: Definitions) -> TypeSpec:
    spec = described(field.annotation, definitions, site, f"key={field.name!r}")
    if _is_key(target(spec, definitions), definitions):
        return spec
    raise site.error(
        Rule.BAD_KEY,
        f"the key {field.name!r} is a {spelled(spec)}; a key must be str, int, UUID or Enum",
        "Name another field, or remove key=",
    )


def _is_key(spec: TypeSpec, definitions: Definitions) -> bool:
    """Say whether equal values of a type have equal JSON texts, by which keys are compared."""
    match spec:
        case Scalar(name):
            return name in _KEY_SCALARS
        case LiteralOf(values):
            return {type(value) for value in values} in ({str}, {int})
        case Ref(name):
            return isinstance(definitions[name], EnumSpec)
        case _:
            return False


def _key_field(parsed: ParsedSignal, key: str) -> Field:
    cls = get_origin(parsed.value) or parsed.value
    fields = read_fields(cls) if isinstance(cls, type) and kind_of(cls) else ()
    field = next((field for field in fields if field.name == key), None)
    if field is None:
        names = ", ".join(field.name for field in fields)
        raise parsed.site.error(
            Rule.BAD_KEY,
            f"key={key!r} is not a field of the values",
            f"Name one of {names}" if names else "Use a record for the values, or remove key=",
        )
    # A TypedDict may lack a field without having a default for it.
    if not field.is_required and field.default is attrs.NOTHING:
        raise parsed.site.error(
            Rule.BAD_KEY,
            f"the key {field.name!r} may be missing",
            "Name a required field, or remove key=",
        )
    return field
