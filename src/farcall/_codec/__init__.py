"""What carries values over the wire: strict both ways, and every fault has its path.

The shape of a type is made from its description in the contract (`farcall._contract.types`) and
from nothing else, so that what a contract says is what the codec accepts. `codec_of`, `Arguments`
and `ErrorCodec` are what others use; below them lie shapes, one for each kind of type.
"""

from __future__ import annotations

from farcall._codec.anything import Json
from farcall._codec.arguments import Argument, Arguments
from farcall._codec.codec import Codec, Unknown, codec_of
from farcall._codec.failures import ErrorCodec
from farcall._codec.faults import Fault, Faults
from farcall._codec.omit import OMIT
from farcall._codec.untyped import decode_json, encode_untyped
from farcall._contract.unsupported import UnsupportedType

__all__ = [
    "OMIT",
    "Argument",
    "Arguments",
    "Codec",
    "ErrorCodec",
    "Fault",
    "Faults",
    "Json",
    "Unknown",
    "UnsupportedType",
    "codec_of",
    "decode_json",
    "encode_untyped",
]
