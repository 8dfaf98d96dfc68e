/* SPDX-License-Identifier: BSD-2-Clause */
/* Compressed kernels: what gzip makes of random bytes comes back, and what is damaged is refused.
 */
#include "tests/unit/guests.h"

#include "appliance/load/gzip.h"
#include "appliance/load/load.h"

#define PLAIN 200000
static uint8_t plain[PLAIN], out[PLAIN], packed[PLAIN + 1000], file[PLAIN + 1000];
static struct loaded loaded;

/* Packed by the machine's own gzip. */
static size_t pack(const char *how, size_t bytes)
{
    char command[100];
    char name[] = "/tmp/caldarium-test-gzip-XXXXXX"; /* others may run the same test */
    int file = mkstemp(name);
    assert_true(file >= 0);
    FILE *to = fdopen(file, "w");
    assert_non_null(to);
    assert_int_equal(fwrite(plain, 1, bytes, to), bytes);
    fclose(to);
    snprintf(command, sizeof(command), "gzip %s -c %s", how, name);
    FILE *from = popen(command, "r");
    size_t size = fread(packed, 1, sizeof(packed), from);
    assert_int_equal(pclose(from), 0);
    remove(name);
    return size;
}

static void fill_plain(unsigned kinds)
{
    uint32_t seed = 1;
    for (size_t n = 0; n < PLAIN; n++) {
        seed = seed * 1103515245 + 12345;
        plain[n] = n % 97 < 30 && n > 5000 ? plain[n - 4321] : (uint8_t)(seed >> 16 & (kinds - 1));
    }
}

static void test_comes_back(void **state)
{
    (void)state;
    static const char *const how[] = {"-1", "-6", "-9", "-9n"};
    for (unsigned kinds = 1; kinds <= 256; kinds *= 4) {
        fill_plain(kinds);
        for (unsigned n = 0; n < 4; n++) {
            size_t size = pack(how[n], PLAIN - n);
            assert_int_equal(gzip_size(packed, size), PLAIN - n);
            memset(out, 0, sizeof(out));
            const char *wrong = gzip_unpack(packed, size, out, PLAIN - n);
            assert_null(wrong);
            assert_memory_equal(out, plain, PLAIN - n);
        }
    }
    size_t size = pack("-6", 5); /* fixed codes */
    assert_null(gzip_unpack(packed, size, out, 5));
    assert_memory_equal(out, plain, 5);
}

static void test_each_cut_is_noticed(void **state)
{
    (void)state;
    fill_plain(16);
    size_t size = pack("-6", 3000);
    for (size_t cut = 2; cut < size; cut++) {
        uint8_t *exact = malloc(cut); /* so that a read beyond it is noticed */
        memcpy(exact, packed, cut);
        assert_non_null(gzip_unpack(exact, cut, out, 3000));
        free(exact);
    }
}

static void test_damage_is_noticed(void **state)
{
    (void)state;
    fill_plain(64);
    size_t size = pack("-6n", 3000);
    for (size_t at = 10; at < size; at++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            packed[at] ^= (uint8_t)(1u << bit);
            const char *wrong = gzip_unpack(packed, size, out, 3000);
            assert_true(wrong || !memcmp(out, plain, 3000)); /* bits of padding tell nothing */
            packed[at] ^= (uint8_t)(1u << bit);
        }
    }
    assert_string_equal(gzip_unpack(packed, size, out, 2999), "it unpacks to more than it says");
    assert_string_equal(gzip_unpack(packed, size, out, 3001), "it unpacks to less than it says");
}

static int set_up(void **state)
{
    (void)state;
    guest_describe(16);
    assert_int_equal(memory_take(&guest_vm), 0);
    return 0;
}

static void give(const void *data, size_t bytes)
{
    guest_config.kernel = (struct config_image){"linux", data, bytes};
}

static size_t pack_linux(void)
{
    uint64_t offset = 0x200000, bytes = 0x300000;
    fill_plain(256);
    memset(plain, 0, 64);
    plain[0] = 0x6f;
    memcpy(plain + 8, &offset, 8);
    memcpy(plain + 16, &bytes, 8);
    memcpy(plain + 56, "RSC\x05", 4);
    return pack("-6", PLAIN);
}

static void is_loaded(void)
{
    assert_true(load_images(&guest_vm, &loaded));
    assert_int_equal(loaded.entry, 0x80200000);
    assert_true(vm_read(guest, loaded.entry, out, PLAIN));
    assert_memory_equal(out, plain, PLAIN);
}

static void refused(const char *why)
{
    sim_errors = 0;
    assert_false(load_images(&guest_vm, &loaded));
    assert_int_equal(sim_errors, 1);
    assert_non_null(strstr(sim_messages, "vm web: property kernel: image linux: "));
    assert_non_null(strstr(sim_messages, why));
}

static void test_image_gz(void **state)
{
    (void)state;
    size_t size = pack_linux();
    give(packed, size);
    is_loaded();
    give(packed, size - 9);
    refused("larger than the VM's memory, or nothing"); /* the last bytes are no size now */
    memset(packed + size - 4, 0xff, 3);
    give(packed, size);
    refused("larger than the VM's memory");
}

static size_t zboot(size_t size, const char *type)
{
    uint32_t start = 512, bytes = (uint32_t)size;
    memset(file, 0, 512);
    memcpy(file, "MZ", 2);
    memcpy(file + 4, "zimg", 4);
    memcpy(file + 8, &start, 4);
    memcpy(file + 12, &bytes, 4);
    strcpy((char *)file + 24, type);
    memcpy(file + 512, packed, size);
    return 512 + size;
}

static void test_zboot(void **state)
{
    (void)state;
    size_t size = pack_linux(), all = zboot(size, "gzip");
    give(file, all);
    is_loaded();
    give(file, all - 1);
    refused("cut short: its payload ends");
    give(file, zboot(size, "zstd22"));
    refused("compressed with zstd22; gzip alone");
    file[512] = 0;
    strcpy((char *)file + 24, "gzip");
    give(file, all);
    refused("no gzip where its header says");
}

static void test_others_are_named(void **state)
{
    (void)state;
    static const uint8_t zstd[] = {0x28, 0xb5, 0x2f, 0xfd, 0, 0, 0, 0};
    static const uint8_t xz[] = {0xfd, '7', 'z', 'X', 'Z', 0, 0, 0};
    give(zstd, sizeof(zstd));
    refused("compressed with zstd");
    give(xz, sizeof(xz));
    refused("compressed with xz");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_comes_back, set_up, guest_tear_down),
        cmocka_unit_test_setup_teardown(test_each_cut_is_noticed, set_up, guest_tear_down),
        cmocka_unit_test_setup_teardown(test_damage_is_noticed, set_up, guest_tear_down),
        cmocka_unit_test_setup_teardown(test_image_gz, set_up, guest_tear_down),
        cmocka_unit_test_setup_teardown(test_zboot, set_up, guest_tear_down),
        cmocka_unit_test_setup_teardown(test_others_are_named, set_up, guest_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
