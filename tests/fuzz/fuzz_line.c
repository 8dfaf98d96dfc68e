/* SPDX-License-Identifier: BSD-2-Clause */
/* The monitor's line: keys of any kind, words put in, the history; and what it draws. */
#include "tests/fuzz/fuzz.h"

#include "appliance/monitor/line.h"
#include "appliance/monitor/monitor.h"

void monitor_host_write(const char *bytes, size_t count)
{
    for (size_t n = 0; n < count; n++) /* nothing of what was typed but text, and our own ANSI */
        REQUIRE((uint8_t)bytes[n] >= ' ' || strchr("\r\n\a\b\033", bytes[n]));
}

static void holds(const struct line *line)
{
    REQUIRE(line->length < LINE_SIZE && line->cursor <= line->length);
    REQUIRE(strlen(line->text) == line->length);
    REQUIRE(line->history_count <= LINE_HISTORY && line->browsing <= line->history_count);
    for (unsigned n = 0; n < line->history_count; n++)
        REQUIRE(memchr(line->history[n], 0, LINE_SIZE));
    REQUIRE(memchr(line->saved, 0, LINE_SIZE));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct input in = {data, bytes};
    struct line line = {.prompt = "caldarium> "};
    while (in.left) {
        uint8_t key = (uint8_t)input_number(&in, 1);
        if (key == 0x80)
            line_insert(&line, "restore", (unsigned)input_number(&in, 1) & 7);
        else if (key == 0x81)
            line_draw(&line);
        else if (line_key(&line, key) == LINE_ENTERED)
            line_clear(&line);
        holds(&line);
    }
    return 0;
}
