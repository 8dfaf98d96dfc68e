/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * LoadOptions, UTF-16, become what other loaders put into /chosen/bootargs. Taken out are the words
 * that are for us here (`bundle=`, `initrd=`), GRUB's `BOOT_IMAGE=`, and the program's name, with
 * which EFI's shell begins: no option is without a '='.
 */
#include <string.h>

#include "host/efi/efi.h"

/* Boot managers put bytes of their own there too: what isn't text is none of ours. */
static bool is_text(const efi_char *options, uint64_t count)
{
    for (uint64_t n = 0; n < count; n++) {
        if (options[n] < ' ' || options[n] > '~')
            return false;
    }
    return true;
}

static bool starts(const char *word, uint64_t length, const char *with)
{
    return length >= strlen(with) && !memcmp(word, with, strlen(with));
}

/* The value of NAME=VALUE. */
static efi_status take_name(const struct efi *efi, char *out, const char *word, uint64_t length)
{
    const char *value = (const char *)memchr(word, '=', length) + 1;
    uint64_t bytes = length - (uint64_t)(value - word);
    if (bytes >= EFI_NAME) {
        efi_say(efi, "a file's name in the options is longer than %u characters",
                (uint64_t)EFI_NAME - 1);
        return EFI_INVALID_PARAMETER;
    }
    memcpy(out, value, bytes);
    out[bytes] = 0;
    return EFI_SUCCESS;
}

static efi_status sort_words(struct efi *efi, const char *text)
{
    uint64_t used = 0;
    for (bool first = true; *(text += strspn(text, " ")); first = false) {
        uint64_t length = strcspn(text, " ");
        efi_status status = EFI_SUCCESS;
        if (starts(text, length, "bundle=")) {
            status = take_name(efi, efi->bundle_name, text, length);
        } else if (starts(text, length, "initrd=")) {
            status = take_name(efi, efi->initrd_name, text, length);
        } else if (!starts(text, length, "BOOT_IMAGE=") && !(first && !memchr(text, '=', length))) {
            if (used)
                efi->options[used++] = ' ';
            memcpy(efi->options + used, text, length);
            used += length;
        }
        if (status)
            return status;
        text += length;
    }
    efi->options[used] = 0;
    return EFI_SUCCESS;
}

efi_status efi_read_options(struct efi *efi)
{
    const efi_char *options = efi->loaded->options;
    uint64_t count = options ? efi->loaded->options_bytes / sizeof(efi_char) : 0;
    char text[EFI_OPTIONS];
    if (efi->loaded->options_bytes % sizeof(efi_char) || (uint64_t)options % sizeof(efi_char)) {
        efi_say(efi, "the load options are no text, and ignored");
        return EFI_SUCCESS;
    }
    for (uint64_t n = 0; n < count; n++) {
        if (!options[n])
            count = n;
    }
    if (!is_text(options, count)) {
        efi_say(efi, "the load options are no text, and ignored");
        return EFI_SUCCESS;
    }
    if (count >= EFI_OPTIONS) {
        efi_say(efi, "the load options have %u characters; %u are the most", count,
                (uint64_t)EFI_OPTIONS - 1);
        return EFI_INVALID_PARAMETER;
    }
    for (uint64_t n = 0; n < count; n++)
        text[n] = (char)options[n];
    text[count] = 0;
    return sort_words(efi, text);
}
