/* SPDX-License-Identifier: BSD-2-Clause */
#include "appliance/load/gzip.h"

#include <string.h>

#include "host/host.h"

#define TRAILER 8
#define MAX_BITS 15
#define FAST_BITS 10
#define LENGTHS 288
#define DISTANCES 30
#define END_OF_BLOCK 256
#define PIECE (HOST_YIELD_BYTES / 16) /* byte by byte is slow */

/* A canonical Huffman code: how many codes have each length, and the symbols in order of them. */
struct code {
    uint16_t count[MAX_BITS + 1], symbol[LENGTHS];
    uint16_t fast[1 << FAST_BITS]; /* by the next bits: symbol << 4 | length; 0: a longer code */
};

struct unpack {
    const uint8_t *at, *end;
    uint64_t hold; /* bits that were read and not used yet, the next one lowest */
    unsigned held;
    uint8_t *out;
    size_t written, size;
    const char *wrong; /* the first thing that was found */
    uint8_t lengths[LENGTHS + 32];
    struct code literal, distance;
    uint32_t crc[256];
};

static void wrong(struct unpack *u, const char *what)
{
    if (!u->wrong)
        u->wrong = what;
}

static const char cut_short[] = "it is cut short", damaged[] = "it is damaged",
                  too_large[] = "it unpacks to more than it says";

static void fill(struct unpack *u, unsigned bits)
{
    while (u->held < bits && u->at < u->end) {
        u->hold |= (uint64_t)*u->at++ << u->held;
        u->held += 8;
    }
}

static void use(struct unpack *u, unsigned bits)
{
    u->hold >>= bits;
    u->held -= bits;
}

static unsigned take(struct unpack *u, unsigned bits)
{
    fill(u, bits);
    if (u->held < bits) {
        wrong(u, cut_short);
        return 0;
    }
    unsigned value = (unsigned)(u->hold & ((1UL << bits) - 1));
    use(u, bits);
    return value;
}

static unsigned reversed(unsigned code, unsigned bits)
{
    unsigned result = 0;
    for (; bits; bits--, code >>= 1)
        result = result << 1 | (code & 1);
    return result;
}

/* RFC 1951, 3.2.2. A code is complete, or it is the only one and one bit long. */
static bool make_code(struct code *c, const uint8_t *lengths, unsigned symbols)
{
    uint16_t place[MAX_BITS + 2] = {0}, next[MAX_BITS + 1] = {0};
    int left = 1;
    memset(c, 0, sizeof(*c));
    for (unsigned n = 0; n < symbols; n++)
        c->count[lengths[n]]++;
    unsigned unused = c->count[0];
    c->count[0] = 0;
    for (unsigned bits = 1, code = 0; bits <= MAX_BITS; bits++) {
        left = 2 * left - c->count[bits];
        if (left < 0)
            return false;
        code = (code + c->count[bits - 1]) << 1;
        next[bits] = (uint16_t)code;
        place[bits + 1] = place[bits] + c->count[bits];
    }
    if (left && symbols - unused > c->count[1])
        return false;
    for (unsigned n = 0; n < symbols; n++) {
        unsigned bits = lengths[n];
        if (!bits)
            continue;
        c->symbol[place[bits]++] = (uint16_t)n;
        unsigned code = reversed(next[bits]++, bits);
        for (; bits <= FAST_BITS && code < 1U << FAST_BITS; code += 1U << bits)
            c->fast[code] = (uint16_t)(n << 4 | bits);
    }
    return true;
}

/* The next symbol, or one that doesn't exist. */
static unsigned decode(struct unpack *u, const struct code *c)
{
    fill(u, MAX_BITS);
    unsigned entry = c->fast[u->hold & ((1U << FAST_BITS) - 1)];
    if (entry && (entry & 15) <= u->held) {
        use(u, entry & 15);
        return entry >> 4;
    }
    unsigned code = 0, first = 0, index = 0;
    for (unsigned bits = 1; bits <= MAX_BITS; bits++) {
        if (bits > u->held) {
            wrong(u, cut_short);
            return LENGTHS;
        }
        code |= u->hold >> (bits - 1) & 1;
        if (code - first < c->count[bits]) {
            use(u, bits);
            return c->symbol[index + code - first];
        }
        index += c->count[bits];
        first = (first + c->count[bits]) << 1;
        code <<= 1;
    }
    wrong(u, damaged);
    return LENGTHS;
}

