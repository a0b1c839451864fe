"""What carries values over the wire: strict both ways, and every fault has its path.

`codec_of`, `Arguments` and `ErrorCodec` are what others use. Below them a cattrs converter with
strict hooks says what a type accepts. It is asked for a type as the contract describes it
(`farcall._contract.describe`), not for an annotation, so that what a contract says is what the
codec accepts.

Values are converted by the functions that cattrs writes for speed; where one fails, the conversion
is made again by functions that tell what is wrong, and where.
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
