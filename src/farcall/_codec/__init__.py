"""Values to JSON and back: strict both ways, and each fault with its path.

Other packages use `codec_of`, `Arguments` and `ErrorCodec`. Below them stands a cattrs converter
with strict hooks. Its keys are the types of the contract (`farcall._contract.describe`) rather than
annotations, so the codec accepts exactly what the contract says.

Functions that cattrs generates for speed convert the values. Where one fails, the conversion runs
again with functions that report what is wrong, and where.
"""

from __future__ import annotations

from farcall._codec.anything import Json
from farcall._codec.arguments import Argument, Arguments
from farcall._codec.codec import Codec, Unknown, codec_of
from farcall._codec.errors import ErrorCodec
from farcall._codec.faults import Fault, Faults
from farcall._codec.shape import OMIT
from farcall._codec.text import TooDeep
from farcall._codec.untyped import decode_json, encode_untyped
from farcall._contract.spec import UnsupportedType

__all__ = [
    "OMIT",
    "Argument",
    "Arguments",
    "Codec",
    "ErrorCodec",
    "Fault",
    "Faults",
    "Json",
    "TooDeep",
    "Unknown",
    "UnsupportedType",
    "codec_of",
    "decode_json",
    "encode_untyped",
]
