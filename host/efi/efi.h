/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the image needs of EFI, as the UEFI Specification 2.10 lays it out (tables: 4; boot
 * services: 7; loaded image: 9; files: 13.4, 13.5, LoadFile2: 13.2), and the parts of host/efi.
 * EFI's calling convention is the psABI's, so its functions are called as they are (2.3.7).
 *
 * All of this runs where EFI loaded the image, before `boot` in start.S and with EFI's own page
 * tables, which are an identity map. So nothing here may use an address that is set at link time
 * (no table of pointers), or write a global: the image that boots is a copy of this one.
 */
#ifndef HOST_EFI_EFI_H
#define HOST_EFI_EFI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EFI_ERROR(n) (1UL << 63 | (n))
#define EFI_SUCCESS 0UL
#define EFI_LOAD_ERROR EFI_ERROR(1)
#define EFI_INVALID_PARAMETER EFI_ERROR(2)
#define EFI_UNSUPPORTED EFI_ERROR(3)
#define EFI_BUFFER_TOO_SMALL EFI_ERROR(5)
#define EFI_OUT_OF_RESOURCES EFI_ERROR(9)
#define EFI_NOT_FOUND EFI_ERROR(14)

#define EFI_PAGE_SIZE 4096UL
#define EFI_ALLOCATE_ANY 0
#define EFI_LOADER_CODE 1
#define EFI_LOADER_DATA 2
#define EFI_BOOT_SERVICES_CODE 3
#define EFI_BOOT_SERVICES_DATA 4
#define EFI_CONVENTIONAL 7
#define EFI_MEMORY_SP (1UL << 18)
#define EFI_FILE_READ 1

typedef uint64_t efi_status;
typedef void *efi_handle;
typedef uint16_t efi_char;

struct efi_guid {
    uint32_t a;
    uint16_t b, c;
    uint8_t d[8];
};

struct efi_text_output {
    void *reset;
    efi_status (*output_string)(struct efi_text_output *this, const efi_char *text);
};

struct efi_memory {
    uint32_t type, pad;
    uint64_t start, virtual_start, pages, attribute;
};

struct efi_boot_services {
    uint8_t header[24];
    void *raise_tpl, *restore_tpl;
    efi_status (*allocate_pages)(int how, int type, uint64_t pages, uint64_t *address);
    efi_status (*free_pages)(uint64_t address, uint64_t pages);
    efi_status (*get_memory_map)(uint64_t *bytes, struct efi_memory *map, uint64_t *key,
                                 uint64_t *entry_bytes, uint32_t *version);
    void *pool[2], *events[6], *interfaces[3];
    efi_status (*handle_protocol)(efi_handle handle, const struct efi_guid *protocol, void **out);
    void *reserved, *register_notify, *locate_handle;
    efi_status (*locate_device_path)(const struct efi_guid *protocol, const void **path,
                                     efi_handle *out);
    void *install_table, *image[4];
    efi_status (*exit_boot_services)(efi_handle image, uint64_t map_key);
    void *misc[3], *controllers[2], *protocols[4], *locate_handles;
    efi_status (*locate_protocol)(const struct efi_guid *protocol, void *key, void **out);
};

struct efi_table {
    struct efi_guid guid;
    const void *table;
};

struct efi_system {
    uint8_t header[24];
    const efi_char *vendor;
    uint32_t revision, pad;
    efi_handle console_in_handle;
    void *console_in;
    efi_handle console_out_handle;
    struct efi_text_output *console_out;
    efi_handle error_handle;
    struct efi_text_output *error;
    void *runtime;
    struct efi_boot_services *boot;
    uint64_t table_count;
    const struct efi_table *tables;
};

struct efi_loaded_image {
    uint32_t revision, pad;
    efi_handle parent;
    struct efi_system *system;
    efi_handle device;
    const void *path, *reserved;
    uint32_t options_bytes, pad2;
    const efi_char *options;
};

struct efi_file {
    uint64_t revision;
    efi_status (*open)(struct efi_file *this, struct efi_file **out, const efi_char *name,
                       uint64_t mode, uint64_t attributes);
    efi_status (*close)(struct efi_file *this);
    void *remove;
    efi_status (*read)(struct efi_file *this, uint64_t *bytes, void *buffer);
    void *write;
    efi_status (*get_position)(struct efi_file *this, uint64_t *position);
    efi_status (*set_position)(struct efi_file *this, uint64_t position);
};

struct efi_file_system {
    uint64_t revision;
    efi_status (*open_volume)(struct efi_file_system *this, struct efi_file **root);
};

struct efi_load_file2 {
    efi_status (*load)(struct efi_load_file2 *this, const void *path, bool boot_policy,
                       uint64_t *bytes, void *buffer);
};

/* RISC-V UEFI Protocol Specification 1.0, 3. */
struct efi_riscv_boot {
    uint64_t revision;
    efi_status (*get_boot_hart)(struct efi_riscv_boot *this, uint64_t *hart);
};

/* ---- The parts of host/efi ------------------------------------------------------------------- */

#define EFI_OPTIONS 1024 /* bytes of Caldarium's own options, with their end */
#define EFI_NAME 256     /* of a file's path */

struct efi_block {
    uint64_t address, pages; /* 0 pages: none */
};

/* One start of the image; on EFI's stack. */
struct efi {
    efi_handle image;
    struct efi_system *system;
    struct efi_boot_services *boot;
    struct efi_loaded_image *loaded;
    char options[EFI_OPTIONS];                         /* for /chosen/bootargs */
    char bundle_name[EFI_NAME], initrd_name[EFI_NAME]; /* "bundle=", "initrd="; "": not given */
    uint64_t hart;
    uint64_t bundle_bytes;
    struct efi_block bundle, tree, map, home; /* given back when the start fails */
};

/* One line on EFI's console: "caldarium: EFI: ", the text with %s (const char *) and %u (uint64_t)
 * filled in. */
void efi_say(const struct efi *efi, const char *text, ...);

/* Memory that Caldarium keeps; says what there is none for. */
efi_status efi_take(const struct efi *efi, struct efi_block *block, uint64_t bytes,
                    const char *what);

/* options.c: LoadOptions into efi->options and the names of files. */
efi_status efi_read_options(struct efi *efi);

/* bundle.c: from the file that `bundle=` names, else from the loader (LoadFile2), else from the
 * file that `initrd=` names. None is no error. */
efi_status efi_load_bundle(struct efi *efi);

/* tree.c: the firmware's tree into a copy of ours, with /chosen filled in; its boot hart. */
efi_status efi_copy_tree(struct efi *efi);

/* tree.c: what EFI leaves to us becomes the tree's memory; the map is in efi->map. */
efi_status efi_set_memory(struct efi *efi, uint64_t map_bytes, uint64_t entry_bytes);

/* stub.c: called by EFI at the image's entry point. Returns when Caldarium can't start. */
efi_status efi_start(efi_handle image, struct efi_system *system);

/* enter.S: paging and interrupts off, then `entry` (physical) as firmware enters a kernel. */
_Noreturn void efi_enter(uint64_t hart, uint64_t tree, uint64_t entry);

#endif
