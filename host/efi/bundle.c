/* SPDX-License-Identifier: BSD-2-Clause */
/* The bundle: a file beside the image, or what the loader offers as Linux' initrd. What is in it is
 * checked later, by who reads bundles. */
#include <string.h>

#include "host/efi/efi.h"

/* LINUX_EFI_INITRD_MEDIA_GUID as a device path: a vendor's media node (UEFI 2.10, 10.3.5.3) and the
 * end (10.3.1). Linux, Documentation/arch/x86/boot.rst, has what is behind it. */
static const uint8_t initrd_path[] = {
    4,    3,    20,   0, /* media, vendor-defined, length */
    0x27, 0xe4, 0x68, 0x55, 0xfc, 0x68, 0x3d, 0x4f, 0xac, 0x74,
    0xca, 0x55, 0x52, 0x31, 0xcc, 0x68, 0x7f, 0xff, 4,    0,
};

/* False: none is offered. */
static bool find_loader(const struct efi *efi, struct efi_load_file2 **out, const void **path)
{
    static const struct efi_guid load_file2 = {
        0x4006c0c1, 0xfcb3, 0x403e, {0x99, 0x6d, 0x4a, 0x6c, 0x87, 0x24, 0xe0, 0x6d}};
    efi_handle handle;
    *path = initrd_path;
    return !efi->boot->locate_device_path(&load_file2, path, &handle) &&
           !efi->boot->handle_protocol(handle, &load_file2, (void **)out);
}

static efi_status load_from_loader(struct efi *efi, struct efi_load_file2 *loader, const void *path)
{
    uint64_t bytes = 0;
    efi_status status = loader->load(loader, path, false, &bytes, NULL);
    if (status != EFI_BUFFER_TOO_SMALL || !bytes) {
        efi_say(efi, "the loader offers an initrd and has none");
        return EFI_LOAD_ERROR;
    }
    status = efi_take(efi, &efi->bundle, bytes, "the bundle");
    if (status)
        return status;
    uint64_t got = bytes;
    status = loader->load(loader, path, false, &got, (void *)efi->bundle.address);
    if (status || got > bytes) {
        efi_say(efi, "the bundle could not be read from the loader");
        return EFI_LOAD_ERROR;
    }
    efi->bundle_bytes = got;
    return EFI_SUCCESS;
}

/* The file on the volume that the image is from, or NULL. */
static struct efi_file *open_file(const struct efi *efi, const char *name)
{
    static const struct efi_guid file_system = {
        0x964e5b22, 0x6459, 0x11d2, {0x8e, 0x39, 0, 0xa0, 0xc9, 0x69, 0x72, 0x3b}};
    struct efi_file_system *volume;
    struct efi_file *root, *file = NULL;
    efi_char wide[EFI_NAME];
    uint64_t n = 0;
    do
        wide[n] = name[n] == '/' ? '\\' : (uint8_t)name[n];
    while (name[n++]);
    if (!efi->loaded->device ||
        efi->boot->handle_protocol(efi->loaded->device, &file_system, (void **)&volume) ||
        volume->open_volume(volume, &root))
        return NULL;
    if (root->open(root, &file, wide, EFI_FILE_READ, 0))
        file = NULL;
    root->close(root);
    return file;
}

static efi_status read_file(struct efi *efi, struct efi_file *file, const char *name)
{
    uint64_t bytes = 0;
    /* The last byte's position and one: UEFI 2.10, 13.5, SetPosition(). */
    if (file->set_position(file, UINT64_MAX) || file->get_position(file, &bytes) ||
        file->set_position(file, 0) || !bytes) {
        efi_say(efi, "the file %s is empty, or no file", name);
        return EFI_LOAD_ERROR;
    }
    efi_status status = efi_take(efi, &efi->bundle, bytes, "the bundle");
    if (status)
        return status;
    uint64_t got = bytes;
    status = file->read(file, &got, (void *)efi->bundle.address);
    if (status || got != bytes) {
        efi_say(efi, "the file %s could not be read", name);
        return EFI_LOAD_ERROR;
    }
    efi->bundle_bytes = bytes;
    return EFI_SUCCESS;
}

static efi_status load_file(struct efi *efi, const char *name)
{
    struct efi_file *file = open_file(efi, name);
    if (!file) {
        efi_say(efi, "there is no file %s where the image came from", name);
        return EFI_NOT_FOUND;
    }
    efi_status status = read_file(efi, file, name);
    file->close(file);
    return status;
}

efi_status efi_load_bundle(struct efi *efi)
{
    struct efi_load_file2 *loader;
    const void *path;
    if (*efi->bundle_name)
        return load_file(efi, efi->bundle_name);
    if (find_loader(efi, &loader, &path))
        return load_from_loader(efi, loader, path);
    return *efi->initrd_name ? load_file(efi, efi->initrd_name) : EFI_SUCCESS;
}
