/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What virtio devices cost, in instructions of both sides, measured as guests/bench does: a frame
 * to another VM and its answer, many frames in one direction, blocks. The peer answers each frame
 * whose word `answer` is set with one of 64 bytes.
 */
#include "guests/virtio/driver.h"

#define TICK 100UL /* instructions a tick of `time` */
#define HEADER 12U /* virtio's, before the frame */
#define SMALL 64U
#define BUFFER 9216U
#define KIB 1024UL
#define END UINT32_MAX /* a frame's number: the peer is done too */

struct frame {
    uint8_t virtio[HEADER];
    uint8_t to[6], from[6], type[2];
    uint8_t fill[2]; /* aligns the words */
    uint32_t number, answer;
    uint8_t rest[BUFFER - 36];
};

static struct queue queues[QUEUES], disk_queue[QUEUES];
static struct frame in[SIZE] __attribute__((aligned(8))), out[SIZE] __attribute__((aligned(8)));
static uint8_t sectors[64 * KIB];
static struct driver net, disk;

static void report(const char *name, uint64_t ticks, uint64_t rounds)
{
    uint64_t tenths = ticks * TICK * 10 / rounds;
    guest_print("bench: %s %u.%u instructions\n", name, tenths / 10, tenths % 10);
}

/* ---- Network: addresses of the two differ in the last bit -------------------------------------
 */

static void listen(unsigned n)
{
    queues[0].desc[n] = (struct descriptor){(uint64_t)&in[n], BUFFER, WRITE, 0};
    driver_add(&queues[0], n);
}

static void post(unsigned n, uint32_t bytes, uint32_t number, uint32_t answer)
{
    out[n].number = number;
    out[n].answer = answer;
    queues[1].desc[n] = (struct descriptor){(uint64_t)&out[n], HEADER + bytes, 0, 0};
    driver_add(&queues[1], n);
}

static void begin(uint64_t tree)
{
    if (!driver_find(&net, tree, ID_NET)) {
        guest_print("bench: no network\n");
        guest_poweroff();
    }
    for (unsigned n = 0; n < SIZE; n++) {
        for (unsigned b = 0; b < 6; b++)
            out[n].to[b] = out[n].from[b] = net.base[CONFIG + b];
        out[n].to[5] ^= 1;
        out[n].type[0] = 0x88;
        out[n].type[1] = 0xb5; /* IEEE 802: for experiments */
    }
    driver_begin(&net, queues, 2, 1U << 5);
    for (unsigned n = 0; n < SIZE; n++)
        listen(n);
    driver_kick(&net, 0);
    queues[1].driver.flags = 1; /* what is sent is looked at when there is more to send */
}

/* The next frame, until it is given back by listen(). */
static unsigned receive(void)
{
    driver_wait(&net, &queues[0], UINT64_MAX);
    return driver_used(&queues[0]);
}

/* Others' may come too, with anything in them. */
static bool is_the_peer_s(const struct frame *frame)
{
    for (unsigned b = 0; b < 6; b++) {
        if (frame->from[b] != out[0].to[b] || frame->to[b] != out[0].from[b])
            return false;
    }
    return true;
}

static void send_small(uint32_t number, uint32_t answer)
{
    while (driver_used(&queues[1]) != SIZE) {
    }
    post(0, SMALL, number, answer);
    driver_kick(&net, 1);
}

/* Answers to what was sent before the peer was there may come as well. */
static void wait_for(uint32_t number)
{
    uint32_t got;
    do {
        unsigned n = receive();
        got = in[n].number;
        listen(n);
    } while (got != number);
}

static void bulk(const char *name, uint32_t bytes, uint32_t number)
{
    uint64_t rounds = 50, before = csr_read(CSR_TIME);
    for (uint64_t round = 0; round < rounds; round++) {
        while (driver_used(&queues[1]) != SIZE) {
        }
        for (unsigned n = 0; n < SIZE / 2; n++)
            post(n, bytes, number + (uint32_t)round, n == SIZE / 2 - 1);
        driver_kick(&net, 1);
        wait_for(number + (uint32_t)round);
    }
    report(name, (csr_read(CSR_TIME) - before) * KIB, rounds * SIZE / 2 * bytes);
}

