"""A `Signal` on a service class: its type found, its contract made."""

from __future__ import annotations

import inspect
from typing import Any, get_args, get_origin

import attrs

from farcall._codec import Codec, codec_of
from farcall._contract.algebra import target
from farcall._contract.describe import Definitions
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


@attrs.frozen(eq=False)
class SignalEntry:
    """An event of a service: its contract, and the descriptor that keeps its subscribers."""

    spec: SignalSpec
    attribute: str
    signal: Any
    """A `Signal`, which type checkers would take for a descriptor of this class if it said so."""
    codecs: SignalCodec[Any]

    @property
    def codec(self) -> Codec[Any]:
        """Encode and decode the values."""
        return self.codecs.value


@attrs.frozen(eq=False)
class SignalReading:
    """A signal before it is an event of some service; a subclass uses what its bases have read."""

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


def read_signal(cls: type[Any], attribute: str, signal: Any, scope: Scope) -> SignalReading:
    """Find the type of a signal's values, in its annotation or in ``Signal[T]()``.

    Raises:
        DeclarationError: there is none, or an option is not there yet.
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
    return SignalReading(attribute, site, signal, options, _value_type(annotation, site), access)


def event_of(
    reading: SignalReading, wire_name: str, definitions: Definitions, *, protected: bool = False
) -> SignalEntry:
    """Make the event that goes by `wire_name`, and define the types that it names.

    Args:
        reading: What was read of the signal.
        wire_name: Its whole name.
        definitions: Of the service.
        protected: Whether it is where its own declaration does not say.

    Raises:
        DeclarationError: its values cannot cross the wire, its key is no key, or it is for
            everybody and for some.
    """
    options, access = reading.options, reading.access.within(protected=protected)
    if options.broadcast:
        check_broadcast(reading.site, access, options.allow)
    value = described(reading.value, definitions, reading.site, "the values")
    key = None if options.key is None else _key_field(reading, options.key)
    spec = SignalSpec(
        name=reading.attribute,
        wire_name=wire_name,
        value=value,
        key=options.key,
        key_type=None if key is None else _key_type(key, reading.site, definitions),
        access=access,
        **options.flags(),
    )
    by_key = None if key is None else SignalKey(key.attribute, codec_of(key.annotation))
    codecs = SignalCodec[Any](codec_of(reading.value), by_key)
    return SignalEntry(spec, reading.attribute, reading.signal, codecs)


def _value_type(annotation: object, site: Site) -> Any:
    if get_origin(annotation) is Signal:
        return get_args(annotation)[0]
    raise site.error(
        Rule.SIGNAL_WITHOUT_TYPE,
        "nothing says which values the signal has",
        f"Write `{site.member.rpartition('.')[2]}: Signal[float] = Signal()`, with their type",
    )


def _key_type(field: Field, site: Site, definitions: Definitions) -> TypeSpec:
    spec = described(field.annotation, definitions, site, f"key={field.name!r}")
    if _is_key(target(spec, definitions), definitions):
        return spec
    raise site.error(
        Rule.BAD_KEY,
        f"the field {field.name!r} is a {spelled(spec)}, and keys are text, int, UUID or Enum",
        "Name another field, or leave out the key",
    )


def _is_key(spec: TypeSpec, definitions: Definitions) -> bool:
    """Say whether values of a type can be compared by their JSON texts."""
    match spec:
        case Scalar(name):
            return name in _KEY_SCALARS
        case LiteralOf(values):
            return {type(value) for value in values} in ({str}, {int})
        case Ref(name):
            return isinstance(definitions[name], EnumSpec)
        case _:
            return False


def _check_there(field: Field, site: Site) -> None:
    """Refuse a key that a value may not have: a field of a TypedDict that may be missing."""
    if not field.is_required and field.default is attrs.NOTHING:
        raise site.error(
            Rule.BAD_KEY,
            f"the field {field.name!r} may be missing",
            "Name a required field, or leave out the key",
        )


def _key_field(reading: SignalReading, key: str) -> Field:
    cls = get_origin(reading.value) or reading.value
    fields = read_fields(cls) if isinstance(cls, type) and kind_of(cls) else ()
    found = [field for field in fields if field.name == key]
    if found:
        _check_there(found[0], reading.site)
        return found[0]
    names = ", ".join(field.name for field in fields)
    raise reading.site.error(
        Rule.BAD_KEY,
        f"key={key!r} names no field of the values",
        f"Name one of {names}" if names else "Let the values be records, or leave out the key",
    )