static void put(struct unpack *u, uint8_t byte)
{
    if (u->written == u->size) {
        wrong(u, too_large);
        return;
    }
    u->out[u->written++] = byte;
    if (!(u->written % PIECE))
        host_may_yield();
}

/* RFC 1951, 3.2.5: length codes 257..285, distance codes 0..29. */
static void copy(struct unpack *u, unsigned symbol)
{
    static const uint16_t base[] = {3,  4,  5,  6,  7,  8,  9,  10, 11,  13,  15,  17,  19,  23, 27,
                                    31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258};
    static const uint8_t extra[] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2,
                                    2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0};
    unsigned n = symbol - END_OF_BLOCK - 1;
    if (n >= sizeof(extra)) {
        wrong(u, damaged);
        return;
    }
    unsigned length = base[n] + take(u, extra[n]), code = decode(u, &u->distance);
    if (code >= DISTANCES) {
        wrong(u, damaged);
        return;
    }
    unsigned more = code < 4 ? 0 : code / 2 - 1;
    size_t distance = code < 4 ? code + 1 : ((2 + (code & 1)) << more) + 1;
    distance += take(u, more);
    if (distance > u->written)
        wrong(u, damaged);
    for (; length && !u->wrong; length--)
        put(u, u->out[u->written - distance]);
}

static void compressed_block(struct unpack *u)
{
    while (!u->wrong) {
        unsigned symbol = decode(u, &u->literal);
        if (symbol < END_OF_BLOCK)
            put(u, (uint8_t)symbol);
        else if (symbol == END_OF_BLOCK)
            return;
        else
            copy(u, symbol);
    }
}

/* RFC 1951, 3.2.4: from the next byte on, a length, its complement, and so many bytes. */
static void stored_block(struct unpack *u)
{
    use(u, u->held % 8);
    unsigned bytes = take(u, 16);
    if (take(u, 16) != (bytes ^ 0xffff))
        wrong(u, damaged);
    for (; bytes && !u->wrong; bytes--) {
        unsigned byte = take(u, 8);
        if (!u->wrong)
            put(u, (uint8_t)byte);
    }
}

static void fixed_codes(struct unpack *u)
{
    for (unsigned n = 0; n < LENGTHS; n++)
        u->lengths[n] = n < 144 ? 8 : n < 256 ? 9 : n < 280 ? 7 : 8;
    make_code(&u->literal, u->lengths, LENGTHS);
    memset(u->lengths, 5, 32);
    make_code(&u->distance, u->lengths, 32);
}

/* RFC 1951, 3.2.7: the lengths of both codes, themselves coded. */
static void dynamic_codes(struct unpack *u)
{
    static const uint8_t order[19] = {16, 17, 18, 0, 8,  7, 9,  6, 10, 5,
                                      11, 4,  12, 3, 13, 2, 14, 1, 15};
    unsigned literals = take(u, 5) + 257, distances = take(u, 5) + 1, codes = take(u, 4) + 4;
    memset(u->lengths, 0, 19);
    for (unsigned n = 0; n < codes; n++)
        u->lengths[order[n]] = (uint8_t)take(u, 3);
    if (literals > 286 || distances > DISTANCES || !make_code(&u->literal, u->lengths, 19)) {
        wrong(u, damaged);
        return;
    }
    for (unsigned n = 0; n < literals + distances && !u->wrong;) {
        unsigned symbol = decode(u, &u->literal), repeat = 1, value = symbol;
        if (symbol > 18 || (symbol == 16 && !n)) {
            wrong(u, damaged);
            return;
        }
        if (symbol > 15)
            value = symbol == 16 ? u->lengths[n - 1] : 0;
        if (symbol == 16)
            repeat = 3 + take(u, 2);
        else if (symbol > 16)
            repeat = symbol == 17 ? 3 + take(u, 3) : 11 + take(u, 7);
        if (repeat > literals + distances - n) {
            wrong(u, damaged);
            return;
        }
        for (; repeat; repeat--)
            u->lengths[n++] = (uint8_t)value;
    }
    if (u->wrong || !u->lengths[END_OF_BLOCK] || !make_code(&u->literal, u->lengths, literals) ||
        !make_code(&u->distance, u->lengths + literals, distances))
        wrong(u, damaged);
}

