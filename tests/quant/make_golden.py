#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Gossamer authors
"""Writes golden.txt: what every codec makes of some numbers, by an implementation of its own.

It follows docs/wire-format.md with exact fractions and shares nothing with src/quant, so that the
two check each other. Run without arguments; takes about a minute. Lines of golden.txt:
  input <fp32 words in hex>                        the small input
  small <codec> <options> <bytes in hex> <decoded> all bytes, and the FNV-1a hash of decoded words
  large <codec> <options> <count> <encoded> <decoded>   hashes, of numbers that random() makes
Options are nearest|stochastic, up|floor and the factor as an fp32 word.
"""

import math
import pathlib
from fractions import Fraction

NAN = "nan"
SEED, STEP, RANK = 0x0123456789ABCDEF, 0x1122334455, 7
FIRST = 4096  # place of the first element in the whole vector


# ---- numbers: a Fraction, NAN, or (for casts) +-math.inf; zeros carry no sign -----------------------

def exponent(x):
    """Of |x| > 0: the e with 2^e <= |x| < 2^(e+1)."""
    x = abs(x)
    e = x.numerator.bit_length() - x.denominator.bit_length()
    return e if Fraction(2) ** e <= x else e - 1


def to_even(x):
    low = x.numerator // x.denominator
    rest = x - low
    return low + (1 if rest > Fraction(1, 2) or (rest == Fraction(1, 2) and low % 2) else 0)


def fp32(x):
    """Rounded to nearest even."""
    if x == 0:
        return Fraction(0)
    unit = Fraction(2) ** (max(exponent(x), -126) - 23)
    rounded = to_even(x / unit) * unit
    assert abs(rounded) < Fraction(2) ** 128
    return rounded


def of_word(word):
    sign, biased, mantissa = word >> 31, word >> 23 & 255, word & 0x7FFFFF
    if biased == 255:
        return NAN if mantissa else (-math.inf if sign else math.inf)
    value = Fraction(mantissa + (0x800000 if biased else 0)) * Fraction(2) ** (max(biased, 1) - 150)
    return -value if sign else value


def to_word(x, negative):
    if x == NAN:
        return 0x7FC00000
    if x in (math.inf, -math.inf):
        return 0x7F800000 | (1 << 31 if x < 0 else 0)
    word = 0
    if x != 0:
        e = max(exponent(x), -126)
        units = abs(x) / Fraction(2) ** (e - 23)
        assert units.denominator == 1
        word = int(units) + ((e + 126) << 23)
    return word | (1 << 31 if negative else 0)


# ---- dither -----------------------------------------------------------------------------------------

def philox(counter, key):
    c, (k0, k1) = list(counter), key
    for _ in range(7):
        p0, p1 = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [p1 >> 32 ^ c[1] ^ k0, p1 & 0xFFFFFFFF, p0 >> 32 ^ c[3] ^ k1, p0 & 0xFFFFFFFF]
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return c