static void network(void)
{
    send_small(1, 1); /* one of the two comes first: its frame is lost */
    listen(receive());
    uint64_t rounds = 1000, before = csr_read(CSR_TIME);
    for (uint32_t n = 0; n < rounds; n++) {
        send_small(100 + n, 1);
        wait_for(100 + n);
    }
    report("net-round-trip-64", csr_read(CSR_TIME) - before, rounds);
    bulk("net-kib-mtu-1500", 1514, 10000);
    bulk("net-kib-mtu-9000", 9014, 20000);
}

void echo(uint64_t tree)
{
    begin(tree);
    send_small(1, 0);
    for (;;) {
        unsigned n = receive();
        uint32_t number = in[n].number, answer = in[n].answer;
        bool is = is_the_peer_s(&in[n]);
        listen(n);
        if (is && number == END)
            guest_poweroff();
        if (is && answer)
            send_small(number, 0);
    }
}

/* ---- Disk -------------------------------------------------------------------------------------
 */

static struct {
    uint32_t type, reserved;
    uint64_t sector;
} request;
static volatile uint8_t status;

static void transfer(uint32_t bytes, bool write)
{
    struct descriptor *desc = disk_queue[0].desc;
    request.type = write;
    desc[0] = (struct descriptor){(uint64_t)&request, sizeof(request), NEXT, 1};
    desc[1] = (struct descriptor){(uint64_t)sectors, bytes, NEXT | (write ? 0 : WRITE), 2};
    desc[2] = (struct descriptor){(uint64_t)&status, 1, WRITE, 0};
    driver_add(&disk_queue[0], 0);
    driver_kick(&disk, 0);
    driver_wait(&disk, &disk_queue[0], UINT64_MAX);
    driver_used(&disk_queue[0]);
    if (status)
        guest_print("bench: the disk FAILED\n");
}

static void transfers(const char *name, uint32_t bytes, bool write, uint64_t units)
{
    uint64_t rounds = 200, before = csr_read(CSR_TIME);
    for (uint64_t n = 0; n < rounds; n++)
        transfer(bytes, write);
    report(name, csr_read(CSR_TIME) - before, rounds * units);
}

static void blocks(uint64_t tree)
{
    if (!driver_find(&disk, tree, ID_BLOCK))
        return;
    driver_begin(&disk, disk_queue, 1, 0);
    transfers("block-read-512", 512, false, 1);
    transfers("block-read-4096", 4096, false, 1);
    transfer(4096, true); /* the page is kept from now on */
    transfers("block-write-4096", 4096, true, 1);
    transfers("block-read-kib", 64 * KIB, false, 64);
}

/* ---- Beside others that may do anything: frames may be lost, but what comes is right -----------
 */

#define STIE (1UL << 5)
#define PATIENCE 1000000UL /* ticks */

/* False: it was lost, perhaps. */
static bool answered(uint32_t number)
{
    uint64_t until = csr_read(CSR_TIME) + PATIENCE;
    guest_sbi(SBI_EXT_TIME, 0, until, 0, 0, 0);
    while (driver_wait(&net, &queues[0], until)) {
        unsigned n = driver_used(&queues[0]);
        bool is = is_the_peer_s(&in[n]) && in[n].number == number;
        listen(n);
        if (is)
            return true;
    }
    return false;
}

/* Its disk has the sector's number in each byte of a sector. */
static void check_disk(void)
{
    transfer(64 * KIB, false);
    for (unsigned n = 0; n < sizeof(sectors); n++) {
        if (sectors[n] != (uint8_t)(n / 512)) {
            guest_print("watch: byte %u of the disk FAILED\n", n);
            return;
        }
    }
}

void watch(uint64_t tree)
{
    begin(tree);
    csr_set(CSR_SIE, STIE);
    if (driver_find(&disk, tree, ID_BLOCK))
        driver_begin(&disk, disk_queue, 1, 0);
    for (uint32_t n = 1;; n++) {
        do
            send_small(n, 1);
        while (!answered(n));
        if (disk.base)
            check_disk();
        if (n % 100 == 0)
            guest_print("watch: %u rounds\n", n);
    }
}

void bench(uint64_t tree)
{
    begin(tree);
    network();
    blocks(tree);
    send_small(END, 0);
    guest_print("bench: done\n");
}