static void inflate(struct unpack *u)
{
    bool last = false;
    while (!last && !u->wrong) {
        last = take(u, 1);
        switch (take(u, 2)) {
        case 0:
            stored_block(u);
            break;
        case 1:
            fixed_codes(u);
            compressed_block(u);
            break;
        case 2:
            dynamic_codes(u);
            compressed_block(u);
            break;
        default:
            wrong(u, damaged);
        }
    }
}

/* RFC 1952, 2.3. */
enum { HEADER_CRC = 2, EXTRA = 4, NAME = 8, COMMENT = 16, RESERVED = 0xe0 };

static void skip_string(struct unpack *u)
{
    while (take(u, 8) && !u->wrong)
        ;
}

static void header(struct unpack *u)
{
    take(u, 16); /* magic: gzip_is() */
    unsigned method = take(u, 8), flags = take(u, 8);
    take(u, 32); /* time */
    take(u, 16);
    if (method != 8 || flags & RESERVED)
        wrong(u, "it is no gzip that is known");
    if (flags & EXTRA) {
        for (unsigned bytes = take(u, 16); bytes && !u->wrong; bytes--)
            take(u, 8);
    }
    if (flags & NAME)
        skip_string(u);
    if (flags & COMMENT)
        skip_string(u);
    if (flags & HEADER_CRC)
        take(u, 16);
}

static uint32_t crc_of(struct unpack *u)
{
    uint32_t crc = UINT32_MAX;
    for (uint32_t n = 0; n < 256; n++) {
        u->crc[n] = n;
        for (unsigned bit = 0; bit < 8; bit++)
            u->crc[n] = u->crc[n] >> 1 ^ (u->crc[n] & 1 ? 0xedb88320 : 0);
    }
    for (size_t n = 0; n < u->written; n++) {
        crc = u->crc[(crc ^ u->out[n]) & 0xff] ^ crc >> 8;
        if (!(n % PIECE))
            host_may_yield();
    }
    return ~crc;
}

static void trailer(struct unpack *u)
{
    use(u, u->held % 8);
    uint32_t crc = take(u, 32), size = take(u, 32);
    if (u->wrong)
        return;
    if (u->written != u->size || size != (uint32_t)u->written)
        wrong(u, "it unpacks to less than it says");
    else if (crc != crc_of(u))
        wrong(u, "its checksum is wrong");
}

uint64_t gzip_size(const uint8_t *data, size_t bytes)
{
    uint64_t size = 0;
    for (unsigned n = 1; n <= 4 && bytes > TRAILER; n++)
        size = size << 8 | data[bytes - n];
    return size;
}

const char *gzip_unpack(const uint8_t *data, size_t bytes, uint8_t *out, size_t size)
{
    struct unpack *u = host_pages_alloc(sizeof(*u), HOST_PAGE_SIZE);
    if (!u)
        return "no memory is left to unpack it";
    u->at = data;
    u->end = data + bytes;
    u->out = out;
    u->size = size;
    header(u);
    if (!u->wrong)
        inflate(u);
    if (!u->wrong)
        trailer(u);
    const char *result = u->wrong;
    host_pages_free(u, sizeof(*u));
    return result;
}