def dither(element):
    call = element // 8
    words = philox([call & 0xFFFFFFFF, call >> 32, STEP & 0xFFFFFFFF, RANK],
                   (SEED & 0xFFFFFFFF, SEED >> 32 ^ STEP >> 32))
    r = words[element % 8 // 2] >> (16 * (element % 2)) & 0xFFFF
    return (Fraction(r) + Fraction(1, 2)) / 65536


def rounded(y, stochastic, element):
    return math.floor(fp32(y + dither(element))) if stochastic else to_even(y)


# ---- formats ----------------------------------------------------------------------------------------

class Integer:
    def __init__(self, bits, fraction=0):
        self.bits, self.fraction = bits, fraction
        self.top = 2 ** (bits - 1) - 1
        self.limit = Fraction(self.top, 2 ** fraction)

    def encode(self, y, stochastic, element):
        q = rounded(y, stochastic, element)
        return max(-self.top, min(self.top, q)) % 2 ** self.bits

    def decode(self, code):
        return Fraction(code - 2 ** self.bits if code >> (self.bits - 1) else code, 2 ** self.fraction)

    def negative(self, code):
        return code >> (self.bits - 1) != 0


class Floating:
    """`top` is the code of the largest number."""
    fraction = 0

    def __init__(self, exponent_bits, mantissa_bits, top):
        self.bits = 1 + exponent_bits + mantissa_bits
        self.mantissa, self.bias, self.top = mantissa_bits, 2 ** (exponent_bits - 1) - 1, top
        self.limit = self.decode(top)

    def decode(self, code):
        magnitude = code & (2 ** (self.bits - 1) - 1)
        e, m = magnitude >> self.mantissa, magnitude & (2 ** self.mantissa - 1)
        value = Fraction(m + (2 ** self.mantissa if e else 0)) * \
            Fraction(2) ** (max(e, 1) - self.bias - self.mantissa)
        return -value if self.negative(code) else value

    def negative(self, code):
        return code >> (self.bits - 1) != 0

    def encode(self, y, stochastic, element):
        if y == 0:
            return 0
        e = max(exponent(y), 1 - self.bias)
        unit = Fraction(2) ** (e - self.mantissa)
        value = min(rounded(abs(y) / unit, stochastic, element) * unit, self.limit)
        for code in range(self.top + 1):
            if self.decode(code) == value:
                return code | (2 ** (self.bits - 1) if y < 0 and code else 0)
        raise AssertionError(value)


E4M3, E5M2 = Floating(4, 3, 0x7E), Floating(5, 2, 0x7B)
E2M3, E3M2, E2M1 = Floating(2, 3, 0x1F), Floating(3, 2, 0x1F), Floating(2, 1, 0x7)
BLOCK_CODECS = {
    "int8": ("bf16", Integer(8)), "int6": ("bf16", Integer(6)), "int5": ("bf16", Integer(5)),
    "int4": ("bf16", Integer(4)), "int3": ("bf16", Integer(3)), "int2": ("bf16", Integer(2)),
    "fp8_e4m3": ("bf16", E4M3), "fp8_e5m2": ("bf16", E5M2),
    "mxfp8_e4m3": ("e8m0", E4M3), "mxfp8_e5m2": ("e8m0", E5M2), "mxfp6_e2m3": ("e8m0", E2M3),
    "mxfp6_e3m2": ("e8m0", E3M2), "mxfp4": ("e8m0", E2M1), "mxint8": ("e8m0", Integer(8, 6)),
}


# ---- blocks -----------------------------------------------------------------------------------------

TINY = Fraction(1, 2 ** 118)
BF16_MAX = (2 - Fraction(1, 2 ** 7)) * Fraction(2) ** 127


def up_to_bf16(x):
    unit = Fraction(2) ** (max(exponent(x), -126) - 7)
    return min(math.ceil(x / unit) * unit, BF16_MAX)


def bf16_bits(x):
    return to_word(x, x < 0) >> 16


def bf16_block(values, factor, limit):
    """Scale bytes and the inverse step; None: all codes are 0."""
    if any(v in (NAN, math.inf, -math.inf) for v in values):
        return b"\xc0\x7f", None
    scaled = max(abs(v) for v in values) * abs(factor)
    if abs(scaled) < TINY:
        return b"\0\0", None
    c = fp32(1 / limit)
    c = c if c >= 1 / limit else c + Fraction(2) ** (exponent(c) - 23)
    step = up_to_bf16(max(fp32(fp32(scaled) * c), abs(factor) / 2 ** 126))
    return bf16_bits(step).to_bytes(2, "little"), fp32(factor / step)


def e8m0_block(values, factor, element, mx_scale):
    if any(v in (NAN, math.inf, -math.inf) for v in values):
        return b"\xff", None
    scaled = fp32(max(abs(v) for v in values) * abs(factor))
    if scaled < TINY:
        return b"\0", None
    e = exponent(scaled) - exponent(element.limit)
    if mx_scale == "up" and scaled > element.limit * Fraction(2) ** e:
        e += 1
    e = min(127, max(e, -127, exponent(factor) - 126 + element.fraction))
    return bytes([e + 127]), fp32(factor * Fraction(2) ** (element.fraction - e))


def planes_of(codes, bits):
    """Low 4 (of 3 bits: 2) bits of all codes, then the rest; first element in the lowest bits."""
    low = {6: 4, 5: 4, 3: 2}.get(bits, bits)
    out = b""
    for shift, width in ((0, low), (low, bits - low)):
        if width:
            number = 0
            for i, code in enumerate(codes):
                number |= (code >> shift & (2 ** width - 1)) << (i * width)
            out += number.to_bytes(len(codes) * width // 8, "little")
    return out


def encode_blocks(codec, values, stochastic, mx_scale, factor):
    kind, element = BLOCK_CODECS[codec]
    out, decoded = b"", []
    for tile in range(0, len(values), 1024):
        part = values[tile:tile + 1024]
        part = part + [Fraction(0)] * (-len(part) % 32)
        scales, codes = b"", []
        for block in range(0, len(part), 32):
            numbers = part[block:block + 32]
            if kind == "bf16":
                scale, inverse = bf16_block(numbers, factor, element.limit)
                step = of_word(int.from_bytes(scale, "little") << 16)
            else:
                scale, inverse = e8m0_block(numbers, factor, element, mx_scale)
                step = NAN if scale == b"\xff" else Fraction(2) ** (scale[0] - 127)
            scales += scale
            for i, value in enumerate(numbers):
                code = 0
                if inverse is not None:
                    # Quotients in units of the step; MXINT8's steps are 2^-6 of its scale.
                    code = element.encode(fp32(value * inverse), stochastic,
                                          FIRST + tile + block + i)
                codes.append(code)
                decoded.append((NAN, False) if step == NAN else
                               (fp32(element.decode(code) * step), element.negative(code)))
        out += scales + planes_of(codes, element.bits)
    return out, [to_word(*d) for d in decoded[:len(values)]]


# ---- casts ------------------------------------------------------------------------------------------

def encode_cast(codec, words, stochastic, factor):
    exponent_bits, mantissa = {"bf16": (8, 7), "fp16": (5, 10)}[codec]
    bias = 2 ** (exponent_bits - 1) - 1
    infinity = (2 ** exponent_bits - 1) << mantissa
    out, decoded = b"", []
    for i, word in enumerate(words + [0] * (-len(words) % 32)):
        value, sign = of_word(word), word >> 31 ^ (1 if factor < 0 else 0)
        if value == NAN:
            code = infinity | 1 << (mantissa - 1)
        elif value in (math.inf, -math.inf):
            code = infinity | sign << 15
        else:
            value = abs(fp32(value * factor))
            e = max(exponent(value), 1 - bias) if value else 1 - bias
            units = value / Fraction(2) ** (e - mantissa)
            units = math.floor(units + dither(FIRST + i)) if stochastic else to_even(units)
            code = min(units + ((e - 1 + bias) << mantissa), infinity) | sign << 15
        out += code.to_bytes(2, "little")
        magnitude = code & 0x7FFF
        if magnitude > infinity:
            decoded.append(0x7FC00000)
        elif magnitude == infinity:
            decoded.append(to_word(-math.inf if code >> 15 else math.inf, False))
        else:
            e, m = magnitude >> mantissa, magnitude & (2 ** mantissa - 1)
            number = Fraction(m + (2 ** mantissa if e else 0)) * \
                Fraction(2) ** (max(e, 1) - bias - mantissa)
            decoded.append(to_word(number, code >> 15))
    return out, decoded[:len(words)]


# ---- sign -------------------------------------------------------------------------------------------

def sign_tile(values, factor):
    """The step, or None for all zero, or NAN."""
    if any(v in (NAN, math.inf, -math.inf) for v in values):
        return NAN
    lanes = [Fraction(0)] * 16
    for i, value in enumerate(values + [Fraction(0)] * (1024 - len(values))):
        lanes[i % 16] = fp32(lanes[i % 16] + fp32(abs(value) / 1024))
    while len(lanes) > 1:
        half = len(lanes) // 2
        lanes = [fp32(lanes[i] + lanes[i + half]) for i in range(half)]
    mean = fp32(fp32(lanes[0] / Fraction(len(values), 1024)) * abs(factor))
    if mean < TINY:
        return None
    unit = Fraction(2) ** (exponent(mean) - 7)
    return min(to_even(mean / unit) * unit, BF16_MAX)


def encode_sign(words, factor):
    out, decoded = b"", []
    for unit in range(0, len(words), 32768):
        scales, bits = b"", []
        for tile in range(unit, min(unit + 32768, len(words)), 1024):
            part = words[tile:min(tile + 1024, unit + 32768)]
            step = sign_tile([of_word(w) for w in part], factor)
            bad = step is None or step == NAN
            signs = [0 if bad else w >> 31 ^ (1 if factor < 0 else 0) for w in part]
            word = 0 if step is None else to_word(step, False)
            scales += (word >> 16).to_bytes(2, "little")
            decoded += [word | (s << 31) for s in signs]
            bits += signs + [0] * (-len(signs) % 32)
        out += scales + planes_of(bits, 1)
    return out, decoded


# ---- the file ---------------------------------------------------------------------------------------

def random(count):
    """Numbers between 2^-4 and 2^4 of both signs; golden_test.cpp has the same."""
    state, words = 1, []
    for _ in range(count):
        state = (state * 6364136223846793005 + 1442695040888963407) % 2 ** 64
        bits = state >> 32
        words.append((bits & 0x807FFFFF) | (123 + (bits >> 23 & 7)) << 23)
    return words


def small_input():
    words = random(32)
    words += [0, 1 << 31] * 16                                         # zeros
    words += [(w & 0x807FFFFF) | (60 + 4 * i) << 23 for i, w in enumerate(random(32))]
    words += random(31) + [0xFF800123]                                 # a NaN
    words += [0xC0490FDB] * 32                                         # constant, negative
    words += [w & 0x80FFFFFF for w in random(32)]                      # subnormal and tiny
    words += [(w & 0x807FFFFF) | (9 + i // 2) << 23 for i, w in enumerate(random(32))]
    words += [0x7F000001, 0xFEFFFFFF, 0x7EC00000, 0x00000001]          # huge, and a tail
    return words


def fnv(data):
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 % 2 ** 64
    return f"{value:016x}"


def words_bytes(words):
    return b"".join(w.to_bytes(4, "little") for w in words)


def encode(codec, words, stochastic, mx_scale, factor):
    if codec in ("bf16", "fp16"):
        return encode_cast(codec, words, stochastic, factor)
    if codec == "sign":
        return encode_sign(words, factor)
    return encode_blocks(codec, [of_word(w) for w in words], stochastic, mx_scale, factor)


def cases():
    for codec in ["bf16", "fp16", "sign", *BLOCK_CODECS]:
        yield codec, "nearest", "up", 0x3F800000
        if codec != "sign":
            yield codec, "stochastic", "up", 0x3F800000
        if BLOCK_CODECS.get(codec, ("", 0))[0] == "e8m0":
            yield codec, "nearest", "floor", 0x3F800000
        yield codec, "nearest", "up", 0xBEAAAAAB  # -1/3


def main():
    words = small_input()
    lines = ["# Made by make_golden.py.", "input " + "".join(f"{w:08x}" for w in words)]
    for codec, rounding, mx_scale, factor in cases():
        options = f"{codec} {rounding} {mx_scale} {factor:08x}"
        arguments = (rounding == "stochastic", mx_scale, of_word(factor))
        encoded, decoded = encode(codec, words, *arguments)
        lines.append(f"small {options} {encoded.hex()} {fnv(words_bytes(decoded))}")
        count = 33901 if codec == "sign" else 2101
        encoded, decoded = encode(codec, random(count), *arguments)
        lines.append(f"large {options} {count} {fnv(encoded)} {fnv(words_bytes(decoded))}")
    path = pathlib.Path(__file__).with_name("golden.txt")
    path.write_text("\n".join(lines) + "\n", encoding="ascii")
    print(f"{path.name}: {len(lines)} lines, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
