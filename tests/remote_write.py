"""Native histograms for a real Prometheus, which takes them as Protocol Buffers only: its remote write.

The few messages of https://prometheus.io/docs/concepts/remote_write_spec/ are written by hand,
and packed as Snappy without compressing, so that no library is needed for them.
"""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.servers import post


@dataclass(frozen=True)
class Native:
    """A counter histogram at a time in milliseconds: counts by the number of their exponential bucket."""

    at: int
    schema: int
    counts: Mapping[int, int]
    sum: float
    zero: int = 0
    zero_threshold: float = 0.001


def write_native(url: str, name: str, samples: Sequence[Native]) -> None:
    """Sends samples of one series, in the order of their times."""
    label = _field(1, _field(1, b"__name__") + _field(2, name.encode()))
    series = label + b"".join(_field(4, _histogram(each)) for each in samples)
    headers = {"Content_Encoding": "snappy", "Content_Type": "application/x-protobuf"}
    post(f"{url}/api/v1/write", _snappy(_field(1, series)), X_Prometheus_Remote_Write_Version="0.1.0", **headers)


def _histogram(native: Native) -> bytes:
    numbers = sorted(native.counts)
    # One span from the first bucket to the last; a bucket without counts is in it as well.
    span = range(numbers[0], numbers[-1] + 1) if numbers else range(0)
    counts = [native.counts.get(number, 0) for number in span]
    deltas = [after - before for before, after in zip([0, *counts], counts, strict=False)]
    message = _number(1, native.zero + sum(counts)) + _double(3, native.sum) + _number(4, _zigzag(native.schema))
    message += _double(5, native.zero_threshold) + _number(6, native.zero)
    if counts:
        message += _field(11, _number(1, _zigzag(span[0])) + _number(2, len(counts)))
        message += _field(12, b"".join(_varint(_zigzag(delta)) for delta in deltas))
    return message + _number(15, native.at)


def _varint(value: int) -> bytes:
    made = bytearray()
    while value > 0x7F:
        made.append(value & 0x7F | 0x80)
        value >>= 7
    made.append(value)
    return bytes(made)


def _zigzag(value: int) -> int:
    return value << 1 if value >= 0 else (-value << 1) - 1


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _double(field: int, value: float) -> bytes:
    return _varint(field << 3 | 1) + struct.pack("<d", value)


def _field(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(value)) + value


def _snappy(data: bytes) -> bytes:
    """As literals of at most 64 KiB, behind the length of the whole."""
    parts = [data[at : at + 0x10000] for at in range(0, len(data), 0x10000)]
    return _varint(len(data)) + b"".join(b"\xf4" + struct.pack("<H", len(each) - 1) + each for each in parts)
